"""Files of texts of one side alone, one per line: a table is refused, with a command that takes the texts out of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from seq2see.data.advice import new_file, piped, quoted_path
from seq2see.data.choosing import TABLE_EXTENSIONS, ChoiceError, beginning, extension, format_of, is_json
from seq2see.data.files import open_content
from seq2see.data.layout import CSV_DELIMITERS, TAB, Layout, layout_of
from seq2see.data.options import TableOptions, flags_of
from seq2see.data.reading import read_pairs
from seq2see.errors import DataError

Side = Literal["source", "target"]


def texts_alone(path: Path, side: Side, *, skip_bad: bool, encoding: str | None) -> list[str]:
    """The texts of a file with one per line, or of JSON. DataError for invalid lines, and for a table.

    In a file whose name is not that of a table, only TAB divides columns.
    """
    if not is_json(path):
        with open_content(path, encoding) as file:
            head = beginning(file.stream)
        require_no_table(head, path, side, skip_bad=skip_bad)
    read = read_pairs([path], columns="target", skip_bad=skip_bad, table=TableOptions(encoding=encoding))
    return [pair.target for pair in read.pairs if pair.target]


def require_no_table(head: Sequence[str], path: Path, side: Side, *, skip_bad: bool) -> None:
    """DataError for a file that begins with these lines, if they have several columns."""
    layout = layout_of(head, is_sure=extension(path) == ".csv")
    dividing = CSV_DELIMITERS if extension(path) in TABLE_EXTENSIONS else (TAB,)
    if layout is not None and (layout.num_columns == 1 or layout.delimiter not in dividing):
        layout = None
    has_tabs = any("\t" in line for line in head)
    if layout is None and (skip_bad or not has_tabs):
        return
    what = f"has {layout.describe() if layout else 'a TAB in some lines'}, and should have one {side} text per line"
    raise DataError(what, where=str(path), fix=f"take the texts out of it: {_command(head, path, side, layout)}")


def _command(head: Sequence[str], path: Path, side: Side, layout: Layout | None) -> str:
    """The command that writes the texts of one side into a file of their own."""
    field = 1 if side == "source" or layout is None else 2
    if layout is None or layout == Layout(TAB, layout.num_columns):
        return piped(str(path), f"cut -f{field}", "-texts.txt")
    table = _likely(head, path)
    copy, texts = (quoted_path(new_file(str(path), ending)) for ending in ("-clean.tsv", "-texts.txt"))
    words = ["seq2see check", quoted_path(str(path)), *flags_of(table), "--fix -o", copy]
    return f"{' '.join(words)} && cut -f{field} {copy} > {texts}"


def _likely(head: Sequence[str], path: Path) -> TableOptions:
    """The columns of the table that are probably source and target: one of each."""
    try:
        chosen = format_of(head, TableOptions(), str(path)).chosen()
    except ChoiceError as error:
        return error.likely
    found = TableOptions(**chosen)  # type: ignore[arg-type]
    return TableOptions(source=found.source[:1], target=found.target)
