"""Functions that layers share: linear maps, softmax, layer normalization, activations.

Arrays are overwritten where possible: a small NumPy call takes half a microsecond, and allocation as long again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seq2see.runtime.tensors import Array, Tensors, contiguous, empty

EPSILON = 1e-5
"""PyTorch's LayerNorm adds this to the variance."""

FEW_ROWS = 16
"""Up to this number of rows a product with a large matrix is computed in blocks."""

SMALL = 1_000_000
"""OpenBLAS multiplies without packing its operands if the product of the three sizes is at most this."""

LARGE, ALIGNED = 200_000, 512
"""With this number of weights, and rows whose width is a multiple of this, blocks are faster though the product is
small: the rows of the whole fall on the same places of the cache."""


class Matrix:
    """Weights [I O] that rows are multiplied by.

    They are the transpose of the saved weights: as fast for one row, faster for several. For the few rows of a beam,
    packing a large matrix takes longer than the product. In blocks of columns that are small enough to skip it, one
    behind the other in memory, it takes about two thirds of the time. From the first such product on, the matrix is in
    memory twice.
    """

    __slots__ = ("blocks", "is_aligned", "whole")

    def __init__(self, whole: Array) -> None:
        self.whole = contiguous(whole)
        self.is_aligned = whole.size >= LARGE and whole.shape[1] % ALIGNED == 0
        self.blocks: tuple[Array, Array] | None = None
        """Blocks of columns [N I W], and the columns left over [I O-N·W]."""

    def __call__(self, x: Array, out: Array | None = None) -> Array:
        """[R I] to [R O]; `out` must be contiguous."""
        rows = len(x)
        if rows == 1 or rows > FEW_ROWS or not (self.is_aligned or rows * self.whole.size > SMALL):
            return x.dot(self.whole, out)
        if out is None:
            out = np.empty((rows, self.whole.shape[1]), x.dtype)
        blocks, rest = self.blocks = self.blocks or in_blocks(self.whole)
        number, _, width = blocks.shape
        cut = number * width
        np.matmul(x, blocks, out[:, :cut].reshape(rows, number, width).transpose(1, 0, 2))
        if rest.size:
            np.matmul(x, rest, out[:, cut:])
        return out


def in_blocks(whole: Array) -> tuple[Array, Array]:
    """The columns of a matrix [I O] in blocks [N I W] that suit `FEW_ROWS`, and those left over.

    W is a multiple of 16; of the suitable ones the largest that leaves the fewest columns over.
    """
    inputs, outputs = whole.shape
    most = max(1, SMALL // (16 * FEW_ROWS * inputs))
    width = min((16 * n for n in range(most, most // 2, -1)), key=lambda width: outputs % width)
    number = outputs // width
    cut = number * width
    blocks = contiguous(whole[:, :cut].reshape(inputs, number, width).transpose(1, 0, 2))
    return blocks, contiguous(whole[:, cut:])


class Linear:
    """W x + b, with weights [I O]."""

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
        """The map saved under these names."""
        weight = tensors.take("weight", outputs, inputs)
        return cls(weight.T, tensors.take("bias", outputs) if bias else None)

    def __call__(self, x: Array, out: Array | None = None) -> Array:
        """[N I] to [N O]; `out` must be contiguous."""
        y = self.matrix(x, out)
        if self.bias is not None:
            np.add(y, self.bias, y)
        return y

    def after(self, norm: Norm) -> Linear:
        """This map with the norm's gain and shift folded in; its input is `norm.standardised(x)`."""
        assert self.bias is not None
        return Linear(norm.gain[:, None] * self.weight, norm.shift @ self.weight + self.bias)


class Norm:
    """Layer normalization (Ba et al. 2016)."""

    def __init__(self, tensors: Tensors, width: int) -> None:
        self.gain = tensors.take("weight", width)
        self.shift = tensors.take("bias", width)

    def standardised(self, x: Array) -> Array:
        """Each row x [N D] with mean 0 and variance 1."""
        width = x.shape[1]
        centered: Array = x - np.add.reduce(x, axis=1, keepdims=True) / width
        variance = np.add.reduce(centered * centered, axis=1, keepdims=True) / width
        centered /= np.sqrt(variance + np.asarray(EPSILON, x.dtype))
        return centered

    def __call__(self, x: Array) -> Array:
        """[N D] to [N D]."""
        y = self.standardised(x)
        y *= self.gain
        y += self.shift
        return y


class RowScalars:
    """Memory for one number per row: a column [R 1], and `broadcast`, which broadcasts like it.

    For a single row that is a 0-dimensional view, with which NumPy calculates in a third of the time.
    """

    __slots__ = ("broadcast", "column")

    def __init__(self, rows: int, like: Array) -> None:
        self.column = empty(like, rows, 1)
        self.broadcast = self.column.reshape(()) if rows == 1 else self.column

    def take_largest(self, x: Array) -> None:
        """Store the maximum of each row of x [R N]."""
        if len(x) == 1:
            self.broadcast[()] = x.item(x.argmax())
        else:
            np.maximum.reduce(x, axis=1, out=self.column, keepdims=True)


def softmax(scores: Array) -> None:
    """Scores to weights over the last axis, in place; exactly 0 at -inf."""
    scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
    np.exp(scores, scores)
    scores /= np.add.reduce(scores, axis=-1, keepdims=True)


def softmax_rows(scores: Array, scalars: RowScalars, ones: Array) -> None:
    """The same for scores [R S], in fewer and faster calls. The product with `ones` [S 1] sums each row."""
    scalars.take_largest(scores)
    np.subtract(scores, scalars.broadcast, scores)
    np.exp(scores, scores)
    scores.dot(ones, scalars.column)
    np.divide(scores, scalars.broadcast, scores)


def log_softmax_rows(logits: Array, scalars: RowScalars, ones: Array, workspace: Array) -> None:
    """Logits [R V] to log-probabilities, in place; `workspace` is [R V]."""
    scalars.take_largest(logits)
    np.subtract(logits, scalars.broadcast, logits)
    np.exp(logits, workspace)
    workspace.dot(ones, scalars.column)
    np.log(scalars.column, scalars.column)
    np.subtract(logits, scalars.broadcast, logits)


def relu(x: Array) -> Array:
    """max(x, 0), in place."""
    return np.maximum(x, 0, out=x)


def gelu(x: Array) -> Array:
    """GELU in its tanh approximation (Hendrycks & Gimpel 2016)."""
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
