"""Attention, forward and backward, of all target positions at once.

B sentences, T target positions (the queries q [B T D]), S source positions (the states h [B S D]). One decoder step
is T = 1. A query depends on the source and on no other query, so the loop over time becomes one matrix product per
sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from seq2see.scratch.arrays import Array, Mask
from seq2see.scratch.layers import Affine
from seq2see.scratch.module import Module


class Score(Module):
    """How well a query matches a source position: queries [B T D] and keys [B S D] to scores [B T S]."""

    def keys(self, states: Array) -> Array:
        """What the queries are compared with, computed once per sentence; by default the states themselves."""
        return states

    def keys_backward(self, keys_gradient: Array, states: Array) -> Array:
        """The gradient by the states."""
        return keys_gradient

    def forward(self, queries: Array, keys: Array) -> tuple[Array, Any]:
        """Scores and cache."""
        raise NotImplementedError

    def backward(self, scores_gradient: Array, cache: Any) -> tuple[Array, Array]:
        """The gradients by queries and keys; a key gets the sum over all queries."""
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
        """The gradient by the queries is scaled by the same factor."""
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
        """Back through the dot product and the projection."""
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
        """U h[s], independent of the queries."""
        return self.key.forward(states)

    def keys_backward(self, keys_gradient: Array, states: Array) -> Array:
        """Back through U."""
        return self.key.backward(keys_gradient, states)

    def forward(self, queries: Array, keys: Array) -> tuple[Array, tuple[Array, Array]]:
        """Every query is combined with every key: m = tanh(q' + k) is [B T S D]."""
        hidden = self.query.forward(queries)[:, :, None] + keys[:, None]
        np.tanh(hidden, out=hidden)
        return self.v.forward(hidden)[..., 0], (queries, hidden)

    def backward(self, scores_gradient: Array, cache: tuple[Array, Array]) -> tuple[Array, Array]:
        """q' and k were broadcast, so their gradients are summed over the broadcast axis:

        dm = de v                       dv = Σ de m
        d(q' + k) = dm * (1 - m²)
        dq'[t] = Σ over s               dk[s] = Σ over t
        """
        queries, hidden = cache
        hidden_gradient = self.v.backward(scores_gradient[..., None], hidden)
        hidden_gradient *= 1 - hidden * hidden
        return self.query.backward(hidden_gradient.sum(2), queries), hidden_gradient.sum(1)


class WeightCache(NamedTuple):
    """The weights [B T S] and the score's cache."""

    weights: Array
    score: Any


class AttentionWeight(Module):
    """The attention weights of each query: the softmax of its scores over the real source positions."""

    def __init__(self, score: Score) -> None:
        self.score = score

    def forward(self, queries: Array, keys: Array, mask: Mask) -> tuple[Array, WeightCache]:
        """a [B T S]; each row sums to 1 and is 0 where `mask` [B S] is False.

        a[t, s] = exp(e[t, s]) / Σ_r exp(e[t, r]),      s and r real positions
        """
        scores, cache = self.score.forward(queries, keys)
        weights = masked_softmax(scores, mask[:, None])
        return weights, WeightCache(weights, cache)

    def backward(self, weights_gradient: Array, cache: WeightCache) -> tuple[Array, Array]:
        """de = a * (da - Σ_s da[s] a[s]), then the score's backward. Where a = 0, as at padding, de = 0."""
        return self.score.backward(softmax_backward(weights_gradient, cache.weights), cache.score)


class WeightSum(Module):
    """The context: the weighted sum of the states."""

    def forward(self, weights: Array, states: Array) -> tuple[Array, tuple[Array, Array]]:
        """c[t] = Σ_s a[t, s] h[s], or C = A H for each sentence: [B T S] by [B S D] gives [B T D]."""
        return weights @ states, (weights, states)

    def backward(self, context_gradient: Array, cache: tuple[Array, Array]) -> tuple[Array, Array]:
        """dA = dC Hᵀ and dH = Aᵀ dC. All T positions read each state, so dH is a sum over them."""
        weights, states = cache
        return context_gradient @ states.swapaxes(-1, -2), weights.swapaxes(-1, -2) @ context_gradient


def masked_softmax(scores: Array, mask: Mask) -> Array:
    """Softmax over the last axis in place, exactly 0 where `mask` is False, even in a row that is all padding."""
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
"""Score functions by name, built from the width of queries and states."""
