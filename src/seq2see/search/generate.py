"""One hypothesis a row: the best token at each position, or one drawn at random.

A row leaves the computation as soon as it has ended, and no row's result depends on which other rows are there.
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
"""(log_probs [R V], row_numbers [R], position) -> the next ids [R]; of a row of -inf, where nothing can, any id."""


def greedy(log_probs: Float[Array, "R V"], row_numbers: Int[Ids, " R"], position: int) -> Int[Ids, " R"]:
    """The most probable id of each row, the lowest among equals."""
    return np.asarray(log_probs.argmax(-1))


class _Step(NamedTuple):
    """What one step added to the rows that were still going."""

    rows: Int[Ids, " R"]
    ids: Int[Ids, " R"]
    log_probs: Float[Array, " R"]
    possible: Bool[Mask, " R"]
    """False where filters left nothing: no id was emitted."""
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
) -> list[Hypothesis]:
    """One hypothesis for each row of `state`, or `count` of them side by side, in the order of the rows.

    `first` is what each row reads first: BOS, or the last id [B] of a prompt that `state` has already seen.
    `max_lengths` (at least 1, EOS counted) is each row's hard maximum. `choose` is shown -inf where a filter has ruled
    an id out; a row in which nothing is left stops there, unfinished.

    `row_numbers` name the rows to a `Sampler` across batches; without them they count from 0. Draw d of row n goes by
    the number n + d · 2**40. So the first of several draws is the one that is drawn alone, and asking for more changes
    none of those before.
    """
    assert bool((max_lengths >= 1).all()), "every row has to be allowed one id"
    live = np.arange(count * len(max_lengths))
    sentences, draws = live // count, live % count
    numbers = (sentences if row_numbers is None else row_numbers[sentences]) + draws * NEXT_DRAW
    limits = max_lengths[sentences]
    ids = np.full_like(live, first) if isinstance(first, int) else first[sentences]
    if count > 1 and len(live):
        state = state.select(sentences, sentences)
    so_far = Emitted.none(len(live))
    rows = np.arange(len(live))
    steps: list[_Step] = []
    while len(live):
        log_probs, state, weights = step(ids, state)
        log_probs = restrict(filters, log_probs, so_far.ids, sentences)
        ids = choose(log_probs, numbers, len(steps))
        chosen = log_probs[rows, ids]
        possible = chosen != IMPOSSIBLE
        steps.append(_Step(live, ids, chosen, possible, weights))
        so_far = so_far.followed_by(ids)
        going = (possible & (ids != eos) & (limits > len(steps))).nonzero()[0]
        if len(going) < len(live):
            live, ids, numbers, sentences, limits = (each[going] for each in (live, ids, numbers, sentences, limits))
            so_far, rows = so_far.select(going), rows[: len(going)]
            if len(going):
                state = state.select(going, going)
    return _assemble(steps, eos, count * len(max_lengths))


def _assemble(steps: list[_Step], eos: int, num: int) -> list[Hypothesis]:
    """The steps' rows, sorted into one hypothesis a row."""
    if not steps:
        return []
    possible = np.concatenate([step.possible for step in steps])
    rows = np.concatenate([step.rows for step in steps])[possible]
    order = rows.argsort(kind="stable")  # Stable: a row's ids stay in the order in which they were emitted.
    ends = np.bincount(rows, minlength=num).cumsum()

    def by_row(parts: list[Array] | list[Ids]) -> list[np.ndarray]:
        return np.split(np.concatenate(parts)[possible][order], ends[:-1])

    ids = [row.tolist() for row in by_row([step.ids for step in steps])]
    log_probs = [row.astype(np.float64) for row in by_row([step.log_probs for step in steps])]
    looked = [step.weights for step in steps if step.weights is not None]
    weights: Sequence[Array | None] = by_row(looked) if looked else [None] * len(ids)
    return [
        Hypothesis(row, float(each.sum()), float(each.sum()), row[-1:] == [eos], where, tuple(each.tolist()))
        for row, each, where in zip(ids, log_probs, weights, strict=True)
    ]
