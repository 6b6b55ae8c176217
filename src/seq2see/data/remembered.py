"""Which format a file has of whose columns a model remembers something from its training file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seq2see.data.choosing import TABLE_EXTENSIONS, extension, format_of
from seq2see.data.json_table import JsonFormat, UnknownColumnError
from seq2see.data.layout import CSV_DELIMITERS, TAB, delimiter_called, has_delimiter, is_of_blanks, layout_of
from seq2see.data.lines import Columns
from seq2see.data.options import TableOptions
from seq2see.data.table import Format, TableFormat

_FEW_LINES = 5
"""Lines from which a delimiter that divides all of them is not there by chance."""


def format_like(
    head: Sequence[str],
    options: TableOptions,
    known: TableOptions,
    where: str,
    *,
    columns: Columns = "pairs",
    extra: Sequence[str] = (),
) -> Format:
    """The format of a file of which the columns are read that are `known` from another one, if it has them.

    Otherwise it is found out anew; as many source columns have to be read.
    """
    known = without_other_layout(known, head, where)
    if not known.given():
        return format_of(head, options, where, columns=columns, extra=extra)
    try:
        return format_of(head, options.over(known), where, columns=columns, extra=extra)
    except UnknownColumnError as error:
        if options.source or options.target is not None:
            raise
        own = replace(options.over(known), source=(), target=None, names=())
        found = format_of(head, own, where, columns=columns, extra=extra)
        if num_fields(found) != max(1, len(known.source)):
            raise error from None
        return found


def without_other_layout(known: TableOptions, head: Sequence[str], where: str) -> TableOptions:
    """What is known of another table, without its layout if this file has one of its own.

    In nearly every file each line has a blank, so a layout with blanks also fits files of other layouts.
    """
    if known.delimiter is None:
        return known
    wanted = [*known.source, *([known.target] if known.target else [])]
    is_table = extension(Path(where)) in TABLE_EXTENSIONS
    own = layout_of(head, TableOptions(names=known.names), wanted, is_sure=extension(Path(where)) == ".csv")
    has_own = own is not None and own.delimiter != delimiter_called(known.delimiter)
    if own is not None and has_own and own.delimiter != TAB and not own.header:
        is_more_telling = is_of_blanks(known.delimiter) and own.delimiter in (*CSV_DELIMITERS, "|||")
        has_own = is_more_telling and (is_table or len(head) >= _FEW_LINES)
    if not has_own and has_delimiter(head, known.delimiter):
        return known
    return replace(known, delimiter=None, header="auto", quotes="auto", comment=None)


def num_fields(chosen: Format) -> int:
    """The number of source columns that are read."""
    return len(chosen.source) if isinstance(chosen, TableFormat | JsonFormat) else 1
