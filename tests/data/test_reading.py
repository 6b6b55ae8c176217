from __future__ import annotations

import contextlib
import errno
import gzip
import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.data import Pair, PairFile, iterate_sources, open_content, read_pairs
from seq2see.errors import DataError

# A field of a TSV file: anything but what separates fields and lines, and never blank.
FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\n\r")).filter(str.strip)
PAIRS = st.lists(st.tuples(FIELD, FIELD), min_size=1)


def read_sources(path):
    with open_content(path) as file:
        return list(iterate_sources(file.stream, str(path)))


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(folder: Path, content: bytes, name: str = "train.tsv", **options: object) -> PairFile:
    return read_pairs([write(folder, name, content)], **options)  # type: ignore[arg-type]


def sides(file: PairFile) -> list[tuple[str, str | None]]:
    return [(pair.source, pair.target) for pair in file.pairs]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reading")


@pytest.fixture(params=["quick", "line by line"])
def bad_line(request: pytest.FixtureRequest) -> bytes:
    """Nothing, or a bad line at the end that makes the reader go through the file line by line."""
    return b"" if request.param == "quick" else b"bad\n"


# What can be read.


@given(pairs=PAIRS, end=st.sampled_from([b"\n", b"\r\n"]), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_any_pairs_survive_a_file(folder: Path, pairs: list[tuple[str, str]], end: bytes, mark: bytes) -> None:
    if pairs[0][0].startswith("\ufeff"):  # would be taken for a byte order mark
        return
    content = mark + b"".join(f"{source}\t{target}".encode() + end for source, target in pairs)
    path = str(folder / "train.tsv")
    expected = [Pair(source, target, f"{path}:{number}") for number, (source, target) in enumerate(pairs, 1)]
    assert read(folder, content).pairs == expected
    slow = read(folder, content + b"bad", skip_bad=True)
    assert (slow.pairs, slow.skipped) == (expected, 1)
    assert read(folder, gzip.compress(content), "train.tsv.gz").pairs[-1].target == pairs[-1][1]
    lines = [json.dumps({"source": source, "target": target, "more": 1}).encode() for source, target in pairs]
    assert sides(read(folder, end.join(lines), "train.jsonl")) == pairs
    for side in (0, 1):
        write(folder, f"side{side}.txt", mark + end.join(pair[side].encode() for pair in pairs))
    assert sides(read_pairs([folder / "side0.txt", folder / "side1.txt"])) == pairs


def test_only_a_newline_ends_a_line(tmp_path: Path, bad_line: bytes) -> None:
    source = "a\u2028b\u2029\x0b\x0c\x1c\x85c"
    file = read(tmp_path, f"{source}\tx\n".encode() + bad_line, skip_bad=True)
    assert sides(file) == [(source, "x")]


def test_blank_lines_at_the_end_are_ignored(tmp_path: Path, bad_line: bytes) -> None:
    file = read(tmp_path, b"a\tb\n" + bad_line + b"\n\r\n\n", skip_bad=True)
    assert sides(file) == [("a", "b")]
    assert file.skipped == (1 if bad_line else 0)


def test_blanks_around_a_side_are_kept(tmp_path: Path, bad_line: bytes) -> None:
    assert sides(read(tmp_path, b" a \t b\n" + bad_line, skip_bad=True)) == [(" a ", " b")]


def test_pairs_not_in_normal_form_are_counted(tmp_path: Path, bad_line: bytes) -> None:
    content = "é\te\ne\u0301\te\u0301\ne\te\u0301\n".encode()
    assert read(tmp_path, content + bad_line, skip_bad=True).num_not_normalized == 2


def test_text_for_a_language_model(tmp_path: Path) -> None:
    path = str(tmp_path / "text.txt")
    assert read(tmp_path, b"a b\nc\n", "text.txt", columns="target").pairs == [
        Pair("", "a b", f"{path}:1"),
        Pair("", "c", f"{path}:2"),
    ]
    file = read(tmp_path, b'{"text": "a"}\n{"target": "b", "text": "c"}', "text.jsonl", columns="target")
    assert sides(file) == [("", "a"), ("", "b")]


def test_a_tab_in_a_parallel_target_is_a_blank(tmp_path: Path) -> None:
    source, target = write(tmp_path, "a.en", b"a b\nc\n"), write(tmp_path, "a.de", b"x\ty\nz\n")
    assert [pair[:2] for pair in read_pairs([source, target]).pairs] == [("a b", "x y"), ("c", "z")]
    target.write_bytes(b"x\ty\n\xff\n")  # line by line
    assert read_pairs([source, target], skip_bad=True).pairs[0].target == "x y"


@pytest.mark.parametrize("names", [("a.en", "a.de"), ("a.txt", "b.txt"), ("a.tsv", "b.tsv"), ("a.en.gz", "a.de.gz")])
def test_two_files_with_a_tab_in_each_line_are_parallel_after_the_fix(tmp_path: Path, names: tuple[str, str]) -> None:
    compress = gzip.compress if names[0].endswith(".gz") else bytes
    paths = [write(tmp_path, name, compress(f"{name}\tb\n".encode() * 20)) for name in names]
    with pytest.raises(DataError) as caught:
        read_pairs(paths)
    commands = caught.value.fix.rpartition("for each TAB: ")[2]
    subprocess.run(commands, shell=True, check=True)
    made = [Path(command.rpartition("> ")[2]) for command in commands.split(" && ")]
    assert [pair[:2] for pair in read_pairs(made).pairs] == [(f"{names[0]} b", f"{names[1]} b")] * 20


def test_parallel_files_may_end_in_different_numbers_of_blank_lines(tmp_path: Path) -> None:
    paths = [write(tmp_path, "a.txt", b"a\nb\n"), write(tmp_path, "b.txt", b"x\ny\n\n\n")]
    assert sides(read_pairs(paths)) == [("a", "x"), ("b", "y")]


# What can't.


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        (b"ab", "expected 2 columns, found 1", "separate source and target with a TAB"),
        (b"a\tb\tc", "expected 2 columns, found 3", "keep only source and target, or read the first two"),
        (b"a\rb", "expected 2 columns, found a carriage return", "convert the line ends"),
        (b"", "the line is blank", "remove it"),
        (b"\tb", "the source is empty", "add a source"),
        (b"a\t \xe3\x80\x80", "the target is empty", "add a target"),
        (
            b"a\tb\xe4c",
            "byte 0xE4 is not UTF-8 (byte 4 of the line, byte 11 of the file)",
            "give the encoding that reads right: --encoding ",
        ),
        (b"a\tb\xed\xa0\x80", "byte 0xED is not UTF-8", "give"),
        (b"a\tb\0", "character 4 of the line is NUL", "remove it"),
    ],
)
def test_an_invalid_line_is_reported_with_its_fix(tmp_path: Path, line: bytes, what: str, fix: str) -> None:
    content = b"one\tx\r\n" + line + b"\ntwo\ty\n"
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)
    text = str(caught.value)
    assert f"{tmp_path / 'train.tsv'}:2: {what}" in text
    assert f"fix: {fix}" in text
    assert ("--skip-bad" in text) is ("--encoding" not in text)
    file = read(tmp_path, content, skip_bad=True)
    assert sides(file) == [("one", "x"), ("two", "y")]
    assert file.skipped == 1
    assert [problem.origin for problem in file.problems] == [f"{tmp_path / 'train.tsv'}:2"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"", "the line is blank"),
        (b"{", "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b"[1]", "expected a JSON object, found a list"),
        (b'{"source": "a"}', "the key 'target' is missing; found 'source'"),
        (b"{}", "the key 'source' is missing; found none"),
        (b'{"source": "a", "target": 3}', "'target' must be a string, found a number"),
        (b'{"source": "a", "target": null}', "'target' must be a string, found null"),
        (b'{"source": " ", "target": "b"}', "the source is empty"),
        (b'{"source": "a", "target": "\\u0000"}', "character 1 of 'target' is NUL"),
        (b'{"source": "a", "target": "\\ud800"}', "\\ud800 in 'target' is a lone surrogate"),
        (b"\xe4", "byte 0xE4 is not UTF-8"),
    ],
)
def test_an_invalid_line_of_json_is_reported(tmp_path: Path, line: bytes, what: str) -> None:
    good = b'{"source": "\\ud83d\\ude00", "target": "b"}\n'
    with pytest.raises(DataError) as caught:
        read(tmp_path, good + line + b"\n" + good, "train.jsonl")
    assert f"{tmp_path / 'train.jsonl'}:2: {what}" in str(caught.value)
    assert str(caught.value).count("fix: ") == (1 if "UTF-8" in what else 2)
    file = read(tmp_path, good + line + b"\n" + good, "train.jsonl", skip_bad=True)
    assert sides(file) == [("😀", "b")] * 2
    assert file.skipped == 1


