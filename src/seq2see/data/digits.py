"""Numbers as people write them in arguments, names and cells."""

from __future__ import annotations

MOST_DIGITS = 18
"""More are no number of anything here, and Python refuses to read some thousands of them."""


def whole_number(text: str) -> int | None:
    """The number, at least 0, that decimal digits stand for; None for anything else, and for too many digits."""
    return int(text) if len(text) <= MOST_DIGITS and text.isdecimal() else None
