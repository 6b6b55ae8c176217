"""What the data decide where nobody has said: tokenizers, architecture, batch, rate, and how long to train.

The figures are measured on pronunciation, inflection, normalisation, dates and translation: see docs/design.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from peeky.data import Examples, LengthBucketSampler, Pair
from peeky.errors import ConfigError
from peeky.model import ARCHITECTURES, DEFAULT, ModelOptions, resolve, to_options
from peeky.text import Codec, choose_tokenizer, make_tokenizer
from peeky.text.options import TextOptions
from peeky.training import TrainingOptions

UPDATES = {100: 1_000, 800: 1_500, 3_600: 2_500, 8_000: 6_000, 40_000: 8_000, 100_000: 16_000, 1_000_000: 60_000}
"""Updates that served, by the number of pairs; between them the logarithms are joined by straight lines."""
MOST_TOKENS = 16_384
"""Padded tokens an update, so that long pairs come in smaller batches: attention's memory grows with length squared."""
EVALUATIONS = 16
"""How often a run is tried on dev, if it runs to its end."""
MANY_PAIRS = 200_000
"""From here on the width is doubled."""


def choose_text(options: TextOptions, pairs: Sequence[Pair], *, has_source: bool) -> tuple[TextOptions, list[str]]:
    """The options with a tokenizer for each side, and a line a choice."""
    said = []
    sides = ("source", "target") if has_source else ("target",)
    for side in sides:
        if getattr(options, side) is None:
            name, reason = choose_tokenizer([getattr(pair, side) or "" for pair in pairs])
            options = replace(options, **{side: name})  # type: ignore[arg-type]
            said.append(f"{side}: {name} ({reason})")
    return options, said


def build_codecs(options: TextOptions, pairs: Sequence[Pair], *, has_source: bool) -> tuple[Codec | None, Codec]:
    """A codec a side from the training pairs alone."""

    def codec(name: str | None, texts: list[str]) -> Codec:
        assert name is not None
        min_count = options.min_count or (2 if name == "words" else 1)
        return Codec.build(
            make_tokenizer(name, options.normalization), texts, max_size=options.max_vocabulary, min_count=min_count
        )

    target = codec(options.target, [pair.target or "" for pair in pairs])
    return codec(options.source, [pair.source for pair in pairs]) if has_source else None, target


def choose_model(options: ModelOptions, num_pairs: int) -> tuple[ModelOptions, list[str]]:
    """The options with nothing left open."""
    said = []
    if options.name is None:
        said.append(f"model: {DEFAULT} ({ARCHITECTURES[DEFAULT].summary}; choose another with --model)")
    if options.width is None and num_pairs >= MANY_PAIRS:
        options = replace(options, width=512)
    return to_options(resolve(options)), said


def choose_training(
    options: TrainingOptions, examples: Examples, *, can_match: bool
) -> tuple[TrainingOptions, list[str]]:
    """The options with rate, batch, number of updates and metric filled in.

    `can_match` says whether whole answers can be expected to be right: of sentences and language models hardly any are,
    so the loss decides between two of them.
    """
    if options.metric == "exact_match" and not examples.source_lengths.any():
        raise ConfigError(
            "a language model has no answers to match", where="training.metric", fix="set training.metric=loss"
        )
    num_pairs = len(examples)
    rate = options.rate or 4e-3
    batch_size, batch_tokens = options.batch_size, options.batch_tokens
    if not batch_size and not batch_tokens:
        batch_size, batch_tokens = min(32, max(8, num_pairs // 8)), MOST_TOKENS
    sampler = LengthBucketSampler(
        examples.source_lengths,
        examples.target_lengths,
        batch_size=batch_size,
        batch_tokens=batch_tokens,
        seed=options.seed,
    )
    per_epoch = len(sampler.batches(0))
    sizes = list(UPDATES)
    usual = float(np.exp(np.interp(np.log(num_pairs), np.log(sizes), np.log(list(UPDATES.values())))))
    updates = options.max_updates or round(usual, -2 if usual > 1000 else -1)
    if options.max_epochs:
        # The number of batches limited by tokens is another one every epoch.
        counted = (len(sampler.batches(epoch)) for epoch in range(options.max_epochs))
        in_epochs = sum(counted) if batch_tokens else per_epoch * options.max_epochs
        updates = min(options.max_updates or in_epochs, in_epochs)
    updates = int(updates)
    filled = replace(
        options,
        rate=rate,
        metric=options.metric or ("exact_match" if can_match else "loss"),
        batch_size=batch_size,
        batch_tokens=batch_tokens,
        max_updates=updates,
        evaluate_every=options.evaluate_every or max(1, -(-updates // EVALUATIONS)),
    )
    limits = {f"{batch_size} pairs": batch_size, f"{batch_tokens:,} tokens" if batch_tokens else "": batch_tokens}
    size = " or ".join(limit for limit, given in limits.items() if given)
    said = f"recipe: {updates:,} updates of {size} ({updates / per_epoch:.1f} epochs), rate {rate:g}; best is by dev "
    said += "loss" if filled.metric == "loss" else "exact match"
    return filled, [said]
