"""Reads files of pairs, and reports invalid lines.

A clean file is parsed as a whole. Only a file with an invalid line is parsed line by line, to report what is wrong and
where.
"""

from __future__ import annotations

import contextlib
import gc
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seq2see.data.advice import Advice
from seq2see.data.diagnosis import diagnosis
from seq2see.data.files import read_content
from seq2see.data.lines import (
    UTF8_MARK,
    Columns,
    Fault,
    Line,
    LineError,
    broken_record,
    json_pair,
    label_column,
    labelled,
    lines_of,
    records_over_lines,
    text_pair,
)
from seq2see.data.pairs import Pair
from seq2see.errors import DataError

NUM_SHOWN = 5
NUM_SHOWN_WITH_ADVICE = 2
_JSON_EXTENSIONS = (".jsonl", ".ndjson")


class Problem(NamedTuple):
    """An invalid line: where it is, what is wrong, how to fix it, and the kind of fault."""

    origin: str
    what: str
    fix: str
    fault: Fault = "columns"


@dataclass(frozen=True)
class PairFile:
    """The pairs of a file, and the number of lines that were skipped.

    `problems` are the first few skipped lines; `num_not_normalised` counts the pairs with a side that is not in NFC.
    `labels` is the content of the additional column, one per pair, if one was requested.
    """

    pairs: list[Pair]
    skipped: int = 0
    problems: tuple[Problem, ...] = ()
    num_not_normalised: int = 0
    labels: tuple[str, ...] = ()


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Pause garbage collection, which would scan millions of new pairs repeatedly and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@gc_paused()
def read_pairs(
    paths: Sequence[Path], *, columns: Columns = "pairs", skip_bad: bool = False, label: str | None = None
) -> PairFile:
    """The pairs of one TSV or JSONL file, or of two parallel text files; each may be gzipped.

    `columns="target"` reads text for a language model: one column, and the source is empty. Raises DataError with the
    first invalid lines; `skip_bad` skips and counts them instead. `label` is the name or number of an additional column
    to read; without it, additional columns are invalid.
    """
    check_paths(paths, columns)
    if label is not None and len(paths) == 2:
        where = " ".join(map(str, paths))
        fix = f"put all columns into one file: paste {where} …"
        raise DataError(f"parallel files can't have an additional column {label!r}", where=where, fix=fix)
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
            raise DataError("there are no lines after the header", where=str(paths[0]), fix="add the pairs")
    pairs, labels = [], []
    problems: list[Problem] = []
    skipped = 0
    broken = _broken_records([row[0].content for row in rows], paths, is_table=column is None and columns == "pairs")
    for index, lines in enumerate(rows):
        try:
            text = ""
            if index in broken:
                raise broken_record(lines[0])
            if column is not None:
                own, text = labelled(lines[0], column, columns)
                lines = (own,)
            pairs.append(json_pair(lines[0], columns) if in_json else text_pair(lines, columns))
            labels.append(text)
        except LineError as bad:
            skipped += 1
            if skipped <= NUM_SHOWN:
                problems.append(Problem(bad.origin, bad.what, bad.fix, bad.fault))
    if not pairs or (skipped and not skip_bad):
        path = file_of(problems[0], paths)
        file = paths.index(path)
        advice = diagnosis((row[file].content for row in rows), str(path), columns, faults_of(problems))
        raise bad_lines(problems, skipped, len(rows), advice, path=path, is_all=not pairs)
    return PairFile(
        pairs, skipped, tuple(problems), _num_not_normalised(pairs), () if column is None else tuple(labels)
    )


@gc_paused()
def read_lines(
    paths: Sequence[Path], contents: Sequence[bytes], columns: Columns, *, first: int, starts: Sequence[int]
) -> PairFile:
    """The pairs in a range of lines of one file or of two parallel files. Invalid lines never raise.

    `contents` are whole lines from number `first` on, which start at byte `starts` of each file.
    """
    ended = [content.removesuffix(b"\n").removesuffix(b"\r") for content in contents]
    in_json = is_json(paths[0])
    sides = None if in_json else _clean_sides(ended, columns)
    if sides is not None:
        pairs = [Pair(*both, f"{paths[0]}:{number}") for number, both in enumerate(zip(*sides, strict=True), first)]
        return PairFile(pairs, num_not_normalised=_num_not_normalised(pairs))
    rows = zip(*(_lines_from(*each, first) for each in zip(ended, map(str, paths), starts, strict=True)), strict=True)
    found: list[Pair] = []
    problems: list[Problem] = []
    skipped = 0
    broken = _broken_records(ended[0].split(b"\n"), paths, is_table=columns == "pairs")
    for index, lines in enumerate(rows):
        try:
            if index in broken:
                raise broken_record(lines[0])
            found.append(json_pair(lines[0], columns) if in_json else text_pair(lines, columns))
        except LineError as bad:
            skipped += 1
            if skipped <= NUM_SHOWN:
                problems.append(Problem(bad.origin, bad.what, bad.fix, bad.fault))
    return PairFile(found, skipped, tuple(problems), _num_not_normalised(found))


def _broken_records(lines: Sequence[bytes], paths: Sequence[Path], *, is_table: bool) -> set[int]:
    """The lines of one table that are parts of records over several lines."""
    return records_over_lines(lines) if is_table and len(paths) == 1 and not is_json(paths[0]) else set()


