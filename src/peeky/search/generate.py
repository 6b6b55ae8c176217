"""One hypothesis a row: the best token at each position, or one drawn at random.

A row leaves the computation as soon as it has ended, and no row's result depends on which other rows are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from peeky.errors import ConfigError
from peeky.search.contract import Hypothesis, S, Step, without

Choose: TypeAlias = Callable[[Tensor, Tensor, int], Tensor]
"""(log_probs [R V], row_numbers [R], position) -> the next ids [R]."""


def greedy(log_probs: Float[Tensor, "R V"], row_numbers: Int[Tensor, " R"], position: int) -> Int[Tensor, " R"]:
    """The most probable id of each row, the lowest among equals."""
    return log_probs.argmax(-1)


class Sampler:
    """Draws each id from the distribution sharpened by the temperature: softmax(log_probs / temperature).

    What is drawn is a function of (seed, number of the row, position): the same in any batch and any order of rows.
    """

    def __init__(self, temperature: float = 1.0, seed: int = 0) -> None:
        if not 0 < temperature < float("inf"):
            raise ConfigError(
                f"a temperature of {temperature} is no temperature",
                where="temperature",
                fix="use a number above 0; near 0 is almost greedy, 1 samples from the model as it is",
            )
        if not 0 <= seed < 2**64:
            raise ConfigError(f"a seed of {seed} is out of range", where="seed", fix="use a whole number from 0 on")
        self.temperature = temperature
        self.seed = seed

    def __call__(
        self, log_probs: Float[Tensor, "R V"], row_numbers: Int[Tensor, " R"], position: int
    ) -> Int[Tensor, " R"]:
        """Invert each row's cumulative distribution at the row's uniform number."""
        device = log_probs.device
        if device.type == "mps":
            log_probs = log_probs.cpu()  # MPS has no float64.
        # The best goes to 0 before the division, so that no temperature makes all of them -inf.
        sharpened = (log_probs - log_probs.amax(-1, keepdim=True)).double() / self.temperature
        cumulative = sharpened.softmax(-1).cumsum(-1)
        uniform = [_uniform(self.seed, number, position) for number in row_numbers.tolist()]
        # A uniform number is at most 1 - 2**-53 and the total is 1 but for rounding, so their product stays below the
        # total, and the first id whose cumulative probability lies above it has a probability above 0.
        reached = cumulative.new_tensor(uniform)[:, None] * cumulative[:, -1:]
        return torch.searchsorted(cumulative, reached, right=True).squeeze(-1).to(device)


_BLOCK = 64  # Positions drawn at once; a multiple of the 4 numbers that Philox makes of each value of its counter.


@lru_cache(maxsize=1 << 14)
def _uniform_block(seed: int, row_number: int, block: int) -> NDArray[np.float64]:
    """The numbers of positions 64·block … 64·block + 63: Philox (Salmon et al. 2011) keyed by seed and row."""
    generator = np.random.Philox(key=np.array([seed, row_number], dtype=np.uint64), counter=block * _BLOCK // 4)
    return np.random.Generator(generator).random(_BLOCK)


def _uniform(seed: int, row_number: int, position: int) -> float:
    """One number in [0, 1) for each seed, row and position."""
    return float(_uniform_block(seed, row_number, position // _BLOCK)[position % _BLOCK])


class _Emitted(NamedTuple):
    """What one step added to the rows that were still going."""

    rows: Int[Tensor, " R"]
    ids: Int[Tensor, " R"]
    log_probs: Float[Tensor, " R"]
    weights: Float[Tensor, "R S"] | None


@torch.no_grad()
def generate(
    step: Step[S],
    state: S,
    *,
    first: int | Tensor,
    eos: int,
    max_lengths: Int[Tensor, " R"],
    choose: Choose = greedy,
    forbidden: Sequence[int] = (),
    row_numbers: Int[Tensor, " R"] | None = None,
) -> list[Hypothesis]:
    """One hypothesis for each row of `state`, in the order of the rows.

    `first` is what each row reads first: BOS, or the last id [R] of a prompt that `state` has already seen.
    `max_lengths` (at least 1, EOS counted) is each row's hard maximum; its device is the search's. `choose` is shown
    -inf at `forbidden` ids. `row_numbers` name the rows to a `Sampler` across batches; without them they count from 0.
    """
    assert bool((max_lengths >= 1).all()), "every row has to be allowed one id"
    live = torch.arange(len(max_lengths), device=max_lengths.device)
    numbers = live if row_numbers is None else row_numbers.to(live.device)
    banned = live.new_tensor(forbidden)
    ids = torch.full_like(live, first) if isinstance(first, int) else first
    emitted: list[_Emitted] = []
    while len(live):
        log_probs, state, weights = step(ids, state)
        ids = choose(without(log_probs, banned), numbers, len(emitted))
        emitted.append(_Emitted(live, ids, log_probs.gather(-1, ids[:, None]).squeeze(-1), weights))
        # The one place where the host waits for the device: how many rows go on?
        going = ((ids != eos) & (len(emitted) < max_lengths[live])).nonzero().squeeze(-1)
        if len(going) < len(live):
            live, ids, numbers = live[going], ids[going], numbers[going]
            if len(going):
                state = state.select(going, going)
    return _assemble(emitted, eos)


def _assemble(emitted: list[_Emitted], eos: int) -> list[Hypothesis]:
    """The steps' rows, sorted into one hypothesis a row."""
    if not emitted:
        return []
    rows = torch.cat([step.rows for step in emitted]).cpu()
    order = rows.argsort(stable=True)  # Stable: a row's ids stay in the order in which they were emitted.
    lengths: list[int] = rows.bincount().tolist()

    def by_row(parts: list[Tensor]) -> tuple[Tensor, ...]:
        return torch.split(torch.cat(parts).cpu()[order], lengths)

    ids = [row.tolist() for row in by_row([step.ids for step in emitted])]
    log_probs = [row.double().sum().item() for row in by_row([step.log_probs for step in emitted])]
    looked = [step.weights.float() for step in emitted if step.weights is not None]
    weights: Sequence[Tensor | None] = by_row(looked) if looked else [None] * len(ids)
    return [
        Hypothesis(row, log_prob, row[-1] == eos, where)
        for row, log_prob, where in zip(ids, log_probs, weights, strict=True)
    ]
