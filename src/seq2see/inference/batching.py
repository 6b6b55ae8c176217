"""Texts on their way to a network: in chunks, in batches of equal length, and none longer than it can read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from seq2see.data import Examples
from seq2see.errors import DataError, UserError


def chunks_of(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """The texts in lists of `size`; those before a text that can't be read come before its error."""
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
    """DataError for the first text that is longer than the `max_positions` of a model with learned positions.

    After each target there must be `room` for more tokens.
    """
    for lengths in (examples.source_lengths, examples.target_lengths + room):
        if max_positions is not None and (long := np.flatnonzero(lengths > max_positions)).size:
            raise DataError(
                f"{lengths[long[0]]:,} tokens with EOS, and the model has positions for {max_positions:,}",
                where=places[long[0]],
                fix="shorten the text, or train with a larger model.max_positions or other model.positions",
            )


def batches_of_equal(lengths: np.ndarray, order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """The indices in `order`, which is sorted by `lengths`, in batches of one length each."""
    borders = np.flatnonzero(np.diff(lengths[order])) + 1
    for group in np.split(order, borders):
        for start in range(0, len(group), batch_size):
            yield group[start : start + batch_size]
