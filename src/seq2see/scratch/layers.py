"""The basic layers of a model: embedding, affine map, layer normalization, softmax with loss.

B rows, T positions, N = all real positions of a batch, D width of a vector, V tokens. `dx` is the gradient of the loss
by x, and has the shape of x.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seq2see.scratch.arrays import Array, Ids
from seq2see.scratch.module import Module, Parameter


class Embedding(Module):
    """One vector per token: row v of `weight` [V D], multiplied by `scale`, is the vector of token v."""

    def __init__(self, vocabulary: int, width: int, *, scale: float = 1.0) -> None:
        self.weight = Parameter(vocabulary, width)
        self.width = width
        self.scale = scale

    def forward(self, ids: Ids) -> Array:
        """The vectors [B T D] of the ids [B T], which are also the cache.

            x[b, t] = W[ids[b, t]]

        This is the product x = onehot(ids) W, computed as a lookup.
        """
        vectors = self.weight.value.take(ids, axis=0)
        return vectors if self.scale == 1 else vectors * self.scale

    def backward(self, x_gradient: Array, ids: Ids) -> None:
        """Each row of W gets the sum over all positions of its token: dW = onehot(ids)ᵀ dx.

        Positions are sorted by token, and each token's run is summed (`np.add.at`, which adds one position at a time,
        is many times slower). Ids have no gradient.
        """
        order = ids.reshape(-1).argsort(kind="stable")
        tokens, starts = np.unique(ids.reshape(-1)[order], return_index=True)
        if len(tokens):
            rows = x_gradient.reshape(-1, x_gradient.shape[-1])
            self.weight.gradient[tokens] += self.scale * np.add.reduceat(rows[order], starts, axis=0)


class Affine(Module):
    """y = W x + b at every position, with W [O I]."""

    def __init__(self, input_width: int, output_width: int, *, bias: bool = True) -> None:
        self.weight = Parameter(output_width, input_width)
        self.bias = Parameter(output_width) if bias else None

    def forward(self, x: Array) -> Array:
        """y [... O] of x [... I]; all positions in one product. The cache is x."""
        rows = x.reshape(-1, x.shape[-1])
        y = rows @ self.weight.value.T
        if self.bias is not None:
            y += self.bias.value
        return y.reshape(*x.shape[:-1], len(self.weight.value))

    def backward(self, y_gradient: Array, x: Array) -> Array:
        """With the positions as rows, X [N I] and dY [N O]:

        Y = X Wᵀ + 1 bᵀ
        dX = dY W
        dW = dYᵀ X          = Σ over positions of dy xᵀ, since all use the same W
        db = dYᵀ 1          = Σ over positions of dy
        """
        rows, gradient = x.reshape(-1, x.shape[-1]), y_gradient.reshape(-1, y_gradient.shape[-1])
        self.weight.gradient += gradient.T @ rows
        if self.bias is not None:
            self.bias.gradient += gradient.sum(0)
        return (gradient @ self.weight.value).reshape(x.shape)


class LayerNorm(Module):
    """Layer normalization: each vector to mean 0 and variance 1, then scaled and shifted (Ba et al. 2016)."""

    epsilon = 1e-5

    def __init__(self, width: int) -> None:
        self.weight = Parameter(width)
        self.bias = Parameter(width)

    def forward(self, x: Array) -> tuple[Array, tuple[Array, Array]]:
        """For x [... D], with mean and variance over D:

        n = (x - mean(x)) / s,   s = √(variance(x) + ε)
        y = w * n + b
        """
        centered = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt(np.mean(centered * centered, -1, keepdims=True) + self.epsilon)
        normalized = centered / deviation
        return normalized * self.weight.value + self.bias.value, (normalized, deviation)

    def backward(self, y_gradient: Array, cache: tuple[Array, Array]) -> Array:
        """Mean and variance depend on all of x, and each removes a component from the gradient:

            dn = w * dy             dw = Σ dy * n            db = Σ dy           (sums over all vectors)
            dx = (dn - mean(dn) - n * mean(dn * n)) / s

        So dx is orthogonal to shifting and to scaling x, neither of which changes y.
        """
        normalized, deviation = cache
        rows = y_gradient.reshape(-1, y_gradient.shape[-1])
        self.weight.gradient += np.sum(rows * normalized.reshape(rows.shape), 0)
        self.bias.gradient += rows.sum(0)
        gradient = y_gradient * self.weight.value
        shift, scale = gradient.mean(-1, keepdims=True), np.mean(gradient * normalized, -1, keepdims=True)
        return np.asarray((gradient - shift - normalized * scale) / deviation)


class LossCache(NamedTuple):
    """The probabilities p [N V] and the correct tokens [N]."""

    probabilities: Array
    targets: Ids


class SoftmaxWithLoss(Module):
    """Softmax cross-entropy in nats, the mean over all N real positions; 0 if there are none."""

    def forward(self, logits: Array, targets: Ids) -> tuple[float, LossCache]:
        """For logits a [N V] and correct tokens y [N]:

            p[n, v] = exp(a[n, v]) / Σ_u exp(a[n, u])
            loss    = -1/N Σ_n log p[n, y[n]]

        The largest logit of each row is subtracted first, which leaves p unchanged and keeps exp from overflowing.
        """
        shifted = logits - logits.max(axis=-1, keepdims=True, initial=np.finfo(logits.dtype).min)
        correct = shifted[np.arange(len(targets)), targets]
        probabilities = np.exp(shifted, out=shifted)
        sums = probabilities.sum(-1, keepdims=True)
        probabilities /= sums
        log_p = correct - np.log(sums[:, 0])
        return float(-log_p.sum(dtype=np.float64)) / max(1, len(targets)), LossCache(probabilities, targets)

    def backward(self, cache: LossCache) -> Array:
        """da [N V]. Because ∂ log p[y] / ∂a[v] = (1 if v = y else 0) - p[v]:

        da = (p - onehot(y)) / N
        """
        gradient = cache.probabilities.copy()
        gradient[np.arange(len(cache.targets)), cache.targets] -= 1
        gradient /= max(1, len(cache.targets))
        return gradient
