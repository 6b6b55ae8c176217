"""Layers that hold other layers or join what flows, and the two ends of a decoder: tokens in, log-probabilities out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.arithmetic import Linear, Numbers, log_softmax_rows
from seq2see.runtime.stream import NOTHING, Constant, Layer, LSTMState, Memory, Stream
from seq2see.runtime.tensors import Array


class Room:
    """Nothing to remember: memory for what a layer puts out [R D]."""

    __slots__ = ("out",)

    def __init__(self, rows: int, width: int, dtype: np.dtype[Any]) -> None:
        self.out = np.empty((rows, width), dtype)

    def select(self, rows: NDArray[Any]) -> Room:
        """The same for so many rows."""
        return self if len(rows) == len(self.out) else Room(len(rows), self.out.shape[1], self.out.dtype)


class Embed(Layer):
    """Each token's vector [V D]."""

    def __init__(self, table: Array) -> None:
        self.table = table

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        stream.x = self.table[stream.ids]


class Dense(Layer):
    """tanh(W x + context), the attentional layer of Luong et al. 2015, eq. 5: the reader has mapped the context."""

    def __init__(self, linear: Linear) -> None:
        self.linear = linear

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Room:
        return Room(len(memory.states), self.linear.weight.shape[1], memory.states.dtype)

    def step(self, stream: Stream, carry: Room, reading: Any) -> None:
        out = carry.out
        self.linear(stream.x, out)
        np.add(out, stream.context, out)
        np.tanh(out, out)
        stream.x = out


class Parts:
    """The carries or the readings of several layers."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts

    def select(self, rows: NDArray[Any]) -> Parts:
        """The chosen rows of each."""
        return Parts([part.select(rows) for part in self.parts])


class Stack(Layer):
    """Layers one after the other."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    def read(self, memory: Memory) -> Parts:
        return Parts([layer.read(memory) for layer in self.layers])

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Parts:
        return Parts([layer.start(memory, finals) for layer in self.layers])

    def step(self, stream: Stream, carry: Parts, reading: Parts) -> None:
        for layer, own_carry, own_reading in zip(self.layers, carry.parts, reading.parts, strict=True):
            layer.step(stream, own_carry, own_reading)


class Residual(Layer):
    """Add what went in to what comes out: x + inner(x) (Wu et al. 2016, eq. 6)."""

    def __init__(self, inner: Layer) -> None:
        self.inner = inner

    def read(self, memory: Memory) -> Any:
        return self.inner.read(memory)

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Parts:
        room = Room(len(memory.states), memory.states.shape[2], memory.states.dtype)
        return Parts([self.inner.start(memory, finals), room])

    def step(self, stream: Stream, carry: Parts, reading: Any) -> None:
        x = stream.x
        inner, room = carry.parts
        self.inner.step(stream, inner, reading)
        stream.x = np.add(x, stream.x, room.out)


class Fed:
    """The carry of the layer that feeds its output in again, and that output [R D]."""

    __slots__ = ("inner", "out")

    def __init__(self, inner: Any, out: Array) -> None:
        self.inner = inner
        self.out = out

    def select(self, rows: NDArray[Any]) -> Fed:
        """The chosen rows."""
        return Fed(self.inner.select(rows), self.out[rows])


class InputFeeding(Layer):
    """Show the inner layer its own previous output as `stream.fed` (Luong et al. 2015, section 3.3)."""

    def __init__(self, inner: Layer) -> None:
        self.inner = inner

    def read(self, memory: Memory) -> Any:
        return self.inner.read(memory)

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Fed:
        return Fed(self.inner.start(memory, finals), np.zeros_like(memory.states[:, 0]))

    def step(self, stream: Stream, carry: Fed, reading: Any) -> None:
        stream.fed = carry.out
        self.inner.step(stream, carry.inner, reading)
        np.copyto(carry.out, stream.x)  # which lies in memory that another state may share


class OutputCarry:
    """Memory for the log-probabilities [R V]."""

    __slots__ = ("logits", "numbers", "room")

    def __init__(self, rows: int, tokens: int, dtype: np.dtype[Any]) -> None:
        self.logits = np.empty((rows, tokens), dtype)
        self.room = np.empty((rows, tokens), dtype)
        self.numbers = Numbers(rows, dtype)

    def select(self, rows: NDArray[Any]) -> OutputCarry:
        """The same for so many rows."""
        rows_before, tokens = self.logits.shape
        return self if len(rows) == rows_before else OutputCarry(len(rows), tokens, self.logits.dtype)


class Output(Layer):
    """The log-probability of every token [R V]; with `peeks`, the last weights read the summary of the source."""

    def __init__(self, linear: Linear, *, peeks: int = 0) -> None:
        split = len(linear.weight) - peeks
        self.linear = Linear(linear.weight[:split], linear.bias) if peeks else linear
        self.peeked = linear.weight[split:] if peeks else None
        self.ones = np.ones((linear.weight.shape[1], 1), linear.weight.dtype)

    def read(self, memory: Memory) -> Any:
        return NOTHING if self.peeked is None else Constant(memory.finals[-1][0] @ self.peeked)

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> OutputCarry:
        return OutputCarry(len(memory.states), len(self.ones), memory.states.dtype)

    def step(self, stream: Stream, carry: OutputCarry, reading: Any) -> None:
        logits = carry.logits
        self.linear(stream.x, logits)
        if reading is not NOTHING:
            reading.add_to(logits)
        log_softmax_rows(logits, carry.numbers, self.ones, carry.room)
        stream.x = logits
