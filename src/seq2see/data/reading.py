"""Files to pairs: the first step of training, and the place where bad data are found and named.

A clean file is taken as a whole. Only where something is wrong is it gone through line by line to say what and where.
"""

from __future__ import annotations

import contextlib
import gc
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from seq2see.data.files import read_content
from seq2see.data.lines import (
    UTF8_MARK,
    Columns,
    Line,
    LineError,
    json_pair,
    json_source,
    label_column,
    labelled,
    lines_of,
    text_pair,
    text_source,
)
from seq2see.data.pairs import Pair
from seq2see.errors import DataError

NUM_SHOWN = 5
_JSON_ENDINGS = (".jsonl", ".ndjson")


class Problem(NamedTuple):
    """A line that was left out: where, what is wrong, and what to do about it."""

    origin: str
    what: str
    fix: str


@dataclass(frozen=True)
class PairFile:
    """What was read: the pairs, and how many lines were left out and why.

    `problems` are the first few lines left out; `num_not_normalised` counts the pairs with a side that is not in NFC.
    `labels` are what stands in a further column, one a pair, where that was asked for.
    """

    pairs: list[Pair]
    skipped: int = 0
    problems: tuple[Problem, ...] = ()
    num_not_normalised: int = 0
    labels: tuple[str, ...] = ()


@contextlib.contextmanager
def collector_at_rest() -> Iterator[None]:
    """Garbage collection would look through a million new pairs again and again, and there is no garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@collector_at_rest()
def read_pairs(
    paths: Sequence[Path], *, columns: Columns = "pairs", skip_bad: bool = False, label: str | None = None
) -> PairFile:
    """The pairs of one TSV or JSONL file, or of two parallel text files, each compressed with gzip or not.

    `columns="target"` reads text for a language model: one column, the source stays empty. Raises DataError that names
    the first bad lines; `skip_bad` leaves them out instead and counts them. `label` names or numbers a further column
    to be read too; without it there may be none.
    """
    check_paths(paths, columns)
    if label is not None and len(paths) == 2:
        where = " ".join(map(str, paths))
        fix = f"put all columns into one file: paste {where} …"
        raise DataError(f"two parallel files have no further column {label!r}", where=where, fix=fix)
    contents = [read_content(path) for path in paths]
    in_json = is_json(paths[0])
    sides = None
    if not in_json and label is None:
        sides = _clean_sides([content.removeprefix(UTF8_MARK).rstrip(b"\r\n") for content in contents], columns)
    if sides is not None:
        origins = [f"{paths[0]}:{number}" for number in range(1, len(sides[0]) + 1)]
        pairs = list(map(Pair, *sides, origins))
        return PairFile(pairs, num_not_normalised=_num_not_normalised(pairs))

    rows = _rows(paths, contents)
    column = None
    if label is not None:
        try:
            column = label_column(rows[0][0], label, columns, is_json=in_json)
        except LineError as bad:
            raise DataError(bad.what, where=bad.origin, fix=bad.fix) from None
        rows = rows[1:] if column.has_header else rows
        if not rows:
            raise DataError("there is a header and nothing below it", where=str(paths[0]), fix="add the pairs")
    pairs, labels = [], []
    problems: list[Problem] = []
    skipped = 0
    for lines in rows:
        try:
            text = ""
            if column is not None:
                own, text = labelled(lines[0], column, columns)
                lines = (own,)
            pairs.append(json_pair(lines[0], columns) if in_json else text_pair(lines, columns))
            labels.append(text)
        except LineError as bad:
            skipped += 1
            if skipped <= NUM_SHOWN:
                problems.append(Problem(bad.origin, bad.what, bad.fix))
    if skipped and not skip_bad:
        raise bad_lines(problems, skipped, len(rows))
    if not pairs:
        raise bad_lines(problems, skipped, len(rows), is_all=True)
    return PairFile(
        pairs, skipped, tuple(problems), _num_not_normalised(pairs), () if column is None else tuple(labels)
    )


@collector_at_rest()
def read_stretch(
    paths: Sequence[Path], contents: Sequence[bytes], columns: Columns, *, first: int, starts: Sequence[int]
) -> PairFile:
    """The pairs of some lines of a file, or of two parallel ones: as `read_pairs`, but bad lines are only told.

    `contents` are whole lines, those from number `first` on, which begin at byte `starts` of each file.
    """
    ended = [content.removesuffix(b"\n").removesuffix(b"\r") for content in contents]
    in_json = is_json(paths[0])
    sides = None if in_json else _clean_sides(ended, columns)
    if sides is not None:
        pairs = [Pair(*both, f"{paths[0]}:{number}") for number, both in enumerate(zip(*sides, strict=True), first)]
        return PairFile(pairs, num_not_normalised=_num_not_normalised(pairs))
    rows = zip(
        *(_stretch_lines(*each, first) for each in zip(ended, map(str, paths), starts, strict=True)), strict=True
    )
    found: list[Pair] = []
    problems: list[Problem] = []
    skipped = 0
    for lines in rows:
        try:
            found.append(json_pair(lines[0], columns) if in_json else text_pair(lines, columns))
        except LineError as bad:
            skipped += 1
            if skipped <= NUM_SHOWN:
                problems.append(Problem(bad.origin, bad.what, bad.fix))
    return PairFile(found, skipped, tuple(problems), _num_not_normalised(found))


def _stretch_lines(content: bytes, path: str, start: int, first: int) -> Iterator[Line]:
    for number, line in enumerate(content.split(b"\n"), first):
        yield Line(line.removesuffix(b"\r"), path, number, start)
        start += len(line) + 1


def iterate_sources(stream: BinaryIO, name: str = "<stdin>") -> Iterator[Pair]:
    """The sources of an open stream to predict from, each as soon as its line is there, with no targets.

    One a line, or under "source" where the name ends as JSONL's does. A blank line is an empty source, so that line n
    of the output belongs to line n of the input.
    """
    return _sources(lines_of(stream, name), in_json=is_json(Path(name)))


def _sources(lines: Iterator[Line], *, in_json: bool) -> Iterator[Pair]:
    for line in lines:
        try:
            yield json_source(line) if in_json else text_source(line)
        except LineError as bad:
            raise DataError(bad.what, where=bad.origin, fix=bad.fix) from None


def check_paths(paths: Sequence[Path], columns: Columns) -> None:
    """DataError for a number or kind of files that pairs can't come from."""
    where = " ".join(map(str, paths))
    if columns == "target" and len(paths) != 1:
        raise DataError(f"a language model reads one file of text, not {len(paths)}", where=where, fix="name one file")
    one_file = (
        f"put files of pairs one behind the other: cat {where} > all{''.join(paths[0].suffixes) if paths else ''}"
    )
    if len(paths) not in (1, 2):
        raise DataError(f"pairs come from one file or two parallel ones, not {len(paths)}", where=where, fix=one_file)
    if len(paths) == 2 and any(map(holds_pairs, paths)):
        what = "two files are read as parallel text, but by its ending one of these holds pairs"
        raise DataError(what, where=where, fix=one_file)


