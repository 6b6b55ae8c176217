"""LSTM and GRU, with few calls and no allocation per step.

Precomputed when the weights are loaded:
- Gates are reordered to input, forget, output, cell. The first three are σ(a) = 1/2 + 1/2 tanh(a/2); with their weights
  halved, one tanh computes all four. Those of a GRU are reset, update, and the two summands of the new state, of state
  and of input: four too, so that whatever goes through time is the same for both.
- Token embedding times input weights, plus bias, is a table with one row per token: no product for the input.
- The other inputs are concatenated with h, and so are their weights: one product per step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.arithmetic import Matrix
from seq2see.runtime.stream import EMPTY, Constant, Layer, Memory, RecurrentState, Stream
from seq2see.runtime.tensors import Array, Tensors, empty

LARGEST_TABLE = 4_000_000
"""Maximum size of the table of embedding times input weights (16 MB); larger vocabularies compute the product."""


class Gates(NamedTuple):
    """The weights of an LSTM or a GRU, transposed and prepared as described above."""

    inputs: Array
    """[I 4H]"""
    hidden: Array
    """[H 4H]"""
    bias: Array
    """[4H]"""
    cell: type[Cell]
    """What computes the next state from their sums."""

    @classmethod
    def take(cls, tensors: Tensors, name: str, input_width: int, width: int) -> Gates:
        """The weights of the recurrent network of this name, lstm or gru."""
        take = cls.of_gru if name == "gru" else cls.of_lstm
        return take(tensors.at(name), input_width, width)

    @classmethod
    def of_lstm(cls, tensors: Tensors, input_width: int, width: int) -> Gates:
        """The weights saved under these names, in PyTorch's order: input, forget, cell, output."""

        def prepared(saved: Array) -> Array:
            input_gate, forget, cell, output = np.split(saved, 4)
            return np.concatenate([input_gate * 0.5, forget * 0.5, output * 0.5, cell]).T

        return cls(
            prepared(tensors.take("weight_input", 4 * width, input_width)),
            prepared(tensors.take("weight_hidden", 4 * width, width)),
            prepared(tensors.take("bias", 4 * width)),
            LSTMCell,
        )

    @classmethod
    def of_gru(cls, tensors: Tensors, input_width: int, width: int) -> Gates:
        """The weights saved under these names, in PyTorch's order: reset, update, new."""
        inputs = tensors.take("weight_input", 3 * width, input_width)
        hidden = tensors.take("weight_hidden", 3 * width, width)
        bias = tensors.take("bias", 3 * width)
        of_hidden = tensors.take("bias_hidden", width)

        def prepared(gates: Array, new_of_hidden: Array, new_of_input: Array) -> Array:
            return np.concatenate([gates[: 2 * width] * 0.5, new_of_hidden, new_of_input]).T

        return cls(
            prepared(inputs, np.zeros_like(inputs[:width]), inputs[2 * width :]),
            prepared(hidden, hidden[2 * width :], np.zeros_like(hidden[:width])),
            prepared(bias, of_hidden, bias[2 * width :]),
            GRUCell,
        )

    def table(self, embedding: Array) -> Array | None:
        """Each token's share of the gates [V 4H], including the bias; None if the table would be too large."""
        tokens, width = embedding.shape
        if tokens * len(self.bias) > LARGEST_TABLE:
            return None
        table: Array = embedding @ self.inputs[:width]
        table += self.bias
        return table


class Cell:
    """What a recurrent network with H units remembers of rows [... R] besides h, and its workspace."""

    __slots__ = ("c",)

    def __init__(self, c: Array) -> None:
        self.c = c

    def advance(self, products: Array, addend: Array, h: Array) -> None:
        """Update c, and write the next h to `h`. `products` + `addend` are the gates before their activations."""
        raise NotImplementedError


class LSTMCell(Cell):
    """c and the workspace of an LSTM with H units, for rows [... R].

    Input, forget, output, cell and c are contiguous, so that i·g and f·c are one product.
    """

    __slots__ = ("half", "left", "opened", "output", "parts", "remembered", "right", "signal", "squashed", "taken")

    def __init__(self, c: Array) -> None:
        *shape, width = c.shape
        gates = empty(c, *shape, 5 * width)
        self.signal = gates[..., : 4 * width]
        self.opened = gates[..., : 3 * width]
        self.left = gates[..., : 2 * width]
        self.output = gates[..., 2 * width : 3 * width]
        self.right = gates[..., 3 * width :]
        self.c = gates[..., 4 * width :]
        self.c[...] = c
        self.parts = empty(c, *shape, 2 * width)
        self.taken = self.parts[..., :width]
        self.remembered = self.parts[..., width:]
        self.squashed = empty(c, *shape, width)
        self.half = np.array(0.5, c.dtype)  # an array: faster in NumPy than a Python number

    def advance(self, products: Array, addend: Array, h: Array) -> None:
        signal, opened, c, half = self.signal, self.opened, self.c, self.half
        np.add(products, addend, signal)
        np.tanh(signal, signal)
        np.multiply(opened, half, opened)
        np.add(opened, half, opened)
        np.multiply(self.left, self.right, self.parts)
        np.add(self.taken, self.remembered, c)
        np.tanh(c, self.squashed)
        np.multiply(self.output, self.squashed, h)


