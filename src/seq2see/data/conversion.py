"""Turns another format into a file of pairs: those of the lines at hand, and the command that does it for the file.

A command is offered only after the same was done with the lines at hand and most of them became pairs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from seq2see.data.advice import Advice, piped
from seq2see.data.layout import BLANKS, FIRST_BLANK, Layout, layout_of
from seq2see.data.programs import COMMENT_AFTER, VARIANT_NUMBER, program_of

_NAMES = {
    "\t": "columns separated by TAB",
    ",": "columns separated by commas",
    ";": "columns separated by semicolons",
    "|": "columns separated by |",
    BLANKS: "two columns separated by blanks",
    FIRST_BLANK: "a word, blanks, and its symbols, as in a pronouncing dictionary",
}
_MIN_SHARE = 0.5
"""Share of the lines that a conversion must turn into pairs."""


class Columns(NamedTuple):
    """Which columns make a pair, counted from 0; several sources are joined by a blank."""

    source: tuple[int, ...]
    target: int

    def pair(self, cells: Sequence[str]) -> tuple[str, str]:
        """The pair of a row."""
        return " ".join(cells[index] for index in self.source if cells[index]), cells[self.target]


def table_advice(lines: Sequence[str], path: str, *, has_records_over_lines: bool = False) -> Advice | None:
    """The conversion of lines that have columns, but not source TAB target; None if they have none.

    Two columns separated by TAB are converted only if some have line breaks in quotation marks.
    """
    layout = layout_of(lines)
    if layout is None and all(_has_pair(line) for line in lines):
        what = "some lines have more columns than source and target"
        return Advice(what, "leave out all other columns", piped(path, "cut -f1,2", "-pairs.tsv"))
    if layout is None or (layout.delimiter == "\t" and layout.num_columns == 2 and not has_records_over_lines):
        return None
    rows = list(layout.rows(lines))
    is_conllu = layout.delimiter == "\t" and layout.num_columns == 10 and "#" in layout.comments
    columns = Columns((1,), 2) if is_conllu else columns_of(rows)
    if columns is None:
        return None
    pairs = [cleaned_pair(*columns.pair(row), layout) for row in rows if not is_conllu or row[0].isdecimal()]
    num_pairs = sum(bool(source.strip() and target.strip()) for source, target in pairs)
    num_lines = sum(bool(line.strip()) for line in lines)
    are_pairs = sum(map(_is_pair, lines)) > _MIN_SHARE * num_lines and not has_records_over_lines
    if are_pairs or num_pairs < _MIN_SHARE * num_lines:
        return None
    has_gaps = num_pairs < len(pairs)
    program = program_of(layout, columns.source, columns.target, lines, is_conllu=is_conllu, has_gaps=has_gaps)
    name = "CoNLL-U" if is_conllu else _NAMES.get(layout.delimiter, f"two texts separated by {layout.delimiter}")
    if layout.num_columns > 2:
        name = f"{layout.num_columns} {name}" if not is_conllu else name
    what = f"it looks like {name}" + (", in quotation marks" if layout.is_quoted else "")
    if layout.has_header:
        what += ", with a header"
    return Advice(what, _fix_of(layout, columns), piped(path, program, "-pairs.tsv"))


def columns_of(rows: Sequence[Sequence[str]]) -> Columns | None:
    """The columns to take for source and target: the first two that differ from row to row.

    Columns of tags (few different parts, no blanks) are joined to the source if they are features of the target, as in
    UniMorph, where the lemma alone has many forms.
    """
    if not rows:
        return None
    num = len(rows[0])
    if num == 2:
        return Columns((0,), 1)
    columns = [[row[index] for row in rows] for index in range(num)]
    used = [index for index, column in enumerate(columns) if _is_informative(column)]
    texts = [index for index in used if not _is_number(columns[index])] or used
    used = texts if len(texts) > 1 else used
    if len(used) < 2:
        return None
    tags = [index for index in used[1:3] if len(used) > 2 and _are_tags(columns[index])]
    first, target = [index for index in used if index not in tags][:2] if len(used) - len(tags) > 1 else used[:2]
    if len(tags) == 1 and _is_needed([columns[first], columns[tags[0]], columns[target]]):
        return Columns((first, tags[0]), target)
    return Columns((first,), target)


def cleaned_pair(source: str, target: str, layout: Layout) -> tuple[str, str]:
    """A pair of a pronouncing dictionary without the number of the variant and the comment after it."""
    if layout.delimiter != FIRST_BLANK:
        return source, target
    return VARIANT_NUMBER.sub("", source), COMMENT_AFTER.sub("", target).rstrip()


def _has_pair(line: str) -> bool:
    cells = line.split("\t")
    return len(cells) > 1 and all(cell.strip() for cell in cells[:2])


def _is_pair(line: str) -> bool:
    return line.count("\t") == 1 and _has_pair(line)


def _is_informative(column: Sequence[str]) -> bool:
    filled = [cell for cell in column if cell and cell != "_"]
    return 2 * len(filled) > len(column) and (len(column) < 3 or len(set(filled)) > 1)


def _is_number(column: Sequence[str]) -> bool:
    return all(cell.isdecimal() for cell in column) and len(set(column)) == len(column)


def _are_tags(column: Sequence[str]) -> bool:
    """Whether the cells are combinations of few parts, without blanks, such as V;IND;PRS."""
    if any(" " in cell for cell in column):
        return False
    parts = [part for cell in column for part in re.split(r"[;|,=+]", cell)]
    return 2 * len(set(parts)) <= len(parts)


def _is_needed(columns: Sequence[Sequence[str]]) -> bool:
    """Whether source and tags together determine the target better than the source, or the tags are combinations."""
    source, tags, target = columns
    alone = len(set(zip(source, target, strict=True))) - len(set(source))
    joined = len(set(zip(source, tags, target, strict=True))) - len(set(zip(source, tags, strict=True)))
    return 2 * joined < alone or any(re.search(r"[;|=+]", cell) for cell in tags)


def _fix_of(layout: Layout, columns: Columns) -> str:
    if layout.num_columns == 2:
        return "convert it"
    source = " and ".join(str(index + 1) for index in columns.source)
    is_several = len(columns.source) > 1
    taken = f"column{'s' if is_several else ''} {source} as source, {columns.target + 1} as target"
    return f"take {taken} (change the numbers for others)"
