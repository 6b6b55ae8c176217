"""Parquet files are read like JSON Lines; skipped without pyarrow, which is an extra."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2see.data import TableOptions, iterate_rows, open_content, read_pairs
from seq2see.doctor import check
from seq2see.errors import DataError

pyarrow = pytest.importorskip("pyarrow")

ROWS = [{"id": number, "translation": {"nl": f"een {number}", "de": f"ein\n{number}"}} for number in range(5)]


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_nested_columns_are_read_and_checked(tmp_path: Path) -> None:
    path = written(tmp_path / "pairs.parquet", ROWS)
    table = TableOptions(source=("translation.nl",), target="translation.de")
    for options in (table, TableOptions()):
        file = read_pairs([path], table=options, extra=("id",))
        assert [pair[:2] for pair in file.pairs] == [(f"een {n}", f"ein {n}") for n in range(5)]
        assert file.extra[3] == ("3",)
        assert check(path, table=options).sets[0].pairs == 5
    with open_content(path) as opened:
        rows = list(iterate_rows(opened.stream, str(path), known=table))
    assert [row.source for row in rows] == [f"een {n}" for n in range(5)]


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path / "pairs.parquet", ROWS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="the Parquet file is damaged"):
        read_pairs([path])
