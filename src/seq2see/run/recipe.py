"""Options of training chosen from the data: batch size, learning rate, optimizer, and number of updates.

They rest on measurements for pronunciation, inflection, normalization, dates and translation: see docs/defaults.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from seq2see.blueprint import Field
from seq2see.console import counted
from seq2see.data import EpochExamples, Examples, LengthBucketSampler, Pair
from seq2see.data.cells import are_labels
from seq2see.errors import ConfigError
from seq2see.metrics import METRICS
from seq2see.model import DEFAULT, ModelOptions, Seq2Seq, find, resolve
from seq2see.run.model_choice import MANY_SPELLED, is_large_word_model, is_small_transformer
from seq2see.run.progress import title_of
from seq2see.run.traits import Traits
from seq2see.run.usual_updates import usual_updates
from seq2see.text import Codecs
from seq2see.text.options import TextOptions
from seq2see.training import MIN_UPDATES_PER_EPOCH, TrainingOptions, World, largest_batch, max_useful_tokens, sampler_of

if TYPE_CHECKING:
    import torch

MAX_TOKENS = 16_384
"""Padded tokens per update: long pairs come in smaller batches, since attention's memory grows with length squared."""
EVALUATIONS = 16
"""Evaluations on dev in a run that is not stopped early."""
MANY_SPELLED_BATCH = 128
"""Pairs per update, of MANY_SPELLED pairs or more whose sources are characters (docs/defaults.md)."""
WIDE_RATE, WIDE_UPDATES = 2e-3, 1.2
"""Peak learning rate of the larger model for them, and how many times the usual updates it has."""
MANY_FORMS, MANY_FORMS_BATCH = 5_000, 64
"""Beyond this number of pairs, of texts and tags with spelled targets: pairs per update (docs/defaults.md)."""
TRANSLATION_TOKENS = 4_096
"""Padded tokens per update of a small Transformer for translations, instead of a number of pairs."""
MOST_SAMPLED = 5_000
"""Pairs up to which a transducer reads another alignment of each in every epoch."""


def epoch_examples_of(
    options: TextOptions, pairs: Sequence[Pair], codecs: Codecs, *, seed: int
) -> EpochExamples | None:
    """A function that gives the examples of each epoch, or None without BPE-dropout. Dev is encoded without dropout."""
    if not options.bpe_dropout:
        return None

    def epoch_examples(epoch: int) -> Examples:
        return Examples.encode_with_dropout(pairs, *codecs, dropout=options.bpe_dropout, seed=seed, epoch=epoch)

    return epoch_examples


def choose_batch(
    options: TrainingOptions, network: Seq2Seq, examples: Examples, device: torch.device, world: World
) -> tuple[TrainingOptions, list[str]]:
    """The options with the most tokens per batch that fit the memory of all processes, and what to print."""
    own = largest_batch(network, examples, device, world.size, options.attention_losses)
    fits = min(world.gather(own)) * world.size * options.accumulate
    useful = max_useful_tokens(examples)
    notes = f"batch: {fits:,} tokens fit into memory"
    if useful < fits:
        notes += f"; {useful:,} are used, so that an epoch has at least {MIN_UPDATES_PER_EPOCH} updates"
    return replace(options, batch_tokens=min(fits, useful)), [notes]


def choose_attention_loss(
    options: TrainingOptions, name: str, fields: Sequence[Field], pairs: Sequence[Pair]
) -> tuple[TrainingOptions, list[str]]:
    """The options with the weight of guided attention chosen for an architecture and its data, and what to print.

    What decides about a label of a whole picture or series can be anywhere in it.
    """
    if options.guided_attention is not None:
        return options, []
    is_guided = find(name).has_attention and [field.has_values for field in fields] == [True]
    is_guided = is_guided and not are_labels([pair.target or "" for pair in pairs])
    notes = ["attention: guided along the source in training (training.guided_attention=1)"] if is_guided else []
    return replace(options, guided_attention=float(is_guided)), notes


def choose_sampling(
    options: TrainingOptions, name: str, text: TextOptions, num_pairs: int, *, is_new: bool
) -> TrainingOptions:
    """The options with the decision whether alignments are drawn in each epoch.

    ConfigError where nothing is aligned once and for all. A resumed run that began before it was decided goes on
    without.
    """
    where = "training.sample_alignments"
    is_transducer = find(name).is_transducer
    if options.sample_alignments:
        if not is_transducer:
            raise ConfigError(f"has no effect on model {name!r}", where=where, fix="leave it out")
        if text.bpe_dropout:
            what = "conflicts with text.bpe_dropout, which changes the tokens that are aligned"
            raise ConfigError(what, where=where, fix="leave one of them out")
    elif options.sample_alignments is None and is_transducer:
        is_sampled = is_new and not text.bpe_dropout and num_pairs <= MOST_SAMPLED
        return replace(options, sample_alignments=is_sampled)
    return options


