"""The arithmetic that layers share: linear maps, the two softmaxes, the norm, activations.

Where an array may be written over, it is: a small NumPy call takes half a microsecond, and memory as much again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seq2see.runtime.tensors import Array, Tensors

EPSILON = 1e-5
"""What PyTorch's LayerNorm adds to the variance."""


FEW_ROWS = 16
"""Up to so many rows a product is made in pieces."""

SMALL = 1_000_000
"""OpenBLAS multiplies without rearranging its operands where all three sizes together come to no more than this."""


class Matrix:
    """Weights [I O] that rows are multiplied by.

    They lie transposed, compared with how they are saved: as fast for one row, faster for several. The rows of a beam
    are so few that rearranging a large matrix for them takes longer than the product; in pieces that are small enough
    for it to be left out, 4 to 8 rows take a half to a third of the time.
    """

    __slots__ = ("pieces", "whole")

    def __init__(self, whole: Array) -> None:
        self.whole = np.ascontiguousarray(whole)
        self.pieces: dict[int, list[tuple[slice, Array]]] = {}
        """By number of rows: columns, and the weights of these."""

    def __call__(self, x: Array, out: Array | None = None) -> Array:
        """[R I] to [R O]; `out` has to be contiguous."""
        rows = len(x)
        if rows == 1 or rows > FEW_ROWS or rows * self.whole.size <= SMALL:
            return x.dot(self.whole, out)
        if out is None:
            out = np.empty((rows, self.whole.shape[1]), x.dtype)
        if rows not in self.pieces:
            self.pieces[rows] = self.cut(rows)
        for columns, piece in self.pieces[rows]:
            np.matmul(x, piece, out[:, columns])
        return out

    def cut(self, rows: int) -> list[tuple[slice, Array]]:
        """Pieces small enough for so many rows, each of a multiple of 16 columns."""
        inputs, outputs = self.whole.shape
        wide = max(1, SMALL // (16 * rows * inputs)) * 16
        cuts = [slice(begin, min(begin + wide, outputs)) for begin in range(0, outputs, wide)]
        return [(columns, self.whole[:, columns]) for columns in cuts]


class Linear:
    """W x + b, the weights as [I O]."""

    __slots__ = ("bias", "matrix")

    def __init__(self, weight: Array, bias: Array | None) -> None:
        self.matrix = Matrix(weight)
        self.bias = bias

    @property
    def weight(self) -> Array:
        """[I O]"""
        return self.matrix.whole

    @classmethod
    def take(cls, tensors: Tensors, outputs: int, inputs: int, *, bias: bool = True) -> Linear:
        """The map that is saved under these names."""
        weight = tensors.take("weight", outputs, inputs)
        return cls(weight.T, tensors.take("bias", outputs) if bias else None)

    def __call__(self, x: Array, out: Array | None = None) -> Array:
        """[N I] to [N O]; `out` has to be contiguous."""
        y = self.matrix(x, out)
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


class Numbers:
    """Memory for a number a row: a column [R 1], and what broadcasts like it.

    Of one row that is the number without axes, with which NumPy reckons in a third of the time.
    """

    __slots__ = ("broadcast", "column")

    def __init__(self, rows: int, dtype: np.dtype[Any]) -> None:
        self.column = np.empty((rows, 1), dtype)
        self.broadcast = self.column.reshape(()) if rows == 1 else self.column

    def take_largest(self, x: Array) -> None:
        """The largest of each row of x [R N]."""
        if len(x) == 1:
            self.broadcast[()] = x.item(x.argmax())
        else:
            np.maximum.reduce(x, axis=1, out=self.column, keepdims=True)


def softmax(scores: Array) -> None:
    """Scores to weights over the last axis, in place; exactly 0 at -inf."""
    scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
    np.exp(scores, scores)
    scores /= np.add.reduce(scores, axis=-1, keepdims=True)


def softmax_rows(scores: Array, numbers: Numbers, ones: Array) -> None:
    """The same for scores [R S], in few and short calls. `ones` [S 1]: by a product with them a row is added up."""
    numbers.take_largest(scores)
    np.subtract(scores, numbers.broadcast, scores)
    np.exp(scores, scores)
    scores.dot(ones, numbers.column)
    np.divide(scores, numbers.broadcast, scores)


def log_softmax_rows(logits: Array, numbers: Numbers, ones: Array, room: Array) -> None:
    """Logits [R V] to log-probabilities, in place; `room` [R V] is memory to work in."""
    numbers.take_largest(logits)
    np.subtract(logits, numbers.broadcast, logits)
    np.exp(logits, room)
    room.dot(ones, numbers.column)
    np.log(numbers.column, numbers.column)
    np.subtract(logits, numbers.broadcast, logits)


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
