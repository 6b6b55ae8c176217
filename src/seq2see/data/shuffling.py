"""Numbers as good as random that take no memory: a mix of bits, and an order that can be asked for at any place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]

_ROUNDS = 6
_FEWEST_BITS = 6
"""On fewer a Feistel network makes some orders far more often than others."""


def mixed(values: Numbers) -> Numbers:
    """Numbers as good as random, one for each (the output function of SplitMix64, Steele et al. 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    values = values ^ (values >> np.uint64(31))
    return values


def shuffled(places: npt.NDArray[np.int64], count: int, seed: Sequence[int]) -> npt.NDArray[np.int64]:
    """What stands at these places when 0..count-1 are shuffled: each number at one place, whichever are asked for.

    A Feistel network shuffles the numbers below the next power of two; what falls outside goes through it again (cycle
    walking: Black and Rogaway 2002, "Ciphers with arbitrary finite domains"), less than once on average.
    """
    bits = max(_FEWEST_BITS, (count - 1).bit_length())
    keys = np.random.SeedSequence(seed).generate_state(_ROUNDS, np.uint64).astype(np.uint64)
    values = _through_network(places.astype(np.uint64), bits, keys)
    while (outside := np.flatnonzero(values >= count)).size:
        values[outside] = _through_network(values[outside], bits, keys)
    return values.astype(np.int64)


def _through_network(values: Numbers, bits: int, keys: Numbers) -> Numbers:
    """Each half of the bits is changed in turn by a function of the other, which can always be undone."""
    low_bits = np.uint64(bits // 2)
    low_mask, high_mask = np.uint64(2 ** (bits // 2) - 1), np.uint64(2 ** (bits - bits // 2) - 1)
    low, high = values & low_mask, values >> low_bits
    for first, second in zip(keys[0::2], keys[1::2], strict=True):
        low = low ^ (mixed(high ^ first) & low_mask)
        high = high ^ (mixed(low ^ second) & high_mask)
    return (high << low_bits) | low
