"""Reads files as blocks of pairs, and collects invalid lines instead of raising.

Lines are parsed by the same functions as in training; this module only continues after an invalid line.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.console import counted
from seq2see.data import open_content
from seq2see.data.advice import quoted_path
from seq2see.data.choosing import ChoiceError, beginning, format_of
from seq2see.data.conversion import NotTextError
from seq2see.data.files import require_no_pipe
from seq2see.data.json_table import JsonFormat, UnknownColumnError
from seq2see.data.layout import Layout
from seq2see.data.lines import Line, LineError, broken_record, parallel_pair, records_over_lines
from seq2see.data.options import TableOptions
from seq2see.data.reading import NUM_TELLING, is_pair_file, tables_error
from seq2see.data.sources import MOST_RECORD_LINES
from seq2see.data.standard_input import STDIN_FILE
from seq2see.data.table import Format, TableFormat
from seq2see.doctor.report import Example
from seq2see.errors import DataError
from seq2see.system_errors import require_possible

BLOCK_BYTES = 1 << 21
"""Bytes of a file per block."""
_BLOCK_LINES = 20_000
_NUM_EXAMPLES = 3
_MARK = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Consecutive valid pairs, and their lines, counted from 1."""

    sources: list[str]
    targets: list[str]
    lines: npt.NDArray[np.int32]


@dataclass
class Faults:
    """Faults of lines and files by name of the finding: counts, first examples, remedies and their commands."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    remedies: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    """The commands of the remedies that have one."""
    if_all: dict[str, str] = field(default_factory=dict)
    """Other remedies, for files without any valid line."""
    unusable: int = 0
    """Number of invalid lines."""

    def of_whole_files(self) -> list[str]:
        """The names of those with which no clean copy can be made."""
        names = ("not-text", "choice", "encoding", "damaged", "empty", "parallel-lengths", "parallel-tables")
        return [each for each in names if each in self.counts and (each != "encoding" or each in self.commands)]

    def add(self, name: str, example: Example, remedy: str = "", count: int = 1) -> None:
        """Count a fault, and keep the first ones as examples."""
        self.counts[name] += count
        kept = self.examples.setdefault(name, [])
        if len(kept) < _NUM_EXAMPLES:
            kept.append(example)
        if remedy:
            self.remedies.setdefault(name, remedy)


@dataclass(frozen=True)
class PairSource:
    """One file of pairs, or two parallel files."""

    paths: tuple[Path, ...]
    table: TableOptions = TableOptions()  # noqa: RUF009 (frozen)

    @property
    def name(self) -> str:
        """The names of the files, for messages."""
        return " ".join(map(str, self.paths))

    def origin(self, line: int) -> str:
        """File and line of a pair; of parallel files, in the first."""
        return f"{self.paths[0]}:{line}"

    @cached_property
    def format(self) -> Format | None:
        """How the file is read; None for parallel files. DataError where its columns can't be told."""
        return None if len(self.paths) == 2 else _format_in(self.paths[0], self.table)

    @property
    def num_fields(self) -> int:
        """The number of source columns."""
        return len(self.format.source) if isinstance(self.format, TableFormat | JsonFormat) else 1

    @property
    def source_names(self) -> Sequence[str]:
        """The columns of the source by name or number; none where there is nothing to choose."""
        names = self.format.chosen().get("source", ()) if self.format is not None else ()
        return names if isinstance(names, tuple) else ()

    def describe(self) -> str:
        """How the file is read; empty for source TAB target, and where it can't be."""
        try:
            return "" if self.format is None else self.format.describe()
        except DataError:
            return ""

    def blocks(self, faults: Faults) -> Iterator[Block]:
        """The valid pairs in order; everything else is added to `faults`.

        Raises DataError for a file that is missing or unreadable, and for columns that aren't there; a damaged file or
        one that is not text is a fault, and so is one whose columns can be paired in several ways.
        """
        for path in self.paths:
            _require_readable(path)
        try:
            if len(self.paths) == 2:
                yield from _parallel_blocks(self.paths[0], self.paths[1], self.table, faults)
            else:
                assert self.format is not None
                yield from _file_blocks(self.paths[0], self.format, self.table, faults)
        except UnknownColumnError:
            raise
        except ChoiceError as error:
            what = "; ".join(line.strip() for line in error.what.splitlines())
            faults.add("choice", Example(error.where, "", what), error.fix)
        except NotTextError as error:
            faults.add(error.fault, Example(error.where or self.name, "", error.what), error.fix)
            faults.commands.setdefault(error.fault, error.command)
        except DataError as error:
            name = "empty" if "is empty" in error.what else "damaged"
            faults.add(name, Example(error.where or self.name, "", error.what), error.fix)


