"""What training says of the check's warnings: the worst two, a line each, from a bounded sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2see.config import make_config
from seq2see.data import Pair, read_pairs
from seq2see.doctor.quick import MAX_PAIRS, worst_findings
from seq2see.run.pairs import read_data

ROWS = "".join(f"wo{letter}d {number}\tw o {letter} d {number}\n" for number in range(10) for letter in "abc")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ROWS, []),
        ("EN\tVI\n" + ROWS, ["header"]),
        (ROWS + "#  comment\there\n", ["comments", "doubled-blanks"]),
        ('"a ""b"""\t"c"\n"d"\t"e"\nf "g"\th\n' + ROWS, ["csv-quotes"]),
        ("f\u00a0g\th\ni \tj\nk \tl\n" + ROWS, ["space-around", "unusual-spaces"]),
        ("Wort\tLaute\n# x y\tz\n" + "f\u00a0g\th\n" + ROWS, ["header", "comments"]),
    ],
)
def test_the_worst_two_are_said(content: str, expected: list[str], tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(content, encoding="utf-8")
    said = worst_findings(read_pairs([path]).pairs)
    assert [line.split(": ")[1] for line in said] == expected
    assert all(line.startswith("warning: ") and f"first {path}:" in line and "\n" not in line for line in said)


def test_columns_that_are_no_text_come_first() -> None:
    pairs = [Pair(f"sound/{number}.wav", f"a  {number}", f"x:{number + 1}") for number in range(30)]
    (names, blanks) = worst_findings(pairs)
    assert names.startswith("warning: file-names: Most sources are names of files")
    assert names.endswith("(30 of 30 pairs, first x:1)")
    assert "doubled-blanks" in blanks
    assert "file-names" not in "".join(worst_findings(pairs, unit_is_given=True))
    config = make_config({}, {})
    assert any("file-names" in note for note in read_data(config, pairs, None, has_source=True).notes)
    config = make_config({}, {"text.source": "characters"})
    assert not any("file-names" in note for note in read_data(config, pairs, None, has_source=True).notes)


def test_each_field_of_a_source_is_a_column() -> None:
    pairs = [Pair(f"word{number}\tx", f"{number}", f"x:{number + 1}") for number in range(30)]
    (line,) = worst_findings(pairs)
    assert line.startswith("warning: constant: ")
    pairs = [Pair(f"word{number}\tx{number % 7}", "y", f"x:{number + 1}") for number in range(30)]
    assert worst_findings(pairs)[0].startswith("warning: constant: ")
    pairs = [Pair(f"word{number}\tpic/{number}.jpg", f"{number}", f"x:{number + 1}") for number in range(30)]
    assert not worst_findings(pairs)  # training reads them
    pairs[3] = Pair("word3\tno picture", "3", "x:4")
    assert worst_findings(pairs)[0].startswith("warning: file-names: ")
    pairs = [Pair(f"{'' if at % 4 else f'word{at}'}\tN;{at % 4}", f"{at}", f"x:{at + 1}") for at in range(40)]
    assert worst_findings(pairs)[0].startswith("warning: merged-cells: ")
    assert worst_findings(pairs)[0].endswith("(30 of 40 pairs, first x:2)")


def test_a_large_set_is_sampled() -> None:
    pairs = [Pair(f"s {number}", f" t {number}", f"x:{number + 1}") for number in range(4 * MAX_PAIRS)]
    assert worst_findings(pairs) == [
        "warning: space-around: White space at the ends of a text is learned and must be generated. "
        "(5,000 of 5,000 pairs, first x:1)"
    ]


def test_training_says_them_before_it_starts(tmp_path: Path) -> None:
    path = tmp_path / "my pairs.tsv"
    path.write_text("EN\tVI\n" + ROWS, encoding="utf-8")
    notes = read_data(make_config({}, {"data.train": [str(path)]}), None, None, has_source=True).notes
    [line] = [line for line in notes if "header" in line]
    assert line.endswith(f"(first {path}:1); all of them: seq2see check '{path}'")
    assert not any(
        "header" in line
        for line in read_data(
            make_config({}, {}), [Pair("a", "b")] * 9 + [Pair("c", "d")] * 9, None, has_source=True
        ).notes
    )
