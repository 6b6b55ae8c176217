"""Greedy search and sampling: one hypothesis per row.

A row is removed from the batch as soon as it has ended, and its result is independent of the other rows.

Letters: B rows of the initial state, R rows still live, V tokens of the vocabulary, S source positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from seq2see.search.contract import IMPOSSIBLE, Array, Hypothesis, Ids, Mask, S, Step
from seq2see.search.emitted import Emitted
from seq2see.search.filters import Filter, restrict
from seq2see.search.sampling import NEXT_DRAW

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

Choose: TypeAlias = Callable[[Array, Ids, int], Ids]
"""(log_probs [R V], row_numbers [R], position) -> the next ids [R]; any id for a row of -inf."""


def greedy(log_probs: Float[Array, "R V"], row_numbers: Int[Ids, " R"], position: int) -> Int[Ids, " R"]:
    """The most probable id of each row, ties by lower id."""
    return np.asarray(log_probs.argmax(-1))


class _Step(NamedTuple):
    """The result of one step for the live rows."""

    rows: Int[Ids, " R"]
    ids: Int[Ids, " R"]
    log_probs: Float[Array, " R"]
    possible: Bool[Mask, " R"]
    """False if filters left no token: no id was emitted."""
    weights: Float[Array, "R S"] | None


def generate(
    step: Step[S],
    state: S,
    *,
    first: int | Ids,
    eos: int,
    max_lengths: Int[Ids, " B"],
    choose: Choose = greedy,
    filters: Sequence[Filter] = (),
    row_numbers: Int[Ids, " B"] | None = None,
    count: int = 1,
    first_draw: int = 0,
) -> list[Hypothesis]:
    """One hypothesis per row of `state`, or `count` adjacent ones, in the order of the rows.

    `first` is each row's first input: BOS, or the last id [B] of a prompt that `state` has already read. `max_lengths`
    (at least 1, including EOS) is the hard maximum of each row. Ids ruled out by a filter are -inf for `choose`; a row
    with no id left stops there, unfinished.

    `row_numbers` identify the rows to a `Sampler` across batches (default: 0, 1, …). Draw d of row n has the number
    n + d · 2**40, so the first of several draws is the same as a single one, and more draws change none of the others.
    `first_draw` is the d of the first of them.
    """
    assert bool((max_lengths >= 1).all()), "every maximum length must be at least 1"
    live = np.arange(count * len(max_lengths))  # [R], at first R = B · count
    sentences, draws = live // count, live % count  # [R], [R]
    numbers = (sentences if row_numbers is None else row_numbers[sentences]) + (draws + first_draw) * NEXT_DRAW
    limits = max_lengths[sentences]
    ids = np.full_like(live, first) if isinstance(first, int) else first[sentences]
    if count > 1 and len(live):
        state = state.select(sentences, sentences)
    so_far = Emitted.none(len(live))
    rows = np.arange(len(live))
    steps: list[_Step] = []
    while len(live):
        log_probs, state, weights = step(ids, state)  # [R V], _, [R S]
        log_probs = restrict(filters, log_probs, so_far.ids, sentences)
        ids = choose(log_probs, numbers, len(steps))  # [R]
        chosen = log_probs[rows, ids]  # [R]
        possible = chosen != IMPOSSIBLE
        steps.append(_Step(live, ids, chosen, possible, weights))
        so_far = so_far.followed_by(ids)
        going = (possible & (ids != eos) & (limits > len(steps))).nonzero()[0]  # [R_next]
        if len(going) < len(live):
            live, ids, numbers, sentences, limits = (each[going] for each in (live, ids, numbers, sentences, limits))
            so_far, rows = so_far.select(going), rows[: len(going)]
            if len(going):
                state = state.select(going, going)
    return _assemble(steps, eos, count * len(max_lengths))


def _assemble(steps: list[_Step], eos: int, num: int) -> list[Hypothesis]:
    """The steps' results as one hypothesis per row."""
    if not steps:
        return []
    possible = np.concatenate([step.possible for step in steps])
    rows = np.concatenate([step.rows for step in steps])[possible]
    order = rows.argsort(kind="stable")  # stable: keeps each row's ids in order
    ends = np.bincount(rows, minlength=num).cumsum()

    def by_row(parts: list[Array] | list[Ids]) -> list[np.ndarray]:
        return np.split(np.concatenate(parts)[possible][order], ends[:-1])

    ids = [row.tolist() for row in by_row([step.ids for step in steps])]
    log_probs = [row.astype(np.float64) for row in by_row([step.log_probs for step in steps])]
    step_weights = [step.weights for step in steps if step.weights is not None]
    weights: Sequence[Array | None] = by_row(step_weights) if step_weights else [None] * len(ids)
    return [
        Hypothesis(row, total := float(each.sum()), total, row[-1:] == [eos], row_weights, tuple(each.tolist()))
        for row, each, row_weights in zip(ids, log_probs, weights, strict=True)
    ]