def pair_sources(paths: Sequence[Path], table: TableOptions = TableOptions()) -> list[PairSource]:  # noqa: B008
    """The sets in these files: two files without the extension of a file of pairs are parallel, as in training.

    With more files, each is a set of its own, except if none has such an extension and their number is even: then each
    two are parallel. Raises DataError if there are no files, and for a pipe.
    """
    if not paths:
        raise DataError("no files given", where="seq2see check", fix="name a file: seq2see check pairs.tsv")
    for path in paths:
        if path != STDIN_FILE:
            require_no_pipe(path)
    has_pairs = [is_pair_file(path) for path in paths]
    if not any(has_pairs) and len(paths) % 2 == 0:
        return [PairSource(tuple(paths[start : start + 2]), table) for start in range(0, len(paths), 2)]
    return [PairSource((path,), table) for path in paths]


def _require_readable(path: Path) -> None:
    """DataError for a device and for a file that can't be opened, with the same messages as in training."""
    require_possible(path, DataError, "read")
    try:
        with path.open("rb"):
            return
    except (OSError, ValueError):
        with open_content(path):
            pass


def _format_in(path: Path, table: TableOptions) -> Format:
    with open_content(path, table.encoding) as file:
        return format_of(beginning(file.stream), table, str(path))


def _file_blocks(path: Path, chosen: Format, table: TableOptions, faults: Faults) -> Iterator[Block]:
    bad = _BadLines(path, faults)
    layout = chosen.layout if isinstance(chosen, TableFormat) else None
    is_plain = isinstance(chosen, TableFormat) and chosen.is_two_columns
    number, start, is_start = 1, 0, True
    with open_content(path, table.encoding) as file:
        stream = file.stream
        while content := stream.read(BLOCK_BYTES):
            content += stream.readline()
            if layout is not None and layout.is_quoted:
                content += _rest_of_record(content, stream)
            size = len(content)
            if start == 0 and content.startswith(_MARK):
                faults.add("byte-order-mark-at-start", Example(f"{path}:1"))
                content = content.removeprefix(_MARK)
                start = len(_MARK)
                size -= start
            num_lines = content.count(b"\n") + (not content.endswith(b"\n"))
            _count_line_ends(content, path, number, faults)
            rows = chosen.rows(content.removesuffix(b"\n").removesuffix(b"\r"), is_start=is_start)
            if rows is not None:
                bad.flush_blank_lines()
                numbers = np.asarray(rows.numbers, dtype=np.int32) + np.int32(number)
                yield Block(rows.sources, rows.targets, numbers)
            else:
                lines = list(_lines_in(content, path, number, start))
                yield _block_by_records(lines, chosen, bad, is_start=is_start, is_plain=is_plain)
            is_start = is_start and (layout is None or _has_no_row(content, layout))
            number += num_lines
            start += size


def _rest_of_record(content: bytes, stream: BinaryIO) -> bytes:
    """The lines after these that belong to the last record, whose quotation marks are not all closed yet."""
    rest, num = b"", content.count(b'"')
    for _ in range(MOST_RECORD_LINES):
        if num % 2 == 0 or not (line := stream.readline()):
            break
        rest += line
        num += line.count(b'"')
    return rest


def _has_no_row(content: bytes, layout: Layout) -> bool:
    """Whether there are only comments and blank lines."""
    lines = content.decode(errors="replace").split("\n")
    return all(not line.strip() or layout.is_comment(line) for line in lines)


def _lines_in(content: bytes, path: Path, number: int, start: int) -> Iterator[Line]:
    for place, whole in enumerate(content.removesuffix(b"\n").split(b"\n"), start=number):
        yield Line(whole.removesuffix(b"\r"), str(path), place, start)
        start += len(whole) + 1


def _block_by_records(
    lines: Sequence[Line], chosen: Format, bad: _BadLines, *, is_start: bool, is_plain: bool
) -> Block:
    sources, targets, numbers = [], [], []
    broken = records_over_lines([line.content for line in lines]) if is_plain else set()
    for line, found in chosen.read(lines, is_start=is_start):
        if line.number - lines[0].number in broken:
            found = broken_record(line)
        elif isinstance(found, LineError) and not line.content.strip(b"\r"):
            bad.blank(line)
            continue
        bad.flush_blank_lines()
        if isinstance(found, LineError):
            bad.add(line, found)
            continue
        sources.append(found.source)
        targets.append(found.target)
        numbers.append(line.number)
    return Block(sources, targets, np.array(numbers, dtype=np.int32))


def _count_line_ends(content: bytes, path: Path, number: int, faults: Faults) -> None:
    if b"\r\n" in content:
        place = number + content.count(b"\n", 0, content.index(b"\r\n"))
        faults.add("windows-line-ends", Example(f"{path}:{place}"), count=content.count(b"\r\n"))


