"""Texts on their way to a network: so many at a time, of one length side by side, and none longer than it can read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from seq2see.data import Examples
from seq2see.errors import DataError, UserError


def chunks_of(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """The texts, so many at a time; those before one that can't be read come before the error."""
    chunk: list[str] = []
    try:
        for text in texts:
            chunk.append(text)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except UserError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def require_room(max_positions: int | None, examples: Examples, places: Sequence[str], *, room: int = 0) -> None:
    """DataError for the first text that is longer than the `max_positions` that a model with learnt positions can read.

    Behind a target there has to be `room` for tokens to come.
    """
    for lengths in (examples.source_lengths, examples.target_lengths + room):
        if max_positions is not None and (long := np.flatnonzero(lengths > max_positions)).size:
            raise DataError(
                f"{lengths[long[0]]:,} tokens with the end, and the model's positions stop at {max_positions:,}",
                where=places[long[0]],
                fix="shorten the text, or train with a larger model.max_positions or other model.positions",
            )


def batches_of_equal(lengths: np.ndarray, order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """The indices in `order`, which is sorted by `lengths`, in batches each of one length."""
    borders = np.flatnonzero(np.diff(lengths[order])) + 1
    for group in np.split(order, borders):
        for start in range(0, len(group), batch_size):
            yield group[start : start + batch_size]