def test_only_the_first_invalid_lines_are_listed(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, b"a\tb\n" + b"bad\n" * 12)
    text = str(caught.value)
    assert "12 of 13 lines are invalid" in text
    assert "train.tsv:6:" in text
    assert "train.tsv:7:" not in text
    assert "and 7 more" in text
    assert len(read(tmp_path, b"a\tb\n" + b"bad\n" * 12, skip_bad=True).problems) == 5


def test_no_valid_line_is_an_error_even_with_skip_bad(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 of 2 lines are invalid"):
        read(tmp_path, b"bad\nworse\n", skip_bad=True)


def test_bytes_are_counted_from_the_start_of_the_file_with_its_mark(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"byte 3 of the line, byte 6 of the file"):
        read(tmp_path, b"\xef\xbb\xbfa\t\xe4\n")


@pytest.mark.parametrize(
    ("source", "target", "what"),
    [
        (b"a\nb\n", b"x\n", "found 2 and 1"),
        (b"a\n", b"x\ny\nz", "found 1 and 3"),
        (b"a\n\n", b"x\ny\n", "source.txt:2: the source is empty"),
        (b"a\nb\n", b"x\n \n", "target.txt:2: the target is empty"),
    ],
)
def test_parallel_files_that_do_not_match(tmp_path: Path, source: bytes, target: bytes, what: str) -> None:
    paths = [write(tmp_path, "source.txt", source), write(tmp_path, "target.txt", target)]
    with pytest.raises(DataError) as caught:
        read_pairs(paths)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.tsv", b"", "is empty"),
        ("a.tsv", b"\xef\xbb\xbf\r\n\n", "is empty"),
        ("a.tsv.gz", b"", "is empty"),
        ("a.tsv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("a.tsv.gz", gzip.compress(b"a\tb\n" * 99, mtime=0)[:-9], "truncated or damaged"),
        ("a.tsv.gz", gzip.compress(b"a\tb\n", mtime=0) + b"more", "truncated or damaged"),
        ("a.tsv.gz", b"a\tb\n", "not a gzip file"),
        ("a.tsv", "a\tb\n".encode("utf-16-be"), "looks like UTF-16"),
    ],
)
def test_an_invalid_file_is_reported(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    for skip_bad in (False, True):
        with pytest.raises(DataError) as caught:
            read(tmp_path, content, name, skip_bad=skip_bad)
        assert f"{tmp_path / name}: " in str(caught.value)
        assert what in str(caught.value)
        assert caught.value.fix


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path, what in [(tmp_path / "no.tsv", "no such file"), (tmp_path, "a folder"), (Path("a\0b"), "can't be read")]:
        with pytest.raises(DataError, match=what):
            read_pairs([path])


def test_unsupported_combinations_of_files(tmp_path: Path) -> None:
    one, two = write(tmp_path, "a.tsv.gz", b""), write(tmp_path, "b.tsv.gz", b"")
    for paths, what in [([], "found 0"), ([one, two, one], "found 3"), ([one, two], "file of pairs by its extension")]:
        with pytest.raises(DataError, match=what):
            read_pairs(paths)
    with pytest.raises(DataError, match="needs 1 text file"):
        read_pairs([one, two], columns="target")


def test_a_tab_in_text_for_a_language_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"text\.txt:2: expected 1 column, found 2 separated by TAB"):
        read(tmp_path, b"a\nb\tc\n", "text.txt", columns="target")
    with pytest.raises(DataError, match=r"text\.txt:2: the text is empty"):
        read(tmp_path, b"a\n\nb\n", "text.txt", columns="target")