@dataclass
class _BadLines:
    """Collects invalid lines. Blank lines count only if text follows, so they are kept until then."""

    path: Path
    faults: Faults
    first_waiting: list[str] = field(default_factory=list)
    num_waiting: int = 0

    def blank(self, line: Line) -> None:
        self.num_waiting += 1
        if len(self.first_waiting) < _NUM_EXAMPLES:
            self.first_waiting.append(line.origin)

    def flush_blank_lines(self) -> None:
        """Count the preceding blank lines as faults, since text follows."""
        if self.num_waiting:
            for index, origin in enumerate(self.first_waiting):
                more = self.num_waiting - len(self.first_waiting) if index == 0 else 0
                self.faults.add("blank-lines", Example(origin), count=1 + more)
            self.faults.unusable += self.num_waiting
            self.first_waiting, self.num_waiting = [], 0

    def add(self, line: Line, error: LineError) -> None:
        self.faults.unusable += 1
        text = line.content[:400].decode(errors="backslashreplace")
        self.faults.add(error.fault, Example(error.origin, text, error.what), error.fix)
        if error.if_all:
            self.faults.if_all.setdefault(error.fault, error.if_all)


def _parallel_blocks(source_path: Path, target_path: Path, table: TableOptions, faults: Faults) -> Iterator[Block]:
    number = 1
    starts = [0, 0]
    with open_content(source_path, table.encoding) as first, open_content(target_path, table.encoding) as second:
        streams = (first.stream, second.stream)
        while True:
            sides = [list(itertools.islice(stream, _BLOCK_LINES)) for stream in streams]
            if number == 1:
                heads = [b"".join(side[:NUM_TELLING]) for side in sides]
                names = f"{quoted_path(str(source_path))} --test {quoted_path(str(target_path))}"
                held_out = f"if the second one is a held-out set: seq2see check {names}"
                if error := tables_error((source_path, target_path), heads, table, held_out):
                    faults.add("parallel-tables", Example(error.where, "", error.what), error.fix)
                    return
                for side, path in zip(sides, (source_path, target_path), strict=True):
                    if side and side[0].startswith(_MARK):
                        faults.add("byte-order-mark-at-start", Example(f"{path}:1"))
                        side[0] = side[0].removeprefix(_MARK)
            for side, path in zip(sides, (source_path, target_path), strict=True):
                _count_line_ends(b"".join(side), path, number, faults)
            both = min(map(len, sides))
            is_last = any(len(side) < _BLOCK_LINES for side in sides)
            if is_last:
                _compare_ends(sides, streams, number, faults, (source_path, target_path))
                while both and not any(side[both - 1].strip(b"\r\n") for side in sides):
                    both -= 1  # blank lines at the end of both
            yield _parallel_block(sides, both, number, starts, (source_path, target_path), faults)
            if is_last:
                return
            number += both


def _compare_ends(
    sides: list[list[bytes]],
    streams: tuple[BinaryIO, BinaryIO],
    number: int,
    faults: Faults,
    paths: tuple[Path, Path],
) -> None:
    """Add a fault if one file has more non-blank lines than the other has lines."""
    ends, lengths = [], []
    for side, stream in zip(sides, streams, strict=True):
        last = length = number - 1
        for length, line in enumerate(itertools.chain(side, stream), start=number):
            if line.strip(b"\r\n"):
                last = length
        ends.append(last)
        lengths.append(length)
    if lengths[0] >= ends[1] and lengths[1] >= ends[0]:  # a blank line there is an empty side
        return
    what = f"{counted(ends[0], 'line')} and {counted(ends[1], 'line')}"
    fix = "line n of one file must belong to line n of the other; find the missing or additional line"
    faults.add("parallel-lengths", Example(" ".join(map(str, paths)), "", what), fix)


def _parallel_block(
    sides: list[list[bytes]], both: int, number: int, starts: list[int], paths: tuple[Path, Path], faults: Faults
) -> Block:
    sources, targets, lines = [], [], []
    for row in range(both):
        pair_of_lines = []
        for side, path, which in zip(sides, paths, (0, 1), strict=True):
            content = side[row].removesuffix(b"\n").removesuffix(b"\r")
            pair_of_lines.append(Line(content, str(path), number + row, starts[which]))
            starts[which] += len(side[row])
        try:
            pair = parallel_pair(tuple(pair_of_lines))
        except LineError as error:
            faults.unusable += 1
            bad = next(line for line in pair_of_lines if line.origin == error.origin)
            text = bad.content[:400].decode(errors="backslashreplace")
            faults.add(error.fault, Example(error.origin, text, error.what), error.fix)
            continue
        sources.append(pair.source)
        targets.append(pair.target or "")
        lines.append(number + row)
    return Block(sources, targets, np.array(lines, dtype=np.int32))
