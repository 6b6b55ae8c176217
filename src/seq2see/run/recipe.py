"""Options chosen from the data: architecture, batch size, learning rate, and number of updates.

They rest on measurements for pronunciation, inflection, normalization, dates and translation: see docs/defaults.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seq2see.blueprint import Field
from seq2see.console import counted
from seq2see.data import EpochExamples, Examples, LengthBucketSampler, Pair
from seq2see.data.building import pairs_of_ids
from seq2see.data.cells import are_labels
from seq2see.errors import ConfigError
from seq2see.metrics import METRICS
from seq2see.model import ARCHITECTURES, DEFAULT, ModelOptions, Seq2Seq, find, resolve, to_options
from seq2see.run.progress import title_of
from seq2see.run.usual_updates import usual_updates
from seq2see.text import Codecs
from seq2see.text.alignment import explained_share
from seq2see.text.choice import SENTENCE_UNITS
from seq2see.text.options import TextOptions
from seq2see.training import MIN_UPDATES_PER_EPOCH, TrainingOptions, World, largest_batch, max_useful_tokens, sampler_of

if TYPE_CHECKING:
    import torch

MAX_TOKENS = 16_384
"""Padded tokens per update: long pairs come in smaller batches, since attention's memory grows with length squared."""
EVALUATIONS = 16
"""Evaluations on dev in a run that is not stopped early."""
TRANSDUCER = "transducer"
LEAST_EXPLAINED = 0.4
"""From this share of the targets on that a monotonic alignment explains, a transducer is chosen."""
FEWEST_ALIGNED = 50
"""Of fewer pairs, that share can't be told."""
MOST_ALIGNED, MOST_SPELLED = 5_000, 10_000
"""At 8,000 pairs whose sources are characters, attention is as good or worse; at 7,000 forms of lemmas and tags, it is
better: docs/defaults.md."""
SPELLED = ("characters", "graphemes")
MANY_PAIRS = 200_000
"""From this number of pairs on, the default width is 512."""
MANY_SPELLED, MANY_SPELLED_BATCH = 100_000, 128
"""From this number of pairs on, of sources that are characters: pairs per update (docs/defaults.md)."""
MANY_SPELLED_SIZES: dict[str, Any] = {"width": 512, "embedding": 256, "encoder_layers": 2, "decoder_layers": 1}
"""Of `bidirectional` for that number of pairs, unless a size is set."""
WIDE_RATE, WIDE_UPDATES = 2e-3, 1.2
"""Its peak learning rate, and how many times the usual updates it has."""
MANY_FORMS, MANY_FORMS_BATCH = 5_000, 64
"""Beyond this number of pairs, of texts and tags with spelled targets: pairs per update (docs/defaults.md)."""
PICTURE_DROPOUT = 0.1
"""Dropout where the source has pictures (docs/sources.md)."""
TRANSFORMER = "transformer"
FEWEST_TRANSLATIONS = 10_000
"""From this number of pairs on, a Transformer is chosen for translations."""
TRANSLATION_SIZES: dict[str, Any] = {"width": 128, "feed_forward": 256}
"""Of a Transformer for translations, below MANY_PAIRS (Wu et al. 2021, section 4.2: "tiny")."""
TRANSLATION_TOKENS = 4_096
"""Padded tokens per update of such a Transformer, instead of a number of pairs."""


def epoch_examples_of(
    options: TextOptions, pairs: Sequence[Pair], codecs: Codecs, *, seed: int
) -> EpochExamples | None:
    """A function that gives the examples of each epoch, or None without BPE-dropout. Dev is encoded without dropout."""
    if not options.bpe_dropout:
        return None

    def epoch_examples(epoch: int) -> Examples:
        return Examples.encode_with_dropout(pairs, *codecs, dropout=options.bpe_dropout, seed=seed, epoch=epoch)

    return epoch_examples


