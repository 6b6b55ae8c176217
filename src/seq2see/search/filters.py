"""Filters between a model's log-probabilities and the choice of the next id, which rule tokens out.

A filter is independent of model and search. It sees all rows at once, and sets log-probabilities to -inf; the others
are not renormalized. Filters are applied in sequence, so a token is ruled out if any of them rules it out.

Letters: B sentences in their original order, R rows, V tokens of the vocabulary, t ids emitted so far, K ids to rule
out.
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
"""(log_probs [R V], emitted [R t], sentences [R]) -> the log_probs with -inf for tokens that are ruled out.

`emitted` are the ids generated so far (no BOS, no prompt), none of them EOS; `sentences` is the original index of each
row's sentence, 0..B-1. A filter may overwrite the log_probs. If no token is left in a row its hypothesis ends: beam
search drops it, `generate` returns it unfinished.
"""


def restrict(
    filters: Iterable[Filter],
    log_probs: Float[Array, "R V"],
    emitted: Int[Ids, "R t"],
    sentences: Int[Ids, " R"],
) -> Float[Array, "R V"]:
    """The log-probabilities after all filters."""
    for each in filters:
        log_probs = each(log_probs, emitted, sentences)
    return log_probs


class Forbid:
    """Rules out these ids everywhere."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = np.array(ids, dtype=np.int64)

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Rule the ids out in all rows."""
        log_probs[:, self.ids] = IMPOSSIBLE
        return log_probs


class ForbidPhrases:
    """Rules out these sequences of ids: the last id of each, wherever the others precede it.

    `applies` [B P] are the phrases that are forbidden in each sentence; without it all are, everywhere.
    """

    def __init__(self, phrases: Sequence[Sequence[int]], applies: Bool[Mask, "B P"] | None = None) -> None:
        if not all(phrases):
            raise ConfigError("a forbidden phrase has no tokens", where="phrases", fix="remove it")
        order = sorted(range(len(phrases)), key=lambda number: len(phrases[number]))
        by_length = [list(same) for _, same in groupby(order, key=lambda number: len(phrases[number]))]
        self.phrases = [np.array([phrases[number] for number in same], dtype=np.int64) for same in by_length]
        self.applies = [None if applies is None else applies[:, same] for same in by_length]

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Compare the end of each row with the phrases, one length at a time."""
        for phrases, applies in zip(self.phrases, self.applies, strict=True):
            before = phrases.shape[1] - 1
            if before > emitted.shape[1]:
                break
            ends = emitted[:, emitted.shape[1] - before :]
            matches = (ends[:, None] == phrases[:, :-1]).all(-1)
            if applies is not None:
                matches &= applies[sentences]
            log_probs = _rule_out(log_probs, np.broadcast_to(phrases[:, -1], matches.shape), matches)
        return log_probs


class ForbidSpelled:
    """Rules out these texts in any tokenization, by a finite automaton per text.

    An automaton is two tables [states V]: the next state after each token, and whether the token completes the text. A
    row starts in state 0. Its state depends only on its last ids, at most as many as there are states, since each id
    adds at least one character or resets the match. `applies` [B P] are the texts that are forbidden in each sentence;
    without it all are, everywhere.
    """

    def __init__(
        self,
        tables: Sequence[tuple[Int[Ids, "states V"], Bool[Mask, "states V"]]],
        applies: Bool[Mask, "B P"] | None = None,
    ) -> None:
        self.tables = tables
        self.applies = applies

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Run each automaton over the last ids of each row."""
        for number, (next_states, completes) in enumerate(self.tables):
            rows: slice | Int[Ids, " N"] = slice(None)
            if self.applies is not None:
                rows = self.applies[sentences, number].nonzero()[0]
            own = emitted[rows, -len(next_states) :]
            states = np.zeros(len(own), np.int64)
            for ids in own.T:
                states = next_states[states, ids]
            log_probs[rows] = np.where(completes[states], IMPOSSIBLE, log_probs[rows])
        return log_probs


class AfterPrompt:
    """Applies a filter as if the prompts [B P] had been emitted too."""

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


class Steps:
    """A transducer moves along its source: EOS only after `numbers` [B] STEPs, no STEP after these."""

    def __init__(self, numbers: Int[Ids, " B"], step: int, eos: int) -> None:
        self.numbers = numbers
        self.step = step
        self.eos = eos

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Rule out EOS in the rows that still have to move on, and STEP in the others."""
        at_end = (emitted == self.step).sum(1) >= self.numbers[sentences]
        log_probs[at_end, self.step] = IMPOSSIBLE
        log_probs[~at_end, self.eos] = IMPOSSIBLE
        return log_probs


