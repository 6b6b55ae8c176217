"""How answers are looked for: what a person asks for, in texts and numbers, made into what a search takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from seq2see.errors import ConfigError
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
MOST = 1_000_000
"""Of whatever is counted: far more than any memory holds."""
MOST_PENALTY = 100
"""Far more than any use."""


@dataclass(frozen=True)
class GenerationOptions:
    """How answers are looked for. Raises ConfigError for what can't be, or would change nothing."""

    beam: int = 1
    """Hypotheses kept a text; 1 is greedy."""
    n_best: int = 1
    """Answers a text: the best of a beam, or so many draws."""
    batch_size: int = 64
    """Texts answered side by side; changes no answer."""
    length_penalty: float = 0.0
    """A beam ranks by log_prob / ((5 + length) / 6) ** this (Wu et al. 2016, eq. 14)."""
    coverage_penalty: float = 0.0
    """How much a beam minds source tokens that were not looked at (the same)."""
    sample: bool = False
    """Draw at random instead of taking the best."""
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    """See `seq2see.search.Sampler`."""
    min_length: int | None = None
    max_length: int | None = None
    """Target tokens at least and at most, EOS counted; the most is the model's own where neither is given."""
    min_ratio: float | None = None
    max_ratio: float | None = None
    """The same relative to the source: tokens for each of its tokens, EOS counted on neither side.

    Where a text can't have both its least and its most, the most counts.
    """
    prefix: str = ""
    """How every answer begins."""
    forbid: tuple[str, ...] = ()
    """What no answer contains."""
    contain: tuple[str, ...] = ()
    """What every answer contains; of a language model, what it adds to the prompt."""
    no_repeat: int | None = None
    """So many tokens in a row don't come twice."""

    def __post_init__(self) -> None:
        for name in ("forbid", "contain"):
            if isinstance(getattr(self, name), str):
                raise ConfigError("one text where several are expected", where=name, fix=f'give a list: {name}=["…"]')
            object.__setattr__(self, name, tuple(getattr(self, name)))
            if not all(getattr(self, name)):
                raise ConfigError("an empty text is in every answer", where=name, fix="take it out")
        for name in ("beam", "n_best", "batch_size", "min_length", "max_length"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MOST:
                what = f"{value} is too {'small' if value < 1 else 'large'}"
                raise ConfigError(what, where=name, fix=f"give 1 to {MOST:,}")
        for name in ("min_ratio", "max_ratio"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= MOST:
                raise ConfigError(f"{value} is no ratio", where=name, fix=f"give a number above 0, up to {MOST:,}")
        for name in ("length", "ratio"):
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is not None and most is not None and least > most:
                where = f"min_{name}, max_{name}"
                raise ConfigError(f"at least {least} and at most {most} can't both be", where=where, fix="swap the two")
        for name in OF_BEAMS:
            if not 0 <= getattr(self, name) <= MOST_PENALTY:
                raise ConfigError(
                    f"{getattr(self, name)} is out of range", where=name, fix="give 0 for none, or up to about 1"
                )
        if self.sample:
            self._refuse(
                ("beam", *OF_BEAMS, "contain"), "sampling draws one hypothesis at a time, a beam keeps several"
            )
        else:
            self._refuse(OF_SAMPLING, "it changes nothing without sampling", fix="add --sample (sample=True)")
        if self.beam == 1:
            self._refuse(OF_BEAMS, "it changes nothing without a beam", fix="add --beam 5 (beam=5)")
            if self.n_best > 1 and not self.sample:
                raise ConfigError(
                    f"greedy search finds one answer, not {self.n_best}",
                    where="n_best",
                    fix=f"add --beam {max(5, self.n_best)}, or --sample for different draws",
                )
        if self.n_best > self.beam > 1:
            raise ConfigError(
                f"{self.n_best} answers can't come out of a beam of {self.beam}",
                where="n_best",
                fix=f"use a beam of {self.n_best}",
            )
        # These refuse what they can't use.
        Sampler(self.temperature, self.seed, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p)
        if self.no_repeat is not None:
            NoRepeat(self.no_repeat)

    def _refuse(self, names: Sequence[str], what: str, fix: str = "choose one of the two") -> None:
        defaults = {field.name: field.default for field in fields(self)}
        for name in names:
            if getattr(self, name) != defaults[name]:
                raise ConfigError(what, where=name, fix=f"{fix}, or leave {name} out" if "add" in fix else fix)

    @property
    def choose(self) -> Choose:
        """How the next token is chosen where there is no beam."""
        if not self.sample:
            return greedy
        return Sampler(self.temperature, self.seed, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p)

    @property
    def num_sentences(self) -> int:
        """Texts side by side: with several draws of each, fewer."""
        return max(1, self.batch_size // self.n_best) if self.sample else self.batch_size

    @property
    def is_penalised(self) -> bool:
        """Whether a beam ranks by more than the log-probability."""
        return any(getattr(self, name) for name in OF_BEAMS)

    @property
    def is_ranked(self) -> bool:
        """Whether a beam looks for the answers: phrases that have to come need one, of any width."""
        return self.beam > 1 or bool(self.contain)

    def max_lengths(self, source_lengths: Lengths, usual: int) -> Lengths:
        """The hard maximum [B] of each text; `source_lengths` [B] count EOS, and so does the maximum."""
        limits = np.full_like(source_lengths, self.max_length or usual)
        if self.max_length is None:  # what was asked for is more than what is usual
            limits = np.maximum(limits, self.min_lengths(source_lengths))
        if self.max_ratio is None:
            return limits
        return np.maximum(np.minimum(limits, in_proportion(self.max_ratio, source_lengths)), 1)

    def min_lengths(self, source_lengths: Lengths) -> Lengths:
        """The tokens [B] that each answer has at least, EOS counted."""
        least = np.full_like(source_lengths, self.min_length or 1)
        if self.min_ratio is None:
            return least
        return np.maximum(least, in_proportion(self.min_ratio, source_lengths))

    def num_fixed(self, codec: Codec) -> int:
        """The tokens that the prefix, or the longest phrase that has to come, needs with EOS behind it.

        Raises ConfigError for texts that the model can't write, or that are no tokens.
        """
        for text in self.forbid:
            if len(codec.encode(text)) == 1:
                raise ConfigError(f"{text!r} holds no token", where="forbid", fix="take it out")
        wanted = [known_ids(codec, text, where="contain") for text in self.contain]
        if not all(wanted):
            raise ConfigError("a text without tokens is in every answer", where="contain", fix="take it out")
        return 1 + max(map(len, [known_ids(codec, self.prefix, where="prefix"), *wanted]))

    def filters(
        self, codec: Codec, source_lengths: Lengths, max_lengths: Lengths, *, prompts: npt.NDArray[np.int64]
    ) -> list[Filter]:
        """What may not come, in the ids of the target's codec; `prompts` [B P] are what a language model goes on from.

        A text that is forbidden may come neither in any pieces of subwords, nor begin in the prompt. In models of words
        or symbols it forbids these words or symbols, one after the other.
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
        """What has to come, for each text; nothing where there is no room [B] for it."""
        if not self.contain:
            return None
        wanted = [known_ids(codec, text, where="contain") for text in self.contain]
        return [wanted if room else [] for room in has_room.tolist()]


SpellingTables = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]


def spelling_tables(codec: Codec, texts: Sequence[str]) -> list[SpellingTables]:
    """For each text how far it is spelt after each token, and whether it then stands there: twice [states V]."""
    tokens = tuple(codec.vocabulary.token(number) if number > EOS else "" for number in range(len(codec.vocabulary)))
    return [spelling_table(codec.tokenizer.normalise(text), tokens) for text in texts]


@lru_cache(maxsize=64)
def spelling_table(text: str, tokens: tuple[str, ...]) -> SpellingTables:
    """The automaton that looks for a text (Knuth, Morris & Pratt 1977), fed tokens.

    In state s the last s characters are the first s of the text, and no more are, the whole text aside. What is spelt
    by nothing (unknown, the end) is none of its characters: after it all begins anew.
    """

    def reached(state: int, token: str) -> int:
        spelt = text[:state] + token
        return next(size for size in range(len(text) - 1, -1, -1) if spelt.endswith(text[:size])) if token else 0

    states = range(len(text))
    following = np.array([[reached(state, token) for token in tokens] for state in states], dtype=np.int64)
    stands = np.array([[text in text[:state] + token for token in tokens] for state in states], dtype=np.bool_)
    return following, stands


def in_proportion(ratio: float, source_lengths: Lengths) -> Lengths:
    """So many tokens for each of the source, EOS counted on both sides, but not in the proportion."""
    # Rounded first: 1.1 times 10 is 11, and not the 11.000000000000002 of binary fractions.
    return np.asarray(np.ceil(np.round(ratio * (source_lengths - 1), 6)).astype(np.int64) + 1)


def known_ids(codec: Codec, text: str, *, where: str) -> list[int]:
    """The ids of a text without EOS; ConfigError where the model can't write it."""
    ids = codec.encode(text)[:-1]
    if UNK in ids:
        shown = ", ".join(map(repr, codec.unknown(text)))
        raise ConfigError(
            f"the model has never seen {shown} and can't write it", where=where, fix="use what is in its training data"
        )
    return ids
