"""Sampling from the distribution of the next id, or from its most probable part."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seq2see.errors import ConfigError
from seq2see.search.contract import IMPOSSIBLE, Array, Ids

if TYPE_CHECKING:
    from jaxtyping import Float, Int

NEXT_DRAW = 2**40
"""Added to a row's number for each further draw; larger than any number of rows."""


class Sampler:
    """Samples each id from softmax(log_probs / temperature), optionally truncated.

    After the temperature, `top_k` keeps the k most probable ids; of these, renormalized, `top_p` keeps the smallest set
    of most probable ids with at least this total probability (Holtzman et al. 2020); of these, `min_p` keeps those with
    at least this fraction of the best id's probability (Nguyen et al. 2024). Ties are broken by lower id. The best id
    is always kept.

    The result is a function of (seed, row number, position): the same in any batch and any order of rows.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float = 0.0,
    ) -> None:
        if not 0 < temperature < float("inf"):
            raise ConfigError(
                f"must be a finite number above 0, not {temperature}",
                where="temperature",
                fix="use 1 to sample from the model's own distribution, or less for likelier tokens",
            )
        if not 0 <= seed < 2**64:
            raise ConfigError(f"must be at least 0 and below 2**64, not {seed}", where="seed", fix="use another seed")
        if top_k is not None and top_k < 1:
            raise ConfigError(
                f"must be at least 1, not {top_k}",
                where="top_k",
                fix="use 1 or more, or leave it out",
            )
        if not 0 < top_p <= 1:
            raise ConfigError(
                f"must be above 0 and at most 1, not {top_p}", where="top_p", fix="use 1 to keep all tokens"
            )
        if not 0 <= min_p <= 1:
            raise ConfigError(f"must be between 0 and 1, not {min_p}", where="min_p", fix="use 0 to keep all tokens")
        self.temperature = temperature
        self.seed = seed
        self.top_k = top_k
        self.top_p = top_p
        self.min_p = min_p

    def __call__(self, log_probs: Float[Array, "R V"], row_numbers: Int[Ids, " R"], position: int) -> Int[Ids, " R"]:
        """Invert each row's cumulative distribution at the row's uniform number. Any id for a row of -inf."""
        highest = log_probs.max(-1, keepdims=True)
        highest[highest == IMPOSSIBLE] = 0  # a row with no possible id
        # The best is shifted to 0 before the division, so that no temperature makes all of them -inf.
        weights = np.exp((log_probs - highest) / max(self.temperature, _FREEZING))
        cumulative = self._truncate(weights).cumsum(-1, dtype=np.float64)
        uniform = np.array([_uniform(self.seed, number, position) for number in row_numbers.tolist()])
        # A uniform number is at most 1 - 2**-53, so its product with the total is below the total except for rounding,
        # and the first id whose cumulative weight is above it has a weight above 0.
        ids = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1)
        return np.asarray(np.minimum(ids, cumulative.shape[1] - 1))

    def _truncate(self, weights: Float[Array, "R V"]) -> Float[Array, "R V"]:
        """The weights (unnormalized probabilities) with 0 for the ids that are cut off."""
        if self.top_k is not None and self.top_k < weights.shape[1]:
            weights = _keep_top_k(weights, self.top_k)
        if self.top_p < 1:
            weights = _keep_top_p(weights, self.top_p)
        if self.min_p > 0:
            weights = np.where(weights < self.min_p * weights.max(-1, keepdims=True), 0, weights)
        return weights


_FREEZING = 1e-30
"""Lower temperatures have no further effect, and in float32 would be 0."""


def _largest(weights: Float[Array, "R V"], num: int) -> Float[Array, "R N"]:
    """The `num` largest of each row, largest first."""
    rest = weights.shape[1] - num
    return -np.sort(-(np.partition(weights, rest, -1)[:, rest:] if rest else weights), -1)


def _keep_top_k(weights: Float[Array, "R V"], num: int) -> Float[Array, "R V"]:
    """The `num` largest."""
    last = _largest(weights, num)[:, -1:]
    return _keep_from(weights, last, np.full(last.shape, num))


def _keep_top_p(weights: Float[Array, "R V"], share: float) -> Float[Array, "R V"]:
    """The smallest set of largest weights with at least this share of the total."""
    enough = share * weights.sum(-1, keepdims=True, dtype=np.float64)
    # Sorting a large vocabulary is slow, and usually a few ids have the whole share.
    size = min(64, weights.shape[1])
    while True:
        largest = _largest(weights, size)
        up_to = largest.cumsum(-1, dtype=np.float64)
        if size == weights.shape[1] or bool((up_to[:, -1:] >= enough).all()):
            break
        size = min(8 * size, weights.shape[1])
    num = 1 + (up_to[:, :-1] < enough).sum(-1, keepdims=True)
    return _keep_from(weights, np.take_along_axis(largest, num - 1, 1), num)


def _keep_from(weights: Float[Array, "R V"], last: Float[Array, "R 1"], num: Int[Ids, "R 1"]) -> Float[Array, "R V"]:
    """The `num` largest, of which `last` is the smallest; ties by lower id."""
    kept = weights >= last
    if bool((kept.sum(-1, keepdims=True) > num).any()):
        level = weights == last
        kept ^= level & (level.cumsum(-1) > num - (kept ^ level).sum(-1, keepdims=True))
    return np.where(kept, weights, 0)


_BLOCK = 64  # positions per draw; a multiple of the 4 numbers that Philox generates per counter value


@lru_cache(maxsize=1 << 14)
def _uniform_block(seed: int, row_number: int, block: int) -> NDArray[np.float64]:
    """The numbers of positions 64·block … 64·block + 63: Philox (Salmon et al. 2011) keyed by seed and row."""
    generator = np.random.Philox(key=np.array([seed, row_number], dtype=np.uint64), counter=block * _BLOCK // 4)
    return np.random.Generator(generator).random(_BLOCK)


def _uniform(seed: int, row_number: int, position: int) -> float:
    """One number in [0, 1) for each seed, row and position."""
    return float(_uniform_block(seed, row_number, position // _BLOCK)[position % _BLOCK])
