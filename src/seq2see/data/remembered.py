"""Which format a file has of whose columns a model remembers something from its training file."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from seq2see.data.cells import are_tags
from seq2see.data.choosing import TABLE_EXTENSIONS, extension, format_of, of_one_column, rows_of
from seq2see.data.json_table import JsonFormat, UnknownColumnError
from seq2see.data.layout import CSV_DELIMITERS, TAB, delimiter_called, has_delimiter, is_of_blanks, layout_of
from seq2see.data.lines import Columns
from seq2see.data.options import TableOptions, flags_of
from seq2see.data.probabilities import PROBABILITIES
from seq2see.data.table import Format, TableFormat
from seq2see.errors import DataError
from seq2see.printable import listed
from seq2see.text.fields import FIELD_BREAK
from seq2see.text.tokenizers import are_spaced_tags

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
    may_rename: bool = False,
    has_tags: bool = False,
) -> Format:
    """The format of a file of which the columns are read that are `known` from another one.

    Where there is no header, or if it `may_rename` the columns, they are found out anew; as many source columns have to
    be read. UnknownColumnError, with the likely ones, for a header without those that are known. If the other one
    `has_tags` as the last column of its source, and this one in another of the columns, they are found out, too.
    """
    if columns == "target":
        options, known = of_one_column(options, where), of_one_column(known, where)
    known = without_other_layout(known, head, where)
    if not known.given():
        return format_of(head, options, where, columns=columns, extra=extra)
    try:
        found = format_of(head, options.over(known), where, columns=columns, extra=extra)
    except UnknownColumnError as error:
        if options.source or options.target is not None:
            raise
        anew = _anew(head, options, known, where, columns=columns, extra=extra, strict=not error.names)
        if anew is not None and (may_rename or not error.names):
            return anew
        raise renamed(error, head, options, known, columns=columns) from None
    if has_tags and isinstance(found, TableFormat) and not (known.names and (found.layout.header or options.names)):
        place = _place_of_tags(rows_of(head, found.layout), found)
        if place is not None and place != found.source[-1]:
            anew = _anew(head, options, known, where, columns=columns, extra=extra)
            if isinstance(anew, TableFormat) and anew.source[-1] == place:
                return anew
            return _with_tags_in(place, found)
    return found


def _place_of_tags(rows: Sequence[Sequence[str]], chosen: TableFormat) -> int | None:
    """The only column of source and target that has tags; None if none has, or several."""
    cells = {at: [row[at] for row in rows] for at in (*chosen.source, chosen.target) if at is not None}
    found = [
        at
        for at, column in cells.items()
        if are_tags(column) or any(are_spaced_tags(column, other) for other in cells.values() if other is not column)
    ]
    return found[0] if len(found) == 1 else None


def _with_tags_in(place: int, chosen: TableFormat) -> TableFormat:
    """The format with the last source column in this place, and the other columns in the same order as before."""
    assert chosen.target is not None
    before = (*chosen.source[:-1], chosen.target)
    left = sorted({*chosen.source, chosen.target} - {place})
    *source, target = (left[sorted(before).index(at)] for at in before)
    reason = f"column {place + 1} has tags, so it belongs to the source"
    return replace(chosen, source=(*source, place), target=target, names=chosen.layout.names, reason=reason)


def has_tags(sources: Sequence[str]) -> bool:
    """Whether the last column of these sources, if there are several, has tags."""
    fields = [source.split(FIELD_BREAK) for source in sources]
    if not fields or len(fields[0]) < 2:
        return False
    last, first = [each[-1] for each in fields], [each[0] for each in fields]
    return are_tags(last) or are_spaced_tags(last, first)


def _anew(
    head: Sequence[str],
    options: TableOptions,
    known: TableOptions,
    where: str,
    *,
    columns: Columns,
    extra: Sequence[str] = (),
    strict: bool = False,
) -> Format | None:
    """The format with columns that are found out, if as many sources are read as are `known`.

    DataError if none can be, with `strict`.
    """
    own = replace(options.over(known), source=(), target=None, names=())
    try:
        found = format_of(head, own, where, columns=columns, extra=extra)
    except DataError:
        if strict:
            raise
        return None
    return found if max(1, num_fields(found)) == max(1, len(known.source)) else None


def renamed(
    error: UnknownColumnError,
    head: Sequence[str],
    options: TableOptions,
    known: TableOptions,
    *,
    columns: Columns = "pairs",
    has_target: bool = True,
) -> UnknownColumnError:
    """The error for a file whose header lacks columns that are `known`: with those that it has, and the likely ones.

    The error as it is, if they are there or there is no header.
    """
    wanted = [*known.source, *([known.target] if has_target and known.target else [])]
    lost = [name for name in wanted if name not in error.names]
    if error.is_missing and wanted and all(name.isdecimal() for name in wanted):
        sides = f"source {', '.join(known.source)}{f', target {known.target}' if known.target else ''}"
        what = f"{error.what}; the model was trained on a table of more columns ({sides})"
        return UnknownColumnError(what, where=error.where, fix="give a table with these columns")
    if not (error.names and lost):
        return error
    anew = _anew(head, options, known, error.where, columns=columns)
    guess: dict[str, Any] = {} if anew is None else anew.chosen()
    names = _likely(wanted, known, error.names, [*guess.get("source", ()), guess.get("target", "")])
    fix = f"name those to read: --source …{' --target …' if has_target else ''}; or rename them in the file"
    if len(error.names) < len(wanted):
        fix = f"give a table with {', '.join(wanted)}"
    elif names:
        source, target = (names, None) if len(names) == len(known.source) else (names[:-1], names[-1])
        own = TableOptions(source=tuple(source), target=target)
        with contextlib.suppress(DataError):
            format_of(head, own.over(options.over(known)), error.where, columns=columns, has_target=has_target)
            fix = f"if these are the same, name them: {' '.join(flags_of(own))}; or rename them in the file"
    kind = "key" if error.what.startswith("unknown key") else "column"
    called = f"{kind}{'s' if len(lost) > 1 else ''} {listed(lost)}"
    what = f"has no {called}, which the model was trained on; found {', '.join(error.names)}"
    return UnknownColumnError(what, where=error.where, fix=fix, names=error.names)


def _likely(wanted: Sequence[str], known: TableOptions, names: Sequence[str], guess: Sequence[str]) -> list[str]:
    """The columns that may be those wanted: by similar names, their case aside, by places, or as found out anew."""
    found: list[str] = []
    for place, name in enumerate(wanted):
        free = [each for each in names if each not in (*wanted, *found)]
        candidates = [name] if name in names else [each for each in free if each.casefold() == name.casefold()]
        candidates += get_close_matches(name, free, n=1)
        if len(names) == len(known.names) and name in known.names:
            candidates.append(names[known.names.index(name)])
        elif len(names) == len(wanted):
            candidates.append(names[place])
        candidates += guess[place : place + 1]
        likely = next((each for each in candidates if each == name or each in free), None)
        if likely is None:
            return []
        found.append(likely)
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
        is_more_telling = is_of_blanks(known.delimiter) and own.delimiter in (*CSV_DELIMITERS, "|||", PROBABILITIES)
        has_own = is_more_telling and (is_table or len(head) >= _FEW_LINES)
    if not has_own and has_delimiter(head, known.delimiter):
        return known
    return replace(known, delimiter=None, header="auto", quotes="auto", comment=None)


def has_columns(chosen: Format, known: TableOptions) -> bool:
    """Whether a file of this format has the source columns that are `known`."""
    if not known.source or not isinstance(chosen, TableFormat):
        return False
    numbers = [str(at + 1) for at in range(chosen.layout.num_columns)]
    return all(name in chosen.names or name in numbers for name in known.source)


def num_fields(chosen: Format) -> int:
    """The number of source columns that are read."""
    return len(chosen.source) if isinstance(chosen, TableFormat | JsonFormat) else 1
