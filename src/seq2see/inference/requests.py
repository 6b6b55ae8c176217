"""Texts to be answered, each with constraints of its own: from keyword arguments, or from the lines of a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Set, Sized
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2see.errors import ConfigError, DataError
from seq2see.inference.checking import shown, shown_argument
from seq2see.inference.options import NO_CONSTRAINTS, PER_TEXT, Constraints

if TYPE_CHECKING:
    from seq2see.data.sources import SourceRow

SEPARATOR = "|"
"""Between the texts of one cell of a table."""
OF_SEVERAL = ("forbid", "contain")
"""Constraints that have several texts."""
OF_LENGTH = ("min_length", "max_length")
MISSING = object()


class Request(NamedTuple):
    """A text to be answered, and the constraints on its answer alone."""

    text: str
    own: Constraints = NO_CONSTRAINTS
    error: DataError | None = None
    """Why it can't be answered, for a line that can't be read."""
    place: str = ""
    """Where it is, such as `in.jsonl:2`."""
    is_last_here: bool = False
    """Whether the next one has yet to come, from a writer who may be waiting for this answer."""


# --- keyword arguments ----------------------------------------------------------------------------------------------


def split_per_text(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Iterable[Any]]]:
    """The arguments that hold for all texts, and those with one value per text."""
    per_text = {}
    shared = dict(arguments)
    for name in PER_TEXT:
        if name in arguments and (values := _values_per_text(name, arguments[name])) is not None:
            per_text[name] = values
            del shared[name]
    return shared, per_text


def requests_of(texts: Iterable[str], per_text: Mapping[str, Iterable[Any]], number: int | None) -> Iterable[Request]:
    """The texts with their own constraints, as they come; their number, if it is known.

    ConfigError for a constraint that has not one valid value per text: for the wrong number of them at once, if both
    numbers are known.
    """
    if not per_text:
        return map(Request, texts)
    for name, values in per_text.items():
        if number is not None and isinstance(values, Sized) and len(values) != number:
            raise _wrong_number(name, f"{len(values):,}", f"{number:,}")
    return _requests(texts, per_text)


def _requests(texts: Iterable[str], per_text: Mapping[str, Iterable[Any]]) -> Iterator[Request]:
    columns = {name: iter(values) for name, values in per_text.items()}
    row = -1
    for row, text in enumerate(texts):
        own = {}
        for name, values in columns.items():
            if (value := next(values, MISSING)) is MISSING:
                raise _wrong_number(name, f"{row:,}", f"at least {row + 1:,}")
            if not _is_none(value):
                own[name] = _own_value(name, value, f"{name}[{row}]")
        yield Request(text, _constraints(own, f"[{row}]"))
    for name, values in columns.items():
        if next(values, MISSING) is not MISSING:
            raise _wrong_number(name, f"at least {row + 2:,}", f"{row + 1:,}")


def _wrong_number(name: str, values: str, texts: str) -> ConfigError:
    unit = "text" if texts == "1" else "texts"
    fix = f"give {name} as many values as there are texts, with {shown(None)} for a text without"
    return ConfigError(f"must have one value per text, found {values} for {texts} {unit}", where=name, fix=fix)


def _constraints(own: Mapping[str, Any], place: str) -> Constraints:
    """The constraints of these values. ConfigError for one that is invalid, with the `place` after its name."""
    try:
        return Constraints(**own) if own else NO_CONSTRAINTS
    except ConfigError as error:
        parts = [name.partition("[") for name in error.where.split(", ")]  # "contain[1]", or "min_length, max_length"
        where = ", ".join(name + place + bracket + rest for name, bracket, rest in parts)
        raise ConfigError(error.what, where=where, fix=error.fix) from None


def _values_per_text(name: str, given: Any) -> Iterable[Any] | None:
    """What was given as one value per text; None if it is one for all, valid or not."""
    is_scalar = isinstance(given, str | bytes) or (hasattr(given, "dtype") and not getattr(given, "shape", ()))
    if is_scalar or not isinstance(given, Iterable):
        return None
    if isinstance(given, Mapping | Set):
        fix = "give a list of them"
        raise ConfigError(f"must be in order, not {shown(given)}", where=name, fix=fix)
    if name not in OF_SEVERAL:
        return given
    if isinstance(given, Iterator):
        return given  # read once, so it can't be the texts for all
    items = list(given)
    are_texts = [isinstance(item, str) for item in items]
    are_own = [_is_none(item) or (isinstance(item, Iterable) and not isinstance(item, str | bytes)) for item in items]
    if any(are_texts) and any(are_own):
        place, example = are_texts.index(True), items[are_texts.index(True)]
        what = f"mixes texts for all answers, such as {shown(example)}, with lists for one answer each"
        fix = f"give {shown_argument(name, [example])} for all, or make {name}[{place}] a list: {shown([example])}"
        raise ConfigError(what, where=name, fix=fix)
    return items if items and all(are_own) else None


def _own_value(name: str, value: Any, where: str) -> Any:
    """The value of one text; what is invalid stays, and is refused with its type."""
    if name in OF_SEVERAL:
        if isinstance(value, str):
            fix = f"give a list for each text: {shown([value])}"
            raise ConfigError(f"must be a list of texts, not {shown(value)}", where=where, fix=fix)
        return tuple(value) if isinstance(value, Iterable) and not isinstance(value, bytes) else value
    if name in OF_LENGTH and isinstance(value, float) and value.is_integer():
        return int(value)  # a column of a data frame in which some are missing
    return value


def _is_none(value: Any) -> bool:
    """Whether a text has no constraint: None, or what data frames have instead."""
    return value is None or (isinstance(value, float) and value != value)


# --- lines of a file ------------------------------------------------------------------------------------------------


def request_of(row: SourceRow) -> Request:
    """What a line of a file asks: its source, with the constraints among its other values, or why it can't be read."""
    if row.error is not None:
        return Request("", error=row.error, place=row.origin, is_last_here=row.is_last_here)
    try:
        own = constraints_in(row.values, in_cells=row.in_cells, where=row.origin) if row.values else NO_CONSTRAINTS
        return Request(row.source, own, place=row.origin, is_last_here=row.is_last_here)
    except DataError as error:
        return Request(row.source, error=error, place=row.origin, is_last_here=row.is_last_here)


