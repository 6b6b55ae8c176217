"""Pairs whose pictures or series can't be read: they are told from the others, and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def error_of(kinds: Mapping[int, ValueUnit], source: str, place: str) -> DataError | None:
    """Why the first field of these kinds that can't be read can't be; None if all can, or are empty or missing."""
    fields = fields_of(source)
    try:
        for index, kind in kinds.items():
            if index < len(fields) and fields[index].strip():
                read_values(kind, fields[index], place)
    except DataError as error:
        return error
    return None


def readable(kinds: Mapping[int, ValueUnit], pairs: Sequence[Pair]) -> tuple[list[bool], list[DataError]]:
    """Whether the fields of these kinds can be read, pair by pair, and why those of the others can't.

    DataError if there are only such.
    """
    errors = [error_of(kinds, pair.source, pair.origin) for pair in pairs] if kinds else [None] * len(pairs)
    found = [error for error in errors if error is not None]
    if found and len(found) == len(errors):
        raise found[0]
    return [error is None for error in errors], found


def unreadable_line(errors: Sequence[DataError]) -> str:
    """How many pairs were skipped since they can't be read, and the first of them."""
    first = f"first {errors[0].where}: {errors[0].what}"
    return f"skipped {counted(len(errors), 'pair')} with a picture or series that can't be read, {first}"
