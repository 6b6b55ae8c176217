"""What is chosen from the data by default: architecture, batch, learning rate, and how long to train.

The figures are measured on pronunciation, inflection, normalisation, dates and translation: see docs/design.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seq2see.data import EpochExamples, Examples, LengthBucketSampler, Pair
from seq2see.errors import ConfigError
from seq2see.model import ARCHITECTURES, DEFAULT, ModelOptions, Seq2Seq, resolve, to_options
from seq2see.text import Codecs
from seq2see.text.options import TextOptions
from seq2see.training import FEWEST_UPDATES, TrainingOptions, World, largest_batch, most_useful, sampler_of

if TYPE_CHECKING:
    import torch

UPDATES = {100: 1_000, 800: 1_500, 3_600: 2_500, 8_000: 6_000, 40_000: 8_000, 100_000: 16_000, 1_000_000: 60_000}
"""Updates that served, by the number of pairs; between them the logarithms are joined by straight lines."""
MOST_TOKENS = 16_384
"""Padded tokens an update, so that long pairs come in smaller batches: attention's memory grows with length squared."""
EVALUATIONS = 16
"""How often a run is tried on dev, if it runs to its end."""
MANY_PAIRS = 200_000
"""From here on the width is doubled."""


def epoch_examples_of(
    options: TextOptions, pairs: Sequence[Pair], codecs: Codecs, *, seed: int
) -> EpochExamples | None:
    """With BPE-dropout, the examples of each epoch. Only training sees them; all else is cut without dropout."""
    if not options.bpe_dropout:
        return None

    def epoch_examples(epoch: int) -> Examples:
        return Examples.encode_with_dropout(pairs, *codecs, dropout=options.bpe_dropout, seed=seed, epoch=epoch)

    return epoch_examples


def choose_model(options: ModelOptions, num_pairs: int) -> tuple[ModelOptions, list[str]]:
    """The options with nothing left open."""
    said = []
    if options.name is None:
        said.append(f"model: {DEFAULT} ({ARCHITECTURES[DEFAULT].summary}; choose another with --model)")
    if options.width is None and num_pairs >= MANY_PAIRS:
        options = replace(options, width=512)
    return to_options(resolve(options)), said


def choose_batch(
    options: TrainingOptions, network: Seq2Seq, examples: Examples, device: torch.device, world: World
) -> tuple[TrainingOptions, list[str]]:
    """The options with as many tokens a batch as the memory of all processes holds in the passes that are asked for."""
    fits = min(world.gather(largest_batch(network, examples, device, world.size))) * world.size * options.accumulate
    useful = most_useful(examples)
    said = f"batch: {fits:,} tokens fit into the memory"
    if useful < fits:
        said += f"; {useful:,} are taken, for larger batches would make fewer than {FEWEST_UPDATES} updates an epoch"
    return replace(options, batch_tokens=min(fits, useful)), [said]


def choose_training(
    options: TrainingOptions,
    examples: Examples,
    *,
    can_match: bool,
    has_blocks: bool = False,
    epoch_examples: EpochExamples | None = None,
) -> tuple[TrainingOptions, list[str]]:
    """The options with rate, batch, number of updates and metric filled in.

    `can_match` says whether whole answers can be expected to be right: of sentences and language models hardly any are,
    so the loss decides between two of them. `has_blocks` says whether there are blocks of a Transformer, which in
    batches this small learn nothing at the rate that suits LSTMs. `epoch_examples` gives the examples of each epoch
    where these differ.
    """
    if options.metric == "exact_match" and not examples.source_ids.size:
        raise ConfigError(
            "a language model has no answers to match", where="training.metric", fix="set training.metric=loss"
        )
    num_pairs = len(examples)
    rate = options.rate or (RATE_OF_BLOCKS if has_blocks else RATE)
    batch_size, batch_tokens = options.batch_size, options.batch_tokens
    if not batch_size and not batch_tokens:
        batch_size, batch_tokens = min(32, max(8, num_pairs // 8)), MOST_TOKENS
    options = replace(options, batch_size=batch_size, batch_tokens=batch_tokens)
    sampler = sampler_of(examples, options)
    # To be said, one pool tells it well enough; counted to the last batch is where training ends by it.
    per_epoch = sampler.num_pools * sampler.num_batches_of(0, 0)
    sizes = list(UPDATES)
    usual = float(np.exp(np.interp(np.log(num_pairs), np.log(sizes), np.log(list(UPDATES.values())))))
    updates = options.max_updates or round(usual, -2 if usual > 1000 else -1)
    if options.max_epochs:
        updates = num_batches(options, sampler, epoch_examples)
    updates = int(updates)
    filled = replace(
        options,
        rate=rate,
        metric=options.metric or ("exact_match" if can_match else "loss"),
        max_updates=updates,
        evaluate_every=options.evaluate_every or max(1, -(-updates // EVALUATIONS)),
    )
    limits = {f"{batch_size} pairs": batch_size, f"{batch_tokens:,} tokens" if batch_tokens else "": batch_tokens}
    size = " or ".join(limit for limit, given in limits.items() if given)
    said = f"recipe: {updates:,} updates of {size} ({updates / per_epoch:.1f} epochs), rate {rate:g}; best is by dev "
    said += "loss" if filled.metric == "loss" else "exact match"
    return filled, [said]


def num_batches(options: TrainingOptions, sampler: LengthBucketSampler, epoch_examples: EpochExamples | None) -> int:
    """Those of all epochs that there may be, or max_updates where there are more."""
    assert options.max_epochs
    most, total = options.max_updates, 0
    for epoch in range(options.max_epochs):
        # The number of batches limited by tokens is another one every epoch.
        left = None if most is None else most - total
        if epoch_examples and options.batch_tokens:
            sampler = sampler_of(epoch_examples(epoch), options)
        total += sampler.num_batches(epoch, stop_above=left)
        if most is not None and total >= most:
            return most
    return total


RATE, RATE_OF_BLOCKS = 4e-3, 1e-3
"""The highest learning rate, of LSTMs and where there are a Transformer's blocks.

Also of a model that is trained further: half of it and less learnt less of new pairs (docs/fine-tuning.md).
"""