class WithoutSteps:
    """Applies a filter as if a transducer's STEPs had not been emitted, and never rules out STEP."""

    def __init__(self, inner: Filter, step: int) -> None:
        self.inner = inner
        self.step = step

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """As the inner filter, on the rows with the same number of other ids at a time."""
        is_written = emitted != self.step
        lengths = is_written.sum(1)
        of_step = log_probs[:, self.step].copy()
        for length in set(lengths.tolist()):  # np.unique imports numpy.ma, which takes longer than an answer
            rows = (lengths == length).nonzero()[0]
            written = emitted[rows][is_written[rows]].reshape(len(rows), length)
            log_probs[rows] = self.inner(log_probs[rows], written, sentences[rows])
        log_probs[:, self.step] = of_step
        return log_probs


class NoRepeat:
    """No n-gram of `size` ids occurs twice in a hypothesis (Paulus et al. 2018, section 2.5)."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ConfigError(f"must be at least 1, not {size}", where="no_repeat", fix="set it to 1 or more")
        self.size = size

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Wherever a row's last ids occurred before, rule out the id that followed them."""
        if emitted.shape[1] < self.size:
            return log_probs
        ngrams = np.lib.stride_tricks.sliding_window_view(emitted, self.size, axis=1)
        last = emitted[:, emitted.shape[1] - self.size + 1 :]
        return _rule_out(log_probs, ngrams[..., -1], (ngrams[..., :-1] == last[:, None]).all(-1))


class MinLength:
    """No EOS before each sentence has `lengths` [B] ids, including EOS."""

    def __init__(self, lengths: Int[Ids, " B"], eos: int) -> None:
        self.lengths = lengths
        self.eos = eos

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Rule out EOS in the rows that are still too short."""
        log_probs[self.lengths[sentences] > emitted.shape[1] + 1, self.eos] = IMPOSSIBLE
        return log_probs


class MaxLength:
    """Nothing but EOS once a sentence has `lengths` [B] - 1 ids."""

    def __init__(self, lengths: Int[Ids, " B"], eos: int) -> None:
        self.lengths = lengths
        self.eos = eos

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Rule out all other ids in the rows that are long enough."""
        full = (self.lengths[sentences] <= emitted.shape[1] + 1).nonzero()[0]
        return _rule_out_others(log_probs, full, self.eos)


class ForcePrefix:
    """Each sentence begins with the first `lengths` [B] ids of its row of `prefixes` [B P], and continues freely.

    Unlike a prompt, which is read before the search, the prefix is part of the hypothesis: of its ids, log_prob and
    weights. The padding of `prefixes` is ignored.
    """

    def __init__(self, prefixes: Int[Ids, "B P"], lengths: Int[Ids, " B"]) -> None:
        self.prefixes = prefixes
        self.lengths = lengths

    def __call__(
        self, log_probs: Float[Array, "R V"], emitted: Int[Ids, "R t"], sentences: Int[Ids, " R"]
    ) -> Float[Array, "R V"]:
        """Rule out all ids except the next one of the prefix, in the rows still inside it."""
        position = emitted.shape[1]
        if position >= self.prefixes.shape[1]:
            return log_probs
        inside = (self.lengths[sentences] > position).nonzero()[0]
        forced = self.prefixes[sentences[inside], position]
        return _rule_out_others(log_probs, inside, forced)


def _rule_out_others(log_probs: Float[Array, "R V"], rows: Int[Ids, " N"], ids: int | Ids) -> Float[Array, "R V"]:
    """Set all but one id of these rows to -inf."""
    kept = log_probs[rows, ids]
    log_probs[rows] = IMPOSSIBLE
    log_probs[rows, ids] = kept
    return log_probs


def _rule_out(log_probs: Float[Array, "R V"], ids: Int[Ids, "R K"], where: Bool[Mask, "R K"]) -> Float[Array, "R V"]:
    """Set the ids marked by `where` to -inf."""
    rows, columns = where.nonzero()
    log_probs[rows, ids[rows, columns]] = IMPOSSIBLE
    return log_probs
