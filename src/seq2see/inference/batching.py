"""Texts on their way to a network: in chunks, in batches that fit into memory, and none longer than it can read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from seq2see.data import Examples
from seq2see.errors import DataError, UserError
from seq2see.inference.requests import Request

CHUNK_CHARACTERS = 4_000_000
"""Most characters of a chunk of texts."""
MOST_ROWS = 4096
"""Hypotheses computed side by side."""
MOST_LOG_PROBS = 2**26
"""Of the hypotheses computed side by side: rows times vocabulary; 256 MB in float32."""
MOST_POSITIONS = 2**16
"""Source positions computed side by side; see `source_costs`."""
QUADRATIC = 256
"""From this length on a text counts as many positions as it has pairs of them, divided by this."""


def chunks_of(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    """The requests in lists of `size`, or fewer: long ones, and those that have come where others have yet to come.

    Those before an unreadable one come before its error.
    """
    chunk: list[Request] = []
    characters = 0
    try:
        for request in requests:
            chunk.append(request)
            characters += len(request.text)
            if len(chunk) == size or characters > CHUNK_CHARACTERS or request.is_last_here:
                yield chunk
                chunk, characters = [], 0
    except UserError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def require_room(max_positions: int | None, examples: Examples, places: Sequence[str]) -> None:
    """DataError for the first text that is longer than the `max_positions` of a model with learned positions."""
    for lengths in (examples.source_lengths, examples.target_lengths):
        if max_positions is not None and (long := np.flatnonzero(lengths > max_positions)).size:
            raise DataError(
                f"{lengths[long[0]]:,} tokens with EOS, and the model has positions for {max_positions:,}",
                where=places[long[0]],
                fix="shorten the text, or train with a larger model.max_positions or other model.positions",
            )


def source_costs(lengths: np.ndarray) -> np.ndarray:
    """What the sources of these lengths take in memory, in positions: states per position, scores per pair of them."""
    costs: np.ndarray = np.maximum(lengths, lengths * lengths // QUADRATIC)
    return costs


def batches_of_equal(kinds: np.ndarray, order: np.ndarray, batch_size: int, costs: np.ndarray) -> Iterator[np.ndarray]:
    """The indices in `order`, which is sorted by their `kinds`, in batches of one kind each.

    A batch has at most `batch_size` texts, and fewer if these cost more than MOST_POSITIONS.
    """
    borders = np.flatnonzero(np.diff(kinds[order])) + 1
    for group in np.split(order, borders):
        yield from batches_within(group, batch_size, [(costs, MOST_POSITIONS)])


def batches_within(
    order: np.ndarray, batch_size: int, bounds: Sequence[tuple[np.ndarray, int]]
) -> Iterator[np.ndarray]:
    """The indices in `order` in batches of at most `batch_size`; one text alone may exceed a bound.

    A bound is what each text costs, and the most that a batch may cost: all are padded to the largest in it.
    """
    start = 0
    while start < len(order):
        batch = order[start : start + batch_size]
        for costs, most in bounds:
            padded = np.maximum.accumulate(costs[batch]) * np.arange(1, len(batch) + 1)
            batch = batch[: max(1, int((padded <= most).sum()))]
        yield batch
        start += len(batch)


def rows_at_most(vocabulary: int) -> int:
    """How many hypotheses may be computed side by side."""
    return max(1, min(MOST_ROWS, MOST_LOG_PROBS // vocabulary))
