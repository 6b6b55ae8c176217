"""The architecture and its sizes, chosen from the data.

The choice rests on measurements for pronunciation, inflection, normalization, dates and translation: see
docs/defaults.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from seq2see.data import Examples
from seq2see.data.building import pairs_of_ids
from seq2see.errors import ConfigError
from seq2see.model import ARCHITECTURES, DEFAULT, ModelOptions, find, resolve, to_options
from seq2see.run.traits import Traits
from seq2see.text.alignment import explained_share

TRANSDUCER = "transducer"
LEAST_EXPLAINED = 0.4
"""From this share of the targets on that a monotonic alignment explains, a transducer is chosen."""
FEWEST_ALIGNED = 50
"""Of fewer pairs, that share can't be told."""
MOST_ALIGNED, MOST_SPELLED = 5_000, 10_000
"""At 8,000 pairs whose sources are characters, attention is as good or worse; at 7,000 forms of lemmas and tags, it is
better: docs/defaults.md."""
MANY_PAIRS = 200_000
"""From this number of pairs on, the default width is 512."""
MANY_SPELLED = 100_000
"""From this number of pairs on, of sources that are characters, `bidirectional` is larger."""
MANY_SPELLED_SIZES: dict[str, Any] = {"width": 512, "embedding": 256, "encoder_layers": 2, "decoder_layers": 1}
"""Its sizes, unless one is set."""
PICTURE_DROPOUT = 0.1
"""Dropout where the source has pictures (docs/sources.md)."""
TRANSFORMER = "transformer"
TRANSLATION_SIZES: dict[str, Any] = {"width": 128, "feed_forward": 256}
"""Of a Transformer for translations, below MANY_PAIRS (Wu et al. 2021, section 4.2: "tiny")."""


def choose_model(
    options: ModelOptions, traits: Traits, to_align: Examples | None = None
) -> tuple[ModelOptions, list[str]]:
    """The options with every default chosen for pairs with these traits, and what to print.

    For the examples `to_align`, whose targets are spelled in characters or symbols, a transducer may be chosen, where a
    monotonic alignment explains most of the targets. For many translations a Transformer is chosen. Neither is ever
    chosen together with options that it hasn't.
    """
    notes = []
    if options.name is None:
        name, why = usual_model(options, traits, to_align)
        options = replace(options, name=name)
        notes.append(f"model: {name} ({why}; choose another with --model)")
    if traits.spells_tags and options.name == DEFAULT and options.tags is None:
        options = replace(options, tags="decoder")
    has_sizes = options.tie not in (None, "none")  # a shared table decides about the width of embeddings
    has_sizes |= any(getattr(options, key) for key in (*MANY_SPELLED_SIZES, "layers"))
    if traits.is_spelled and traits.num_pairs >= MANY_SPELLED and options.name == DEFAULT and not has_sizes:
        options = replace(options, **MANY_SPELLED_SIZES)
    if options.width is None and traits.num_pairs >= MANY_PAIRS:
        options = replace(options, width=512)
    if options.name == TRANSFORMER and traits.are_many_translations and options.width is None:
        left_open = {key: size for key, size in TRANSLATION_SIZES.items() if getattr(options, key) is None}
        options = replace(options, **left_open)
    if traits.has_pictures:
        if options.dropout is None:
            options = replace(options, dropout=PICTURE_DROPOUT)
        if options.score is None and "score" in find(options.name or DEFAULT).uses:
            options = replace(options, score="general")
    return to_options(resolve(options)), notes


def usual_model(options: ModelOptions, traits: Traits, to_align: Examples | None) -> tuple[str, str]:
    """The architecture for pairs with these traits that may have these options, and why."""
    most = MOST_SPELLED if traits.is_spelled else MOST_ALIGNED
    is_suitable = FEWEST_ALIGNED <= traits.num_pairs <= most and has_options_of(TRANSDUCER, options)
    if to_align is not None and is_suitable:
        share = explained_share(pairs_of_ids(to_align))
        if share >= LEAST_EXPLAINED:
            aligned = f"a monotonic alignment explains {100 * share:.0f} % of the targets"
            return TRANSDUCER, f"{ARCHITECTURES[TRANSDUCER].summary}, since {aligned}"
    if traits.are_many_translations and has_options_of(TRANSFORMER, options):
        many = f"{traits.num_pairs:,} pairs of sentences"
        return TRANSFORMER, f"{ARCHITECTURES[TRANSFORMER].summary}, since these are {many}"
    return DEFAULT, ARCHITECTURES[DEFAULT].summary


def is_small_transformer(options: ModelOptions, traits: Traits) -> bool:
    """Whether it is a Transformer of the width that translations get."""
    has_width = options.name == TRANSFORMER and options.width == TRANSLATION_SIZES["width"]
    return traits.are_many_translations and has_width


def is_large_word_model(options: ModelOptions, traits: Traits) -> bool:
    """Whether it is the model that many pairs get whose sources are characters."""
    has_sizes = all(getattr(options, key) == size for key, size in MANY_SPELLED_SIZES.items())
    return traits.is_spelled and traits.num_pairs >= MANY_SPELLED and options.name == DEFAULT and has_sizes


def has_options_of(name: str, options: ModelOptions) -> bool:
    """Whether a model of that name may have these options."""
    try:
        resolve(replace(options, name=name))
    except ConfigError:
        return False
    return True
