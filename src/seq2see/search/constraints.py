"""What has to come: phrases that the output of a sentence must contain, and how far each hypothesis has come with them.

A beam that only ranks by probability drops the hypotheses that take up an improbable phrase long before it is complete.
So its places are shared out among hypotheses that have come equally far (dynamic beam allocation, Post & Vilar 2018;
all sentences at once as in Hu et al. 2019).

Letters: B sentences as they were given, R rows, P phrases of a sentence at most, L ids of a phrase at most, X
candidates of a sentence.
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

_NOTHING = -1  # No token has this id.


@dataclass(frozen=True)
class Progress:
    """How far each row has come with the phrases of its sentence.

    A phrase is met once it has stood anywhere in the output, its ids one after the other. Phrases may overlap there,
    and one that is asked for twice is met by standing there once: what counts is what the output contains.
    """

    phrases: Int[Ids, "B P L"]
    lengths: Int[Ids, "B P"]
    """In ids; 0 where a sentence has fewer phrases than others."""
    sentences: Int[Ids, " R"]
    matched: Bool[Mask, "R P L"]
    """At l: the last l + 1 ids of the row are the first l + 1 of the phrase."""
    met: Bool[Mask, "R P"]

    @classmethod
    def start(cls, phrases: Sequence[Sequence[Sequence[int]]], max_lengths: Int[Ids, " B"], eos: int) -> Progress:
        """A row a sentence, before the first id. Raises ConfigError for phrases that can't come."""
        assert len(phrases) == len(max_lengths), "every sentence has a list of phrases, which may be empty"
        distinct = [list(dict.fromkeys(map(tuple, of_sentence))) for of_sentence in phrases]
        for sentence, (of_sentence, limit) in enumerate(zip(distinct, max_lengths.tolist(), strict=True), start=1):
            for phrase in of_sentence:
                _check(phrase, limit, eos, f"sentence {sentence}")
        most = max(map(len, distinct), default=0)
        longest = max((len(phrase) for of_sentence in distinct for phrase in of_sentence), default=0)
        filled = [
            [[*phrase, *[_NOTHING] * (longest - len(phrase))] for phrase in [*found, *[()] * (most - len(found))]]
            for found in distinct
        ]
        ids = np.array(filled, dtype=np.int64).reshape(len(distinct), most, longest)
        lengths = (ids != _NOTHING).sum(-1)
        return cls(ids, lengths, np.arange(len(ids)), np.zeros_like(ids, dtype=np.bool_), lengths == 0)

    @property
    def complete(self) -> Bool[Mask, " R"]:
        """Where every phrase is met: only there may EOS come."""
        return np.asarray(self.met.all(-1))

    @property
    def num_met(self) -> Int[Ids, " R"]:
        """The ids of all phrases met, and those of the phrase begun that has come farthest.

        Giving that phrase its next id always makes it grow.
        """
        steps = np.arange(1, self.matched.shape[2] + 1)
        begun = (self.matched & ~self.met[..., None]) * steps
        whole = (self.lengths[self.sentences] * self.met).sum(-1)
        return np.asarray(whole + begun.max((1, 2), initial=0))

    @property
    def next_ids(self) -> Int[Ids, "R P"]:
        """The id with which each phrase goes on (it begins where it hasn't), or -1 where it is met."""
        steps = np.arange(1, self.matched.shape[2] + 1)
        come = np.where(self.met, 0, (self.matched * steps).max(-1, initial=0))
        following = np.take_along_axis(self.phrases[self.sentences], come[..., None], -1)[..., 0]
        return np.where(self.met, _NOTHING, following)

    def after(self, rows: Int[Ids, " N"], ids: Int[Ids, " N"]) -> Progress:
        """The progress of the chosen rows when these ids follow."""
        before = self.select(rows)
        begun = np.concatenate([np.ones_like(before.matched[..., :1]), before.matched[..., :-1]], -1)
        matched = begun & (self.phrases[before.sentences] == ids[:, None, None])
        last = np.maximum(self.lengths[before.sentences] - 1, 0)
        met = before.met | np.take_along_axis(matched, last[..., None], -1)[..., 0]
        return replace(before, matched=matched, met=met)

    def select(self, rows: Int[Ids, " N"]) -> Progress:
        """That of the chosen rows."""
        return replace(self, sentences=self.sentences[rows], matched=self.matched[rows], met=self.met[rows])


def allocate(log_probs: Float[Array, "B X"], num_met: Int[Ids, "B X"]) -> Int[Ids, "B X"]:
    """The order in which candidates get a place: the best of each bank, then the second best of each, and so on.

    A bank are those with equally much met; the one with most comes first in each round. Where all are in one bank, as
    they are without phrases, this is the order of log_probs. What is impossible comes last.
    """
    order = (-log_probs).argsort(1, kind="stable")
    order = np.take_along_axis(order, (-np.take_along_axis(num_met, order, 1)).argsort(1, kind="stable"), 1)
    banks = np.take_along_axis(num_met, order, 1)
    places = np.broadcast_to(np.arange(order.shape[1]), order.shape)
    begins = np.ones_like(banks, dtype=np.bool_)
    begins[:, 1:] = banks[:, 1:] != banks[:, :-1]
    rounds = places - np.maximum.accumulate(places * begins, 1)
    rounds = np.where(np.take_along_axis(log_probs, order, 1) == IMPOSSIBLE, order.shape[1], rounds)
    return np.take_along_axis(order, rounds.argsort(1, kind="stable"), 1)


def _check(phrase: tuple[int, ...], limit: int, eos: int, where: str) -> None:
    if not phrase:
        raise ConfigError("a phrase without tokens can't be asked for", where=where, fix="take it out")
    if eos in phrase:
        raise ConfigError("a phrase can't contain the end of the output", where=where, fix="take EOS out of it")
    if len(phrase) + 1 > limit:
        raise ConfigError(
            f"a phrase of {len(phrase)} tokens and the end don't fit into an output of at most {limit}",
            where=where,
            fix="allow longer outputs, or ask for a shorter phrase",
        )
