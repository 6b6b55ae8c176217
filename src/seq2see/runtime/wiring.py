"""Layers that contain other layers, connections, and the decoder's embedding and output layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.arithmetic import Linear, RowScalars, log_softmax_rows
from seq2see.runtime.stream import EMPTY, Constant, Layer, Memory, RecurrentState, Stream
from seq2see.runtime.tensors import Array, empty


class Workspace:
    """A layer's output array [R D], with nothing to carry."""

    __slots__ = ("out",)

    def __init__(self, rows: int, width: int, like: Array) -> None:
        self.out = empty(like, rows, width)

    def select(self, rows: NDArray[Any]) -> Workspace:
        """A workspace for this number of rows."""
        rows_before, width = self.out.shape
        return self if rows.shape[0] == rows_before else Workspace(rows.shape[0], width, self.out)


class Embed(Layer):
    """Token embeddings [V D]."""

    def __init__(self, table: Array) -> None:
        self.table = table

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        stream.x = self.table[stream.ids]


class Dense(Layer):
    """tanh(W x + context), the attentional layer of Luong et al. 2015, eq. 5; the reader has projected the context."""

    def __init__(self, linear: Linear) -> None:
        self.linear = linear

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Workspace:
        return Workspace(memory.states.shape[0], self.linear.weight.shape[1], memory.states)

    def step(self, stream: Stream, carry: Workspace, reading: Any) -> None:
        out = carry.out
        self.linear(stream.x, out)
        np.add(out, stream.context, out)
        np.tanh(out, out)
        stream.x = out


class Concat(Layer):
    """[x; context], for the output layer."""

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        stream.x = np.concatenate([stream.x, stream.context], 1)


class LayerStates:
    """The carries or readings of several layers."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts

    def select(self, rows: NDArray[Any]) -> LayerStates:
        """The selected rows of each."""
        return LayerStates([part.select(rows) for part in self.parts])

    def moved(self, rows: NDArray[Any]) -> LayerStates:
        """The selected rows, in place where a part can do so: this object is not used again."""
        return LayerStates([getattr(part, "moved", part.select)(rows) for part in self.parts])


class Stack(Layer):
    """Layers in sequence."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    def read(self, memory: Memory) -> LayerStates:
        return LayerStates([layer.read(memory) for layer in self.layers])

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> LayerStates:
        return LayerStates([layer.start(memory, finals) for layer in self.layers])

    def step(self, stream: Stream, carry: LayerStates, reading: LayerStates) -> None:
        for layer, own_carry, own_reading in zip(self.layers, carry.parts, reading.parts, strict=True):
            layer.step(stream, own_carry, own_reading)


class Residual(Layer):
    """A residual connection: x + inner(x) (Wu et al. 2016, eq. 6)."""

    def __init__(self, inner: Layer) -> None:
        self.inner = inner

    def read(self, memory: Memory) -> Any:
        return self.inner.read(memory)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> LayerStates:
        workspace = Workspace(memory.states.shape[0], memory.states.shape[2], memory.states)
        return LayerStates([self.inner.start(memory, finals), workspace])

    def step(self, stream: Stream, carry: LayerStates, reading: Any) -> None:
        x = stream.x
        inner, workspace = carry.parts
        self.inner.step(stream, inner, reading)
        stream.x = np.add(x, stream.x, workspace.out)


class InputFeedingCarry:
    """The inner carry, and the previous output [R D]."""

    __slots__ = ("inner", "out")

    def __init__(self, inner: Any, out: Array) -> None:
        self.inner = inner
        self.out = out

    def select(self, rows: NDArray[Any]) -> InputFeedingCarry:
        """The selected rows."""
        return InputFeedingCarry(self.inner.select(rows), self.out[rows])


class InputFeeding(Layer):
    """Pass the inner layer its own previous output as `stream.fed` (Luong et al. 2015, section 3.3)."""

    def __init__(self, inner: Layer) -> None:
        self.inner = inner

    def read(self, memory: Memory) -> Any:
        return self.inner.read(memory)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> InputFeedingCarry:
        sentences, _, width = memory.states.shape
        return InputFeedingCarry(
            self.inner.start(memory, finals), np.zeros_like(memory.states, shape=(sentences, width))
        )

    def step(self, stream: Stream, carry: InputFeedingCarry, reading: Any) -> None:
        stream.fed = carry.out
        self.inner.step(stream, carry.inner, reading)
        np.copyto(carry.out, stream.x)  # a view of memory that another state may share


class OutputCarry:
    """The log-probabilities [R V], and workspace."""

    __slots__ = ("logits", "scalars", "workspace")

    def __init__(self, rows: int, tokens: int, like: Array) -> None:
        self.logits = empty(like, rows, tokens)
        self.workspace = empty(like, rows, tokens)
        self.scalars = RowScalars(rows, like)

    def select(self, rows: NDArray[Any]) -> OutputCarry:
        """A workspace for this number of rows."""
        rows_before, tokens = self.logits.shape
        return self if rows.shape[0] == rows_before else OutputCarry(rows.shape[0], tokens, self.logits)


class Output(Layer):
    """Log-probabilities of all tokens [R V]; the last `peeks` weights read the summary of the source."""

    def __init__(self, linear: Linear, *, peeks: int = 0) -> None:
        split = len(linear.weight) - peeks
        self.linear = Linear(linear.weight[:split], linear.bias) if peeks else linear
        self.peeked = linear.weight[split:] if peeks else None
        self.ones = np.ones((linear.weight.shape[1], 1), linear.weight.dtype)

    def read(self, memory: Memory) -> Any:
        return EMPTY if self.peeked is None else Constant(memory.finals[-1][0] @ self.peeked)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> OutputCarry:
        return OutputCarry(memory.states.shape[0], self.ones.shape[0], memory.states)

    def step(self, stream: Stream, carry: OutputCarry, reading: Any) -> None:
        logits = carry.logits
        self.linear(stream.x, logits)
        if reading is not EMPTY:
            reading.add_to(logits)
        log_softmax_rows(logits, carry.scalars, self.ones, carry.workspace)
        stream.x = logits