def _lines_from(content: bytes, path: str, start: int, first: int) -> Iterator[Line]:
    for number, line in enumerate(content.split(b"\n"), first):
        yield Line(line.removesuffix(b"\r"), path, number, start)
        start += len(line) + 1


def check_paths(paths: Sequence[Path], columns: Columns) -> None:
    """DataError for an unsupported number or combination of files."""
    where = " ".join(map(str, paths))
    if columns == "target" and len(paths) != 1:
        raise DataError(f"a language model needs 1 text file, found {len(paths)}", where=where, fix="name one file")
    one_file = f"concatenate files of pairs: cat {where} > all{''.join(paths[0].suffixes) if paths else ''}"
    if len(paths) not in (1, 2):
        raise DataError(
            f"pairs are read from 1 file or from 2 parallel files, found {len(paths)} files", where=where, fix=one_file
        )
    if len(paths) == 2 and any(map(is_pair_file, paths)):
        what = "two files are read as parallel texts, but one of these is a file of pairs by its extension"
        raise DataError(what, where=where, fix=one_file)


def _extension(path: Path) -> str:
    """The extension, without .gz."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix


def is_pair_file(path: Path) -> bool:
    """Whether the extension is that of a file with both sides."""
    return _extension(path) in (".tsv", *_JSON_EXTENSIONS)


def is_json(path: Path) -> bool:
    """Whether the extension is that of JSONL."""
    return _extension(path) in _JSON_EXTENSIONS


def _clean_sides(contents: list[bytes], columns: Columns) -> tuple[list[str], list[str]] | None:
    """Sources and targets of text files, parsed at once; None if any line is invalid."""
    try:
        texts = [content.decode() for content in contents]
    except UnicodeDecodeError:
        return None
    if any("\0" in text for text in texts):
        return None
    texts = [text.replace("\r\n", "\n") for text in texts]
    files = [text.split("\n") for text in texts]
    if columns == "target":
        is_clean = "\t" not in texts[0] and _none_blank(files[0])
        return ([""] * len(files[0]), files[0]) if is_clean else None
    if len(files) == 2:
        sources, targets = files
    else:
        if texts[0].count("\t") != len(files[0]) or not all("\t" in line for line in files[0]):
            return None
        sides = texts[0].replace("\n", "\t").split("\t")
        sources, targets = sides[0::2], sides[1::2]
    is_clean = len(sources) == len(targets) and _none_blank(sources) and _none_blank(targets)
    return (sources, targets) if is_clean else None


def _none_blank(texts: list[str]) -> bool:
    return all(map(str.strip, texts))


def _num_not_normalised(pairs: list[Pair]) -> int:
    def is_normalised(text: str | None) -> bool:
        return unicodedata.is_normalized("NFC", text or "")

    return sum(not (is_normalised(pair.source) and is_normalised(pair.target)) for pair in pairs)


def _rows(paths: Sequence[Path], contents: list[bytes]) -> list[tuple[Line, ...]]:
    """The lines of each pair, without blank lines at the end."""
    files = [list(lines_of(io.BytesIO(content), str(path))) for path, content in zip(paths, contents, strict=True)]
    lengths = [max(line.number for line in lines if line.content.strip(b"\r")) for lines in files]
    longest = max(lengths)
    # A blank line at the end of one file counts only if the other file has more lines: then it is an empty side.
    if any(len(lines) < longest for lines in files):
        raise unequal_lengths(paths, lengths)
    return list(zip(*(lines[:longest] for lines in files), strict=True))


def unequal_lengths(paths: Sequence[Path], lengths: Sequence[int]) -> DataError:
    """The error for parallel files with these numbers of lines."""
    return DataError(
        f"parallel files must have the same number of lines, found {lengths[0]} and {lengths[1]}",
        where=" ".join(map(str, paths)),
        fix="line n of one file must belong to line n of the other; find the missing or additional line",
    )


def faults_of(problems: Sequence[Problem]) -> list[Fault]:
    """The kinds of faults of these lines."""
    return list(dict.fromkeys(problem.fault for problem in problems))


def file_of(problem: Problem, paths: Sequence[Path]) -> Path:
    """The file with this line."""
    return next(path for path in paths if problem.origin.startswith(f"{path}:"))


def bad_lines(
    problems: Sequence[Problem],
    num_bad: int,
    num_lines: int,
    advice: Advice | None = None,
    *,
    path: Path | None = None,
    is_all: bool = False,
) -> DataError:
    """The error for invalid lines, which lists the first few; with the `advice` for their file, if there is any."""
    are_invalid = f"{num_bad} of {num_lines} lines {'is' if num_bad == 1 else 'are'} invalid"
    if advice is not None:
        shown = [f"  {problem.origin}: {problem.what}" for problem in problems[:NUM_SHOWN_WITH_ADVICE]]
        is_said = {problem.fault for problem in problems} == {"encoding"}  # the advice says how many
        lines = [
            advice.what if is_said else f"{are_invalid}; {advice.what}",
            *(f"  {each}" for each in advice.evidence),
            *shown,
        ]
        return DataError("\n".join(lines), where=str(path), fix=advice.full_fix)
    fix = "correct them, or skip them with --skip-bad"
    if is_all:
        fix = "correct them; there are no valid lines"
    shown = [f"  {problem.origin}: {problem.what}\n    fix: {problem.fix}" for problem in problems]
    more = [f"  and {num_bad - len(problems)} more"] if num_bad > len(problems) else []
    return DataError("\n".join([f"{are_invalid}:", *shown, *more]), fix=fix)
