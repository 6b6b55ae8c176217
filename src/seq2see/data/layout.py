"""How the lines of a table are divided into columns: delimiter, number of columns, quotation marks, comments, header.

Told from the lines alone, for files that are not source TAB target.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from seq2see.data.header import is_header

BLANKS = " "
"""The delimiter of columns that are divided by blanks or tabs, and have none inside."""
FIRST_BLANK = "first blank"
"""The delimiter of a pronouncing dictionary: blanks divide the first word from the rest of the line."""
DELIMITERS = ("\t", "|||", "=>", "->", "::", "|", ";", ",", "=", ":", BLANKS, FIRST_BLANK)
"""Those tried, the most telling first."""
_CSV_DELIMITERS = ("\t", "|", ";", ",")
_COMMENTS = ("#", ";;;", "//", "%")
_MOST = 0.9
"""The share of the lines that must have the same number of columns."""
_NEARLY_ALL = 0.95
_MAX_SYMBOL = 4
"""Characters of a symbol of a pronouncing dictionary, with stress and length."""


class Layout(NamedTuple):
    """How the lines of a table are divided into columns."""

    delimiter: str
    """A string, blanks around it being ignored, or BLANKS or FIRST_BLANK."""
    num_columns: int
    is_quoted: bool = False
    """Cells may be in quotation marks, as in CSV."""
    comments: tuple[str, ...] = ()
    """What lines begin with that are not part of the table."""
    has_header: bool = False

    def rows(self, lines: Sequence[str]) -> Iterator[list[str]]:
        """The cells of each line that has all columns, without blank lines, comments and header."""
        is_first = True
        for cells in self._split(lines):
            if len(cells) != self.num_columns:
                continue
            if not (is_first and self.has_header):
                yield cells
            is_first = False

    def _split(self, lines: Sequence[str]) -> Iterator[list[str]]:
        used = (line for line in lines if line.strip() and not (self.comments and line.startswith(self.comments)))
        if self.is_quoted:
            yield from csv_rows(used, self.delimiter)
        else:
            for line in used:
                yield split_cells(line, self.delimiter)


def layout_of(lines: Sequence[str]) -> Layout | None:
    """The layout of these lines, which have no line ends; None if most of them have no columns in common."""
    comments = tuple(_comments_in(lines))
    table = [line for line in lines if line.strip() and not (comments and line.startswith(comments))]
    for delimiter in DELIMITERS:
        is_quoted = delimiter in _CSV_DELIMITERS and _is_quoted(table, delimiter)
        rows = list(csv_rows(table, delimiter)) if is_quoted else [split_cells(line, delimiter) for line in table]
        if not rows:
            return None
        num_columns, count = Counter(map(len, rows)).most_common(1)[0]
        if num_columns < 2 or count < _MOST * len(rows):
            continue
        usual = [row for row in rows if len(row) == num_columns]
        if delimiter in (BLANKS, FIRST_BLANK) and any("\t" in line.strip() for line in table):
            continue
        if delimiter == FIRST_BLANK and not _is_lexicon(usual, table):
            continue
        if delimiter == BLANKS and num_columns != 2:
            continue
        has_header = len(usual) > 1 and is_header(usual[0], usual[1:])
        return Layout(delimiter, num_columns, is_quoted, comments, has_header)
    return None


def split_cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line without quotation marks, without the blanks around them."""
    if delimiter == BLANKS:
        return line.split()
    if delimiter == FIRST_BLANK:
        return line.split(None, 1)
    return [cell.strip() for cell in line.split(delimiter)]


def csv_rows(lines: Sequence[str] | Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """The cells of each record of CSV, which may be over several lines, each with its blanks reduced to one."""
    with_ends = (line + "\n" for line in lines)
    try:
        for cells in csv.reader(with_ends, delimiter=delimiter):
            if cells:
                yield [" ".join(cell.split()) for cell in cells]
    except csv.Error:  # a cell that is too long, or text that is no CSV
        return


def _comments_in(lines: Sequence[str]) -> Iterator[str]:
    """What comments begin with, of which there are fewer than other lines; with a blank if words also begin so."""
    for prefix in _COMMENTS:
        found = [line for line in lines if line.startswith(prefix)]
        rests = [line.lstrip(prefix[0]) for line in found]
        with_blank = sum(not rest or rest[0].isspace() for rest in rests)
        if with_blank and 2 * len(found) < len(lines) and not any("\t" in line.strip() for line in found):
            yield prefix if with_blank == len(found) else f"{prefix} "


def _is_quoted(lines: Sequence[str], delimiter: str) -> bool:
    """Whether there are cells in quotation marks."""
    edge = re.escape(delimiter)
    return any(re.search(rf'(^|{edge})"([^"]|"")*("({edge}|$)|$)', line) for line in lines if '"' in line)


def _is_lexicon(rows: Sequence[Sequence[str]], lines: Sequence[str]) -> bool:
    """Whether the rest of each line is made of few short symbols, or set off by more than one blank."""
    set_off = sum(re.match(r"\S+(  |\t| \t)", line.strip()) is not None for line in lines)
    if set_off >= _MOST * len(lines):
        return True
    symbols = Counter(symbol for _, rest in rows for symbol in rest.split())
    num_short = sum(count for symbol, count in symbols.items() if len(symbol) <= _MAX_SYMBOL)
    words = {word for word, _ in rows}
    return num_short >= _NEARLY_ALL * symbols.total() and 2 * len(words) > len(rows)
