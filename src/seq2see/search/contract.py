"""What a search is given and what it gives back; everything it knows of a model is here.

Letters: R rows (hypotheses computed side by side), V tokens of the vocabulary, S source positions, T emitted ids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Ids: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

IMPOSSIBLE = float("-inf")
"""The log-probability of what can't be."""


class State(Protocol):
    """What a model keeps between two steps: a row a hypothesis, and what all hypotheses of a sentence share."""

    def select(self, rows: Int[Ids, " N"], sentences: Int[Ids, " M"] | None = None) -> Self:
        """The state of the chosen rows, in that order; a row may be chosen more than once.

        They belong to the chosen `sentences` (of those that were there; None: all of them), which come in their old
        order, each with its N / M rows side by side. A sentence chosen more than once is several from then on.
        """
        ...


S = TypeVar("S", bound=State)

Step: TypeAlias = Callable[[Ids, S], tuple[Array, S, Array | None]]
"""(ids [R], state) -> (log_probs [R V], state, weights [R S] or None).

The ids are the last of each row, BOS at first. `log_probs` are in nats and normalised: each row is the log of a
distribution, so none is above 0. They are the search's until the next step: filters write into them. `weights` say
where the row looked to emit the next id, and stay as they are. A state that has made a step is not used again, and so a
model may keep it in memory set aside once.
"""


class Hypothesis(NamedTuple):
    """A sequence of ids that a search came to, and what the model thinks of it."""

    ids: list[int]
    """Without BOS; the last is EOS if and only if `finished`. Empty where nothing at all was possible."""
    log_prob: float
    """The sum over all ids in nats, added up in float64. It is the model's own: ruling ids out doesn't change it."""
    score: float
    """What a beam ranks by: `log_prob` with the penalties for length and coverage; without penalties `log_prob`."""
    finished: bool
    """False if it was cut off: by the maximum length, or because nothing was possible any more."""
    weights: Float[Array, "T S"] | None
    """A row for each emitted id; None if the model has none."""
    token_log_probs: tuple[float, ...] = ()
    """The log-probability of each id, in nats; they add up to `log_prob`."""
