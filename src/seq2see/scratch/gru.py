"""The GRU, forward and backward, over all positions of a padded batch.

One step (Cho et al. 2014, in PyTorch's form: the reset gate multiplies the recurrent product, not h', so that one
product per step serves all three parts); h' is the previous state, σ(a) = 1 / (1 + exp(-a)), and `*` is elementwise:

    a = W x + b        s = U h'                     [3H] each, split into r, z, n
    r = σ(a_r + s_r)   z = σ(a_z + s_z)   m = s_n + b_h   n = tanh(a_n + r * m)
    h = (1 - z) * n + z * h'

Where an LSTM forgets and adds independently, one gate z decides between old and new, and there is no c.

Backward, from dh, the gradient by the new state, which is the sum of that from the layer above and that from the next
step:

    dn = dh * (1 - z)            dz = dh * (h' - n)
    da_n = dn * (1 - n²)         dr = da_n * m             dm = da_n * r
    da_r = dr * r (1 - r)        da_z = dz * z (1 - z)
    ds = [da_r, da_z, dm]        da = [da_r, da_z, da_n]
    dh' = dh * z + Uᵀ ds         dx = Wᵀ da
    dW = Σ da xᵀ                 dU = Σ ds h'ᵀ            db = Σ da            db_h = Σ dm
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seq2see.scratch.arrays import Array, Mask
from seq2see.scratch.lstm import RecurrentState
from seq2see.scratch.module import Module, Parameter


class GRUCache(NamedTuple):
    """What the backward pass needs; time is the first axis."""

    x: Array
    gates: Array
    """r, z and n [T B 3H]."""
    m: Array
    """[T B H]"""
    h: Array
    """[T+1 B H], from the initial state on."""
    real: Mask | None
    """[T B 1], or None if there is no padding."""


class GRU(Module):
    """One GRU over time. The first axis of the weights holds reset gate, update gate and new state."""

    def __init__(self, input_width: int, width: int) -> None:
        self.width = width
        self.weight_input = Parameter(3 * width, input_width)
        self.weight_hidden = Parameter(3 * width, width)
        self.bias = Parameter(3 * width)
        self.bias_hidden = Parameter(width)

    def zeros(self, rows: int) -> RecurrentState:
        """The all-zero state."""
        return (np.zeros((rows, self.width), self.bias.value.dtype),)

    def forward(
        self, x: Array, state: RecurrentState, mask: Mask | None = None
    ) -> tuple[Array, RecurrentState, GRUCache]:
        """h at every position [B T H] and the state after the last, from x [B T I] and the state before the first.

        Where `mask` [B T] is False, h is copied unchanged: h = h'.
        """
        rows, length, _ = x.shape
        width = self.width
        x = np.ascontiguousarray(x.swapaxes(0, 1))
        gates = (x.reshape(length * rows, -1) @ self.weight_input.value.T).reshape(length, rows, 3 * width)
        gates += self.bias.value
        h, m = (np.empty((length + extra, rows, width), gates.dtype) for extra in (1, 0))
        (h[0],) = state
        real = None if mask is None or mask.all() else mask.T[:, :, None]
        weight_hidden = np.ascontiguousarray(self.weight_hidden.value.T)
        for t in range(length):
            sums = h[t] @ weight_hidden
            opened, new = gates[t, :, : 2 * width], gates[t, :, 2 * width :]
            opened += sums[:, : 2 * width]
            opened[...] = 0.5 + 0.5 * np.tanh(0.5 * opened)
            r, z = opened[:, :width], opened[:, width:]
            m[t] = sums[:, 2 * width :] + self.bias_hidden.value
            new += r * m[t]
            np.tanh(new, out=new)
            h[t + 1] = (1 - z) * new + z * h[t]
            if real is not None:
                np.copyto(h[t + 1], h[t], where=~real[t])
        return h[1:].swapaxes(0, 1), (h[length],), GRUCache(x, gates, m, h, real)

    def backward(
        self, h_gradient: Array, state_gradient: RecurrentState | None, cache: GRUCache
    ) -> tuple[Array, RecurrentState]:
        """dx [B T I] and the gradient by the initial state.

        `h_gradient` [B T H] is the gradient by h at every position, `state_gradient` the one by the final state (None:
        zero). At padding dh is copied unchanged, and da = ds = 0. da overwrites the gates, so the cache can be used
        only once.
        """
        x, gates, m, h, real = cache
        length, rows, width = m.shape
        (dh,) = state_gradient or self.zeros(rows)
        ds = np.empty_like(gates)
        for t in reversed(range(length)):
            dh = dh + h_gradient[:, t]
            r, z, n = np.split(gates[t], 3, axis=1)
            da_n = dh * (1 - z) * (1 - n * n)
            da_r = da_n * m[t] * r * (1 - r)
            da_z = dh * (h[t] - n) * z * (1 - z)
            ds[t] = np.concatenate([da_r, da_z, da_n * r], 1)
            dh_before = dh * z
            gates[t] = np.concatenate([da_r, da_z, da_n], 1)
            if real is not None:
                ds[t] *= real[t]
                gates[t] *= real[t]
            dh_before += ds[t] @ self.weight_hidden.value
            dh = dh_before if real is None else np.where(real[t], dh_before, dh)
        da, ds = gates.reshape(length * rows, -1), ds.reshape(length * rows, -1)
        self.weight_input.gradient += da.T @ x.reshape(length * rows, -1)
        self.weight_hidden.gradient += ds.T @ h[:-1].reshape(length * rows, -1)
        self.bias.gradient += da.sum(0)
        self.bias_hidden.gradient += ds[:, 2 * width :].sum(0)
        x_gradient = (da @ self.weight_input.value).reshape(x.shape)
        return x_gradient.swapaxes(0, 1), (dh,)