def constraints_in(values: Mapping[str, object], *, in_cells: bool, where: str) -> Constraints:
    """The constraints among the values of a line, which have the names of `Constraints`; others are ignored.

    In JSON `contain` and `forbid` are a text or a list of texts, and lengths are numbers. A cell of a table has several
    texts separated by "|", or a list as in JSON, and an empty one has none. DataError, located at `where`, for an
    invalid value.
    """
    own: dict[str, Any] = {}
    try:
        for name in PER_TEXT:
            value = values.get(name)
            if isinstance(value, str) and (in_cells or not value):
                value = _cell_value(name, value)
            if isinstance(value, str) and name in OF_SEVERAL:
                value = (value,)
            if value is not None:
                own[name] = value
        return _constraints(own, "")
    except ConfigError as error:
        raise DataError(f"{error.where}: {error.what}", where=where, fix=error.fix) from None


def _cell_value(name: str, cell: str) -> object:
    """The value that a cell stands for; None if it is empty."""
    if not cell.strip():
        return None
    if name in OF_LENGTH and (number := cell.strip()).isdecimal() and len(number) < 20:
        return int(number)
    if name not in OF_SEVERAL:
        return cell
    if not cell.lstrip().startswith("["):
        return [text.strip() for text in cell.split(SEPARATOR) if text.strip()]
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        fix = f"write a text that begins with [ as {json.dumps([cell], ensure_ascii=False)}"
        raise ConfigError(f"must be a JSON list where it begins with [, not {cell!r}", where=name, fix=fix)
    return found
