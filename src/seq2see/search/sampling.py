"""Drawing ids at random, from the whole distribution or from its more probable part."""

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
"""What is added to a row's number for each further draw: there are fewer rows than this."""


class Sampler:
    """Draws each id from softmax(log_probs / temperature), cut down to its more probable part where asked.

    The temperature comes first. Of its distribution `top_k` keeps the k most probable ids; of these, renormalised,
    `top_p` keeps the smallest number of most probable ids that have together at least this probability (Holtzman et
    al. 2020); of these `min_p` keeps those at least this many times as probable as the best (Nguyen et al. 2024). Among
    equals the lower id counts as the more probable. The best always stays.

    What is drawn is a function of (seed, number of the row, position): the same in any batch and any order of rows.
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
                f"a temperature of {temperature} is no temperature",
                where="temperature",
                fix="use a number above 0; near 0 is almost greedy, 1 samples from the model as it is",
            )
        if not 0 <= seed < 2**64:
            raise ConfigError(f"a seed of {seed} is out of range", where="seed", fix="use a whole number from 0 on")
        if top_k is not None and top_k < 1:
            raise ConfigError(
                f"from the best {top_k} tokens nothing can be drawn",
                where="top_k",
                fix="use 1 or more, or leave it out",
            )
        if not 0 < top_p <= 1:
            raise ConfigError(
                f"a top_p of {top_p} is out of range", where="top_p", fix="use a share above 0; 1 keeps all tokens"
            )
        if not 0 <= min_p <= 1:
            raise ConfigError(
                f"a min_p of {min_p} is out of range", where="min_p", fix="use a share up to 1; 0 keeps all tokens"
            )
        self.temperature = temperature
        self.seed = seed
        self.top_k = top_k
        self.top_p = top_p
        self.min_p = min_p

    def __call__(self, log_probs: Float[Array, "R V"], row_numbers: Int[Ids, " R"], position: int) -> Int[Ids, " R"]:
        """Invert each row's cumulative distribution at the row's uniform number. A row of -inf gets just any id."""
        highest = log_probs.max(-1, keepdims=True)
        highest[highest == IMPOSSIBLE] = 0  # a row in which nothing can be
        # The best goes to 0 before the division, so that no temperature makes all of them -inf.
        weights = np.exp((log_probs - highest) / max(self.temperature, _FREEZING))
        cumulative = self._cut_down(weights).cumsum(-1, dtype=np.float64)
        uniform = np.array([_uniform(self.seed, number, position) for number in row_numbers.tolist()])
        # A uniform number is at most 1 - 2**-53, so its product with the total stays below the total but for rounding,
        # and the first id whose cumulative weight lies above it has a weight above 0.
        ids = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1)
        return np.asarray(np.minimum(ids, cumulative.shape[1] - 1))

    def _cut_down(self, weights: Float[Array, "R V"]) -> Float[Array, "R V"]:
        """The same with 0 for what is too improbable; weights are probabilities but for a factor."""
        if self.top_k is not None and self.top_k < weights.shape[1]:
            weights = _keep_top_k(weights, self.top_k)
        if self.top_p < 1:
            weights = _keep_top_p(weights, self.top_p)
        if self.min_p > 0:
            weights = np.where(weights < self.min_p * weights.max(-1, keepdims=True), 0, weights)
        return weights


_FREEZING = 1e-30
"""Colder changes nothing, and in float32 would be 0."""


def _largest(weights: Float[Array, "R V"], num: int) -> Float[Array, "R K"]:
    """The `num` largest of each row, largest first."""
    rest = weights.shape[1] - num
    return -np.sort(-(np.partition(weights, rest, -1)[:, rest:] if rest else weights), -1)


def _keep_top_k(weights: Float[Array, "R V"], num: int) -> Float[Array, "R V"]:
    """The `num` largest."""
    last = _largest(weights, num)[:, -1:]
    return _keep_from(weights, last, np.full(last.shape, num))


def _keep_top_p(weights: Float[Array, "R V"], share: float) -> Float[Array, "R V"]:
    """The largest, as long as those before them have less than the share of the whole."""
    enough = share * weights.sum(-1, keepdims=True, dtype=np.float64)
    # To sort a large vocabulary takes long, and mostly few ids have the whole share.
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
    """The `num` largest, of which `last` is the smallest; of those equal to it, the ones with the lowest ids."""
    kept = weights >= last
    if bool((kept.sum(-1, keepdims=True) > num).any()):
        level = weights == last
        kept ^= level & (level.cumsum(-1) > num - (kept ^ level).sum(-1, keepdims=True))
    return np.where(kept, weights, 0)


_BLOCK = 64  # Positions drawn at once; a multiple of the 4 numbers that Philox makes of each value of its counter.


@lru_cache(maxsize=1 << 14)
def _uniform_block(seed: int, row_number: int, block: int) -> NDArray[np.float64]:
    """The numbers of positions 64·block … 64·block + 63: Philox (Salmon et al. 2011) keyed by seed and row."""
    generator = np.random.Philox(key=np.array([seed, row_number], dtype=np.uint64), counter=block * _BLOCK // 4)
    return np.random.Generator(generator).random(_BLOCK)


def _uniform(seed: int, row_number: int, position: int) -> float:
    """One number in [0, 1) for each seed, row and position."""
    return float(_uniform_block(seed, row_number, position // _BLOCK)[position % _BLOCK])
