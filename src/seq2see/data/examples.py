"""Pairs as numbers, all of them in a few arrays."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2see.data.pairs import Pair
from seq2see.text import Codec, Skips

Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Examples:
    """The ids of all pairs, one behind the other; those of pair i are `ids[offsets[i] : offsets[i + 1]]`.

    Each side ends with EOS. The source of a language model has length 0, and so has a target that is not known.
    """

    source_ids: Ids
    source_offsets: Offsets
    target_ids: Ids
    target_offsets: Offsets

    @classmethod
    def encode(cls, pairs: Sequence[Pair], source_codec: Codec | None, target_codec: Codec) -> Examples:
        """The examples of the pairs; no source codec for a language model."""
        sources = ([] if source_codec is None else source_codec.encode(pair.source) for pair in pairs)
        targets = ([] if pair.target is None else target_codec.encode(pair.target) for pair in pairs)
        return cls(*_pack(sources), *_pack(targets))

    @classmethod
    def encode_with_dropout(
        cls,
        pairs: Sequence[Pair],
        source_codec: Codec | None,
        target_codec: Codec,
        *,
        dropout: float,
        seed: int,
        epoch: int,
    ) -> Examples:
        """As `encode`, words being cut by BPE with dropout: a pure function of seed, epoch and number of the pair."""

        def skips(side: str, number: int) -> Skips:
            return Skips(dropout, random.Random(f"{seed} {epoch} {side} {number}"))

        sources = (
            [] if source_codec is None else source_codec.encode_with_dropout(pair.source, skips("source", number))
            for number, pair in enumerate(pairs)
        )
        targets = (
            [] if pair.target is None else target_codec.encode_with_dropout(pair.target, skips("target", number))
            for number, pair in enumerate(pairs)
        )
        return cls(*_pack(sources), *_pack(targets))

    @property
    def source_lengths(self) -> Offsets:
        """The number of source ids of each pair, EOS included."""
        return np.diff(self.source_offsets)

    @property
    def target_lengths(self) -> Offsets:
        """The number of target ids of each pair, EOS included."""
        return np.diff(self.target_offsets)

    def num_target_tokens(self, indices: npt.NDArray[np.int64]) -> int:
        """The target ids of these pairs together."""
        return int((self.target_offsets[indices + 1] - self.target_offsets[indices]).sum())

    def source(self, index: int) -> Ids:
        """The source ids of one pair."""
        return self.source_ids[self.source_offsets[index] : self.source_offsets[index + 1]]

    def target(self, index: int) -> Ids:
        """The target ids of one pair."""
        return self.target_ids[self.target_offsets[index] : self.target_offsets[index + 1]]

    def __len__(self) -> int:
        return len(self.source_offsets) - 1


EpochExamples = Callable[[int], Examples]
"""Gives the examples of an epoch, for which words are cut anew."""


def _pack(sequences: Iterable[list[int]]) -> tuple[Ids, Offsets]:
    ids = array("i")
    offsets = array("q", [0])
    for sequence in sequences:
        ids.extend(sequence)
        offsets.append(len(ids))
    return np.array(ids, dtype=np.int32), np.array(offsets, dtype=np.int64)
