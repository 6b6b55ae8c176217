"""Pairs whose pictures or series can't be read: they are told from the others, and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from seq2see.console import counted
from seq2see.data.pairs import Pair
from seq2see.data.values import read_values
from seq2see.errors import DataError
from seq2see.text.choice import reason_for_values
from seq2see.text.fields import ValueUnit, columns_of, fields_of, is_value_unit, num_fields


def kinds_of(units: str | Sequence[str]) -> dict[int, ValueUnit]:
    """The fields of these units that are numbers, by their index."""
    fields = [units] if isinstance(units, str) else units
    return {index: unit for index, unit in enumerate(fields) if is_value_unit(unit)}


def kinds_in(sources: Sequence[str]) -> dict[int, ValueUnit]:
    """The fields of these sources that name pictures or series in all of them, by their index."""
    number = num_fields(sources)
    found = map(reason_for_values, columns_of(sources, number) if number > 1 else [sources])
    return kinds_of([reason[0] if reason else "" for reason in found])


def usual_widths(kinds: Mapping[int, ValueUnit], sources: Iterable[str]) -> dict[int, int]:
    """The number of values that most vectors of each such field have, by its index: a model reads one number."""
    counts = {index: Counter[int]() for index, kind in kinds.items() if kind == "vectors"}
    for source in sources if counts else ():
        fields = fields_of(source)
        for index, own in counts.items():
            if index < len(fields) and fields[index].strip():
                with suppress(DataError):
                    own[read_values("vectors", fields[index], "").shape[1]] += 1
    return {index: own.most_common(1)[0][0] for index, own in counts.items() if own}


def require_readable(kind: ValueUnit, cell: str, place: str, width: int | None) -> None:
    """DataError for a field of numbers that can't be read, or whose vectors haven't this many values."""
    array = read_values(kind, cell, place)
    if width is not None and array.shape[1] != width:
        what = f"vectors must have {counted(width, 'value')}, as most have, found {array.shape[1]}: {cell!r:.80}"
        raise DataError(what, where=place, fix="give vectors of one kind")


def error_of(kinds: Mapping[int, ValueUnit], widths: Mapping[int, int], source: str, place: str) -> DataError | None:
    """Why the first field of these kinds that can't be read can't be; None if all can, or are empty or missing.

    `widths` are the numbers of values that vectors have to have, by the index of the field, where they are known.
    """
    fields = fields_of(source)
    try:
        for index, kind in kinds.items():
            if index < len(fields) and fields[index].strip():
                require_readable(kind, fields[index], place, widths.get(index))
    except DataError as error:
        return error
    return None


def readable(
    kinds: Mapping[int, ValueUnit], widths: Mapping[int, int], pairs: Sequence[Pair]
) -> tuple[list[bool], list[DataError]]:
    """Whether the fields of these kinds can be read, pair by pair, and why those of the others can't: see `error_of`.

    DataError if there are only such.
    """
    errors = [error_of(kinds, widths, pair.source, pair.origin) for pair in pairs] if kinds else [None] * len(pairs)
    found = [error for error in errors if error is not None]
    if found and len(found) == len(errors):
        raise found[0]
    return [error is None for error in errors], found


def unreadable_line(errors: Sequence[DataError]) -> str:
    """How many pairs were skipped since they can't be read, and the first of them."""
    first = f"first {errors[0].where}: {errors[0].what}"
    return f"skipped {counted(len(errors), 'pair')} with a picture or series that can't be read, {first}"
