"""Where a text is in a JSON value: the keys and indices that lead to it."""

from __future__ import annotations

from typing import Any

from seq2see.data.digits import whole_number

Path = tuple[str | int, ...]
"""The keys and indices that lead to a text."""


def path_name(path: Path) -> str:
    """A path as it is given in an option, such as translation.en."""
    return ".".join(str(each + 1) if isinstance(each, int) else each for each in path)


def path_called(name: str) -> Path:
    """The path that is given so in an option."""
    return tuple(number - 1 if (number := whole_number(part)) else part for part in name.split("."))


def value_at(value: Any, path: Path) -> Any:
    """What is there; None if nothing is."""
    for key in path:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return value
