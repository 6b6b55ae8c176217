"""The columns of a block of a table, all rows at once: for the many tables in which every line is as it should be."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from seq2see.data.layout import TAB, Layout, clean_cell

if TYPE_CHECKING:
    from _csv import Reader

_BATCH = 50_000
"""Rows that are divided into cells at a time, which limits the memory."""
_PIECE = 1 << 20
"""Characters that are divided into lines at a time."""
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
    return [_clean_column(column) for column in columns], numbers


def without_mark(cells: list[str]) -> list[str]:
    """The cells without the byte order mark of a file that was appended to another."""
    return [cells[0].removeprefix("\ufeff"), *cells[1:]] if cells else cells


def _flat_columns(text: str, layout: Layout, wanted: Sequence[int], *, is_start: bool) -> Columns | None:
    """The columns of a table in which TAB and line ends divide all cells."""
    num = layout.num_columns
    start = 0
    if layout.header:
        names = "\t".join(layout.header)
        if is_start:
            start = 1
            first, _, text = text.partition("\n")
            if first != names or not text:
                return None
        if "\ufeff" in text or f"\n{names}\n" in f"\n{text}\n":
            return None
    lines = text.split("\n")
    if {line.count("\t") for line in lines} != {num - 1}:
        return None
    cells = text.replace("\n", "\t").split("\t")
    return [cells[index::num] for index in wanted], range(start, start + len(lines))


def _batched_columns(
    text: str, layout: Layout, wanted: Sequence[int], *, is_exact: bool, is_start: bool
) -> Columns | None:
    columns: list[list[str]] = [[] for _ in wanted]
    numbers: list[int] | range = range(0)
    may_have_mark = "\ufeff" in text
    for cells, places in _batches(text, layout):
        if is_start and layout.header and cells:
            is_start = False
            cells, places = cells[1:], places[1:]
            if not cells:
                continue
        if not _fit(cells, layout, wanted, is_exact=is_exact, may_have_mark=may_have_mark):
            return None
        for column, index in zip(columns, wanted, strict=True):
            column.extend(map(itemgetter(index), cells))
        if isinstance(places, range) and isinstance(numbers, range) and (not numbers or numbers.stop == places.start):
            numbers = range(numbers.start if numbers else places.start, places.stop)
        else:
            numbers = numbers if isinstance(numbers, list) else list(numbers)
            numbers.extend(places)
    return columns, numbers


def _batches(text: str, layout: Layout) -> Iterator[tuple[list[list[str]], Sequence[int]]]:
    """Rows of cells with the numbers of their lines, some at a time. Blank lines and comments have none."""
    if layout.is_quoted and not layout.comments:
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


def _batches_of_csv(text: str, layout: Layout) -> Iterator[tuple[list[list[str]], Sequence[int]]]:
    reader = _reader(chain.from_iterable(_pieces(text)), layout)
    last = 0
    while rows := list(islice(reader, _BATCH)):
        if reader.line_num - last == len(rows) and all(rows):
            yield rows, range(last, reader.line_num)
        else:  # some records have several lines, or there are blank lines
            sizes = [1 + sum(cell.count("\n") for cell in row) for row in rows]
            if last + sum(sizes) != reader.line_num:
                raise csv.Error("another kind of line break")
            starts = accumulate(sizes[:-1], initial=last)
            yield [row for row in rows if row], list(compress(starts, rows))
        last = reader.line_num


def _pieces(text: str) -> Iterator[io.StringIO]:
    """The lines of a text, some at a time: a file in memory takes four bytes per character."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _PIECE) + 1 or len(text)
        yield io.StringIO(text[start:end], newline="\n")
        start = end


def _reader(lines: Iterable[str], layout: Layout) -> Reader:
    return csv.reader(lines, delimiter=layout.delimiter, strict=True, skipinitialspace=True)


def _fit(cells: list[list[str]], layout: Layout, wanted: Sequence[int], *, is_exact: bool, may_have_mark: bool) -> bool:
    """Whether all rows have the columns, and none is the header again."""
    sizes = set(map(len, cells))
    if (is_exact and sizes != {layout.num_columns}) or min(sizes) <= max(wanted):
        return False
    header = list(layout.header)
    if not header:
        return True
    return header not in cells and not (may_have_mark and header in map(without_mark, cells))


def _clean_column(column: list[str]) -> list[str]:
    """Its cells as `clean_cell` makes them; few columns have line breaks or tabs in their cells."""
    together = "\n".join(column)
    is_plain = "\t" not in together and "\r" not in together and together.count("\n") < max(1, len(column))
    return list(map(str.strip if is_plain else clean_cell, column))
