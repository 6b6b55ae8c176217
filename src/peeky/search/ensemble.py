"""Several models as one: a step whose next-token distribution is the mean of theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from peeky.search.contract import State, Step


@dataclass(frozen=True)
class States:
    """The states of the members of an ensemble, in their order."""

    members: tuple[State, ...]

    def select(self, rows: Int[Tensor, " N"], sentences: Int[Tensor, " M"] | None = None) -> States:
        """The same rows of every member."""
        return States(tuple(member.select(rows, sentences) for member in self.members))


def ensemble(steps: Sequence[Step[Any]]) -> Step[States]:
    """The step that takes the arithmetic mean of the members' probabilities.

    The members read the same ids: they share a vocabulary. The weights are those of the first member that has any.
    """
    assert steps, "an ensemble has members"

    def step(ids: Tensor, states: States) -> tuple[Tensor, States, Tensor | None]:
        told = [member(ids, state) for member, state in zip(steps, states.members, strict=True)]
        total = reduce(torch.logaddexp, (log_probs for log_probs, _, _ in told))
        looked = next((weights for _, _, weights in told if weights is not None), None)
        return total - math.log(len(told)), States(tuple(state for _, state, _ in told)), looked

    return step
