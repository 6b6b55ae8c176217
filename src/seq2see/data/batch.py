"""Batches: examples as padded arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.data.examples import Examples, Sequences
from seq2see.data.values import FieldValues
from seq2see.text import BOS, PAD


class Padded(NamedTuple):
    """Sequences padded to the same length: `ids` [B L] and `lengths` [B]."""

    ids: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    values: tuple[FieldValues, ...] = ()
    """The numbers of each field that is not text."""

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """True at tokens, False at padding [B L]."""
        return np.asarray(np.arange(self.ids.shape[1]) < self.lengths[:, None])


class Batch(NamedTuple):
    """Sources and targets of B examples, padded to the longest of each."""

    source: Padded
    target: Padded

    @property
    def decoder_input(self) -> npt.NDArray[np.int64]:
        """See `decoder_input`."""
        return decoder_input(self.target)


def decoder_input(target: Padded) -> npt.NDArray[np.int64]:
    """The decoder's input [B T]: BOS, then the target without its last position."""
    return np.concatenate([np.full_like(target.ids[:, :1], BOS), target.ids[:, :-1]], axis=1)


def collate(examples: Examples, indices: npt.NDArray[np.int64]) -> Batch:
    """The batch of the examples with these indices."""
    return Batch(
        pad(examples.sources, indices),
        pad(examples.targets, indices),
    )


def pad(sequences: Sequences, indices: npt.NDArray[np.int64]) -> Padded:
    """The sequences with these indices, padded to the longest of them."""
    starts = sequences.offsets[indices]
    lengths = sequences.offsets[indices + 1] - starts
    positions = np.arange(lengths.max(initial=0))
    is_token = positions < lengths[:, None]
    padded = np.full(is_token.shape, PAD, dtype=np.int64)
    padded[is_token] = sequences.ids[(starts[:, None] + positions)[is_token]]
    return Padded(padded, lengths, tuple(column.batch(indices.tolist()) for column in sequences.values))