def are_many_translations(text: TextOptions, examples: Examples) -> bool:
    """Whether there are many pairs of sentences, of which neither side is more than twice as long as the other."""
    if len(examples) < FEWEST_TRANSLATIONS:
        return False
    units = text.source if isinstance(text.source, tuple) else (text.source,)
    if text.target not in SENTENCE_UNITS or not set(units) - {"tags"} or not set(units) <= {"tags", *SENTENCE_UNITS}:
        return False
    shorter, longer = sorted((float(examples.source_lengths.mean()), float(examples.target_lengths.mean())))
    return longer <= 2 * shorter


def choose_model(
    options: ModelOptions,
    num_pairs: int,
    examples: Examples | None = None,
    *,
    has_pictures: bool = False,
    spells_tags: bool = False,
    is_spelled: bool = False,
    has_many_translations: bool = False,
) -> tuple[ModelOptions, list[str]]:
    """The options with every default chosen, and what to print.

    For these examples, whose targets are spelled in characters or symbols, a transducer may be chosen, where a
    monotonic alignment explains most of the targets. For many translations a Transformer is chosen. Neither is ever
    chosen together with options that it hasn't. `has_pictures` says whether the source has any, `spells_tags` whether
    targets of characters or symbols have sources of tags beside a text, `is_spelled` whether the source is characters
    and nothing else, `has_many_translations` whether the pairs are sentences and their translations.
    """
    notes = []
    if options.name is None:
        name, why = DEFAULT, ARCHITECTURES[DEFAULT].summary
        if has_many_translations and has_options_of(TRANSFORMER, options):
            name = TRANSFORMER
            why = f"{ARCHITECTURES[name].summary}, since these are {num_pairs:,} pairs of sentences"
        most = MOST_SPELLED if is_spelled else MOST_ALIGNED
        is_suitable = FEWEST_ALIGNED <= num_pairs <= most and has_options_of(TRANSDUCER, options)
        if examples is not None and is_suitable:
            share = explained_share(pairs_of_ids(examples))
            if share >= LEAST_EXPLAINED:
                name = TRANSDUCER
                aligned = f"a monotonic alignment explains {100 * share:.0f} % of the targets"
                why = f"{ARCHITECTURES[name].summary}, since {aligned}"
        options = replace(options, name=name)
        notes.append(f"model: {name} ({why}; choose another with --model)")
    if spells_tags and options.name == DEFAULT and options.tags is None:
        options = replace(options, tags="decoder")
    has_sizes = options.tie not in (None, "none")  # a shared table decides about the width of embeddings
    has_sizes |= any(getattr(options, key) for key in (*MANY_SPELLED_SIZES, "layers"))
    if is_spelled and num_pairs >= MANY_SPELLED and options.name == DEFAULT and not has_sizes:
        options = replace(options, **MANY_SPELLED_SIZES)
    if options.width is None and num_pairs >= MANY_PAIRS:
        options = replace(options, width=512)
    if options.name == TRANSFORMER and has_many_translations and options.width is None:
        left_open = {key: size for key, size in TRANSLATION_SIZES.items() if getattr(options, key) is None}
        options = replace(options, **left_open)
    if has_pictures:
        name = options.name or DEFAULT
        if options.dropout is None:
            options = replace(options, dropout=PICTURE_DROPOUT)
        if options.score is None and "score" in find(name).uses:
            options = replace(options, score="general")
    return to_options(resolve(options)), notes


def is_small_transformer(options: ModelOptions) -> bool:
    """Whether it is a Transformer of the width that translations get."""
    return options.name == TRANSFORMER and options.width == TRANSLATION_SIZES["width"]


def is_large_word_model(options: ModelOptions, num_pairs: int, *, is_spelled: bool) -> bool:
    """Whether it is the model that many pairs get whose sources are characters."""
    has_sizes = all(getattr(options, key) == size for key, size in MANY_SPELLED_SIZES.items())
    return is_spelled and num_pairs >= MANY_SPELLED and options.name == DEFAULT and has_sizes


