"""The contract of the decoder's layers, forward and backward; the layers are in `decoder_layers` and `transformer`.

As in `seq2see.model.stream`, with a backward pass. `start` takes what a layer needs from the Memory, and `forward`
passes it from chunk to chunk as the layer's state: (h, c) of an LSTM, the source states of attention. Backward, the
gradient by the state comes from the next chunk, accumulates, and goes on to the previous chunk. So for values that are
the same at every position, such as the source states, it becomes the sum over all positions, and `start_backward` adds
it to the gradient by the Memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from seq2see.scratch.arrays import Array, State
from seq2see.scratch.encoder import Memory
from seq2see.scratch.lstm import RecurrentState
from seq2see.scratch.module import Module


class Stream(NamedTuple):
    """The values passed from layer to layer in the decoder, or the gradient by them (None: zero).

    `x` [B T D]; `context` [B T C] and attention `weights` [B T S] of the last reader.
    """

    x: Array
    context: Array | None = None
    weights: Array | None = None


class Layer(Module):
    """A causal map over a chunk of T positions, with a state. Chunks compose: any split gives the same result."""

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """The initial state; a recurrent layer takes the next of the encoder's final states."""
        return ()

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """Add the gradient by the initial state to the gradients of what `start` made it from."""

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The stream after this layer, the state for the next chunk, the cache."""
        raise NotImplementedError

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """The gradients by this layer's input stream and by the state before this chunk.

        `gradient` is the one by the output stream, `state_gradient` the one by the state after this chunk; None, after
        the last chunk, is zero.
        """
        raise NotImplementedError
