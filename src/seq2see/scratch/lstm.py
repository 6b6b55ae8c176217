"""The LSTM, forward and backward, over all positions of a padded batch.

One step (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000); h' and c' are the previous state,
σ(a) = 1 / (1 + exp(-a)), and `*` is elementwise:

    a = W_x x + W_h h' + b                  [4H], split into a_i, a_f, a_g, a_o
    i = σ(a_i)   f = σ(a_f)   g = tanh(a_g)   o = σ(a_o)
    c = f * c' + i * g
    h = o * tanh(c)

Backward, from dh and dc, the gradients by the new state. h is used by the layer above and by the next step: dh is the
sum of both. c is used by h and by the next step, so its gradient has two terms too:

    do = dh * tanh(c)          dc = dc + dh * o * (1 - tanh²(c))
    di = dc * g   df = dc * c'   dg = dc * i
    da = [di * i (1 - i),  df * f (1 - f),  dg * (1 - g²),  do * o (1 - o)]
    dc' = dc * f               dh' = W_hᵀ da              dx = W_xᵀ da
    dW_x = Σ da xᵀ             dW_h = Σ da h'ᵀ            db = Σ da

The sums run over all rows and positions, which share the weights. Only `W_h h'` depends on the previous step, and only
`W_hᵀ da` on the next. Everything else is one product over all positions.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from seq2see.scratch.arrays import Array, Mask
from seq2see.scratch.module import Module, Parameter

RecurrentState: TypeAlias = tuple[Array, ...]
"""(h, c) of an LSTM, (h,) of a GRU, each [B H], or their gradients."""


class LSTMCell:
    """One LSTM step after the matrix products: from the sums a to h and c, in place and without weights.

    One tanh computes all four gates, because σ(a) = ½ + ½ tanh(a/2).
    """

    def __init__(self, width: int, dtype: np.dtype[Any]) -> None:
        is_sigmoid = np.repeat(np.array([True, True, False, True]), width)
        self.scale = np.where(is_sigmoid, 0.5, 1).astype(dtype)
        self.shift = np.where(is_sigmoid, 0.5, 0).astype(dtype)
        self.lowest = np.where(is_sigmoid, 0, -1).astype(dtype)

    def forward(self, gates: Array, c_before: Array, h: Array, c: Array, tanh_c: Array) -> None:
        """Overwrite `gates` [B 4H], the sums a, with i, f, g, o, and write h, c and tanh(c) [B H]."""
        gates *= self.scale
        np.tanh(gates, out=gates)
        gates *= self.scale
        gates += self.shift
        i, f, g, o = quarters(gates)
        np.multiply(f, c_before, out=c)
        np.multiply(i, g, out=tanh_c)
        c += tanh_c
        np.tanh(c, out=tanh_c)
        np.multiply(o, tanh_c, out=h)

    def backward(self, gates: Array, c_before: Array, tanh_c: Array, dh: Array, dc: Array) -> Array:
        """Overwrite `gates` with da [B 4H] and return dc' [B H]; dh and dc are not modified.

        A gate between `lowest` and 1 has the derivative (gate - lowest)(1 - gate): σ(1 - σ) for 0, 1 - tanh² for -1.
        """
        i, f, g, o = quarters(gates)
        through_h = 1 - tanh_c * tanh_c
        through_h *= o
        through_h *= dh
        dc = dc + through_h
        gates_gradient = np.empty_like(gates)
        di, df, dg, do = quarters(gates_gradient)
        np.multiply(dc, g, out=di)
        np.multiply(dc, c_before, out=df)
        np.multiply(dc, i, out=dg)
        np.multiply(dh, tanh_c, out=do)
        dc *= f
        gates_gradient *= 1 - gates
        gates -= self.lowest
        gates *= gates_gradient
        return dc


def quarters(gates: Array) -> tuple[Array, Array, Array, Array]:
    """The four parts of [B 4H], each [B H]."""
    width = gates.shape[1] // 4
    return gates[:, :width], gates[:, width : 2 * width], gates[:, 2 * width : 3 * width], gates[:, 3 * width :]


class LSTMCache(NamedTuple):
    """What the backward pass needs. Time is the first axis, so that the values of a step are contiguous."""

    x: Array
    gates: Array
    h: Array
    c: Array
    tanh_c: Array
    real: Mask | None
    """[T B 1], or None if there is no padding. `h` and `c` [T+1 B H] begin with the initial state."""


class LSTM(Module):
    """One LSTM over time. The first axis of the weights holds the gates in the order input, forget, cell, output."""

    def __init__(self, input_width: int, width: int) -> None:
        self.width = width
        self.weight_input = Parameter(4 * width, input_width)
        self.weight_hidden = Parameter(4 * width, width)
        self.bias = Parameter(4 * width)

    def zeros(self, rows: int) -> RecurrentState:
        """The all-zero state."""
        return (
            np.zeros((rows, self.width), self.bias.value.dtype),
            np.zeros((rows, self.width), self.bias.value.dtype),
        )

    def forward(
        self, x: Array, state: RecurrentState, mask: Mask | None = None
    ) -> tuple[Array, RecurrentState, LSTMCache]:
        """h at every position [B T H] and the state after the last, from x [B T I] and the state before the first.

        Where `mask` [B T] is False, h and c are copied unchanged: h = h', c = c'.
        """
        rows, length, _ = x.shape
        x = np.ascontiguousarray(x.swapaxes(0, 1))
        gates = (x.reshape(length * rows, -1) @ self.weight_input.value.T).reshape(length, rows, 4 * self.width)
        h, c, tanh_c = (np.empty((length + extra, rows, self.width), gates.dtype) for extra in (1, 1, 0))
        h[0], c[0] = state
        real = None if mask is None or mask.all() else mask.T[:, :, None]
        cell = LSTMCell(self.width, gates.dtype)
        # Transposed once, with a reused output buffer: 10 % faster than `h[t] @ weight.T`.
        weight_hidden = np.ascontiguousarray(self.weight_hidden.value.T)
        sums = np.empty((rows, 4 * self.width), gates.dtype)
        for t in range(length):
            np.matmul(h[t], weight_hidden, out=sums)
            sums += self.bias.value
            gates[t] += sums
            cell.forward(gates[t], c[t], h[t + 1], c[t + 1], tanh_c[t])
            if real is not None:
                np.copyto(h[t + 1], h[t], where=~real[t])
                np.copyto(c[t + 1], c[t], where=~real[t])
        return h[1:].swapaxes(0, 1), (h[length], c[length]), LSTMCache(x, gates, h, c, tanh_c, real)

    def backward(
        self, h_gradient: Array, state_gradient: RecurrentState | None, cache: LSTMCache
    ) -> tuple[Array, RecurrentState]:
        """dx [B T I] and the gradient by the initial state.

        `h_gradient` [B T H] is the gradient by h at every position, `state_gradient` the one by the final state (None:
        zero). At padding dh and dc are copied unchanged, and da = 0. da overwrites the gates, so the cache can be used
        only once.
        """
        x, gates, h, c, tanh_c, real = cache
        length, rows, _ = gates.shape
        dh, dc = state_gradient or self.zeros(rows)
        cell = LSTMCell(self.width, gates.dtype)
        for t in reversed(range(length)):
            dh = dh + h_gradient[:, t]
            dc_before = cell.backward(gates[t], c[t], tanh_c[t], dh, dc)
            if real is not None:
                gates[t] *= real[t]
                dc_before = np.where(real[t], dc_before, dc)
            dh_before = gates[t] @ self.weight_hidden.value
            dh = dh_before if real is None else np.where(real[t], dh_before, dh)
            dc = dc_before
        da = gates.reshape(length * rows, -1)
        self.weight_input.gradient += da.T @ x.reshape(length * rows, -1)
        self.weight_hidden.gradient += da.T @ h[:-1].reshape(length * rows, -1)
        self.bias.gradient += da.sum(0)
        x_gradient = (da @ self.weight_input.value).reshape(x.shape)
        return x_gradient.swapaxes(0, 1), (dh, dc)
