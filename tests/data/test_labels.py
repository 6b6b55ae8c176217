"""An additional column is read by number, by name in a header, or by JSON key."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2see.data import PairFile, read_pairs
from seq2see.errors import DataError

LINES = "a\tb\tnorth\t1\nc\td\tsouth\t2\n"


def read(folder: Path, content: str, label: str, name: str = "test.tsv", **options: object) -> PairFile:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return read_pairs([path], label=label, **options)  # type: ignore[arg-type]


def test_a_column_by_its_number(tmp_path: Path) -> None:
    file = read(tmp_path, LINES, "3")
    assert [(pair.source, pair.target) for pair in file.pairs] == [("a", "b"), ("c", "d")]
    assert file.labels == ("north", "south")
    assert read(tmp_path, LINES, "4").labels == ("1", "2")
    assert file.pairs[1].origin.endswith("test.tsv:2")


def test_a_column_by_the_name_in_the_first_line(tmp_path: Path) -> None:
    file = read(tmp_path, "old\tnew\tregion\tnumber\n" + LINES, "region")
    assert file.labels == ("north", "south")
    assert file.pairs[0].origin.endswith("test.tsv:2")


def test_a_key_of_json(tmp_path: Path) -> None:
    lines = '{"source": "a", "target": "b", "year": 1850}\n{"source": "c", "target": "d", "year": "1900"}\n'
    assert read(tmp_path, lines, "year", "test.jsonl").labels == ("1850", "1900")


def test_text_for_a_language_model_may_have_additional_columns(tmp_path: Path) -> None:
    file = read(tmp_path, "a b\tx\nc\ty\n", "2", columns="target")
    assert [pair.target for pair in file.pairs] == ["a b", "c"]
    assert file.labels == ("x", "y")


def test_labels_stay_with_their_pairs_if_lines_are_skipped(tmp_path: Path) -> None:
    file = read(tmp_path, "a\tb\tnorth\n\tb\teast\nc\td\nc\td\tsouth\n", "3", skip_bad=True)
    assert (file.skipped, file.labels, len(file.pairs)) == (2, ("north", "south"), 2)


def test_an_empty_label_is_a_label(tmp_path: Path) -> None:
    assert read(tmp_path, "a\tb\t\n", "3").labels == ("",)


def test_additional_columns_are_invalid_by_default(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text(LINES)
    with pytest.raises(DataError, match="has 4 columns separated by TAB; which are source and target"):
        read_pairs([tmp_path / "test.tsv"])
    (tmp_path / "two.tsv").write_text("a\tb\n")
    assert read_pairs([tmp_path / "two.tsv"]).labels == ()


@pytest.mark.parametrize(
    ("content", "label", "name", "parts"),
    [
        (LINES, "5", "test.tsv", ["no column 5", "found 4", "1 to 4"]),
        ("a\tb\n", "3", "test.tsv", ["no column 3", "found 2", "1 to 2"]),
        (LINES, "2", "test.tsv", ["column 2 is source or target already"]),
        (LINES, "0", "test.tsv", ["unknown column '0'"]),
        (LINES, "region", "test.tsv", ["'region'", "there is no header", "3 is 'north'"]),
        ("old\tnew\tregion\tn\n" + LINES, "regoin", "test.tsv", ["'regoin'"]),
        (LINES + "e\tf\n", "3", "test.tsv", ["test.tsv:3", "expected at least 3 columns, found 2"]),
        ('{"source": "a", "target": "b", "year": 1}\n', "yaer", "test.jsonl", ["'yaer'", "did you mean 'year'"]),
        (
            '{"source": "a", "target": "b", "year": []}\n',
            "year",
            "test.jsonl",
            ["'year'", "missing or not a string or number"],
        ),
        ("old\tnew\tregion\n", "region", "test.tsv", ["no lines after the header"]),
    ],
)
def test_a_missing_column_is_reported(content: str, label: str, name: str, parts: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, content, label, name)
    for part in parts:
        assert part in str(error.value)
    assert error.value.fix


def test_parallel_files_have_no_additional_column(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("x\n")
    with pytest.raises(DataError, match="additional column '3'"):
        read_pairs([tmp_path / "a", tmp_path / "b"], label="3")