class GRUCell(Cell):
    """h, as c, and the workspace of a GRU with H units, for rows [... R]: h' = n + z·(h - n)."""

    __slots__ = ("half", "new", "new_of_hidden", "opened", "reset", "signal", "update")

    def __init__(self, c: Array) -> None:
        *shape, width = c.shape
        self.signal = empty(c, *shape, 4 * width)
        self.opened = self.signal[..., : 2 * width]
        self.reset = self.signal[..., :width]
        self.update = self.signal[..., width : 2 * width]
        self.new_of_hidden = self.signal[..., 2 * width : 3 * width]
        self.new = self.signal[..., 3 * width :]
        self.c = c.copy()
        self.half = np.array(0.5, c.dtype)

    def advance(self, products: Array, addend: Array, h: Array) -> None:
        opened, new, c = self.opened, self.new, self.c
        np.add(products, addend, self.signal)
        np.tanh(opened, opened)
        np.multiply(opened, self.half, opened)
        np.add(opened, self.half, opened)
        np.multiply(self.reset, self.new_of_hidden, self.new_of_hidden)
        np.add(new, self.new_of_hidden, new)
        np.tanh(new, new)
        np.subtract(c, new, c)
        np.multiply(c, self.update, c)
        np.add(c, new, c)
        np.copyto(h, c)


class RecurrentCarry:
    """(h, c) of an LSTM, or (h, h) of a GRU; h is stored next to the inputs."""

    __slots__ = ("cell", "h", "inputs", "joint", "products", "widths")

    def __init__(self, h: Array, cell: Cell, widths: Sequence[int]) -> None:
        rows, width = h.shape
        self.widths = widths
        self.joint = empty(h, rows, sum(widths) + width)
        borders = list(accumulate([0, *widths]))
        self.inputs = [self.joint[:, a:b] for a, b in pairwise(borders)]
        self.h = self.joint[:, borders[-1] :]
        self.h[...] = h
        self.products = empty(h, rows, 4 * width)
        self.cell = cell

    def select(self, rows: NDArray[Any]) -> RecurrentCarry:
        """The states of the selected rows."""
        return RecurrentCarry(self.h[rows], type(self.cell)(self.cell.c[rows]), self.widths)


class Recurrent(Layer):
    """An LSTM or GRU that starts from the final state of an encoder layer.

    Its inputs are, in the order of its weights: the token, if there is a `table`; the fields of the stream that it
    `reads`, with their widths; the last `peeks` weights read the summary of the source, once per sentence.
    """

    def __init__(
        self, gates: Gates, *, table: Array | None = None, reads: dict[str, int] | None = None, peeks: int = 0
    ) -> None:
        self.reads = reads or {}
        self.table = table
        first = len(gates.inputs) - peeks - sum(self.reads.values())
        self.matrix = Matrix(np.concatenate([gates.inputs[first : len(gates.inputs) - peeks], gates.hidden]))
        self.peeked = gates.inputs[len(gates.inputs) - peeks :] if peeks else None
        self.bias = gates.bias
        self.cell = gates.cell

    def read(self, memory: Memory) -> Constant | Any:
        if self.peeked is None:
            return EMPTY
        return Constant(memory.finals[-1][0] @ self.peeked)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> RecurrentCarry:
        zeros = np.zeros_like(memory.states, shape=(memory.states.shape[0], len(self.bias) // 4))
        h, c = next(finals, None) or (zeros, zeros)
        return RecurrentCarry(h, self.cell(c), tuple(self.reads.values()))

    def step(self, stream: Stream, carry: RecurrentCarry, reading: Constant | Any) -> None:
        for name, target in zip(self.reads, carry.inputs, strict=True):
            np.copyto(target, getattr(stream, name))
        products = carry.products
        self.matrix(carry.joint, products)
        if reading is not EMPTY:
            reading.add_to(products)
        if self.table is None:
            addend = self.bias
        else:  # A single row is a view.
            addend = self.table[stream.ids.item()] if len(stream.ids) == 1 else self.table[stream.ids]
        carry.cell.advance(products, addend, carry.h)
        stream.x = carry.h
