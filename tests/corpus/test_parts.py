from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2see.corpus.parts import as_text, split_files
from seq2see.data import read_pairs
from seq2see.errors import DataError

LINE = st.sampled_from(
    [b"a\tb", b"", b"longer than the others\tx y z", b"no tab", b"\xff\tb", b"c\td\r", b" \tx", b"q\tr"]
)


@settings(max_examples=60)
@given(lines=st.lists(LINE, min_size=1, max_size=20), ended=st.booleans(), mark=st.booleans(), size=st.integers(1, 60))
def test_parts_give_the_pairs_of_the_whole_file(
    lines: list[bytes], ended: bool, mark: bool, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "parts.tsv"
    path.write_bytes(b"\xef\xbb\xbf" * mark + b"\n".join(lines) + b"\n" * ended)
    try:
        whole = read_pairs([path], skip_bad=True)
    except DataError:
        return  # nothing is left
    found = [part.read() for part in split_files([path], [path], size, whole.format)]
    assert [pair for each in found for pair in each.pairs] == whole.pairs
    assert sum(each.skipped for each in found) == whole.skipped
    problems = [problem for each in found for problem in each.problems]
    assert tuple(problems[:5]) == whole.problems


@pytest.mark.parametrize("size", [1, 20, 60, 10_000])
def test_records_of_csv_over_several_lines_are_not_cut(size: int, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text('# by hand\nsource,target\n"a\n\nb",x\n"c ""d""\n# e",y\nf,"z\nz"\n' + "g,h\n" * 9)
    whole = read_pairs([path])
    assert [pair[:2] for pair in whole.pairs[:3]] == [("a b", "x"), ('c "d" # e', "y"), ("f", "z z")]
    found = [part.read() for part in split_files([path], [path], size, whole.format)]
    assert [pair for each in found for pair in each.pairs] == whole.pairs
    assert (len(found) > 1) == (size < 10_000)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_parallel_files_are_split_at_the_same_lines(size: int, ending: str, tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    paths[0].write_text(ending.join("a" * (number % 5 + 1) for number in range(40)) + ending * 3, newline="")
    paths[1].write_text(ending.join("b" * (number % 7 + 1) for number in range(40)), newline="")
    found = [part.read() for part in split_files(paths, paths, size)]
    assert [pair for each in found for pair in each.pairs] == read_pairs(paths).pairs
    assert (len(found) > 1) == (size < 10_000)


def test_parallel_files_of_different_lengths_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    paths[0].write_text("x\n" * 5)
    paths[1].write_text("y\n" * 4 + "\n")  # the last is an empty side
    (part,) = split_files(paths, paths, 1000)
    assert "the target is empty" in part.read().problems[0].what
    paths[1].write_text("y\n" * 3)
    with pytest.raises(DataError, match="found 5 and 3"):
        split_files(paths, paths, 1000)


def test_a_plain_file_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a\tb\n")
    assert as_text(path, tmp_path / "copy") == path
    path.rename(tmp_path / "a.tsv.gz")
    with pytest.raises(DataError, match="not a gzip file"):
        as_text(tmp_path / "a.tsv.gz", tmp_path / "copy")
