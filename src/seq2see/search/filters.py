"""What may not come: filters between a model's scores and the choice of the next id.

A filter knows no model and no search. It sees all rows at once, and all it does is to put -inf where a token may not
come: what is left keeps the model's own log-probability, never renormalised. Filters are applied one after the other,
so that together they rule out what any of them rules out.

Letters: B sentences as they were given, R rows, V tokens of the vocabulary, t ids emitted so far, K ids to rule out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from seq2see.errors import ConfigError
from seq2see.search.contract import IMPOSSIBLE, Array, Ids, Mask

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

Filter: TypeAlias = Callable[[Array, Ids, Ids], Array]
"""(log_probs [R V], emitted [R t], sentences [R]) -> the log_probs with -inf where a token may not come.

`emitted` are the ids that the search has put out (no BOS, no prompt), none of them EOS; `sentences` say which sentence
each row belongs to, as they were given to the search, 0..B-1. A filter may write into the log_probs. Where nothing is
left in a row, its hypothesis ends: in a beam it dies, elsewhere it is given back unfinished.
"""


def restrict(
    filters: Iterable[Filter],
    log_probs: Float[Array, "R V"],
    emitted: Int[Ids, "R t"],
    sentences: Int[Ids, " R"],
) -> Float[Array, "R V"]:
    """The log-probabilities to choose from, after all filters."""
    for each in filters:
        log_probs = each(log_probs, emitted, sentences)
    return log_probs


class Forbid:
    """These ids never come."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = np.array(ids, dtype=np.int64)

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Rule them out in all rows."""
        log_probs[:, self.ids] = IMPOSSIBLE
        return log_probs


class ForbidPhrases:
    """These sequences of ids never come: the last id of each is ruled out wherever the others stand before it."""

    def __init__(self, phrases: Sequence[Sequence[int]]) -> None:
        if not all(phrases):
            raise ConfigError("a phrase without tokens can't be forbidden", where="phrases", fix="take it out")
        by_length = groupby(sorted(phrases, key=len), key=len)
        self.phrases = [np.array(list(same), dtype=np.int64) for _, same in by_length]

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Compare the end of each row with the phrases of one length, length by length."""
        for phrases in self.phrases:
            before = phrases.shape[1] - 1
            if before > emitted.shape[1]:
                break
            ends = emitted[:, emitted.shape[1] - before :]
            here = (ends[:, None] == phrases[:, :-1]).all(-1)
            log_probs = _rule_out(log_probs, np.broadcast_to(phrases[:, -1], here.shape), here)
        return log_probs


class ForbidSpelt:
    """These texts never come, in whatever tokens: what they are spelt by is in tables, which know the texts.

    Of each text there are two tables [states V]: the state of a row after each token, and whether the text then stands
    there. A row begins in state 0. Its state depends on its last ids alone, as many as there are states, since each
    spells at least one character, or ends what was begun.
    """

    def __init__(self, tables: Sequence[tuple[Int[Ids, "states V"], Bool[Mask, "states V"]]]) -> None:
        self.tables = tables

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Follow each row's last ids through each table."""
        for following, stands in self.tables:
            states = np.zeros(len(emitted), np.int64)
            for ids in emitted[:, -len(following) :].T:
                states = following[states, ids]
            log_probs[stands[states]] = IMPOSSIBLE
        return log_probs


class AfterPrompt:
    """A filter to which what stands in the prompts [B P] has been emitted too."""

    def __init__(self, inner: Filter, prompts: Int[Ids, "B P"]) -> None:
        self.inner = inner
        self.prompts = prompts

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """As the inner filter."""
        if self.prompts.shape[1]:
            emitted = np.concatenate([self.prompts[sentences], emitted], 1)
        return self.inner(log_probs, emitted, sentences)


class NoRepeat:
    """No `size` ids in a row come twice in a hypothesis (Paulus et al. 2018, section 2.5)."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ConfigError(
                f"{size} ids in a row can't be kept from coming twice", where="no_repeat", fix="give 1 or more"
            )
        self.size = size

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Wherever a row's last ids stood before, rule out the id that followed them."""
        if emitted.shape[1] < self.size:
            return log_probs
        seen = np.lib.stride_tricks.sliding_window_view(emitted, self.size, axis=1)
        last = emitted[:, emitted.shape[1] - self.size + 1 :]
        return _rule_out(log_probs, seen[..., -1], (seen[..., :-1] == last[:, None]).all(-1))


class MinLength:
    """No EOS before each sentence has `lengths` [B] ids, EOS counted."""

    def __init__(self, lengths: Int[Ids, " B"], eos: int) -> None:
        self.lengths = lengths
        self.eos = eos

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Rule out EOS in the rows that are too short still."""
        log_probs[self.lengths[sentences] > emitted.shape[1] + 1, self.eos] = IMPOSSIBLE
        return log_probs


class ForcePrefix:
    """Each sentence begins with the first `lengths` [B] ids of its row of `prefixes` [B P], and goes on freely.

    Unlike a prompt, which is read before the search, the prefix is part of the hypothesis: of its ids, its log_prob
    and its weights. What pads the prefixes doesn't matter.
    """

    def __init__(self, prefixes: Int[Ids, "B P"], lengths: Int[Ids, " B"]) -> None:
        self.prefixes = prefixes
        self.lengths = lengths

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Rule out everything but the next id of the prefix, EOS too, in the rows that are inside it."""
        position = emitted.shape[1]
        if position >= self.prefixes.shape[1]:
            return log_probs
        inside = (self.lengths[sentences] > position).nonzero()[0]
        forced = self.prefixes[sentences[inside], position]
        kept = log_probs[inside, forced]
        log_probs[inside] = IMPOSSIBLE
        log_probs[inside, forced] = kept
        return log_probs


def _rule_out(log_probs: Float[Array, "R V"], ids: Int[Ids, "R K"], where: Bool[Mask, "R K"]) -> Float[Array, "R V"]:
    """-inf at those of the ids that `where` marks."""
    rows, places = where.nonzero()
    log_probs[rows, ids[rows, places]] = IMPOSSIBLE
    return log_probs
