"""Attention, forward and backward, of all target positions at once.

B sentences, T target positions (the queries q [B T D]), S source positions (the states h [B S D]). One step of a
decoder is T = 1. Because a query sees the source, but no other query, the loop over time that one might write is a
product of matrices, one for each sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from seq2see.scratch.arrays import Array, Mask
from seq2see.scratch.layers import Affine
from seq2see.scratch.part import Part


class Score(Part):
    """How well a query matches a source position: queries [B T D] and keys [B S D] to scores [B T S]."""

    def keys(self, states: Array) -> Array:
        """What the queries are compared with, made once a sentence; the states themselves if not said otherwise."""
        return states

    def keys_backward(self, keys_gradient: Array, states: Array) -> Array:
        """The gradient by the states."""
        return keys_gradient

    def forward(self, queries: Array, keys: Array) -> tuple[Array, Any]:
        """Scores and cache."""
        raise NotImplementedError

    def backward(self, scores_gradient: Array, cache: Any) -> tuple[Array, Array]:
        """The gradients by queries and keys. A key gets the sum over all queries that were compared with it."""
        raise NotImplementedError


class Dot(Score):
    """e[t, s] = q[t]·k[s] (Luong et al. 2015, eq. 8)."""

    def forward(self, queries: Array, keys: Array) -> tuple[Array, Any]:
        """E = Q Kᵀ, for each sentence."""
        return queries @ keys.swapaxes(-1, -2), (queries, keys)

    def backward(self, scores_gradient: Array, cache: Any) -> tuple[Array, Array]:
        """dQ = dE K and dK = dEᵀ Q; the latter's product is the sum over the queries t."""
        queries, keys = cache
        return scores_gradient @ keys, scores_gradient.swapaxes(-1, -2) @ queries


class ScaledDot(Dot):
    """e[t, s] = q[t]·k[s] / √D (Vaswani et al. 2017, eq. 1): the wider the vectors, the larger their dot product."""

    def forward(self, queries: Array, keys: Array) -> tuple[Array, Any]:
        """E = (Q / √D) Kᵀ."""
        return super().forward(queries / math.sqrt(keys.shape[-1]), keys)

    def backward(self, scores_gradient: Array, cache: Any) -> tuple[Array, Array]:
        """The factor is met again on the way back to the queries."""
        queries_gradient, keys_gradient = super().backward(scores_gradient, cache)
        queries_gradient /= math.sqrt(keys_gradient.shape[-1])
        return queries_gradient, keys_gradient


class General(Dot):
    """e[t, s] = (W q[t])·k[s] (Luong et al. 2015, eq. 8): Q becomes Q Wᵀ, an `Affine` before the dot product."""

    def __init__(self, query_width: int, width: int) -> None:
        self.projection = Affine(query_width, width, bias=False)

    def forward(self, queries: Array, keys: Array) -> tuple[Array, Any]:
        """Scores and cache."""
        scores, cache = super().forward(self.projection.forward(queries), keys)
        return scores, (queries, cache)

    def backward(self, scores_gradient: Array, cache: Any) -> tuple[Array, Array]:
        """The way back through both."""
        queries, dot_cache = cache
        projected_gradient, keys_gradient = super().backward(scores_gradient, dot_cache)
        return self.projection.backward(projected_gradient, queries), keys_gradient


