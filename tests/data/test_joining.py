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


def side(ending: str, first: int, last: int) -> str:
    return "".join(f"{'the word no.' if ending == 'en' else 'le mot nº'} {n}\n" for n in range(first, last))


@pytest.mark.parametrize(
    "names", [["train.en", "train.de", "dev.en", "dev.de"], ["train.en", "dev.en", "train.de", "dev.de"]]
)
@pytest.mark.parametrize("are_two_words", [False, True])  # which could be columns divided by a blank
def test_parallel_files_of_two_sets_are_joined_by_side(
    names: list[str], are_two_words: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in names:
        text = side(name[-2:], *((0, 8) if name.startswith("train") else (8, 12)))
        Path(name).write_text(
            text.replace("the ", "").replace(" no.", "").replace("le ", "") if are_two_words else text
        )
    with pytest.raises(DataError) as error:
        read_pairs(list(map(Path, names)))
    held_out, joining = error.value.fix.split("; ")
    assert held_out.endswith(": seq2see train train.en train.de --dev dev.en dev.de (dev=…)")
    subprocess.run(joining.removeprefix("to read the pairs of all: "), shell=True, check=True)
    pairs = read_pairs([Path("train-all.en"), Path("train-all.de")]).pairs
    expected = ("word {0}", "mot nº {0}") if are_two_words else ("the word no. {0}", "le mot nº {0}")
    assert [pair[:2] for pair in pairs] == [tuple(each.format(n) for each in expected) for n in range(12)]


def test_several_references_of_parallel_files_are_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test.en").write_text(side("en", 0, 4))
    Path("one.de").write_text(side("de", 0, 4))
    Path("two.de").write_text(side("de", 4, 8))
    paths = [Path("test.en"), Path("one.de"), Path("two.de")]
    with pytest.raises(DataError) as error:
        read_pairs(paths)
    said, _, command = error.value.fix.partition(": ")
    assert said == "if line n of each of the others is a target of line n of test.en"
    subprocess.run(command, shell=True, check=True)
    pairs = read_pairs([Path("test-all.tsv")]).pairs
    assert [pair[:2] for pair in pairs] == [(f"the word no. {n % 4}", f"le mot nº {n}") for n in range(8)]


@pytest.mark.parametrize(
    "contents", [["a\nb\n"] * 2 + ["c\n"], ["a\nb\n"] * 2 + ["c"], ["a\n"] * 2 + ["c\r\n"], ["a\n", "b\n", "c\td\te\n"]]
)
def test_texts_that_do_not_belong_together_are_not_joined(contents: list[str], tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.en", "b.de", "c.fr")]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content.encode())
    with pytest.raises(DataError) as error:
        read_pairs(paths)
    assert error.value.fix == "name one file with all pairs"