@given(
    content=st.one_of(
        st.binary(),
        st.lists(st.sampled_from([b"a", b"\t", b"\n", b"\r", b"\0", b"\xe4", b"\xef\xbb\xbf", b"{}", b'"'])).map(
            b"".join
        ),
        st.binary().map(gzip.compress),
        st.binary(max_size=30).map(lambda tail: gzip.compress(b"a\tb")[: -len(tail) or None] + tail),
    ),
    name=st.sampled_from(["a.tsv", "a.txt.gz", "a.jsonl"]),
    columns=st.sampled_from(["pairs", "target"]),
)
def test_arbitrary_bytes_are_read_or_reported(folder: Path, content: bytes, name: str, columns: str) -> None:
    for skip_bad in (False, True):
        try:
            file = read(folder, content, name, columns=columns, skip_bad=skip_bad)
        except DataError:
            continue
        assert file.pairs
        assert skip_bad or not file.skipped
    with contextlib.suppress(DataError):
        read_sources(folder / name)


@given(left=st.binary(), right=st.binary())
def test_arbitrary_parallel_bytes_are_read_or_reported(folder: Path, left: bytes, right: bytes) -> None:
    paths = [write(folder, "left", left), write(folder, "right", right)]
    for skip_bad in (False, True):
        with contextlib.suppress(DataError):
            assert read_pairs(paths, skip_bad=skip_bad).pairs


