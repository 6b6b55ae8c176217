"""The arithmetic that layers share: linear maps, the two softmaxes, the norm, activations.

Where an array may be written over, it is: a small NumPy call takes half a microsecond, and memory as much again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from peeky.runtime.tensors import Array, Tensors

EPSILON = 1e-5
"""What PyTorch's LayerNorm adds to the variance."""


class Linear:
    """W x + b. The weights lie transposed, [I O]: as fast as the other way for one row, and faster for several."""

    __slots__ = ("bias", "weight")

    def __init__(self, weight: Array, bias: Array | None) -> None:
        self.weight = np.ascontiguousarray(weight)
        self.bias = bias

    @classmethod
    def take(cls, tensors: Tensors, outputs: int, inputs: int, *, bias: bool = True) -> Linear:
        """The map that is saved under these names."""
        weight = tensors.take("weight", outputs, inputs)
        return cls(weight.T, tensors.take("bias", outputs) if bias else None)

    def __call__(self, x: Array, out: Array | None = None) -> Array:
        """[N I] to [N O]; `out` has to be contiguous."""
        y: Array = np.dot(x, self.weight, out)
        if self.bias is not None:
            np.add(y, self.bias, y)
        return y

    def after(self, norm: Norm) -> Linear:
        """This map with the norm's gain and shift taken into it: to be given `norm.standardised(x)`."""
        assert self.bias is not None
        return Linear(norm.gain[:, None] * self.weight, norm.shift @ self.weight + self.bias)


class Norm:
    """Layer normalisation (Ba et al. 2016)."""

    def __init__(self, tensors: Tensors, width: int) -> None:
        self.gain = tensors.take("weight", width)
        self.shift = tensors.take("bias", width)

    def standardised(self, x: Array) -> Array:
        """Each row x [N D] with mean 0 and variance 1."""
        width = x.shape[1]
        centred: Array = x - np.add.reduce(x, axis=1, keepdims=True) / width
        variance = np.add.reduce(centred * centred, axis=1, keepdims=True) / width
        centred /= np.sqrt(variance + np.asarray(EPSILON, x.dtype))
        return centred

    def __call__(self, x: Array) -> Array:
        """[N D] to [N D]."""
        y = self.standardised(x)
        y *= self.gain
        y += self.shift
        return y


def softmax(scores: Array, top: Array | None = None) -> None:
    """Scores to weights over the last axis, in place; exactly 0 at -inf. `top` [... 1] is memory to work in."""
    top = np.maximum.reduce(scores, axis=-1, out=top, keepdims=True)
    np.subtract(scores, top, scores)
    np.exp(scores, scores)
    np.add.reduce(scores, axis=-1, out=top, keepdims=True)
    np.divide(scores, top, scores)


def log_softmax(logits: Array, top: Array, room: Array) -> None:
    """Logits [R V] to log-probabilities, in place; `top` [R 1] and `room` [R V] are memory to work in."""
    np.maximum.reduce(logits, axis=1, out=top, keepdims=True)
    np.subtract(logits, top, logits)
    np.exp(logits, room)
    np.add.reduce(room, axis=1, out=top, keepdims=True)
    np.log(top, top)
    np.subtract(logits, top, logits)


def relu(x: Array) -> Array:
    """max(x, 0), in place."""
    return np.maximum(x, 0, out=x)


def gelu(x: Array) -> Array:
    """GELU in its tanh form (Hendrycks & Gimpel 2016)."""
    inner = x * x
    inner *= 0.044715
    inner += 1
    inner *= x
    inner *= np.sqrt(2 / np.pi).astype(x.dtype)
    np.tanh(inner, inner)
    inner += 1
    inner *= x
    inner *= 0.5
    return inner


def swiglu(x: Array) -> Array:
    """SiLU of the first half times the second (Shazeer 2020); σ(a) = 1/2 + 1/2 tanh(a/2)."""
    gate, value = np.split(x, 2, -1)
    opened = np.tanh(gate * 0.5)
    opened *= 0.5
    opened += 0.5
    opened *= gate
    opened *= value
    return opened


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": relu, "gelu": gelu, "swiglu": swiglu}
