"""Files that are larger than they look: gzip files, unpacked no further than text could fill them, and devices."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from seq2see import cli
from seq2see.data import files, open_content, read_pairs
from seq2see.data.files import read_content
from seq2see.data.values import read_values
from seq2see.errors import DataError


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few kilobytes that become 20 MB, where 1 MB is allowed."""
    monkeypatch.setattr(files, "_UNPACKED", 10**6)
    path = tmp_path / "a b's.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n" * 5_000_000))
    return path


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(bomb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = max(10**6, 50 * bomb.stat().st_size)
    read = 0

    class Counted(gzip.GzipFile):
        def read1(self, size: int = -1) -> bytes:
            nonlocal read
            content = super().read1(size)
            read += len(content)
            return content

    monkeypatch.setattr(gzip, "GzipFile", Counted)
    for consume in (read_content, lambda path: read_stream(path)):
        read = 0
        with pytest.raises(DataError, match="expands to more than") as caught:
            consume(bomb)
        assert caught.value.where == str(bomb)
        assert caught.value.fix.endswith(f"gzip -dk '{bomb.parent}/a b'\"'\"'s.tsv.gz'")
        assert 0 < read < most + 2**17


def read_stream(path: Path) -> bytes:
    with open_content(path) as file:
        return b"".join(file.stream)


def test_text_that_repeats_itself_is_read(tmp_path: Path) -> None:
    content = b"".join(b"%d\t%d\n" % (number, number) for number in range(20_000)) * 20
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(gzip.compress(content))
    assert read_content(path) == content
    assert read_stream(path) == content


def test_damage_is_still_found(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n" * 10_000)[:-20])
    for consume in (read_content, read_stream):
        with pytest.raises(DataError, match="truncated or damaged"):
            consume(path)


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/urandom"])
def test_a_device_is_not_read_for_ever(name: str) -> None:
    if not Path(name).is_char_device():
        pytest.skip(f"there is no {name}")
    reading = (
        lambda: read_pairs([Path(name)]),
        lambda: open_content(Path(name)).__enter__(),
        lambda: read_values("picture", name, "pairs.tsv:1"),
    )
    for read in reading:
        with pytest.raises(DataError, match="is a device, not a regular file"):
            read()


def test_an_empty_device_is_an_empty_file() -> None:
    with pytest.raises(DataError, match="is empty"):
        read_pairs([Path(os.devnull)])


@pytest.mark.parametrize("command", ["check {}", "prepare {} --out corpus"])
def test_a_pipe_is_refused_where_a_file_is_read_more_than_once(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert cli.run(command.format("pipe").split()) == 2
    assert "pipe: is a pipe, which can be read only once" in capsys.readouterr().err