# What to predict from.


def test_sources_of_a_file_keep_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "in.txt", b"\xef\xbb\xbfa b\r\n\nc")
    expected = [Pair("a b", None, f"{path}:1"), Pair("", None, f"{path}:2"), Pair("c", None, f"{path}:3")]
    assert read_sources(path) == expected
    assert read_sources(write(tmp_path, "in.txt.gz", gzip.compress(path.read_bytes())))[0].source == "a b"
    assert read_sources(write(tmp_path, "in.jsonl", b'{"source": "a"}\n'))[0].source == "a"


def test_sources_of_a_stream_are_read_one_by_one() -> None:
    sources = iterate_sources(io.BytesIO(b"a\n\xe4\n"))
    assert next(sources) == Pair("a", None, "<stdin>:1")
    with pytest.raises(
        DataError, match=r"<stdin>:2: byte 0xE4 is not UTF-8 \(byte 1 of the line, byte 3 of the file\)"
    ):
        next(sources)
    with pytest.raises(DataError, match=r"<stdin>:1: expected 1 column, found 2"):
        list(iterate_sources(io.BytesIO(b"a\tb\n")))


# Real data.


def test_real_files_are_read(seq2see_data: Path) -> None:
    paths = [path for part in ("train", "dev") for path in sorted(seq2see_data.glob(f"**/{part}.tsv*"))]
    assert paths
    for path in paths:
        file = read_pairs([path])
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        assert len(file.pairs) == content.count(b"\n")
        assert (file.skipped, file.num_not_normalized) == (0, 0)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_line_break_inside_json_is_read_as_a_blank(tmp_path: Path, end: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"source": "a", "target": f"one{end}two"}) + "\n")
    assert sides(read_pairs([path])) == [("a", "one two")]


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_an_error_while_answers_are_written_is_not_one_of_the_input(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"in{suffix}"
    path.write_bytes(gzip.compress(b"abc\n") if suffix.endswith(".gz") else b"abc\n")
    with pytest.raises(OSError, match="No space left"), open_content(path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_in_the_middle_of_a_file_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"abc\n" * 100_000)
    with pytest.raises(DataError) as caught, open_content(path) as file:  # noqa: PT012
        assert file.stream.readline() == b"abc\n"
        os.dup2(os.open(tmp_path, os.O_RDONLY), file.stream.fileno())  # as if the disk had failed
        list(file.stream)
    assert caught.value.where == str(path)
    assert caught.value.what == "can't be read: Is a directory"


class Failing(io.RawIOBase):
    """stdin, when the terminal has gone."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_an_error_of_stdin_names_it() -> None:
    with pytest.raises(DataError, match="Input/output error") as caught:
        list(iterate_sources(io.BufferedReader(Failing())))
    assert caught.value.where == "<stdin>"
