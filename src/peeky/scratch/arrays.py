"""What flows: arrays, padded sequences, batches. Like `peeky.model.tensors` and `peeky.data.batch`, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from peeky.data.examples import Examples
from peeky.text import BOS, PAD

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Ids: TypeAlias = npt.NDArray[np.integer[Any]]
Mask: TypeAlias = npt.NDArray[np.bool_]
State: TypeAlias = tuple[Any, ...]
"""Nested tuples of arrays whose first axis is the row, and their gradients; None in place of a gradient is zero."""


class Padded(NamedTuple):
    """Sequences of unequal length in one rectangle, `ids` [B L] and `lengths` [B]; the rest of a row is padding."""

    ids: Ids
    lengths: Ids

    @property
    def mask(self) -> Mask:
        """True at real tokens [B L]."""
        return np.arange(self.ids.shape[1]) < self.lengths[:, None]


class Batch(NamedTuple):
    """Sources and targets of B examples, padded to the longest of each."""

    source: Padded
    target: Padded


def collate(examples: Examples, indices: npt.NDArray[np.int64]) -> Batch:
    """The batch of the examples with these indices."""
    return Batch(
        _pad(examples.source_ids, examples.source_offsets, indices),
        _pad(examples.target_ids, examples.target_offsets, indices),
    )


def _pad(ids: Ids, offsets: Ids, indices: npt.NDArray[np.int64]) -> Padded:
    starts = offsets[indices]
    lengths = offsets[indices + 1] - starts
    positions = np.arange(lengths.max(initial=0))
    is_token = positions < lengths[:, None]
    padded = np.full(is_token.shape, PAD, dtype=np.int64)
    padded[is_token] = ids[(starts[:, None] + positions)[is_token]]
    return Padded(padded, lengths)


def decoder_input(target: Padded) -> Ids:
    """What the decoder reads [B T]: BOS, then the target without its last position."""
    begin = np.full_like(target.ids[:, :1], BOS)
    return np.concatenate([begin, target.ids[:, :-1]], axis=1)


def total(one: Array | None, other: Array | None) -> Array | None:
    """The sum of two gradients of the same value, either of which may be None: nothing."""
    if one is None or other is None:
        return one if other is None else other
    return one + other


def map_state(function: Callable[[Any], Any], state: Any) -> Any:
    """Apply `function` to every array of a state."""
    return tuple(map_state(function, part) for part in state) if isinstance(state, tuple) else function(state)
