"""Assigns examples to batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.data.shuffling import shuffled

Indices = npt.NDArray[np.int64]

_BATCHES_PER_POOL = 100


class BatchPosition(NamedTuple):
    """The position of a batch in training, from which training can resume."""

    epoch: int
    pool: int
    batch: int
    """Index of the batch in its pool."""


class LengthBucketSampler:
    """Batches of examples of about the same length, in a new order every epoch.

    An epoch is a shuffled order, split into pools of about a hundred batches; each pool is sorted by length and split
    into batches, which are shuffled. A pool is a pure function of seed, epoch and its number. Only the offsets of its
    own examples are read, so memory and start-up time do not depend on the number of examples.

    `batch_size` limits the rows of a batch, `batch_tokens` its padded size: rows x (longest source + longest target).
    A larger example gets a batch of its own.
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
            raise ValueError("batch_size or batch_tokens is required")
        if min(batch_size or 1, batch_tokens or 1) < 1 or 0 in (batch_size, batch_tokens):
            raise ValueError(f"batch_size {batch_size} and batch_tokens {batch_tokens} must be at least 1")
        self._offsets = source_offsets, target_offsets
        self._batch_size = batch_size
        self._batch_tokens = batch_tokens
        self._seed = seed
        self._count = len(source_offsets) - 1
        pool_size = self._pool_size()
        # If batch_size is the limit, a pool is a multiple of it, so that not every pool ends with a small batch.
        self._unit = batch_size if batch_size and pool_size == _BATCHES_PER_POOL * batch_size else 1
        self._units = -(-self._count // self._unit)
        self.num_pools = min(max(1, round(self._units * self._unit / pool_size)), self._units)

    def pool(self, epoch: int, number: int) -> list[Indices]:
        """The batches of one pool of an epoch."""
        order = self._sorted_pool(epoch, number)
        batches = np.split(order, self._cuts(order))
        random = np.random.default_rng((self._seed, epoch, number))
        return [batches[index] for index in random.permutation(len(batches))]

    def batches(self, epoch: int) -> Iterator[Indices]:
        """The batches of an epoch, which contain every example once."""
        for number in range(self.num_pools):
            yield from self.pool(epoch, number)

    def batches_from(self, start: BatchPosition) -> Iterator[tuple[BatchPosition, Indices]]:
        """The batches of an epoch from the position `start` on, each with its position."""
        epoch, first_pool, first_batch = start
        for pool in range(first_pool, self.num_pools):
            batches = self.pool(epoch, pool)
            for number in range(first_batch if pool == first_pool else 0, len(batches)):
                yield BatchPosition(epoch, pool, number), batches[number]

    def num_batches(self, epoch: int, *, stop_above: int | None = None) -> int:
        """The number of batches of an epoch; counting stops above `stop_above`."""
        if self._batch_tokens is None:
            return self._units
        total = 0
        for number in range(self.num_pools):
            total += self.num_batches_of(epoch, number)
            if stop_above is not None and total > stop_above:
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
        return _BATCHES_PER_POOL * min(sizes)

    def _sorted_pool(self, epoch: int, number: int) -> Indices:
        """The examples of a pool, sorted by length; the sizes of pools differ by at most one batch."""
        first, last = (self._unit * (self._units * boundary // self.num_pools) for boundary in (number, number + 1))
        examples = shuffled(np.arange(first, min(last, self._count)), self._count, (self._seed, epoch))
        sources, targets = self._lengths(examples)
        return examples[np.lexsort((sources, targets))]

    def _lengths(self, examples: Indices) -> tuple[Indices, Indices]:
        sources, targets = (offsets[examples + 1] - offsets[examples] for offsets in self._offsets)
        return sources, targets

    def _cuts(self, order: Indices) -> list[int]:
        """The indices in a sorted pool where the second and each further batch starts."""
        budget, max_rows = self._batch_tokens, self._batch_size or len(order)
        sources, targets = self._lengths(order)
        if budget is None or max_rows * int(sources.max() + targets.max()) <= budget:
            return list(range(max_rows, len(order), max_rows))
        cuts: list[int] = []
        longest_source = longest_target = rows = 0
        for index, (source, target) in enumerate(zip(sources.tolist(), targets.tolist(), strict=True)):
            rows += 1
            if source > longest_source:
                longest_source = source
            if target > longest_target:
                longest_target = target
            if rows > 1 and (rows > max_rows or rows * (longest_source + longest_target) > budget):
                cuts.append(index)
                longest_source, longest_target, rows = source, target, 1
        return cuts
