"""The batches of training in order, each reduced to one process's part."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import NamedTuple

import numpy as np

from seq2see.data.batch import Batch, collate
from seq2see.data.examples import EpochExamples, Examples
from seq2see.data.prefetch import prefetch
from seq2see.data.sampler import BatchPosition, LengthBucketSampler
from seq2see.training.options import TrainingOptions
from seq2see.training.world import World

START = BatchPosition(0, 0, 0)
"""The beginning of the first epoch."""


class ProcessBatch(NamedTuple):
    """One process's part of the batch of an update."""

    passes: list[tuple[Batch, bool]]
    """What it works through, one after the other, and whether that counts."""
    target_tokens: int
    """Target tokens of the whole batch on all processes, including EOS but not padding."""


class ProcessBatches:
    """The batches of all updates, prepared ahead by `workers` threads; `epoch_examples` gives those of each epoch."""

    def __init__(
        self,
        examples: Examples,
        options: TrainingOptions,
        world: World,
        *,
        epoch_examples: EpochExamples | None,
        workers: int,
    ) -> None:
        self.examples = examples
        self.options = options
        self.world = world
        self.epoch_examples = epoch_examples
        self.workers = workers
        self.sampler = sampler_of(examples, options)

    def after(
        self, start: BatchPosition = START, limit: int | None = None
    ) -> Generator[tuple[BatchPosition, ProcessBatch], None, None]:
        """At most `limit` batches from `start` on, each with its position. Close the generator to stop early."""
        with closing(prefetch(self._process_batch, islice(self._batches(start), limit), self.workers)) as batches:
            yield from batches

    def _process_batch(self, job: tuple[BatchPosition, Examples, np.ndarray]) -> tuple[BatchPosition, ProcessBatch]:
        place, examples, indices = job
        parts = self.world.parts(indices, self.options.accumulate)
        # A process without examples takes part with one that doesn't count, because the others wait for it.
        passes = [(collate(examples, part if len(part) else indices[:1]), len(part) > 0) for part in parts]
        return place, ProcessBatch(passes, examples.num_target_tokens(indices))

    def _batches(self, start: BatchPosition) -> Iterator[tuple[BatchPosition, Examples, np.ndarray]]:
        """Epoch after epoch, each batch as the indices of its examples."""
        while start.epoch < (self.options.max_epochs or math.inf):
            if self.epoch_examples is not None:
                self.examples = self.epoch_examples(start.epoch)
                self.sampler = sampler_of(self.examples, self.options)
            for place, indices in self.sampler.batches_from(start):
                yield place, self.examples, indices
            start = BatchPosition(start.epoch + 1, 0, 0)


def sampler_of(examples: Examples, options: TrainingOptions) -> LengthBucketSampler:
    """The batches of these examples."""
    return LengthBucketSampler(
        examples.source_offsets,
        examples.target_offsets,
        batch_size=options.batch_size,
        batch_tokens=options.batch_tokens if options.batch_tokens != "auto" else None,
        seed=options.seed,
    )


def dropout_seed(seed: int, update: int, part: int) -> int:
    """A different seed for each update and each part of its batch."""
    return int(np.random.SeedSequence([seed % 2**64, update, part]).generate_state(1, np.uint64)[0]) >> 1
