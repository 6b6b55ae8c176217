"""The column of a table that has the texts of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seq2see.data.cells import are_labels, are_numbers, is_constant
from seq2see.data.choosing import ChoiceError, extension, names_of, rows_of, shown_columns
from seq2see.data.header import IDENTIFIERS, is_header, is_usual_name
from seq2see.data.layout import CSV_DELIMITERS, TAB, Layout, layout_of, records
from seq2see.data.options import TableOptions
from seq2see.data.table import TableFormat
from seq2see.printable import quoted


def table_of_texts(head: Sequence[str], options: TableOptions, where: str) -> TableFormat | None:
    """The column of texts in a table, which is CSV by its extension or has TABs; None for lines of text."""
    is_csv = extension(Path(where)) == ".csv"
    layout = layout_of(head, options, is_sure=is_csv)
    if layout is None or layout.delimiter not in (CSV_DELIMITERS if is_csv else (TAB,)):
        layout = _single_column_of_csv(head, options) if is_csv else None
    if layout is None:
        return None
    rows = rows_of(head, layout)
    if not layout.header and options.header == "auto" and len(rows) > 1 and is_header(rows[0], rows[1:]):
        layout, rows = layout._replace(header=tuple(rows[0])), rows[1:]  # also of two columns that TAB divides
    names = names_of(layout, options)
    target = text_column(layout, names, rows, where)
    unused = tuple(at for at in range(layout.num_columns) if at != target)
    return TableFormat(layout, (), target, names=names, unused=unused)


def _single_column_of_csv(head: Sequence[str], options: TableOptions) -> Layout | None:
    """The layout of CSV with a single column; None if a line has more, and if each line is what is in its cell."""
    layout = layout_of(head, replace(options, delimiter="comma"))
    lines = [line for line in head if line.strip()]
    if layout is None or layout.num_columns != 1 or len(lines) < 2:
        return None
    if layout.is_quoted:
        found = [cells for _, _, cells in records(lines, layout.delimiter, layout.is_comment)]
        if any(len(cells) != 1 for cells in found if isinstance(cells, list)):
            return None
    elif any(layout.delimiter in line for line in lines):
        return None
    is_name_above_quoted = len(lines[0].split()) == 1 and all(map(str.startswith, lines, ["", *'"' * len(lines[1:])]))
    if not layout.header and (is_usual_name(lines[0]) or (is_name_above_quoted and not lines[0].startswith('"'))):
        layout = layout._replace(header=(lines[0].strip(),))
    return layout if layout.is_quoted or layout.header else None


def text_column(layout: Layout, names: Sequence[str], rows: Sequence[Sequence[str]], where: str) -> int:
    """The only column that has texts, or that is called so. ChoiceError where there are several."""
    lower = [name.casefold() for name in names]
    for name in ("target", "text"):
        if lower.count(name) == 1:
            return lower.index(name)
    cells = [[row[at] for row in rows] for at in range(layout.num_columns)]
    texts = [
        at
        for at, column in enumerate(cells)
        if any(map(str.strip, column))
        and not (are_numbers(column) or is_constant(column) or lower[at : at + 1] in ([each] for each in IDENTIFIERS))
    ]
    if layout.num_columns == 1 or len(texts) == 1:
        return texts[0] if texts else 0
    likely = next((at for at in texts if not are_labels(cells[at])), 0)
    are_names, columns = shown_columns(layout, names, rows)
    what = f"expected 1 column, found {layout.describe()}; which has the texts?"
    fix = (
        f"choose by {'name' if are_names else 'number'}: --target {quoted(names[likely]) if are_names else likely + 1}"
    )
    if extension(Path(where)) == ".csv":
        fix += "; if each line is a text, give the file the ending .txt"
    raise ChoiceError("\n".join([what, *columns]), where=f"{where}:1", fix=fix)