class Additive(Score):
    """e[t, s] = v·tanh(W q[t] + b + U h[s]) (Bahdanau et al. 2014, A.1.2); the keys are k[s] = U h[s]."""

    def __init__(self, query_width: int, width: int) -> None:
        self.query = Affine(query_width, width)
        self.key = Affine(width, width, bias=False)
        self.v = Affine(width, 1, bias=False)

    def keys(self, states: Array) -> Array:
        """U h[s], which no query changes."""
        return self.key.forward(states)

    def keys_backward(self, keys_gradient: Array, states: Array) -> Array:
        """Back through U."""
        return self.key.backward(keys_gradient, states)

    def forward(self, queries: Array, keys: Array) -> tuple[Array, tuple[Array, Array]]:
        """Every query meets every key: m = tanh(q' + k) is [B T S D]."""
        met = self.query.forward(queries)[:, :, None] + keys[:, None]
        np.tanh(met, out=met)
        return self.v.forward(met)[..., 0], (queries, met)

    def backward(self, scores_gradient: Array, cache: tuple[Array, Array]) -> tuple[Array, Array]:
        """Where q' and k were repeated, their gradients are summed:

        dm = de v                       dv = Σ de m
        d(q' + k) = dm * (1 - m²)
        dq'[t] = Σ over s               dk[s] = Σ over t
        """
        queries, met = cache
        met_gradient = self.v.backward(scores_gradient[..., None], met)
        met_gradient *= 1 - met * met
        return self.query.backward(met_gradient.sum(2), queries), met_gradient.sum(1)


class WeightCache(NamedTuple):
    """The weights [B T S], and what the score wants back."""

    weights: Array
    score: Any


class AttentionWeight(Part):
    """Where each query looks: the softmax of its scores over the real source positions."""

    def __init__(self, score: Score) -> None:
        self.score = score

    def forward(self, queries: Array, keys: Array, mask: Mask) -> tuple[Array, WeightCache]:
        """a [B T S], of which each row sums to 1 and is 0 where `mask` [B S] is False.

        a[t, s] = exp(e[t, s]) / Σ_r exp(e[t, r]),      s and r real positions
        """
        scores, cache = self.score.forward(queries, keys)
        weights = masked_softmax(scores, mask[:, None])
        return weights, WeightCache(weights, cache)

    def backward(self, weights_gradient: Array, cache: WeightCache) -> tuple[Array, Array]:
        """de = a * (da - Σ_s da[s] a[s]), and the score's own way back. Where a = 0, as at padding, de = 0."""
        return self.score.backward(softmax_backward(weights_gradient, cache.weights), cache.score)


class WeightSum(Part):
    """The context: the sum of the states, weighted."""

    def forward(self, weights: Array, states: Array) -> tuple[Array, tuple[Array, Array]]:
        """c[t] = Σ_s a[t, s] h[s], or C = A H for each sentence: [B T S] by [B S D] gives [B T D]."""
        return weights @ states, (weights, states)

    def backward(self, context_gradient: Array, cache: tuple[Array, Array]) -> tuple[Array, Array]:
        """dA = dC Hᵀ and dH = Aᵀ dC. Each state was seen by all T positions, and so dH is a sum over them."""
        weights, states = cache
        return context_gradient @ states.swapaxes(-1, -2), weights.swapaxes(-1, -2) @ context_gradient


def masked_softmax(scores: Array, mask: Mask) -> Array:
    """Softmax over the last axis in place, exactly 0 where `mask` is False; all 0 where nothing is real."""
    lowest, has_padding = np.finfo(scores.dtype).min, not mask.all()
    if has_padding:
        np.copyto(scores, lowest, where=~mask)
    scores -= scores.max(-1, keepdims=True, initial=lowest)
    np.exp(scores, out=scores)
    if has_padding:
        scores *= mask
    scores /= np.maximum(scores.sum(-1, keepdims=True), np.finfo(scores.dtype).tiny)
    return scores


def softmax_backward(weights_gradient: Array, weights: Array) -> Array:
    """The gradient by the scores.

    ∂a[s]/∂e[r] = a[s] (1 if r = s else 0) - a[s] a[r], and summed over s:   de = a * (da - Σ_s da[s] a[s])
    """
    gradient = weights_gradient * weights
    gradient -= weights * gradient.sum(-1, keepdims=True)
    return gradient


SCORES: dict[str, Callable[[int], Score]] = {
    "dot": lambda width: Dot(),
    "scaled_dot": lambda width: ScaledDot(),
    "general": lambda width: General(width, width),
    "additive": lambda width: Additive(width, width),
}
"""Score functions by name, made from the width of queries and states."""
