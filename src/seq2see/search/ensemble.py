"""Ensembles: a step whose next-token distribution is the mean of several models'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2see.search.contract import Array, Ids, State, Step

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class States:
    """The states of an ensemble's members, in their order."""

    members: tuple[State, ...]

    def select(self, rows: Int[Ids, " N"], sentences: Int[Ids, " M"] | None = None) -> States:
        """The selected rows of every member."""
        return States(tuple(member.select(rows, sentences) for member in self.members))


def ensemble(steps: Sequence[Step[Any]]) -> Step[States]:
    """The step that returns the arithmetic mean of the members' probabilities.

    The members share a vocabulary. The attention weights are those of the first member that has any.
    """
    assert steps, "an ensemble needs at least one member"

    def step(ids: Ids, states: States) -> tuple[Array, States, Array | None]:
        results = [member(ids, state) for member, state in zip(steps, states.members, strict=True)]
        attention = next((weights for _, _, weights in results if weights is not None), None)
        mean = log_mean([log_probs for log_probs, _, _ in results])
        return mean, States(tuple(state for _, state, _ in results)), attention

    return step


def log_mean(log_probs: Sequence[Float[Array, "*shape"]]) -> Float[Array, "*shape"]:
    """The logarithm of the mean of several probabilities."""
    highest = np.maximum(reduce(np.maximum, log_probs), np.finfo(log_probs[0].dtype).min)  # finite, for the subtraction
    total = sum(np.exp(each - highest) for each in log_probs)
    with np.errstate(divide="ignore"):  # a mean of 0
        return np.asarray(np.minimum(highest + np.log(total / len(log_probs)), 0))
