"""One hypothesis a row: the best token at each position, or one drawn at random.

A row leaves the computation as soon as it has ended, and no row's result depends on which other rows are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peeky.search.contract import IMPOSSIBLE, Hypothesis, S, Step
from peeky.search.filters import Filter, Forbid, restrict
from peeky.search.sampling import NEXT_DRAW

Choose: TypeAlias = Callable[[Tensor, Tensor, int], Tensor]
"""(log_probs [R V], row_numbers [R], position) -> the next ids [R]; of a row of -inf, where nothing can, any id."""


def greedy(log_probs: Float[Tensor, "R V"], row_numbers: Int[Tensor, " R"], position: int) -> Int[Tensor, " R"]:
    """The most probable id of each row, the lowest among equals."""
    return log_probs.argmax(-1)


class _Emitted(NamedTuple):
    """What one step added to the rows that were still going."""

    rows: Int[Tensor, " R"]
    ids: Int[Tensor, " R"]
    log_probs: Float[Tensor, " R"]
    possible: Bool[Tensor, " R"]
    """False where filters left nothing: no id was emitted."""
    weights: Float[Tensor, "R S"] | None


@torch.no_grad()
def generate(
    step: Step[S],
    state: S,
    *,
    first: int | Tensor,
    eos: int,
    max_lengths: Int[Tensor, " B"],
    choose: Choose = greedy,
    filters: Sequence[Filter] = (),
    forbidden: Sequence[int] = (),
    row_numbers: Int[Tensor, " B"] | None = None,
    count: int = 1,
) -> list[Hypothesis]:
    """One hypothesis for each row of `state`, or `count` of them side by side, in the order of the rows.

    `first` is what each row reads first: BOS, or the last id [B] of a prompt that `state` has already seen.
    `max_lengths` (at least 1, EOS counted) is each row's hard maximum; its device is the search's. `choose` is shown
    -inf where a filter has ruled an id out, or where it is `forbidden`; a row in which nothing is left stops there,
    unfinished.

    `row_numbers` name the rows to a `Sampler` across batches; without them they count from 0. Draw d of row n goes by
    the number n + d · 2**40. So the first of several draws is the one that is drawn alone, and asking for more changes
    none of those before.
    """
    assert bool((max_lengths >= 1).all()), "every row has to be allowed one id"
    live = torch.arange(count * len(max_lengths), device=max_lengths.device)
    sentences, draws = live // count, live % count
    numbers = (sentences if row_numbers is None else row_numbers.to(live.device)[sentences]) + draws * NEXT_DRAW
    limits = max_lengths[sentences]
    ids = torch.full_like(live, first) if isinstance(first, int) else first[sentences]
    if count > 1 and len(live):
        state = state.select(sentences, sentences)
    filters = [Forbid(forbidden), *filters] if forbidden else filters
    so_far = live.new_empty(len(live), 0)
    emitted: list[_Emitted] = []
    while len(live):
        log_probs, state, weights = step(ids, state)
        log_probs = restrict(filters, log_probs, so_far, sentences)
        ids = choose(log_probs, numbers, len(emitted))
        chosen = log_probs.gather(-1, ids[:, None]).squeeze(-1)
        possible = chosen != IMPOSSIBLE
        emitted.append(_Emitted(live, ids, chosen, possible, weights))
        so_far = torch.cat([so_far, ids[:, None]], 1)
        # The one place where the host waits for the device: how many rows go on?
        going = (possible & (ids != eos) & (limits > len(emitted))).nonzero().squeeze(-1)
        if len(going) < len(live):
            live, ids, numbers, sentences, limits, so_far = (
                rows[going] for rows in (live, ids, numbers, sentences, limits, so_far)
            )
            if len(going):
                state = state.select(going, going)
    return _assemble(emitted, eos, count * len(max_lengths))


def _assemble(emitted: list[_Emitted], eos: int, num: int) -> list[Hypothesis]:
    """The steps' rows, sorted into one hypothesis a row."""
    if not emitted:
        return []
    possible = torch.cat([step.possible for step in emitted]).cpu()
    rows = torch.cat([step.rows for step in emitted]).cpu()[possible]
    order = rows.argsort(stable=True)  # Stable: a row's ids stay in the order in which they were emitted.
    lengths: list[int] = rows.bincount(minlength=num).tolist()

    def by_row(parts: list[Tensor]) -> tuple[Tensor, ...]:
        return torch.split(torch.cat(parts).cpu()[possible][order], lengths)

    ids = [row.tolist() for row in by_row([step.ids for step in emitted])]
    log_probs = [row.double().sum().item() for row in by_row([step.log_probs for step in emitted])]
    looked = [step.weights.float() for step in emitted if step.weights is not None]
    weights: Sequence[Tensor | None] = by_row(looked) if looked else [None] * len(ids)
    return [
        Hypothesis(row, log_prob, log_prob, row[-1:] == [eos], where)
        for row, log_prob, where in zip(ids, log_probs, weights, strict=True)
    ]
