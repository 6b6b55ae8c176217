"""Reads files of pairs, and reports invalid lines.

A clean file is parsed as a whole. Only a file with an invalid line is parsed line by line, to report what is wrong and
where.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seq2see.data.advice import Advice, piped_each
from seq2see.data.choosing import JSON_EXTENSIONS, MAX_BYTES, MAX_LINES, beginning, extension
from seq2see.data.diagnosis import diagnosis
from seq2see.data.files import read_content
from seq2see.data.joining import fix_for_several, joining_command
from seq2see.data.json_table import JsonFormat
from seq2see.data.lines import (
    UTF8_MARK,
    Columns,
    Fault,
    Line,
    LineError,
    broken_record,
    lines_of,
    parallel_pair,
    records_over_lines,
)
from seq2see.data.options import TableOptions
from seq2see.data.pairs import Pair
from seq2see.data.remembered import format_like
from seq2see.data.standard_input import STDIN_FILE
from seq2see.data.table import Format, Rows, TableFormat
from seq2see.data.values import beside, located
from seq2see.errors import DataError
from seq2see.printable import quoted

NUM_SHOWN = 5
NUM_SHOWN_WITH_ADVICE = 2
NUM_TELLING = 10
"""Lines from which a file of pairs is told from a parallel text."""
_NO_OPTIONS = TableOptions()


class Problem(NamedTuple):
    """An invalid line: where it is, what is wrong, how to fix it, and the kind of fault: see `LineError`."""

    origin: str
    what: str
    fix: str
    fault: Fault = "columns"
    if_all: str = ""


@dataclass(frozen=True)
class PairFile:
    """The pairs of a file, and the number of lines that were skipped.

    `problems` are the first few skipped lines; `num_not_normalized` counts the pairs with a side that is not in NFC.
    `labels` is the content of the additional column, one per pair, if one was requested, and `extra` that of the
    others. `format` is how the file was read; parallel files have none. `unreadable` says which pairs were left out,
    since their pictures or series can't be read.
    """

    pairs: list[Pair]
    skipped: int = 0
    problems: tuple[Problem, ...] = ()
    num_not_normalized: int = 0
    labels: tuple[str, ...] = ()
    extra: tuple[tuple[str, ...], ...] = ()
    format: Format | None = None
    unreadable: str = ""


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
    paths: Sequence[Path],
    *,
    columns: Columns = "pairs",
    skip_bad: bool = False,
    label: str | None = None,
    table: TableOptions = _NO_OPTIONS,
    known: TableOptions = _NO_OPTIONS,
    extra: Sequence[str] = (),
    may_rename: bool = False,
    has_tags: bool = False,
) -> PairFile:
    """The pairs of one file (a table, JSON, Parquet), or of two parallel text files; each may be gzipped.

    `columns="target"` reads text for a language model: one column, and the source is empty. Raises DataError with the
    first invalid lines; `skip_bad` skips and counts them instead. `label` and `extra` are names or numbers of
    additional columns to read; `table` says what is not to be found out from the file, and `known` which columns were
    read of another one, such as that of the training, which this one `may_rename`; whether that one `has_tags` as the
    last column of its source tells whether this one has its columns in another order.
    """
    check_paths(paths, columns, table, label=label)
    contents = [read_content(path, table.encoding or known.encoding) for path in paths]
    if len(paths) == 2:
        return _parallel_pairs(paths, contents, table, skip_bad=skip_bad)
    [path], whole = paths, contents.pop().rstrip(b"\r\n")
    content = whole.removeprefix(UTF8_MARK)
    asked = (*extra, *(() if label is None else (label,)))
    chosen = format_like(
        head_of(content),
        table,
        known,
        str(path),
        columns=columns,
        extra=asked,
        may_rename=may_rename,
        has_tags=has_tags,
    )
    problems: list[Problem] = []
    num_bad = 0
    rows = chosen.rows(content, is_start=True)
    if rows is None:
        rows, problems, num_bad = _by_records(chosen, list(lines_of(io.BytesIO(whole), str(path))), is_start=True)
    if not rows.sources and not problems:
        raise no_lines(path, chosen)
    if not rows.sources or (num_bad and not skip_bad):
        lines = content.split(b"\n")
        is_plain = isinstance(chosen, TableFormat) and chosen.is_two_columns
        num_lines = len(set(rows.numbers)) + num_bad  # a line of JSON may have several pairs
        faults = [fault for fault in faults_of(problems) if is_plain or fault != "columns"]
        advice = diagnosis(lines, str(path), columns, faults)
        raise bad_lines(problems, num_bad, num_lines, advice, path=path, is_all=not rows.sources)
    pairs = _pairs_of(rows, str(path), 1)
    labels = () if label is None else tuple(each[-1] for each in rows.extra)
    others = tuple(each[: len(extra)] for each in rows.extra) if extra else ()
    return PairFile(pairs, num_bad, tuple(problems), _num_not_normalized(pairs), labels, others, chosen)


def no_lines(path: Path, chosen: Format | None) -> DataError:
    """The error for a file without rows, of which this is the format."""
    if isinstance(chosen, JsonFormat):
        return DataError("no unit has a source and a target", where=str(path), fix="name a file with translations")
    return DataError("there are no lines after the header", where=str(path), fix="add the pairs")


def head_of(content: bytes) -> list[str]:
    """The lines at the beginning that the format is told from."""
    return beginning(content[:MAX_BYTES].split(b"\n", MAX_LINES)[:MAX_LINES])


def _pairs_of(rows: Rows, path: str, first: int) -> list[Pair]:
    numbers = rows.numbers
    if isinstance(numbers, range):
        origins = [f"{path}:{number}" for number in range(numbers.start + first, numbers.stop + first)]
    else:
        origins = [f"{path}:{number + first}" for number in numbers]
    return list(map(Pair, located(rows.sources, Path(path).parent), rows.targets, origins))


def _by_records(chosen: Format, lines: Sequence[Line], *, is_start: bool) -> tuple[Rows, list[Problem], int]:
    """The valid rows, the first problems, and the number of all; rows are numbered from the first line."""
    rows = Rows([], [], [], numbers := [])
    problems: list[Problem] = []
    num_bad = 0
    is_plain = isinstance(chosen, TableFormat) and chosen.is_two_columns
    broken = records_over_lines([line.content for line in lines]) if is_plain else set()
    first = lines[0].number if lines else 1
    for line, found in chosen.read(lines, is_start=is_start):
        if line.number - first in broken:
            found = broken_record(line)
        if isinstance(found, LineError):
            num_bad += 1
            if num_bad <= NUM_SHOWN:
                problems.append(Problem(found.origin, found.what, found.fix, found.fault, found.if_all))
            continue
        rows.sources.append(found.source)
        rows.targets.append(found.target)
        numbers.append(line.number - first)
        if found.extra:
            rows.extra.append(found.extra)
    return rows, problems, num_bad


def _parallel_pairs(
    paths: Sequence[Path], contents: Sequence[bytes], table: TableOptions, *, skip_bad: bool
) -> PairFile:
    if error := tables_error(paths, contents, table):
        raise error
    sides = _clean_sides([content.removeprefix(UTF8_MARK).rstrip(b"\r\n") for content in contents])
    if sides is not None:
        origins = [f"{paths[0]}:{number}" for number in range(1, len(sides[0]) + 1)]
        sources, targets = sides
        pairs = list(map(Pair, located(sources, paths[0].parent), targets, origins))
        return PairFile(pairs, num_not_normalized=_num_not_normalized(pairs))
    rows = _rows(paths, contents)
    found = _valid_pairs(rows)
    folder = paths[0].parent
    found.pairs[:] = [pair._replace(source=beside(pair.source, folder)) for pair in found.pairs]
    if not found.pairs or (found.skipped and not skip_bad):
        path = file_of(found.problems[0], paths)
        file = paths.index(path)
        advice = diagnosis((row[file].content for row in rows), str(path), "pairs", faults_of(found.problems))
        raise bad_lines(found.problems, found.skipped, len(rows), advice, path=path, is_all=not found.pairs)
    return found


def _valid_pairs(rows: Iterable[tuple[Line, ...]]) -> PairFile:
    """The pairs of parallel lines, and the invalid ones."""
    pairs: list[Pair] = []
    problems: list[Problem] = []
    skipped = 0
    for lines in rows:
        try:
            pairs.append(parallel_pair(lines))
        except LineError as bad:
            skipped += 1
            if skipped <= NUM_SHOWN:
                problems.append(Problem(bad.origin, bad.what, bad.fix, bad.fault))
    return PairFile(pairs, skipped, tuple(problems), _num_not_normalized(pairs))


@gc_paused()
def read_lines(
    paths: Sequence[Path], contents: Sequence[bytes], chosen: Format | None, *, first: int, starts: Sequence[int]
) -> PairFile:
    """The pairs in a range of lines of one file or of two parallel files. Invalid lines never raise.

    `contents` are whole records from line `first` on, which start at byte `starts` of each file.
    """
    ended = [content.removesuffix(b"\n").removesuffix(b"\r") for content in contents]
    files = [list(_lines_from(*each, first)) for each in zip(ended, map(str, paths), starts, strict=True)]
    if chosen is None:
        sides = _clean_sides(ended)
        if sides is None:
            return _valid_pairs(zip(*files, strict=True))
        pairs = [Pair(*both, f"{paths[0]}:{number}") for number, both in enumerate(zip(*sides, strict=True), first)]
        return PairFile(pairs, num_not_normalized=_num_not_normalized(pairs))
    problems: list[Problem] = []
    num_bad = 0
    rows = chosen.rows(ended[0], is_start=first == 1)
    if rows is None:
        rows, problems, num_bad = _by_records(chosen, files[0], is_start=first == 1)
    pairs = _pairs_of(rows, str(paths[0]), first)
    return PairFile(pairs, num_bad, tuple(problems), _num_not_normalized(pairs), format=chosen)


def _lines_from(content: bytes, path: str, start: int, first: int) -> Iterator[Line]:
    for number, line in enumerate(content.split(b"\n"), first):
        yield Line(line.removesuffix(b"\r"), path, number, start)
        start += len(line) + 1


def check_paths(
    paths: Sequence[Path], columns: Columns, table: TableOptions = _NO_OPTIONS, *, label: str | None = None
) -> None:
    """DataError for an unsupported number or combination of files, and for columns of parallel files."""
    if len(paths) > 1:
        for path in paths:
            if path != STDIN_FILE and not os.path.exists(path):
                read_content(path)  # which raises the error for a missing file
    where = " ".join(map(str, paths))
    if columns == "target" and len(paths) != 1:
        raise DataError(f"a language model needs 1 text file, found {len(paths)}", where=where, fix="name one file")
    if len(paths) not in (1, 2):
        raise DataError(
            f"pairs are read from 1 file or from 2 parallel files, found {len(paths)} files",
            where=where,
            fix=fix_for_several(paths, table) if paths else "name one file with all pairs",
        )
    if len(paths) == 2 and any(map(is_pair_file, paths)):
        raise two_tables(paths, "one of these is a file of pairs by its extension", table)
    if len(paths) == 2 and label is not None:
        fix = f"put all columns into one file: paste {where} …"
        raise DataError(f"parallel files can't have an additional column {label!r}", where=where, fix=fix)


def tables_error(
    paths: Sequence[Path], contents: Sequence[bytes], table: TableOptions, held_out: str = ""
) -> DataError | None:
    """The error for two parallel files that begin so, if both look like files of pairs.

    `held_out` is the fix if the second one is a held-out set; by default it is that of training.
    """
    if not all(map(_are_tables, contents)):
        return None
    return two_tables(paths, "both have a TAB in each line, as files of pairs have", table, held_out)


def two_tables(paths: Sequence[Path], why: str, table: TableOptions, held_out: str = "") -> DataError:
    """The error for two files of pairs where one, or two parallel files, are to be named."""
    fix = held_out or f"for pairs to evaluate on during training: --dev {quoted(paths[1])} (dev=…)"
    joining = joining_command(paths, table)
    fix += f"; to read the pairs of both: {joining}" if joining else "; to read the pairs of one: name only that file"
    endings = [".txt" if is_pair_file(path) else extension(path) for path in paths]
    texts = piped_each(list(map(str, paths)), r"tr '\t' ' '", [f"-text{ending}" for ending in endings])
    fix += f"; if line n of one is the source of line n of the other, put a blank for each TAB: {texts}"
    what = f"two files are read as parallel texts, but {why}"
    return DataError(what, where=" ".join(map(str, paths)), fix=fix)


def _are_tables(content: bytes) -> bool:
    """Whether the first lines of a file look like pairs."""
    return all(line.count(b"\t") == 1 for line in content.split(b"\n", NUM_TELLING)[:NUM_TELLING])


def is_pair_file(path: Path) -> bool:
    """Whether the extension is that of a file with both sides."""
    return extension(path) in (".tsv", ".csv", *JSON_EXTENSIONS)


def _clean_sides(contents: Sequence[bytes]) -> tuple[list[str], list[str]] | None:
    """Sources and targets of parallel files, parsed at once; None if any line is invalid."""
    try:
        texts = [content.decode() for content in contents]
    except UnicodeDecodeError:
        return None
    if any("\0" in text for text in texts):
        return None
    texts[1] = texts[1].replace("\t", " ")  # see `parallel_pair`
    sources, targets = (text.replace("\r\n", "\n").split("\n") for text in texts)
    is_clean = len(sources) == len(targets) and _none_blank(sources) and _none_blank(targets)
    return (sources, targets) if is_clean else None


def _none_blank(texts: list[str]) -> bool:
    return all(map(str.strip, texts))


def _num_not_normalized(pairs: list[Pair]) -> int:
    def is_normalized(text: str | None) -> bool:
        return unicodedata.is_normalized("NFC", text or "")

    return sum(not (is_normalized(pair.source) and is_normalized(pair.target)) for pair in pairs)


def _rows(paths: Sequence[Path], contents: Sequence[bytes]) -> list[tuple[Line, ...]]:
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
        fix = next((each.if_all for each in problems if each.if_all), "correct them; there are no valid lines")
    shown = [f"  {each.origin}: {each.what}\n    fix: {each.fix}" for each in problems]
    more = [f"  and {num_bad - len(problems)} more"] if num_bad > len(problems) else []
    return DataError("\n".join([f"{are_invalid}:", *shown, *more]), where="" if path is None else str(path), fix=fix)
