"""Pseudo-random numbers and permutations that need no memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]

_ROUNDS = 6
_MIN_BITS = 6
"""With fewer bits, a Feistel network makes some permutations far more often than others."""


def splitmix64(values: Numbers) -> Numbers:
    """A pseudo-random number for each value (SplitMix64, Steele et al. 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    values = values ^ (values >> np.uint64(31))
    return values


def shuffled(positions: npt.NDArray[np.int64], count: int, seed: Sequence[int]) -> npt.NDArray[np.int64]:
    """The values at these positions of a pseudo-random permutation of 0..count-1.

    A Feistel network permutes the numbers below the next power of two; values outside the range go through it again
    (cycle walking: Black and Rogaway 2002, "Ciphers with arbitrary finite domains"), less than once on average.
    """
    bits = max(_MIN_BITS, (count - 1).bit_length())
    keys = np.random.SeedSequence(seed).generate_state(_ROUNDS, np.uint64).astype(np.uint64)
    values = _through_network(positions.astype(np.uint64), bits, keys)
    while (outside := np.flatnonzero(values >= count)).size:
        values[outside] = _through_network(values[outside], bits, keys)
    return values.astype(np.int64)


def _through_network(values: Numbers, bits: int, keys: Numbers) -> Numbers:
    """Each half of the bits is XORed in turn with a function of the other half, which is invertible."""
    low_bits = np.uint64(bits // 2)
    low_mask, high_mask = np.uint64(2 ** (bits // 2) - 1), np.uint64(2 ** (bits - bits // 2) - 1)
    low, high = values & low_mask, values >> low_bits
    for first, second in zip(keys[0::2], keys[1::2], strict=True):
        low = low ^ (splitmix64(high ^ first) & low_mask)
        high = high ^ (splitmix64(low ^ second) & high_mask)
    return (high << low_bits) | low