def has_options_of(name: str, options: ModelOptions) -> bool:
    """Whether a model of that name may have these options."""
    try:
        resolve(replace(options, name=name))
    except ConfigError:
        return False
    return True


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


def choose_training(
    options: TrainingOptions,
    examples: Examples,
    *,
    can_match: bool,
    has_blocks: bool = False,
    is_small_transformer: bool = False,
    is_spelled: bool = False,
    is_large_word_model: bool = False,
    spells_tags: bool = False,
    has_penalty: bool = False,
    epoch_examples: EpochExamples | None = None,
) -> tuple[TrainingOptions, list[str]]:
    """The options with rate, optimizer, batch size, number of updates and metric chosen, and what to print.

    `can_match` says whether exact matches can be expected; for sentences and language models they can't, so the loss
    ranks the models. `has_blocks` says whether the model has Transformer blocks, which learn nothing in batches this
    small at the rate that suits LSTMs, unless it `is_small_transformer`, whose batches are larger. `is_spelled` says
    whether the source is characters and nothing else, `is_large_word_model` whether it is the model of many such pairs,
    `spells_tags` whether spelled targets have sources of tags beside a text, `has_penalty` whether a length penalty
    matters to its beam. `epoch_examples` gives the examples of each epoch if they differ.
    """
    if options.metric not in (None, "loss"):
        if not examples.source_ids.size:
            what = "must be loss for a language model"
            raise ConfigError(what, where="training.metric", fix="set training.metric=loss")
        METRICS[options.metric]([], [])  # a missing package is missed now, not at the first evaluation
    num_pairs = len(examples)
    rate = options.rate or (TRANSFORMER_RATE if has_blocks and not is_small_transformer else RATE)
    if is_large_word_model:
        rate = options.rate or WIDE_RATE
    batch_size, batch_tokens = options.batch_size, options.batch_tokens
    if is_small_transformer and not batch_size and not batch_tokens:
        batch_tokens = TRANSLATION_TOKENS
    elif not batch_size and not batch_tokens:
        most = 32
        if is_spelled and num_pairs >= MANY_SPELLED and not has_blocks:
            most = MANY_SPELLED_BATCH
        elif spells_tags and num_pairs > MANY_FORMS:
            most = MANY_FORMS_BATCH
        batch_size, batch_tokens = min(most, max(8, num_pairs // 8)), MAX_TOKENS
    options = replace(options, batch_size=batch_size, batch_tokens=batch_tokens)
    sampler = sampler_of(examples, options)
    # One pool is a good enough estimate for the message; with max_epochs the batches are counted exactly.
    per_epoch = sampler.num_pools * sampler.num_batches_of(0, 0)
    updates = options.max_updates or round(usual_updates(num_pairs) * (WIDE_UPDATES if is_large_word_model else 1))
    if options.max_epochs:
        updates = num_batches(options, sampler, epoch_examples)
    metric, asked = options.metric or ("exact_match" if can_match else "loss"), options.choose_length_penalty
    is_penalized = metric == "loss" or (metric != "exact_match" and not can_match)
    if asked and not has_penalty:
        what = "has no effect on a language model or a transducer"
        raise ConfigError(what, where="training.choose_length_penalty", fix="leave it out")
    filled = replace(
        options,
        rate=rate,
        optimizer=options.optimizer or ("muon" if is_small_transformer else "adam"),
        metric=metric,
        choose_length_penalty=has_penalty and (is_penalized if asked is None else asked),
        max_updates=updates,
        evaluate_every=options.evaluate_every or max(1, -(-updates // EVALUATIONS)),
    )
    limits = ((batch_size, "pair"), (batch_tokens, "token"))
    size = " or ".join(counted(int(limit), noun) for limit, noun in limits if limit)
    amount = f"{counted(updates, 'update')} of {size} ({updates / per_epoch:.1f} epochs)"
    return filled, [f"recipe: {amount}, rate {rate:g}; best is by dev {title_of(metric)}"]


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
