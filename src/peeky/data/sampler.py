"""Which examples go into which batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]

_BATCHES_A_POOL = 100


class LengthBucketSampler:
    """Batches of examples of about the same length, in a new order every epoch.

    `batch_size` limits the rows of a batch, `batch_tokens` its size with all padding: rows x (longest source + longest
    target). An example larger than that gets a batch of its own.
    """

    def __init__(
        self,
        source_lengths: npt.NDArray[np.integer],
        target_lengths: npt.NDArray[np.integer],
        *,
        batch_size: int | None,
        batch_tokens: int | None,
        seed: int,
    ) -> None:
        if batch_size is None and batch_tokens is None:
            raise ValueError("one of batch_size and batch_tokens is needed")
        if min(batch_size or 1, batch_tokens or 1) < 1 or 0 in (batch_size, batch_tokens):
            raise ValueError(f"batch_size {batch_size} and batch_tokens {batch_tokens} must be at least 1")
        self._source_lengths = np.asarray(source_lengths, dtype=np.int64)
        self._target_lengths = np.asarray(target_lengths, dtype=np.int64)
        self._batch_size = batch_size
        self._batch_tokens = batch_tokens
        self._seed = seed

    def batches(self, epoch: int) -> list[Indices]:
        """The batches of an epoch: every example once. A pure function of seed and epoch."""
        if not len(self._source_lengths):
            return []
        random = np.random.default_rng((self._seed, epoch))
        order = self._sorted_in_pools(random.permutation(len(self._source_lengths)))
        batches = np.split(order, self._cuts(order))
        return [batches[place] for place in random.permutation(len(batches))]

    def _sorted_in_pools(self, shuffled: Indices) -> Indices:
        """Sorted by length, but only among some hundred batches, so that batches differ from epoch to epoch."""
        source, target = self._source_lengths[shuffled], self._target_lengths[shuffled]
        pool = np.arange(len(shuffled)) // self._pool_size()
        # Up in one pool and down in the next: a batch across the border of two is of one length too.
        direction = 1 - 2 * (pool % 2)
        return shuffled[np.lexsort((direction * source, direction * target, pool))]

    def _pool_size(self) -> int:
        sizes = [] if self._batch_size is None else [self._batch_size]
        if self._batch_tokens is not None:
            average = max(1.0, float(np.mean(self._source_lengths + self._target_lengths)))
            sizes.append(max(1, int(self._batch_tokens / average)))
        return _BATCHES_A_POOL * min(sizes)

    def _cuts(self, order: Indices) -> list[int]:
        """The places where a new batch starts, the first one left out."""
        if self._batch_tokens is None:
            assert self._batch_size is not None
            return list(range(self._batch_size, len(order), self._batch_size))
        budget = self._batch_tokens
        most_rows = self._batch_size or len(order)
        cuts: list[int] = []
        longest_source = longest_target = rows = 0
        lengths = zip(self._source_lengths[order].tolist(), self._target_lengths[order].tolist(), strict=True)
        for place, (source, target) in enumerate(lengths):
            rows += 1
            if source > longest_source:
                longest_source = source
            if target > longest_target:
                longest_target = target
            if rows > 1 and (rows > most_rows or rows * (longest_source + longest_target) > budget):
                cuts.append(place)
                longest_source, longest_target, rows = source, target, 1
        return cuts
