"""The earlier turns of a conversation as one text: the first field of a source."""

from __future__ import annotations

from collections.abc import Sequence

TURN_BREAK = " ¶ "
"""Between the turns of the first field, the oldest first."""
NUM_TURNS = 2
"""Turns that are read again: the last message and its reply."""


def written_turns(turns: Sequence[str]) -> str:
    """Earlier turns as the field of a source."""
    return TURN_BREAK.join(turns)
