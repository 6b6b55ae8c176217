"""Digits in arguments, names and cells, more of them than Python reads as a number."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2see.commands.options import sizes_in
from seq2see.data import Pair, read_pairs
from seq2see.data.digits import MOST_DIGITS, whole_number
from seq2see.data.options import TableOptions
from seq2see.data.word_vectors import read_text
from seq2see.errors import ConfigError, DataError
from seq2see.run.changes import origin_of
from seq2see.training.world import environment_number

MANY = "9" * 5000


def test_a_number_has_decimal_digits_and_not_too_many() -> None:
    assert [whole_number(text) for text in ("0", "17", "٣", "9" * MOST_DIGITS)] == [0, 17, 3, 10**MOST_DIGITS - 1]
    for text in ("", "-1", "1.5", "²", " 1", "1_000", "9" * (MOST_DIGITS + 1), MANY):
        assert whole_number(text) is None


@pytest.mark.parametrize("content", ["a\tb\n", '{"a": "b", "c": "d"}\n'], ids=["table", "json"])
def test_no_file_has_so_many_columns(content: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(content * 5)
    with pytest.raises(DataError) as caught:
        read_pairs([path], table=TableOptions(target=MANY))
    assert any(word in caught.value.what for word in ("there is no column", "unknown key"))


def test_a_column_of_long_numbers_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{MANY}\t{word}\t{word[::-1]}\n" for word in ("ab", "cde", "fg", "hij", "kl", "mno") * 4))
    for options in (TableOptions(), TableOptions(source=("2",), target="3")):
        pair = read_pairs([path], table=options).pairs[0]
        assert (pair.source, pair.target) == ("ab", "ba")


def test_other_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="whole numbers"):
        sizes_in(f"100,{MANY}")
    monkeypatch.setenv("WORLD_SIZE", MANY)
    with pytest.raises(ConfigError, match="whole number"):
        environment_number("WORLD_SIZE")
    assert origin_of([Pair("a", "b", f"x:{MANY}"), Pair("a", "b", "x:²")], 1)[1] == 1
    path = tmp_path / "vectors.txt"
    path.write_text(f"{MANY} 300\n")  # a word and its number
    read_text(path, {"a"})
