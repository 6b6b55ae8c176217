"""The most probable tokens at each place of what a search found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from seq2see.search import Hypothesis, State, Step
from seq2see.search.contract import Choice


def with_choices(
    found: Sequence[Sequence[Hypothesis]],
    step: Step[Any],
    start: State,
    first: int | np.ndarray,
    number: int,
    hidden: Collection[int],
) -> list[list[Hypothesis]]:
    """The hypotheses of each sentence with their `choices`, for which the model reads each once more.

    `start` [B] is the state before the first id, which `first` [B] precedes; it is not consumed. The ids that are
    `hidden` are never among the `number` most probable.
    """
    sentences = np.array([row for row, own in enumerate(found) for _ in own], dtype=np.int64)
    flat = [each for own in found for each in own]
    lengths = np.array([len(each.ids) for each in flat], dtype=np.int64)
    ids = np.zeros((len(flat), int(lengths.max(initial=0))), np.int64)
    for row, each in enumerate(flat):
        ids[row, : len(each.ids)] = each.ids
    choices: list[list[tuple[Choice, ...]]] = [[] for _ in flat]
    state = start.select(sentences, sentences)
    before = np.full_like(sentences, first) if isinstance(first, int) else first[sentences]
    for position, given in enumerate(ids.T):
        log_probs, state, _ = step(before, state)
        log_probs[:, list(hidden)] = -np.inf
        for row in (lengths > position).nonzero()[0].tolist():
            choices[row].append(most_probable(log_probs[row], number))
        before = given
    complete = (each._replace(choices=tuple(own)) for each, own in zip(flat, choices, strict=True))
    return [[next(complete) for _ in own] for own in found]


def most_probable(log_probs: np.ndarray, number: int) -> tuple[Choice, ...]:
    """The ids of the largest log-probabilities [V], the smaller id first among equals; none that is impossible."""
    best = (-log_probs).argsort(kind="stable")[:number]
    return tuple((int(each), float(log_probs[each])) for each in best if log_probs[each] > -np.inf)
