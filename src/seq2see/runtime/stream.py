"""The contract of the decoder's layers at one position: what flows through them, what they read, what they carry.

    Memory ──read──▶ reading (once per sentence)
                        │
    Stream ──▶ Layer.step(stream, carry, reading)         changes stream and carry in place

It is the contract of training with one position where that has many: a prompt, or a target to be scored, is a row of
forced steps. Readings and carries are fixed in number as long as the rows are, so they bring the memory that a step
works in: it is set aside once, and a step writes into it.

Letters: B sentences, R rows (hypotheses, those of a sentence side by side), S source positions, D widths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, Self, TypeAlias

from numpy.typing import NDArray

from seq2see.runtime.tensors import Array

LSTMState: TypeAlias = tuple[Array, Array]
"""(h, c), each [B H]."""


class Memory(NamedTuple):
    """What the encoder hands over to the decoder."""

    states: Array
    """[B S D]"""
    mask: NDArray[Any] | None
    """[B S], True at real tokens; None where there is no padding."""
    finals: tuple[LSTMState, ...] = ()
    """One (h, c) for each recurrent encoder layer, bottom first, as it stood after the last real token."""


class Stream:
    """What flows through the decoder's layers at one position."""

    __slots__ = ("context", "fed", "heads", "ids", "weights", "x")

    ids: NDArray[Any]
    """The tokens [R]."""
    x: Array
    """[R D]; it may lie in memory that the next step writes into."""
    context: Array
    """What the last reader took from the source [R C]."""
    fed: Array
    """What came out at the position before [R D], where a layer feeds it in."""
    weights: Array | None
    """Where the last reader looked [R S]; each row sums to 1 and is 0 at padding."""
    heads: list[Array] | None
    """Where each head of every reader so far looked [R H S], bottom first; None where nobody asks for them."""

    def __init__(self, ids: NDArray[Any], heads: list[Array] | None = None) -> None:
        self.ids = ids
        self.weights = None
        self.heads = heads


class Rows(Protocol):
    """Something with a row a hypothesis (a carry) or a row a sentence (a reading)."""

    def select(self, rows: NDArray[Any]) -> Self:
        """The chosen rows in that order, in memory of their own; what was there before is left as it was."""
        ...


class Nothing:
    """No rows at all: the carry or the reading of a layer that has none."""

    def select(self, rows: NDArray[Any]) -> Nothing:
        """Nothing."""
        return self


NOTHING = Nothing()


class Constant:
    """An array with a row a sentence that never changes."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def select(self, rows: NDArray[Any]) -> Constant:
        """The chosen rows."""
        return Constant(self.array[rows])

    def add_to(self, x: Array) -> None:
        """Add to the rows x [R D] what belongs to their sentences."""
        if len(x) == len(self.array):
            x += self.array
        else:
            x.reshape(len(self.array), -1, x.shape[1])[...] += self.array[:, None]


class Layer:
    """A map from one position to the next layer's, with a carry from position to position."""

    def read(self, memory: Memory) -> Any:
        """What this layer takes from the source, computed once per sentence and the same at every position."""
        return NOTHING

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Any:
        """The carry before the first position; a recurrent layer takes the next of the encoder's final states."""
        return NOTHING

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        """Put into the stream what this layer makes of it, and into the carry what the next position needs."""
        raise NotImplementedError