def choose_training(
    options: TrainingOptions,
    examples: Examples,
    model: ModelOptions,
    traits: Traits,
    epoch_examples: EpochExamples | None = None,
) -> tuple[TrainingOptions, list[str]]:
    """The options with rate, optimizer, batch size, number of updates and metric chosen, and what to print.

    Models with Transformer blocks learn nothing in batches this small at the rate that suits LSTMs, but for the small
    one for translations, whose batches are larger. `epoch_examples` gives the examples of each epoch if they differ.
    """
    if options.metric not in (None, "loss"):
        if not examples.source_ids.size:
            what = "must be loss for a language model"
            raise ConfigError(what, where="training.metric", fix="set training.metric=loss")
        METRICS[options.metric]([], [])  # a missing package is missed now, not at the first evaluation
    kind = find(resolve(model).name)
    is_small, is_large = is_small_transformer(model, traits), is_large_word_model(model, traits)
    usual_rate = WIDE_RATE if is_large else TRANSFORMER_RATE if kind.has_blocks and not is_small else RATE
    batch_size, batch_tokens = options.batch_size, options.batch_tokens
    if is_small and not batch_size and not batch_tokens:
        batch_tokens = TRANSLATION_TOKENS
    elif not batch_size and not batch_tokens:
        most = 32
        if traits.is_spelled and traits.num_pairs >= MANY_SPELLED and not kind.has_blocks:
            most = MANY_SPELLED_BATCH
        elif traits.spells_tags and traits.num_pairs > MANY_FORMS and model.name == DEFAULT:
            most = MANY_FORMS_BATCH
        batch_size, batch_tokens = min(most, max(8, traits.num_pairs // 8)), MAX_TOKENS
    options = replace(options, batch_size=batch_size, batch_tokens=batch_tokens)
    sampler = sampler_of(examples, options)
    # One pool is a good enough estimate for the message; with max_epochs the batches are counted exactly.
    per_epoch = sampler.num_pools * sampler.num_batches_of(0, 0)
    updates = options.max_updates or round(usual_updates(traits.num_pairs) * (WIDE_UPDATES if is_large else 1))
    if options.max_epochs:
        updates = num_batches(options, sampler, epoch_examples)
    metric = options.metric or ("exact_match" if traits.can_match else "loss")
    asked, has_penalty = options.choose_length_penalty, kind.has_source and not kind.is_transducer
    is_penalized = metric == "loss" or (metric != "exact_match" and not traits.can_match)
    if asked and not has_penalty:
        what = "has no effect on a language model or a transducer"
        raise ConfigError(what, where="training.choose_length_penalty", fix="set it to false")
    filled = replace(
        options,
        rate=options.rate or usual_rate,
        optimizer=options.optimizer or ("muon" if is_small else "adam"),
        metric=metric,
        choose_length_penalty=has_penalty and (is_penalized if asked is None else asked),
        max_updates=updates,
        evaluate_every=options.evaluate_every or max(1, -(-updates // EVALUATIONS)),
    )
    limits = ((batch_size, "pair"), (batch_tokens, "token"))
    size = " or ".join(counted(int(limit), noun) for limit, noun in limits if limit)
    amount = f"{counted(updates, 'update')} of {size} ({updates / per_epoch:.1f} epochs)"
    return filled, [f"recipe: {amount}, rate {filled.rate:g}; best is by dev {title_of(metric)}"]


def num_batches(options: TrainingOptions, sampler: LengthBucketSampler, epoch_examples: EpochExamples | None) -> int:
    """The number of batches in `max_epochs`, but at most `max_updates`."""
    assert options.max_epochs
    most, total = options.max_updates, 0
    for epoch in range(options.max_epochs):
        # With a limit on tokens the number of batches varies from epoch to epoch.
        left = None if most is None else most - total
        if epoch_examples and options.batch_tokens:
            sampler = sampler_of(epoch_examples(epoch), options)
        total += sampler.num_batches(epoch, stop_above=left)
        if most is not None and total >= most:
            return most
    return total


RATE, TRANSFORMER_RATE = 4e-3, 1e-3
"""Peak learning rates, of models without and with Transformer blocks.

The same for fine-tuning: half of it or less learned less of new pairs (docs/fine-tuning.md).
"""
