"""The contract of the decoder's layers at one position: the stream, what they read, what they carry.

    Memory ──read──▶ reading (once per sentence)
                        │
    Stream ──▶ Layer.step(stream, carry, reading)        updates stream and carry in place

It is the contract of training with a single position: a prompt, or a target to be scored, is a series of forced steps.
As long as the number of rows is the same, carries hold preallocated workspace that every step overwrites.

Letters: B sentences, R rows (hypotheses, those of a sentence adjacent), S source positions, D widths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, Self, TypeAlias

from numpy.typing import NDArray

from seq2see.runtime.tensors import Array

RecurrentState: TypeAlias = tuple[Array, Array]
"""(h, c) of an LSTM, (h, h) of a GRU, each [B H]."""


class Memory(NamedTuple):
    """The encoder's output, which the decoder reads."""

    states: Array
    """[B S D]"""
    mask: NDArray[Any] | None
    """[B S], True at real tokens; None if there is no padding."""
    finals: tuple[RecurrentState, ...] = ()
    """The final (h, c) of each recurrent encoder layer after the last real token, bottom first."""
    ids: NDArray[Any] | None = None
    """The source [B S]."""


class Stream:
    """The values passed from layer to layer in the decoder, at one position."""

    __slots__ = ("context", "fed", "heads", "ids", "position", "positions", "self_heads", "weights", "x")

    ids: NDArray[Any]
    """The tokens [R]."""
    x: Array
    """[R D]; may be a view of memory that the next step overwrites."""
    context: Array
    """The context vectors of the last reader [R C]."""
    fed: Array
    """The previous output [R D], set by `InputFeeding`."""
    weights: Array | None
    """The attention weights of the last reader [R S]; each row sums to 1 and is 0 at padding."""
    heads: list[Array] | None
    """The weights of all heads of each reader so far [R H S], bottom first; None if they are not needed."""
    self_heads: list[Array] | None
    """Those of each self-attention so far, likewise: [R H P], in an encoder [B H S S]."""
    position: int
    """The number of tokens before these, the same in all rows."""
    positions: NDArray[Any] | None
    """The positions of the tokens in an encoder [B S]; None: 0, 1, … in each row."""

    def __init__(self, ids: NDArray[Any], position: int = 0, *, by_head: bool = False) -> None:
        self.ids = ids
        self.position = position
        self.weights = None
        self.heads = [] if by_head else None
        self.self_heads = [] if by_head else None
        self.positions = None


class Selectable(Protocol):
    """A carry, with one row per hypothesis, or a reading, with one row per sentence."""

    def select(self, rows: NDArray[Any]) -> Self:
        """A copy of the selected rows, in that order; the original is not modified."""
        ...


class Empty:
    """The carry or reading of a layer that has none."""

    def select(self, rows: NDArray[Any]) -> Empty:
        """Itself."""
        return self


EMPTY = Empty()


class Constant:
    """A constant array with one row per sentence."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def select(self, rows: NDArray[Any]) -> Constant:
        """The selected rows."""
        return Constant(self.array[rows])

    def add_to(self, x: Array) -> None:
        """Add to each row of x [R D] the row of its sentence."""
        if x.shape[0] == self.array.shape[0]:
            x += self.array
        else:
            x.reshape(self.array.shape[0], -1, x.shape[1])[...] += self.array[:, None]


class Layer:
    """A map at one position, with a carry from position to position."""

    def read(self, memory: Memory) -> Any:
        """What this layer reads of the source: computed once per sentence, the same at every position."""
        return EMPTY

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Any:
        """The initial carry; a recurrent layer takes the next of the encoder's final states."""
        return EMPTY

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        """Update the stream with this layer's output, and the carry for the next position."""
        raise NotImplementedError
