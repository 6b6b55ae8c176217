"""The contract of the decoder's layers: what flows through them, what they read, what they carry.

    Memory ──read──▶ reading (once per sentence)
                        │
    Stream ──▶ Layer.forward(stream, carry, reading) ──▶ Stream, carry'

The law every layer keeps: **chunks compose**. Fed a sequence in any pieces, the carry passed along, a layer gives what
it gives when fed the sequence at once. Teacher forcing (all positions), generation (one position) and forced prefixes
are therefore the same code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2see.model.tensors import Carry, select_rows

LSTMState: TypeAlias = tuple[Tensor, Tensor]
"""(h, c), each [B H]."""


class Memory(NamedTuple):
    """What the encoder hands over to the decoder."""

    states: Float[Tensor, "B S D"]
    mask: Bool[Tensor, "B S"]
    finals: tuple[LSTMState, ...]
    """One (h, c) for each recurrent encoder layer, bottom first, as it stood after the last real token."""


class Stream(NamedTuple):
    """What flows through the decoder's layers."""

    x: Float[Tensor, "R T D"]
    context: Float[Tensor, "R T C"] | None = None
    """What the last reader took from the source."""
    weights: Float[Tensor, "R T S"] | None = None
    """Where it looked; each row sums to 1 and is 0 at padding."""
    watched: bool = True
    """Whether anyone wants to know where: attention of many heads is faster where not."""
    heads: tuple[Float[Tensor, "R _H T S"], ...] | None = None
    """Where each head of every reader so far looked, bottom first; None where nobody asks for them."""


class Layer(nn.Module):
    """A causal map over a chunk of positions, with a carry."""

    def read(self, memory: Memory) -> Carry:
        """What this layer takes from the source, computed once per sentence and the same at every position."""
        return ()

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Carry:
        """The carry before the first position; a recurrent layer takes the next of the encoder's final states."""
        return ()

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        """The stream after this layer, and the carry for the next chunk.

        Stream and carry have a row a hypothesis, the reading a row a sentence: R is a multiple of B.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class DecoderState:
    """All that a decoder knows between two steps.

    The reading has a row a sentence, the carry a row a hypothesis; the hypotheses of a sentence are neighbours, and
    every sentence has as many. So a beam copies nothing of the source.
    """

    reading: Carry
    carry: Carry

    def select(self, rows: Int[Tensor, " N"], sentences: Int[Tensor, " M"] | None = None) -> DecoderState:
        """The state of the chosen rows, in that order; they belong to the chosen sentences (None: all there are)."""
        reading = self.reading if sentences is None else select_rows(self.reading, sentences)
        return DecoderState(reading, select_rows(self.carry, rows))
