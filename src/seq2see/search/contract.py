"""The contract of a search: the model's step and state, and the resulting hypotheses.

Letters: R rows (hypotheses computed in parallel), V tokens of the vocabulary, S source positions, T emitted ids.
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
"""The log-probability of an impossible token."""


class State(Protocol):
    """A model's state between two steps: one row per hypothesis, and what the hypotheses of a sentence share."""

    def select(self, rows: Int[Ids, " N"], sentences: Int[Ids, " M"] | None = None) -> Self:
        """The state of the selected rows, in that order; a row may be selected more than once.

        They belong to the selected `sentences` (indices of the current ones; None: all), in ascending order, each with
        N / M adjacent rows. A sentence selected more than once becomes several sentences. Without `sentences` this
        state is not used again, so a model may move its rows in place.
        """
        ...


S = TypeVar("S", bound=State)

Choice: TypeAlias = tuple[int, float]
"""An id and its log-probability in nats."""

Step: TypeAlias = Callable[[Ids, S], tuple[Array, S, Array | None]]
"""(ids [R], state) -> (log_probs [R V], state, weights [R S] or None).

The ids are the last of each row, BOS at first. `log_probs` are in nats and normalized: each row is the log of a
distribution, so none is above 0. The search may overwrite them until the next step, as filters do. `weights` are the
attention weights for the next id, and are not modified. A state is not used again after its step, so a model may
overwrite it.
"""


class Hypothesis(NamedTuple):
    """A sequence of ids found by a search, with its scores."""

    ids: list[int]
    """Without BOS; ends with EOS if and only if `finished`. Empty if filters left no token at the first position."""
    log_prob: float
    """The sum over all ids in nats, in float64: the model's own, not renormalized after filters."""
    score: float
    """`log_prob` with the penalties for length and coverage, by which a beam ranks; without penalties `log_prob`."""
    finished: bool
    """False if it was cut off: at the maximum length, or because filters left no token."""
    weights: Float[Array, "T S"] | None
    """The attention weights of each emitted id; None if the model has no attention."""
    token_log_probs: tuple[float, ...] = ()
    """The log-probability of each id in nats; they add up to `log_prob`."""
    choices: tuple[tuple[Choice, ...], ...] = ()
    """The most probable ids at the place of each id, most probable first; only if somebody has looked for them."""
