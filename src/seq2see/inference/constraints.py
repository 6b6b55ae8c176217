"""From the user's options to the arguments of a search: choice of tokens, maximum lengths, filters and phrases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from seq2see.errors import ConfigError
from seq2see.inference.options import GenerationOptions
from seq2see.search import (
    AfterPrompt,
    Choose,
    Filter,
    ForbidPhrases,
    ForbidSpelt,
    ForcePrefix,
    MinLength,
    NoRepeat,
    Sampler,
    greedy,
)
from seq2see.text import EOS, SUBWORD_UNITS, UNK, Codec

Lengths = npt.NDArray[np.int64]


def choose_of(options: GenerationOptions) -> Choose:
    """How the next token is chosen without a beam."""
    if not options.sample:
        return greedy
    return Sampler(options.temperature, options.seed, top_k=options.top_k, top_p=options.top_p, min_p=options.min_p)


def max_lengths(options: GenerationOptions, source_lengths: Lengths, default: int) -> Lengths:
    """The maximum length [B] of each answer; `source_lengths` [B] count EOS, and so does the maximum."""
    limits = np.full_like(source_lengths, options.max_length or default)
    if options.max_length is None:  # a minimum that was asked for may be larger than the default
        limits = np.maximum(limits, min_lengths(options, source_lengths))
    if options.max_ratio is None:
        return limits
    return np.maximum(np.minimum(limits, in_proportion(options.max_ratio, source_lengths)), 1)


def min_lengths(options: GenerationOptions, source_lengths: Lengths) -> Lengths:
    """The minimum length [B] of each answer, EOS counted."""
    least = np.full_like(source_lengths, options.min_length or 1)
    if options.min_ratio is None:
        return least
    return np.maximum(least, in_proportion(options.min_ratio, source_lengths))


def num_fixed(options: GenerationOptions, codec: Codec) -> int:
    """The tokens that the prefix, or the longest phrase that has to occur, takes up, EOS counted.

    Raises ConfigError for texts that the model can't write, or that have no tokens.
    """
    for text in options.forbid:
        if len(codec.encode(text)) == 1:
            raise ConfigError(f"{text!r} has no tokens", where="forbid", fix="leave it out")
    wanted = [known_ids(codec, text, where="contain") for text in options.contain]
    if not all(wanted):
        raise ConfigError("a text without tokens is in every answer", where="contain", fix="leave it out")
    return 1 + max(map(len, [known_ids(codec, options.prefix, where="prefix"), *wanted]))


def filters_of(
    options: GenerationOptions,
    codec: Codec,
    source_lengths: Lengths,
    most: Lengths,
    *,
    prompts: npt.NDArray[np.int64],
) -> list[Filter]:
    """Filters in the ids of the target's codec; `prompts` [B P] are what a language model continues.

    A forbidden text may neither occur in any segmentation into subwords, nor begin in the prompt. In models of
    words or symbols it forbids that sequence of words or symbols.
    """
    found: list[Filter] = []
    if options.forbid:
        ways = [codec.encode(text)[:-1] for text in options.forbid]
        is_spelt = codec.tokenizer.name in SUBWORD_UNITS
        whole = ForbidSpelt(spelling_tables(codec, options.forbid)) if is_spelt else ForbidPhrases(ways)
        found.append(AfterPrompt(whole, prompts))
    if options.no_repeat:
        found.append(AfterPrompt(NoRepeat(options.no_repeat), prompts))
    if options.min_length or options.min_ratio:
        found.append(MinLength(np.minimum(min_lengths(options, source_lengths), most), EOS))
    if options.prefix:
        ids = np.array([known_ids(codec, options.prefix, where="prefix")] * len(source_lengths), dtype=np.int64)
        found.append(ForcePrefix(ids, np.full_like(source_lengths, ids.shape[-1])))
    return found


def phrases_of(
    options: GenerationOptions, codec: Codec, has_room: npt.NDArray[np.bool_]
) -> list[list[list[int]]] | None:
    """The phrases that have to occur, for each text; none where there is no room [B] for them."""
    if not options.contain:
        return None
    wanted = [known_ids(codec, text, where="contain") for text in options.contain]
    return [wanted if room else [] for room in has_room.tolist()]


SpellingTables = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]


def spelling_tables(codec: Codec, texts: Sequence[str]) -> list[SpellingTables]:
    """For each text the automaton of `spelling_table`: next state and whether the text is complete, [states V] each."""
    tokens = tuple(codec.vocabulary.token(number) if number > EOS else "" for number in range(len(codec.vocabulary)))
    return [spelling_table(codec.tokenizer.normalise(text), tokens) for text in texts]


@lru_cache(maxsize=64)
def spelling_table(text: str, tokens: tuple[str, ...]) -> SpellingTables:
    """The automaton that finds a text (Knuth, Morris & Pratt 1977), fed one token at a time.

    State s: the last s characters are the first s of the text, and s is the largest such number below its length.
    Tokens without characters (unknown, EOS) lead back to state 0.
    """

    def reached(state: int, token: str) -> int:
        spelt = text[:state] + token
        return next(size for size in range(len(text) - 1, -1, -1) if spelt.endswith(text[:size])) if token else 0

    states = range(len(text))
    following = np.array([[reached(state, token) for token in tokens] for state in states], dtype=np.int64)
    stands = np.array([[text in text[:state] + token for token in tokens] for state in states], dtype=np.bool_)
    return following, stands


def in_proportion(ratio: float, source_lengths: Lengths) -> Lengths:
    """Lengths by ratio: `ratio` tokens per source token, EOS counted in both lengths but not in the ratio."""
    # Rounded first: 1.1 times 10 is 11, and not the 11.000000000000002 of binary fractions.
    return np.asarray(np.ceil(np.round(ratio * (source_lengths - 1), 6)).astype(np.int64) + 1)


def known_ids(codec: Codec, text: str, *, where: str) -> list[int]:
    """The ids of a text without EOS; ConfigError where the model can't write it."""
    ids = codec.encode(text)[:-1]
    if UNK in ids:
        shown = ", ".join(map(repr, codec.unknown(text)))
        raise ConfigError(
            f"{shown} was not in the model's training data", where=where, fix="use what is in its training data"
        )
    return ids