def _ending(path: Path) -> str:
    """The ending that says what is in the file, whether it is compressed or not."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix


def holds_pairs(path: Path) -> bool:
    """True where the name says that both sides are in this one file."""
    return _ending(path) in (".tsv", *_JSON_ENDINGS)


def is_json(path: Path) -> bool:
    """True where the name says that each line is an object."""
    return _ending(path) in _JSON_ENDINGS


def _clean_sides(contents: list[bytes], columns: Columns) -> tuple[list[str], list[str]] | None:
    """Sources and targets of files of text, all at once; None where any line is not as it should be."""
    try:
        texts = [content.decode() for content in contents]
    except UnicodeDecodeError:
        return None
    if any("\0" in text for text in texts):
        return None
    texts = [text.replace("\r\n", "\n") for text in texts]
    files = [text.split("\n") for text in texts]
    if columns == "target":
        is_clean = "\t" not in texts[0] and _all_filled(files[0])
        return ([""] * len(files[0]), files[0]) if is_clean else None
    if len(files) == 2:
        sources, targets = files
    else:
        if texts[0].count("\t") != len(files[0]) or not all("\t" in line for line in files[0]):
            return None
        sides = texts[0].replace("\n", "\t").split("\t")
        sources, targets = sides[0::2], sides[1::2]
    is_clean = len(sources) == len(targets) and _all_filled(sources) and _all_filled(targets)
    return (sources, targets) if is_clean else None


def _all_filled(texts: list[str]) -> bool:
    return all(map(str.strip, texts))


def _num_not_normalised(pairs: list[Pair]) -> int:
    def is_normalised(text: str | None) -> bool:
        return unicodedata.is_normalized("NFC", text or "")

    return sum(not (is_normalised(pair.source) and is_normalised(pair.target)) for pair in pairs)


def _rows(paths: Sequence[Path], contents: list[bytes]) -> list[tuple[Line, ...]]:
    """The lines that belong together, without the blank ones at the end."""
    files = [list(lines_of(io.BytesIO(content), str(path))) for path, content in zip(paths, contents, strict=True)]
    lengths = [max(line.number for line in lines if line.content.strip(b"\r")) for lines in files]
    longest = max(lengths)
    # A blank line at the end of one file is an empty side where the other file goes on, and nothing at all otherwise.
    if any(len(lines) < longest for lines in files):
        raise unequal(paths, lengths)
    return list(zip(*(lines[:longest] for lines in files), strict=True))


def unequal(paths: Sequence[Path], lengths: Sequence[int]) -> DataError:
    """The error for parallel files of so many lines."""
    return DataError(
        f"parallel files differ in length: {lengths[0]} lines and {lengths[1]} lines",
        where=" ".join(map(str, paths)),
        fix="line n of one must belong to line n of the other; find the line that is missing or one too many",
    )


def bad_lines(problems: Sequence[Problem], num_bad: int, num_lines: int, *, is_all: bool = False) -> DataError:
    """The error for lines that can't be used, the first few of them told."""
    fix = "put them right, or go on without them: --skip-bad"
    if is_all:
        fix = "put them right; without them nothing is left"
    shown = [f"  {problem.origin}: {problem.what}\n    fix: {problem.fix}" for problem in problems]
    more = [f"  and {num_bad - len(problems)} more"] if num_bad > len(problems) else []
    return DataError("\n".join([f"{num_bad} of {num_lines} lines can't be used:", *shown, *more]), fix=fix)
