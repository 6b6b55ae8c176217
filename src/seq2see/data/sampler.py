"""Which examples go into which batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.data.shuffling import shuffled

Indices = npt.NDArray[np.int64]

_BATCHES_A_POOL = 100


class Place(NamedTuple):
    """Where in training a batch comes: all that is needed to go on from there."""

    epoch: int
    pool: int
    batch: int
    """Its number in the pool."""


class LengthBucketSampler:
    """Batches of examples of about the same length, in a new order every epoch.

    An epoch is a shuffled order cut into pools of some hundred batches; each pool is sorted by length and cut into
    batches, which come in random order. A pool is a pure function of seed, epoch and its number, and all that is ever
    read or kept are the offsets at its own examples, so memory and start-up don't depend on the number of examples.

    `batch_size` limits the rows of a batch, `batch_tokens` its size with all padding: rows x (longest source + longest
    target). An example larger than that gets a batch of its own.
    """

    def __init__(
        self,
        source_offsets: npt.NDArray[np.int64],
        target_offsets: npt.NDArray[np.int64],
        *,
        batch_size: int | None,
        batch_tokens: int | None,
        seed: int,
    ) -> None:
        if batch_size is None and batch_tokens is None:
            raise ValueError("one of batch_size and batch_tokens is needed")
        if min(batch_size or 1, batch_tokens or 1) < 1 or 0 in (batch_size, batch_tokens):
            raise ValueError(f"batch_size {batch_size} and batch_tokens {batch_tokens} must be at least 1")
        self._offsets = source_offsets, target_offsets
        self._batch_size = batch_size
        self._batch_tokens = batch_tokens
        self._seed = seed
        self._count = len(source_offsets) - 1
        pool_size = self._pool_size()
        # Where rows limit a batch a pool is so many whole ones, that not each pool ends with a small one.
        self._unit = batch_size if batch_size and pool_size == _BATCHES_A_POOL * batch_size else 1
        self._units = -(-self._count // self._unit)
        self.num_pools = min(max(1, round(self._units * self._unit / pool_size)), self._units)

    def pool(self, epoch: int, number: int) -> list[Indices]:
        """The batches of one pool of an epoch."""
        order = self._sorted_pool(epoch, number)
        batches = np.split(order, self._cuts(order))
        random = np.random.default_rng((self._seed, epoch, number))
        return [batches[place] for place in random.permutation(len(batches))]

    def batches(self, epoch: int) -> Iterator[Indices]:
        """The batches of an epoch: every example once."""
        for number in range(self.num_pools):
            yield from self.pool(epoch, number)

    def batches_from(self, start: Place) -> Iterator[tuple[Place, Indices]]:
        """The batches of an epoch from a place in it on, each with its own place."""
        epoch, first_pool, first_batch = start
        for pool in range(first_pool, self.num_pools):
            batches = self.pool(epoch, pool)
            for number in range(first_batch if pool == first_pool else 0, len(batches)):
                yield Place(epoch, pool, number), batches[number]

    def num_batches(self, epoch: int, *, most: int | None = None) -> int:
        """The number of batches of an epoch, or more than `most` where these suffice to know."""
        if self._batch_tokens is None:
            return self._units
        total = 0
        for number in range(self.num_pools):
            total += self.num_batches_of(epoch, number)
            if most is not None and total > most:
                break
        return total

    def num_batches_of(self, epoch: int, number: int) -> int:
        """The number of batches of one pool of an epoch."""
        return len(self._cuts(self._sorted_pool(epoch, number))) + 1

    def _pool_size(self) -> int:
        sizes = [] if self._batch_size is None else [self._batch_size]
        if self._batch_tokens is not None:
            average = max(1.0, sum(int(offsets[-1] - offsets[0]) for offsets in self._offsets) / max(1, self._count))
            sizes.append(max(1, int(self._batch_tokens / average)))
        return _BATCHES_A_POOL * min(sizes)

    def _sorted_pool(self, epoch: int, number: int) -> Indices:
        """The examples of a pool by length; pools are of one size, to a batch."""
        first, last = (self._unit * (self._units * border // self.num_pools) for border in (number, number + 1))
        examples = shuffled(np.arange(first, min(last, self._count)), self._count, (self._seed, epoch))
        sources, targets = self._lengths(examples)
        return examples[np.lexsort((sources, targets))]

    def _lengths(self, examples: Indices) -> tuple[Indices, Indices]:
        sources, targets = (offsets[examples + 1] - offsets[examples] for offsets in self._offsets)
        return sources, targets

    def _cuts(self, order: Indices) -> list[int]:
        """The places in a sorted pool where a new batch starts, the first one left out."""
        budget, most_rows = self._batch_tokens, self._batch_size or len(order)
        sources, targets = self._lengths(order)
        if budget is None or most_rows * int(sources.max() + targets.max()) <= budget:
            return list(range(most_rows, len(order), most_rows))
        cuts: list[int] = []
        longest_source = longest_target = rows = 0
        for place, (source, target) in enumerate(zip(sources.tolist(), targets.tolist(), strict=True)):
            rows += 1
            if source > longest_source:
                longest_source = source
            if target > longest_target:
                longest_target = target
            if rows > 1 and (rows > most_rows or rows * (longest_source + longest_target) > budget):
                cuts.append(place)
                longest_source, longest_target, rows = source, target, 1
        return cuts
