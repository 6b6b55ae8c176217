"""Standard input as a file: read once, and had as often as a file is read."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from seq2see.config import make_config
from seq2see.data import open_content, read_pairs
from seq2see.data.files import read_content, require_no_pipe
from seq2see.data.options import TableOptions
from seq2see.data.standard_input import STDIN_FILE, is_stdin_read
from seq2see.errors import DataError
from seq2see.run.pairs import read_data

PAIRS = b"a\tb\nc\td\n"


def give(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_it_is_read_as_often_as_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    give(PAIRS, monkeypatch)
    assert not is_stdin_read()
    assert read_content(STDIN_FILE) == PAIRS
    for _ in range(2):
        with open_content(STDIN_FILE) as file:
            assert file.stream.read() == PAIRS
            assert file.share_read() == 1
    assert is_stdin_read()
    give(b"e\tf\n", monkeypatch)
    assert not is_stdin_read()
    assert read_content(STDIN_FILE) == b"e\tf\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (gzip.compress("é\tx\nb\ty\n".encode()), None),
        ("é\tx\nb\ty\n".encode("utf-16"), None),
        ("é\tx\nb\ty\n".encode("cp1252"), "cp1252"),
        (json.dumps([{"source": "é", "target": "x"}, {"source": "b", "target": "y"}]).encode(), None),
    ],
    ids=["gzip", "UTF-16", "CP1252", "JSON"],
)
def test_it_may_be_all_that_a_file_may_be(
    content: bytes, encoding: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(content, monkeypatch)
    pairs = read_pairs([STDIN_FILE], table=TableOptions(encoding=encoding)).pairs
    assert [(pair.source, pair.target) for pair in pairs] == [("é", "x"), ("b", "y")]
    with open_content(STDIN_FILE, encoding) as file:
        assert len(file.stream.readlines()) == 2


def test_it_may_be_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    written = io.BytesIO()
    parquet.write_table(pyarrow.table({"source": ["a", "c"], "target": ["b", "d"]}), written)
    give(written.getvalue(), monkeypatch)
    assert [pair.target for pair in read_pairs([STDIN_FILE]).pairs] == ["b", "d"]
    with open_content(STDIN_FILE) as file:
        assert len(file.stream.readlines()) == 2


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_where_a_file_has_to_last_it_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="is standard input, which can be read only once, and so on") as caught:
        require_no_pipe(Path(name), ", and so on")
    assert caught.value.where == name


@pytest.mark.parametrize("key", ["train", "dev", "also_source", "also_target"])
def test_nothing_is_trained_on_what_cant_be_read_again(key: str, tiny_pairs: Path) -> None:
    values = {"data.train": [str(tiny_pairs)]} | {f"data.{key}": "/dev/stdin"}
    with pytest.raises(DataError, match="a run reads its data again when it is resumed") as caught:
        read_data(make_config({}, values), None, None, has_source=True)
    assert "> pairs.tsv" in caught.value.fix
