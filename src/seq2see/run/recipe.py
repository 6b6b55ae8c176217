"""What the data decide where nobody has said: tokenizers, architecture, batch, rate, and how long to train.

The figures are measured on pronunciation, inflection, normalisation, dates and translation: see docs/design.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2see.data import Examples, LengthBucketSampler, Pair, Recut
from seq2see.errors import ConfigError
from seq2see.model import ARCHITECTURES, DEFAULT, ModelOptions, Seq2Seq, resolve, to_options
from seq2see.text import SUBWORD_UNITS, Codec, Codecs, Vocabulary, choose_tokenizer, learn_codec, make_tokenizer
from seq2see.text.learning import learn_from_words
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
SENTENCE_UNITS = ("words", *SUBWORD_UNITS)
"""Units of texts that can be said in many ways, so that hardly any answer is the expected one to the letter."""


def choose_text(options: TextOptions, pairs: Sequence[Pair], *, has_source: bool) -> tuple[TextOptions, list[str]]:
    """The options with a tokenizer for each side, and a line a choice. ConfigError for options at odds."""
    said = []
    sides = ("source", "target") if has_source else ("target",)
    given = {name for side in sides if (name := getattr(options, side))}
    for side in sides:
        if getattr(options, side) is None:
            if options.joint and given:
                name, reason = given.pop(), "as the other side, with which it is joint"
            else:
                name, reason = choose_tokenizer([getattr(pair, side) or "" for pair in pairs])
            options = replace(options, **{side: name})
            said.append(f"{side}: {name} ({reason})")
    require_sense(options, {side: getattr(options, side) for side in sides})
    return options, said


def require_sense(options: TextOptions, units: Mapping[str, str]) -> None:
    """Refuse options of the text that change nothing with these units, or that these can't have."""
    named = " and ".join(f"{side} {unit}" for side, unit in units.items())
    if options.joint and len(units) == 1:
        fix = "leave text.joint out"
        raise ConfigError("a language model has one side, with nothing to share", where="text.joint", fix=fix)
    if options.joint and options.source != options.target:
        fix = "give both sides one unit, such as text.source=bpe text.target=bpe, or leave text.joint out"
        raise ConfigError(f"one vocabulary can't be both, {named}", where="text.joint", fix=fix)
    if options.subword_size and not set(units.values()) & set(SUBWORD_UNITS):
        fix = "choose bpe or unigram for a side, or limit other vocabularies by text.max_vocabulary"
        raise ConfigError(f"there are no subwords: {named}", where="text.subword_size", fix=fix)
    if options.subword_size and options.subword_size > options.max_vocabulary:
        raise ConfigError(
            f"{options.subword_size:,} is more than text.max_vocabulary, {options.max_vocabulary:,}",
            where="text.subword_size",
            fix=f"set text.max_vocabulary={options.subword_size} too, or a smaller size",
        )
    if options.bpe_dropout and set(units.values()) != {"bpe"}:
        fix = f"set {' '.join(f'text.{side}=bpe' for side in units)}, or leave text.bpe_dropout out"
        raise ConfigError(f"only bpe can be cut with dropout: {named}", where="text.bpe_dropout", fix=fix)


def build_codecs(options: TextOptions, pairs: Sequence[Pair], *, has_source: bool) -> Codecs:
    """A codec a side from the training pairs alone; the same one twice where it is joint."""
    sources, targets = [pair.source for pair in pairs], [pair.target or "" for pair in pairs]
    target = build_codec(options, options.target, [*sources, *targets] if options.joint else targets)
    if options.joint:
        return target, target
    return build_codec(options, options.source, sources) if has_source else None, target


def build_codec(options: TextOptions, unit: str | None, texts: Sequence[str]) -> Codec:
    """A codec of that unit, made or learnt from the texts."""
    assert unit is not None
    if unit in SUBWORD_UNITS:
        return learn_codec(unit, texts, normalization=options.normalization, **subword_limits(options))
    tokenizer = make_tokenizer(unit, options.normalization)
    return Codec.build(tokenizer, texts, **vocabulary_limits(options, unit))


def codec_of_counts(options: TextOptions, unit: str | None, counts: Counter[str]) -> Codec:
    """The same codec from what was counted in the texts: words where it is of subwords, tokens elsewhere."""
    assert unit is not None
    if unit in SUBWORD_UNITS:
        return learn_from_words(unit, counts, normalization=options.normalization, **subword_limits(options))
    tokenizer = make_tokenizer(unit, options.normalization)
    if tokenizer.alphabet:
        return Codec(tokenizer, Vocabulary(tokenizer.alphabet))
    return Codec(tokenizer, Vocabulary(()).grown_by(counts, **vocabulary_limits(options, unit)))


def subword_limits(options: TextOptions) -> dict[str, Any]:
    """What limits learning of subwords, by the names of `learn_codec`."""
    return {"size": options.subword_size, "max_size": options.max_vocabulary, "min_count": options.min_count}


def vocabulary_limits(options: TextOptions, unit: str) -> dict[str, Any]:
    """What limits a vocabulary of other tokens, by the names of `Codec.build`."""
    return {"max_size": options.max_vocabulary, "min_count": options.min_count or (2 if unit == "words" else 1)}


def vocabulary_lines(options: TextOptions, codecs: Codecs) -> list[str]:
    """How many subwords were learnt, which may be fewer than were asked for."""
    sides = [("source", codecs[0]), ("target", codecs[1])] if not options.joint else [("both sides", codecs[1])]
    return [
        f"{side}: a vocabulary of {len(codec.vocabulary):,} subwords and characters"
        for side, codec in sides
        if codec is not None and codec.tokenizer.name in SUBWORD_UNITS
    ]


def recut_of(options: TextOptions, pairs: Sequence[Pair], codecs: Codecs, *, seed: int) -> Recut | None:
    """With BPE-dropout, the examples of each epoch. Only training sees them; all else is cut without dropout."""
    if not options.bpe_dropout:
        return None

    def recut(epoch: int) -> Examples:
        return Examples.encode_with_dropout(pairs, *codecs, dropout=options.bpe_dropout, seed=seed, epoch=epoch)

    return recut


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
    recut: Recut | None = None,
) -> tuple[TrainingOptions, list[str]]:
    """The options with rate, batch, number of updates and metric filled in.

    `can_match` says whether whole answers can be expected to be right: of sentences and language models hardly any are,
    so the loss decides between two of them. `has_blocks` says whether there are blocks of a Transformer, which in
    batches this small learn nothing at the rate that suits LSTMs. `recut` gives the examples of each epoch where these
    differ.
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
        updates = num_batches(options, sampler, recut)
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


def num_batches(options: TrainingOptions, sampler: LengthBucketSampler, recut: Recut | None) -> int:
    """Those of all epochs that there may be, or max_updates where there are more."""
    assert options.max_epochs
    most, total = options.max_updates, 0
    for epoch in range(options.max_epochs):
        # The number of batches limited by tokens is another one every epoch.
        left = None if most is None else most - total
        if recut and options.batch_tokens:
            sampler = sampler_of(recut(epoch), options)
        total += sampler.num_batches(epoch, most=left)
        if most is not None and total >= most:
            return most
    return total


RATE, RATE_OF_BLOCKS = 4e-3, 1e-3
"""The highest learning rate, of LSTMs and where there are a Transformer's blocks.

Also of a model that is trained further: half of it and less learnt less of new pairs (docs/fine-tuning.md).
"""
