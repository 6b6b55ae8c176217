"""The contract of the decoder's layers: the stream through them, what they read, what they carry.

    Memory ──read──▶ reading (once per sentence)
                        │
    Stream ──▶ Layer.forward(stream, carry, reading) ──▶ Stream, carry'

The law every layer keeps: **chunks compose**. A sequence in any number of pieces, with the carry passed from one to the
next, gives the same result as the whole sequence at once. So teacher forcing (all positions), generation (one position)
and forced prefixes run the same code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2see.model.products import PLAIN, Products
from seq2see.model.tensors import Carry, select_rows

RecurrentState: TypeAlias = tuple[Tensor, ...]
"""(h, c) of an LSTM, (h,) of a GRU, each [B H]."""


class Memory(NamedTuple):
    """The encoder's output, which the decoder reads."""

    states: Float[Tensor, "B S D"]
    mask: Bool[Tensor, "B S"]
    finals: tuple[RecurrentState, ...]
    """The final state of each recurrent encoder layer after the last real token, bottom first."""
    ids: Int[Tensor, "B S"] | None = None
    """The source."""
    tags: Float[Tensor, "B E"] | None = None
    """The sum of the embeddings of its tags, for a decoder that reads them in each step."""


class Stream(NamedTuple):
    """The values passed from layer to layer in the decoder."""

    x: Float[Tensor, "R T D"]
    context: Float[Tensor, "R T C"] | None = None
    """The context vectors of the last reader."""
    weights: Float[Tensor, "R T S"] | None = None
    """Its attention weights; each row sums to 1 and is 0 at padding."""
    need_weights: bool = True
    """Whether `weights` are needed: multi-head attention is faster without them."""
    heads: tuple[Float[Tensor, "R _H T S"], ...] | None = None
    """The weights of every head of each reader so far, bottom first; None if they are not needed."""
    self_heads: tuple[Float[Tensor, "R _H T _P"], ...] | None = None
    """Those of each self-attention so far, likewise."""
    tokens: Int[Tensor, "R T"] | None = None
    """The decoder's input."""
    log_probs: Float[Tensor, "R T V"] | None = None
    """log p of the next tokens, where a mixture gives them and not the output layer alone."""
    positions: Int[Tensor, "R T"] | None = None
    """The positions of the tokens in an encoder; None: 0, 1, … in each row."""
    products: Products = PLAIN
    """How recurrent layers, attention and `Dense` multiply with weights and with the source."""


class Layer(nn.Module):
    """A causal map over a chunk of positions, with a carry."""

    def read(self, memory: Memory) -> Carry:
        """What this layer reads of the source: computed once per sentence, the same at every position."""
        return ()

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        """The initial carry; a recurrent layer takes the next of the encoder's final states."""
        return ()

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        """The stream after this layer, and the carry for the next chunk.

        Stream and carry have one row per hypothesis, the reading one row per sentence: R is a multiple of B.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class DecoderState:
    """The decoder's state between two steps.

    The reading has one row per sentence, the carry one row per hypothesis; the hypotheses of a sentence are adjacent,
    and every sentence has equally many. So beam search never copies the source.
    """

    reading: Carry
    carry: Carry

    def select(self, rows: Int[Tensor, " N"], sentences: Int[Tensor, " M"] | None = None) -> DecoderState:
        """The state of the selected rows, in that order; they belong to the selected sentences (None: all).

        Without `sentences` this state is not used again: see `seq2see.search.State`.
        """
        reading = self.reading if sentences is None else select_rows(self.reading, sentences)
        return DecoderState(reading, select_rows(self.carry, rows, in_place=sentences is None))
