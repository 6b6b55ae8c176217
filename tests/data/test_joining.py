"""Several files of pairs are joined by a command only where its file has the pairs of all."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from seq2see.data import read_pairs
from seq2see.errors import DataError

ROWS = [(f"word {n}", f"mot, {n}") for n in range(12)]


def lines(rows: list[tuple[str, str]], delimiter: str) -> str:
    return "".join(f'"{one}"{delimiter}"{other}"\n' if delimiter == "," else f"{one}\t{other}\n" for one, other in rows)


@pytest.mark.parametrize(
    ("name", "delimiter", "header"),
    [
        ("a.tsv", "\t", ""),
        ("a.tsv", "\t", "source{}target\n"),
        ("a.csv", ",", ""),
        ("a.csv", ",", "source{}target\n"),
        ("a.csv", ",", "mot{}word\n"),
    ],
)
@pytest.mark.parametrize("num", [2, 3])
def test_the_command_for_files_that_are_read_alike_joins_them(
    name: str, delimiter: str, header: str, num: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [Path(f"{at} {name}") for at in range(num)]
    for at, path in enumerate(paths):
        path.write_text(header.format(delimiter) + lines(ROWS[4 * at : 4 * at + 4], delimiter))
    with pytest.raises(DataError) as error:
        read_pairs(paths)
    command = error.value.fix.split("to read the pairs of both: " if num == 2 else "one file of all: ")[1].partition(
        "; if line n"
    )[0]
    subprocess.run(command, shell=True, check=True)
    [made] = Path().glob("*-all.*")
    assert [pair[:2] for pair in read_pairs([made]).pairs] == ROWS[: 4 * num]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.csv", b"source,target\na,b\nc,d\n"),
        ("b.tsv", b"source\ttarget\na\tb\nc\td\n"),
        ("b.tsv", b"\xef\xbb\xbfa\tb\nc\td\n"),
        ("b.tsv.gz", gzip.compress(b"a\tb\nc\td\n")),
        ("b.json", b'[{"source": "a", "target": "b"},\n{"source": "c", "target": "d"}]\n'),
    ],
    ids=["another delimiter", "a header", "byte order mark", "compressed", "one array"],
)
def test_no_command_is_offered_that_would_spoil_the_pairs(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("e\tf\ng\th\n")
    (tmp_path / name).write_bytes(content)
    for first, second in ((tmp_path / "a.tsv", tmp_path / name), (tmp_path / name, tmp_path / "a.tsv")):
        with pytest.raises(DataError) as error:
            read_pairs([first, second])
        assert "cat " not in error.value.fix
        assert "(dev=…); to read the pairs of one: name only that file; if line n" in error.value.fix


def test_no_command_is_offered_where_a_last_line_has_no_end(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text("e\tf\ng\th")
    with pytest.raises(DataError) as error:
        read_pairs([tmp_path / name for name in "abc"])
    assert error.value.fix == "name one file with all pairs"


def test_the_texts_of_two_tables_of_one_name_are_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [Path("a.csv"), Path("a.tsv")]
    for path, cell in zip(paths, ("left", "right"), strict=True):
        path.write_text(f"{cell}\tof two\n" * 3)
    with pytest.raises(DataError) as error:
        read_pairs(paths)
    subprocess.run(error.value.fix.rpartition("put a blank for each TAB: ")[2], shell=True, check=True)
    pairs = read_pairs([Path("a-text.txt"), Path("a-text-2.txt")]).pairs
    assert [pair[:2] for pair in pairs] == [("left of two", "right of two")] * 3
