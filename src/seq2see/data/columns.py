"""The columns of a block of a table, all rows at once: for the many tables in which every line is as it should be."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from seq2see.data.layout import TAB, Layout, clean_cell

if TYPE_CHECKING:
    from _csv import Reader

_BATCH = 50_000
"""Rows that are divided into cells at a time, which limits the memory."""
_FIRST, _PIECE = 1 << 12, 1 << 20
"""Characters of CSV that are divided at a time, at first and then."""
Columns = tuple[list[list[str]], Sequence[int]]
"""The cells of each column, and the numbers of their lines, counted from 0."""


def columns_in(text: str, layout: Layout, wanted: Sequence[int], *, is_exact: bool, is_start: bool) -> Columns | None:
    """The wanted columns of a block of whole records, without its header if it `is_start`; None if a line doesn't fit.

    With `is_exact`, all lines have as many columns as the layout.
    """
    if layout.is_conllu:
        return None
    if layout.delimiter == TAB and is_exact and not (layout.is_quoted or layout.comments):
        return _flat_columns(text, layout, wanted, is_start=is_start)
    try:
        read = _batched_columns(text, layout, wanted, is_exact=is_exact, is_start=is_start)
    except csv.Error:
        return None
    if read is None or (layout.delimiter == TAB and not layout.is_quoted):
        return read
    columns, numbers = read
    has_tabs = "\t" in text and (layout.delimiter != TAB or any("\t" in cell for column in columns for cell in column))
    return [list(map(clean_cell if has_tabs else str.strip, column)) for column in columns], numbers


def without_mark(cells: list[str]) -> list[str]:
    """The cells without the byte order mark of a file that was appended to another."""
    return [cells[0].removeprefix("\ufeff"), *cells[1:]] if cells else cells


def is_named(cells: Sequence[str], layout: Layout) -> bool:
    """Whether a row is the header, perhaps after a byte order mark, and with blanks around its cells."""
    return list(map(str.strip, without_mark(list(cells)))) == list(layout.header)


def _flat_columns(text: str, layout: Layout, wanted: Sequence[int], *, is_start: bool) -> Columns | None:
    """The columns of a table in which TAB and line ends divide all cells."""
    num = layout.num_columns
    start = 0
    if layout.header:
        if is_start:
            start = 1
            first, _, text = text.partition("\n")
            if not is_named(first.split("\t"), layout) or not text:
                return None
        if "\ufeff" in text:
            return None
    lines = text.split("\n")
    if {line.count("\t") for line in lines} != {num - 1}:
        return None
    cells = text.replace("\n", "\t").split("\t")
    if _has_header(cells, layout):
        return None
    return [cells[index::num] for index in wanted], range(start, start + len(lines))


def _batched_columns(
    text: str, layout: Layout, wanted: Sequence[int], *, is_exact: bool, is_start: bool
) -> Columns | None:
    columns: list[list[str]] = [[] for _ in wanted]
    numbers: list[int] | range = range(0)
    for cells, places in _batches(text, layout):
        if isinstance(cells, _Flat):
            own: list[Iterable[str]] = [cells.cells[index :: cells.num] for index in wanted]
        else:
            if is_start and layout.header and cells:
                is_start = False
                cells, places = cells[1:], places[1:]
                if not cells:
                    continue
            if not _fit(cells, layout, wanted, is_exact=is_exact):
                return None
            own = [map(itemgetter(index), cells) for index in wanted]
        for column, more in zip(columns, own, strict=True):
            column.extend(more)
        if isinstance(places, range) and isinstance(numbers, range) and (not numbers or numbers.stop == places.start):
            numbers = range(numbers.start if numbers else places.start, places.stop)
        else:
            numbers = numbers if isinstance(numbers, list) else list(numbers)
            numbers.extend(places)
    return columns, numbers


class _Flat(NamedTuple):
    """The cells of rows of `num` columns, one after the other."""

    cells: list[str]
    num: int


Batch = tuple[list[list[str]] | _Flat, Sequence[int]]
"""Cells, and the numbers of the lines of their rows."""


def _batches(text: str, layout: Layout) -> Iterator[Batch]:
    """Rows of cells with the numbers of their lines, some at a time. Blank lines and comments have none."""
    if layout.is_quoted and not (layout.comments or layout.marks):
        yield from _batches_of_csv(text, layout)
        return
    lines = text.split("\n")
    kept = [at for at, line in enumerate(lines) if line.strip() and not layout.is_comment(line)]
    for start in range(0, len(kept), _BATCH):
        places = kept[start : start + _BATCH]
        own = [lines[at] for at in places]
        if layout.is_quoted:
            rows = list(_reader(own, layout))
            if len(rows) != len(own):
                raise csv.Error("records over several lines among comments")
        elif layout.delimiter == TAB:
            rows = [line.split("\t") for line in own]
        else:
            rows = list(map(layout.split, own))
        yield rows, places


def _batches_of_csv(text: str, layout: Layout) -> Iterator[Batch]:
    """The same of CSV: where no cell is quoted, or each is, lines are divided without looking at each character."""
    start = first = 0
    size = _FIRST
    while start < len(text):
        end = text.find("\n", start + size) + 1 or len(text)
        piece = text[start:end].removesuffix("\n")
        num_lines = piece.count("\n") + 1
        flat = None if start == 0 else _flat_cells(piece, layout)
        if flat is not None:
            yield flat, range(first, first + num_lines)
        else:
            try:
                rows = list(_reader(io.StringIO(piece, newline="\n"), layout))
            except csv.Error as error:
                if "unexpected end" not in str(error) or end == len(text):
                    raise
                size = 2 * (end - start)  # a record goes on in the next piece
                continue
            yield _with_places(rows, first, num_lines)
        start, first, size = end, first + num_lines, _PIECE


def _flat_cells(piece: str, layout: Layout) -> _Flat | None:
    """The cells of lines that are quoted throughout, or not at all; None for others, and for the header again."""
    num, delimiter = layout.num_columns, layout.delimiter
    lines = piece.split("\n")
    if '"' not in piece:
        if {line.count(delimiter) for line in lines} != {num - 1}:
            return None
        cells = piece.replace("\n", delimiter).split(delimiter)
    else:
        between = f'"{delimiter}"'
        if {line.count('"') for line in lines} != {2 * num} or {line.count(between) for line in lines} != {num - 1}:
            return None
        if not all(line[0] == line[-1] == '"' for line in lines):
            return None
        cells = piece[1:-1].replace('"\n"', between).split(between)
    if layout.header and ("\ufeff" in piece or _has_header(cells, layout)):
        return None
    return _Flat(cells, num)


def _has_header(cells: Sequence[str], layout: Layout) -> bool:
    """Whether one of the rows, whose cells are one after the other, is the header."""
    if not layout.header:
        return False
    num, last = layout.num_columns, layout.header[-1]
    found = [at for at, cell in enumerate(cells[num - 1 :: num]) if last in cell]  # few: the rest is slower
    return any(is_named(cells[at * num : (at + 1) * num], layout) for at in found)


def _with_places(rows: list[list[str]], first: int, num_lines: int) -> Batch:
    """The rows that are not blank, with the numbers of their lines."""
    if len(rows) == num_lines and all(rows):
        return rows, range(first, first + num_lines)
    sizes = [1 + sum(cell.count("\n") for cell in row) for row in rows]
    if sum(sizes) != num_lines:
        raise csv.Error("another kind of line break")
    for row, size in zip(rows, sizes, strict=True):
        if size > 1:
            row[:] = map(clean_cell, row)
    starts = accumulate(sizes[:-1], initial=first)
    return [row for row in rows if row], list(compress(starts, rows))


def _reader(lines: Iterable[str], layout: Layout) -> Reader:
    return csv.reader(lines, delimiter=layout.delimiter, strict=True, skipinitialspace=True)


def _fit(cells: list[list[str]], layout: Layout, wanted: Sequence[int], *, is_exact: bool) -> bool:
    """Whether all rows have the columns, and none is the header again."""
    sizes = set(map(len, cells))
    if (is_exact and sizes != {layout.num_columns}) or min(sizes) <= max(wanted):
        return False
    if not layout.header:
        return True
    last = layout.header[-1]
    return not any(is_named(row, layout) for row in cells if row and last in row[-1])
