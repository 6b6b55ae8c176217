"""The contract of the decoder's layers, forward and backward; the layers themselves are in `decoder_layers`.

As in `seq2see.model.stream`, with a way back. `start` takes what a layer needs from the Memory, and `forward` passes it
on from chunk to chunk as the layer's state: (h, c) of an LSTM, the source states of attention. Backward, the gradient
by the state comes from the chunk after, is added to, and goes on to the chunk before. So what is the same at every
position, such as the source states, collects the sum over all positions, and `start_backward` hands it to the Memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from seq2see.scratch.arrays import Array, State
from seq2see.scratch.encoder import Memory
from seq2see.scratch.lstm import LSTMState
from seq2see.scratch.part import Part


class Stream(NamedTuple):
    """What flows through the decoder's layers, or the gradient by it (None: zero).

    `x` [B T D]; `context` [B T C], what the last reader took from the source; `weights` [B T S], where it looked.
    """

    x: Array
    context: Array | None = None
    weights: Array | None = None


class Layer(Part):
    """A causal map over a chunk of T positions, with a state. Fed in any pieces, it gives what it gives at once."""

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> State:
        """The state before the first position; a recurrent layer takes the next of the encoder's final states."""
        return ()

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[LSTMState]
    ) -> None:
        """Add the gradient by the state before the first position to what `start` made it from."""

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The stream after this layer, the state for the next chunk, the cache."""
        raise NotImplementedError

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """The gradients by the stream before this layer and by the state before this chunk.

        Given are those after; a state gradient of None is zero: nothing comes after this chunk.
        """
        raise NotImplementedError
