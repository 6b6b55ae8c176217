"""How answers are searched for: the user's options, in texts and numbers, turned into what a search takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Annotated, TypedDict

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from seq2see.errors import ConfigError
from seq2see.inference.checking import require_types
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

OF_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "seed")
OF_BEAMS = ("length_penalty", "coverage_penalty")
MAX_COUNT = 1_000_000
"""Of whatever is counted: far more than any memory holds."""

Count = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Ratio = Annotated[float, Meta(gt=0, le=MAX_COUNT)]
Penalty = Annotated[float, Meta(ge=0, le=100)]
Texts = tuple[Annotated[str, Meta(min_length=1)], ...]


@dataclass(frozen=True)
class GenerationOptions:
    """How answers are searched for: the options of `predict`, `generate` and `attend`, in the command and in Python.

    Raises ConfigError for values of the wrong type or out of range, and for options that conflict or have no effect.
    """

    beam: Count = 1
    """Hypotheses kept per text; 1 is greedy search."""
    n_best: Count = 1
    """Answers per text: the best of a beam, or that many samples."""
    batch_size: Count = 64
    """Texts computed side by side; changes no answer."""
    length_penalty: Penalty = 0.0
    """With a beam: above 0 favours longer answers; 0.6 to 1 is usual (Wu et al. 2016, eq. 14)."""
    coverage_penalty: Penalty = 0.0
    """With a beam: above 0 penalises source tokens without attention (Wu et al. 2016, eq. 14)."""
    sample: bool = False
    """Draw at random instead of taking the most probable."""
    temperature: float = 1.0
    """With sampling: below 1 sharpens the distribution, above 1 flattens it."""
    top_k: int | None = None
    """With sampling: draw from the k most probable tokens."""
    top_p: float = 1.0
    """With sampling: draw from the most probable tokens that together have this probability."""
    min_p: float = 0.0
    """With sampling: draw from tokens at least this fraction as probable as the most probable one."""
    seed: int = 0
    """With sampling: the same seed draws the same answers."""
    min_length: Count | None = None
    """Least number of target tokens, EOS counted."""
    max_length: Count | None = None
    """Largest number of target tokens, EOS counted; by default the model's own."""
    min_ratio: Ratio | None = None
    """Least number of target tokens per source token."""
    max_ratio: Ratio | None = None
    """Largest number of target tokens per source token; where it conflicts with the least, the largest wins."""
    prefix: str = ""
    """Text that every answer begins with."""
    forbid: Texts = ()
    """Text that no answer contains; may be repeated."""
    contain: Texts = ()
    """Text that every answer contains; may be repeated."""
    no_repeat: Count | None = None
    """No n-gram of this length occurs twice."""

    def __post_init__(self) -> None:
        require_types(self)
        for name in ("length", "ratio"):
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is not None and most is not None and least > most:
                what = f"min_{name} {least} is larger than max_{name} {most}"
                raise ConfigError(what, where=f"min_{name}, max_{name}", fix="swap the two")
        if self.sample:
            self._refuse(("beam", *OF_BEAMS, "contain"), "conflicts with sampling, which follows one hypothesis")
        else:
            self._refuse(OF_SAMPLING, "has no effect without sampling", fix="add --sample (sample=True)")
        if self.beam == 1:
            self._refuse(OF_BEAMS, "has no effect without a beam", fix="add --beam 5 (beam=5)")
            if self.n_best > 1 and not self.sample:
                raise ConfigError(
                    f"must be 1 for greedy search, not {self.n_best}",
                    where="n_best",
                    fix=f"add --beam {max(5, self.n_best)}, or --sample for different draws",
                )
        if self.n_best > self.beam > 1:
            what = f"must be at most the beam, {self.beam}, not {self.n_best}"
            raise ConfigError(what, where="n_best", fix=f"use a beam of {self.n_best}")
        # These refuse what they can't use.
        Sampler(self.temperature, self.seed, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p)
        if self.no_repeat is not None:
            NoRepeat(self.no_repeat)

    def _refuse(self, names: Sequence[str], what: str, fix: str = "choose one of the two") -> None:
        defaults = {field.name: field.default for field in fields(GenerationOptions)}
        for name in names:
            if getattr(self, name) != defaults[name]:
                raise ConfigError(what, where=name, fix=f"{fix}, or leave {name} out" if "add" in fix else fix)

    @property
    def choose(self) -> Choose:
        """How the next token is chosen without a beam."""
        if not self.sample:
            return greedy
        return Sampler(self.temperature, self.seed, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p)

    @property
    def num_sentences(self) -> int:
        """Texts per batch: fewer where several samples of each are drawn."""
        return max(1, self.batch_size // self.n_best) if self.sample else self.batch_size

    @property
    def is_penalised(self) -> bool:
        """Whether a beam ranks by more than the log-probability."""
        return any(getattr(self, name) for name in OF_BEAMS)

    @property
    def is_ranked(self) -> bool:
        """Whether beam search finds the answers: phrases that have to occur need it, at any width."""
        return self.beam > 1 or bool(self.contain)

    def max_lengths(self, source_lengths: Lengths, default: int) -> Lengths:
        """The maximum length [B] of each answer; `source_lengths` [B] count EOS, and so does the maximum."""
        limits = np.full_like(source_lengths, self.max_length or default)
        if self.max_length is None:  # a minimum that was asked for may be larger than the default
            limits = np.maximum(limits, self.min_lengths(source_lengths))
        if self.max_ratio is None:
            return limits
        return np.maximum(np.minimum(limits, in_proportion(self.max_ratio, source_lengths)), 1)

    def min_lengths(self, source_lengths: Lengths) -> Lengths:
        """The minimum length [B] of each answer, EOS counted."""
        least = np.full_like(source_lengths, self.min_length or 1)
        if self.min_ratio is None:
            return least
        return np.maximum(least, in_proportion(self.min_ratio, source_lengths))

    def num_fixed(self, codec: Codec) -> int:
        """The tokens that the prefix, or the longest phrase that has to occur, takes up, EOS counted.

        Raises ConfigError for texts that the model can't write, or that have no tokens.
        """
        for text in self.forbid:
            if len(codec.encode(text)) == 1:
                raise ConfigError(f"{text!r} has no tokens", where="forbid", fix="leave it out")
        wanted = [known_ids(codec, text, where="contain") for text in self.contain]
        if not all(wanted):
            raise ConfigError("a text without tokens is in every answer", where="contain", fix="leave it out")
        return 1 + max(map(len, [known_ids(codec, self.prefix, where="prefix"), *wanted]))

    def filters(
        self, codec: Codec, source_lengths: Lengths, max_lengths: Lengths, *, prompts: npt.NDArray[np.int64]
    ) -> list[Filter]:
        """Filters in the ids of the target's codec; `prompts` [B P] are what a language model continues.

        A forbidden text may neither occur in any segmentation into subwords, nor begin in the prompt. In models of
        words or symbols it forbids that sequence of words or symbols.
        """
        found: list[Filter] = []
        if self.forbid:
            ways = [codec.encode(text)[:-1] for text in self.forbid]
            is_spelt = codec.tokenizer.name in SUBWORD_UNITS
            whole = ForbidSpelt(spelling_tables(codec, self.forbid)) if is_spelt else ForbidPhrases(ways)
            found.append(AfterPrompt(whole, prompts))
        if self.no_repeat:
            found.append(AfterPrompt(NoRepeat(self.no_repeat), prompts))
        if self.min_length or self.min_ratio:
            found.append(MinLength(np.minimum(self.min_lengths(source_lengths), max_lengths), EOS))
        if self.prefix:
            ids = np.array([known_ids(codec, self.prefix, where="prefix")] * len(source_lengths), dtype=np.int64)
            found.append(ForcePrefix(ids, np.full_like(source_lengths, ids.shape[-1])))
        return found

    def phrases(self, codec: Codec, has_room: npt.NDArray[np.bool_]) -> list[list[list[int]]] | None:
        """The phrases that have to occur, for each text; none where there is no room [B] for them."""
        if not self.contain:
            return None
        wanted = [known_ids(codec, text, where="contain") for text in self.contain]
        return [wanted if room else [] for room in has_room.tolist()]


class GenerationArguments(TypedDict, total=False):
    """The fields of `GenerationOptions` as keyword arguments of `predict` and `stream`, all optional."""

    beam: int
    n_best: int
    batch_size: int
    length_penalty: float
    coverage_penalty: float
    sample: bool
    temperature: float
    top_k: int | None
    top_p: float
    min_p: float
    seed: int
    min_length: int | None
    max_length: int | None
    min_ratio: float | None
    max_ratio: float | None
    prefix: str
    forbid: Sequence[str]
    contain: Sequence[str]
    no_repeat: int | None


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
