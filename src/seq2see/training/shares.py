"""The batches of training, in their order, each as far as one process works through it."""

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

BEGINNING = BatchPosition(0, 0, 0)
"""Of the first epoch."""


class Share(NamedTuple):
    """What one process has of the batch of an update."""

    passes: list[tuple[Batch, bool]]
    """What it works through, one after the other, and whether that counts."""
    target_tokens: int
    """Of the whole batch, on all processes: EOS counts, padding does not."""


class Shares:
    """The shares of all updates; `epoch_examples` gives each epoch its own, `workers` threads work ahead."""

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
        self, start: BatchPosition = BEGINNING, most: int | None = None
    ) -> Generator[tuple[BatchPosition, Share], None, None]:
        """From a place on, at most so many, each with its place. Who stops early closes it."""
        with closing(prefetch(self._share, islice(self._batches(start), most), self.workers)) as shares:
            yield from shares

    def _share(self, job: tuple[BatchPosition, Examples, np.ndarray]) -> tuple[BatchPosition, Share]:
        place, examples, indices = job
        parts = self.world.parts(indices, self.options.accumulate)
        # Who has nothing to do takes part nonetheless: the others wait.
        passes = [(collate(examples, part if len(part) else indices[:1]), len(part) > 0) for part in parts]
        return place, Share(passes, examples.num_target_tokens(indices))

    def _batches(self, start: BatchPosition) -> Iterator[tuple[BatchPosition, Examples, np.ndarray]]:
        """Epoch after epoch, each batch as the numbers of its examples."""
        while start.epoch < (self.options.max_epochs or math.inf):
            if self.epoch_examples is not None:
                self.examples = self.epoch_examples(start.epoch)
                self.sampler = sampler_of(self.examples, self.options)
            for place, indices in self.sampler.batches_from(start):
                yield place, self.examples, indices
            start = BatchPosition(start.epoch + 1, 0, 0)


def sampler_of(examples: Examples, options: TrainingOptions) -> LengthBucketSampler:
    """The batches of these examples, as the options want them."""
    return LengthBucketSampler(
        examples.source_offsets,
        examples.target_offsets,
        batch_size=options.batch_size,
        batch_tokens=options.batch_tokens if options.batch_tokens != "auto" else None,
        seed=options.seed,
    )


def dropout_seed(seed: int, update: int, part: int) -> int:
    """A seed of its own for each update, and in it for each part of the batch."""
    return int(np.random.SeedSequence([seed % 2**64, update, part]).generate_state(1, np.uint64)[0] >> 1)
