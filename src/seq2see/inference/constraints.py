"""From the user's options to the arguments of a search: choice of tokens, maximum lengths, filters and phrases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seq2see.inference.options import GenerationOptions
from seq2see.inference.rules import Rules
from seq2see.inference.spelling import spelling_tables
from seq2see.search import (
    AfterPrompt,
    Choose,
    Filter,
    ForbidPhrases,
    ForbidSpelled,
    ForcePrefix,
    MaxLength,
    MinLength,
    NoRepeat,
    Sampler,
    Steps,
    WithoutSteps,
    greedy,
)
from seq2see.text import EOS, PAD, SUBWORD_UNITS, Codec, Protected

Lengths = npt.NDArray[np.int64]


def choose_of(options: GenerationOptions) -> Choose:
    """How the next token is chosen without a beam."""
    if not options.sample:
        return greedy
    return Sampler(options.temperature, options.seed, top_k=options.top_k, top_p=options.top_p, min_p=options.min_p)


def max_lengths(options: GenerationOptions, rules: Sequence[Rules], source_lengths: Lengths, default: int) -> Lengths:
    """The maximum length [B] of each answer; `source_lengths` [B] count EOS, and so does the maximum."""
    own = np.array([rule.max_length or 0 for rule in rules], dtype=np.int64)
    # A minimum that was asked for may be larger than the default.
    limits = np.where(own > 0, own, np.maximum(default, min_lengths(options, rules, source_lengths)))
    if options.max_ratio is None:
        return limits
    return np.maximum(np.minimum(limits, in_proportion(options.max_ratio, source_lengths)), 1)


def min_lengths(options: GenerationOptions, rules: Sequence[Rules], source_lengths: Lengths) -> Lengths:
    """The minimum length [B] of each answer, EOS counted."""
    least = np.array([rule.min_length or 1 for rule in rules], dtype=np.int64)
    if options.min_ratio is None:
        return least
    return np.maximum(least, in_proportion(options.min_ratio, source_lengths))


def filters_of(
    options: GenerationOptions,
    rules: Sequence[Rules],
    codec: Codec,
    source_lengths: Lengths,
    most: Lengths,
    *,
    prompts: npt.NDArray[np.int64],
) -> list[Filter]:
    """Filters in the ids of the target's codec; `prompts` [B P] are what a language model continues.

    A forbidden text may neither occur in any segmentation into subwords, or into characters and protected units, nor
    begin in the prompt. In models of words or symbols it forbids that sequence of words or symbols. No filter of these
    sees the STEPs of a transducer.
    """
    found: list[Filter] = []
    if forbidden := list(dict.fromkeys(text for rule in rules for text in rule.forbid)):
        found.append(AfterPrompt(forbid(rules, forbidden, codec), prompts))
    if options.no_repeat:
        found.append(AfterPrompt(NoRepeat(options.no_repeat), prompts))
    if options.min_ratio or any(rule.min_length for rule in rules):
        found.append(MinLength(np.minimum(min_lengths(options, rules, source_lengths), most), EOS))
    if longest := max(len(rule.prefix) for rule in rules):
        ids = np.array([[*rule.prefix, *[PAD] * (longest - len(rule.prefix))] for rule in rules], dtype=np.int64)
        found.append(ForcePrefix(ids, np.array([len(rule.prefix) for rule in rules])))
    if codec.step is None:
        return found
    found.append(MaxLength(most, EOS))
    return [Steps(source_lengths - 1, codec.step, EOS), *(WithoutSteps(each, codec.step) for each in found)]


def forbid(rules: Sequence[Rules], texts: Sequence[str], codec: Codec) -> Filter:
    """The filter of these texts, each in the answers whose rules have it."""
    applies = np.array([[text in rule.forbid for text in texts] for rule in rules])
    where = None if applies.all() else applies
    # Characters alone can spell a protected unit too.
    if codec.tokenizer.name in SUBWORD_UNITS or (isinstance(codec.tokenizer, Protected) and codec.tokenizer.is_spelled):
        return ForbidSpelled(spelling_tables(codec, texts), where)
    return ForbidPhrases([codec.encode(text)[:-1] for text in texts], where)


def phrases_of(rules: Sequence[Rules], has_room: npt.NDArray[np.bool_]) -> list[Sequence[Sequence[int]]]:
    """The phrases that have to occur, for each text; none where there is no room [B] for them."""
    return [rule.contain if room else () for rule, room in zip(rules, has_room.tolist(), strict=True)]


def in_proportion(ratio: float, source_lengths: Lengths) -> Lengths:
    """Lengths by ratio: `ratio` tokens per source token, EOS counted in both lengths but not in the ratio."""
    # Rounded first: 1.1 times 10 is 11, and not the 11.000000000000002 of binary fractions.
    return np.asarray(np.ceil(np.round(ratio * (source_lengths - 1), 6)).astype(np.int64) + 1)
