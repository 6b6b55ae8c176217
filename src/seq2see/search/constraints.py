"""Lexical constraints: phrases that the output of a sentence must contain, and each hypothesis's progress with them.

A beam ranked by probability alone drops hypotheses with an improbable phrase long before the phrase is complete. So the
beam is divided among groups of hypotheses with equal progress (dynamic beam allocation, Post & Vilar 2018; vectorized
over sentences as in Hu et al. 2019).

Letters: B sentences in their original order, R rows, P maximum number of phrases per sentence, L maximum number of ids
per phrase, X candidates of a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from seq2see.errors import ConfigError
from seq2see.search.contract import IMPOSSIBLE, Array, Ids, Mask

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

_NO_ID = -1


@dataclass(frozen=True)
class Progress:
    """The progress of each row with the phrases of its sentence.

    A phrase is met when its ids have occurred consecutively anywhere in the output. Phrases may overlap, and a phrase
    required twice needs to occur only once.
    """

    phrases: Int[Ids, "B P L"]
    lengths: Int[Ids, "B P"]
    """In ids; 0 for phrases beyond those of the sentence."""
    sentences: Int[Ids, " R"]
    matched: Bool[Mask, "R P L"]
    """At l: whether the last l + 1 ids of the row are the first l + 1 ids of the phrase."""
    met: Bool[Mask, "R P"]
    step: int | None = None
    """The id of a transducer's STEP, which phrases may contain anywhere."""

    @classmethod
    def start(
        cls,
        phrases: Sequence[Sequence[Sequence[int]]],
        max_lengths: Int[Ids, " B"],
        eos: int,
        step: int | None = None,
    ) -> Progress:
        """One row per sentence, before the first id. ConfigError for impossible phrases."""
        assert len(phrases) == len(max_lengths), "one list of phrases per sentence, which may be empty"
        distinct = [list(dict.fromkeys(map(tuple, of_sentence))) for of_sentence in phrases]
        for sentence, (of_sentence, limit) in enumerate(zip(distinct, max_lengths.tolist(), strict=True), start=1):
            for phrase in of_sentence:
                _check(phrase, limit, eos, f"sentence {sentence}")
        most = max(map(len, distinct), default=0)
        longest = max((len(phrase) for of_sentence in distinct for phrase in of_sentence), default=0)
        filled = [
            [[*phrase, *[_NO_ID] * (longest - len(phrase))] for phrase in [*found, *[()] * (most - len(found))]]
            for found in distinct
        ]
        ids = np.array(filled, dtype=np.int64).reshape(len(distinct), most, longest)
        lengths = (ids != _NO_ID).sum(-1)
        return cls(ids, lengths, np.arange(len(ids)), np.zeros_like(ids, dtype=np.bool_), lengths == 0, step)

    @property
    def complete(self) -> Bool[Mask, " R"]:
        """Whether all phrases are met, so that EOS is allowed."""
        return np.asarray(self.met.all(-1))

    @property
    def num_met(self) -> Int[Ids, " R"]:
        """The number of ids in all phrases met, plus those of the longest partial match.

        Continuing that phrase with its next id always increases it.
        """
        steps = np.arange(1, self.matched.shape[2] + 1)
        begun = (self.matched & ~self.met[..., None]) * steps
        complete = (self.lengths[self.sentences] * self.met).sum(-1)
        return np.asarray(complete + begun.max((1, 2), initial=0))

    @property
    def next_ids(self) -> Int[Ids, "R P"]:
        """The next id of each phrase (its first if it hasn't begun), or -1 if it is met."""
        steps = np.arange(1, self.matched.shape[2] + 1)
        num_matched = np.where(self.met, 0, (self.matched * steps).max(-1, initial=0))
        following = np.take_along_axis(self.phrases[self.sentences], num_matched[..., None], -1)[..., 0]
        return np.where(self.met, _NO_ID, following)

    def after(self, rows: Int[Ids, " N"], ids: Int[Ids, " N"]) -> Progress:
        """The progress of the selected rows after these ids."""
        before = self.select(rows)
        begun = np.concatenate([np.ones_like(before.matched[..., :1]), before.matched[..., :-1]], -1)
        matched = begun & (self.phrases[before.sentences] == ids[:, None, None])
        last = np.maximum(self.lengths[before.sentences] - 1, 0)
        met = before.met | np.take_along_axis(matched, last[..., None], -1)[..., 0]
        if self.step is not None:
            is_step = (ids == self.step)[:, None]
            matched = np.where(is_step[..., None], before.matched, matched)
            met = np.where(is_step, before.met, met)
        return replace(before, matched=matched, met=met)

    def select(self, rows: Int[Ids, " N"]) -> Progress:
        """The progress of the selected rows."""
        return replace(self, sentences=self.sentences[rows], matched=self.matched[rows], met=self.met[rows])


def allocate(log_probs: Float[Array, "B X"], num_met: Int[Ids, "B X"]) -> Int[Ids, "B X"]:
    """The order in which candidates enter the beam: the best of each bank, then the second best of each, and so on.

    A bank is the candidates with the same `num_met`; the largest `num_met` comes first in each round. With a single
    bank, as without phrases, this is the order of log_probs. Impossible candidates come last.
    """
    order = (-log_probs).argsort(1, kind="stable")
    order = np.take_along_axis(order, (-np.take_along_axis(num_met, order, 1)).argsort(1, kind="stable"), 1)
    banks = np.take_along_axis(num_met, order, 1)
    indices = np.broadcast_to(np.arange(order.shape[1]), order.shape)
    begins = np.ones_like(banks, dtype=np.bool_)
    begins[:, 1:] = banks[:, 1:] != banks[:, :-1]
    rounds = indices - np.maximum.accumulate(indices * begins, 1)
    rounds = np.where(np.take_along_axis(log_probs, order, 1) == IMPOSSIBLE, order.shape[1], rounds)
    return np.take_along_axis(order, rounds.argsort(1, kind="stable"), 1)


def _check(phrase: tuple[int, ...], limit: int, eos: int, where: str) -> None:
    if not phrase:
        raise ConfigError("a required phrase has no tokens", where=where, fix="remove it")
    if eos in phrase:
        raise ConfigError("a required phrase contains EOS", where=where, fix="remove EOS from it")
    if len(phrase) + 1 > limit:
        raise ConfigError(
            f"a required phrase has {len(phrase)} tokens; with EOS it exceeds the maximum length of {limit}",
            where=where,
            fix="increase the maximum length, or shorten the phrase",
        )
