"""Encoders: from source ids to Memory, and from the gradient by the Memory to those of the parameters."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from seq2see.data.batch import Padded
from seq2see.scratch.arrays import Array, Mask
from seq2see.scratch.cells import Cell
from seq2see.scratch.gru import GRUCache
from seq2see.scratch.layers import Embedding
from seq2see.scratch.lstm import LSTMCache, RecurrentState
from seq2see.scratch.module import Module

Cache: TypeAlias = LSTMCache | GRUCache


class Memory(NamedTuple):
    """The encoder's output, which the decoder reads, or the gradient by it.

    `states` [B S D]; `mask` [B S], True at real tokens; `finals`, the state of each layer after the last token it read.
    """

    states: Array
    mask: Mask
    finals: tuple[RecurrentState, ...]

    def zeros(self) -> Memory:
        """A zero gradient, to accumulate into."""
        return Memory(
            np.zeros_like(self.states), self.mask, tuple(tuple(map(np.zeros_like, final)) for final in self.finals)
        )


class EncoderLayer(Module):
    """Maps padded states [B S I] to states [B S D] and the layer's final (h, c), if it has one."""

    def forward(self, x: Array, mask: Mask) -> tuple[Array, RecurrentState | None, Any]:
        """States, final (h, c), cache."""
        raise NotImplementedError

    def backward(self, states_gradient: Array, final_gradient: Any, cache: Any) -> Array:
        """The gradient by x, from those by the states and by (h, c)."""
        raise NotImplementedError


class DirectedRNN(Cell):
    """An LSTM or GRU that reads forward or backward; its outputs stay in source order.

    Read backward, a row begins with its padding, which leaves the zero state unchanged.
    """

    def __init__(self, input_width: int, width: int, *, backward: bool, cell: str = "lstm") -> None:
        super().__init__(cell, input_width, width)
        self.step = -1 if backward else 1

    def forward(self, x: Array, mask: Mask) -> tuple[Array, RecurrentState, Cache]:
        """States, final state, cache."""
        zeros = self.network.zeros(len(x))
        states, final, cache = self.network.forward(x[:, :: self.step], zeros, mask[:, :: self.step])
        return states[:, :: self.step], final, cache

    def backward(self, states_gradient: Array, final_gradient: RecurrentState, cache: Any) -> Array:
        """The gradient by x; the gradient by the constant initial state is discarded."""
        x_gradient, _ = self.network.backward(states_gradient[:, :: self.step], final_gradient, cache)
        return x_gradient[:, :: self.step]


class UnidirectionalRNN(EncoderLayer):
    """One LSTM or GRU that reads forward, or backward: the reversed input of Sutskever et al. 2014, section 3.3."""

    def __init__(self, input_width: int, width: int, *, backward: bool = False, cell: str = "lstm") -> None:
        self.reader = DirectedRNN(input_width, width, backward=backward, cell=cell)

    def forward(self, x: Array, mask: Mask) -> tuple[Array, RecurrentState, Cache]:
        """States, final state, cache."""
        return self.reader.forward(x, mask)

    def backward(self, states_gradient: Array, final_gradient: RecurrentState, cache: Cache) -> Array:
        """The gradient by x."""
        return self.reader.backward(states_gradient, final_gradient, cache)


class BidirectionalRNN(EncoderLayer):
    """Two LSTMs or GRUs, one per direction (Schuster & Paliwal 1997), merged by concatenation, sum or mean.

    `width` is that of the merged states; under concat each direction has half of it. Final states are merged likewise.
    """

    def __init__(self, input_width: int, width: int, *, merge: str = "concat", cell: str = "lstm") -> None:
        each = width // 2 if merge == "concat" else width
        self.ahead = DirectedRNN(input_width, each, backward=False, cell=cell)
        self.back = DirectedRNN(input_width, each, backward=True, cell=cell)
        self.merge = merge

    def forward(self, x: Array, mask: Mask) -> tuple[Array, RecurrentState, tuple[Cache, Cache]]:
        """States, final state, cache."""
        ahead, final_ahead, ahead_cache = self.ahead.forward(x, mask)
        back, final_back, back_cache = self.back.forward(x, mask)
        final = tuple(self._merged(*pair) for pair in zip(final_ahead, final_back, strict=True))
        return self._merged(ahead, back), final, (ahead_cache, back_cache)

    def backward(self, states_gradient: Array, final_gradient: RecurrentState, cache: tuple[Cache, Cache]) -> Array:
        """Both directions read the same x: its gradient is the sum of theirs."""
        (ahead, back), *finals = (self._split(gradient) for gradient in (states_gradient, *final_gradient))
        x_gradient = self.ahead.backward(ahead, tuple(final[0] for final in finals), cache[0])
        return x_gradient + self.back.backward(back, tuple(final[1] for final in finals), cache[1])

    def _merged(self, ahead: Array, back: Array) -> Array:
        match self.merge:
            case "concat":
                return np.concatenate([ahead, back], -1)
            case "sum":
                return ahead + back
            case _:
                return (ahead + back) / 2

    def _split(self, gradient: Array) -> tuple[Array, Array]:
        """The gradients by `ahead` and `back`, from the one by their merged states."""
        match self.merge:
            case "concat":
                half = gradient.shape[-1] // 2
                return gradient[..., :half], gradient[..., half:]
            case "sum":
                return gradient, gradient
            case _:
                return gradient / 2, gradient / 2


class ResidualEncoderLayer(EncoderLayer):
    """A residual connection around an encoder layer; the final (h, c) are the inner layer's."""

    def __init__(self, inner: EncoderLayer) -> None:
        self.inner = inner

    def forward(self, x: Array, mask: Mask) -> tuple[Array, RecurrentState | None, Any]:
        """States, final state, cache."""
        states, final, cache = self.inner.forward(x, mask)
        return x + states, final, cache

    def backward(self, states_gradient: Array, final_gradient: Any, cache: Any) -> Array:
        """y = x + f(x), so dx = dy + the gradient through f."""
        return states_gradient + self.inner.backward(states_gradient, final_gradient, cache)


class Encoder(Module):
    """Embedding, then layers; every layer's final state reaches the decoder, and so do the top layer's states."""

    def __init__(self, embedding: Embedding, layers: list[EncoderLayer]) -> None:
        self.embedding = embedding
        self.layers = layers

    def forward(self, source: Padded) -> tuple[Memory, Any]:
        """Memory and cache, independent of content and amount of padding."""
        mask = source.mask
        states = self.embedding.forward(source.ids)
        finals, caches = [], []
        for layer in self.layers:
            states, final, cache = layer.forward(states, mask)
            finals.append(final)
            caches.append(cache)
        memory = Memory(states, mask, tuple(final for final in finals if final is not None))
        return memory, (source.ids, [final is not None for final in finals], caches)

    def backward(self, gradient: Memory, cache: Any) -> None:
        """From the top layer down, each with the gradient by its own final state."""
        ids, has_final, caches = cache
        states_gradient, finals = gradient.states, list(gradient.finals)
        for layer, recurrent, layer_cache in reversed(list(zip(self.layers, has_final, caches, strict=True))):
            states_gradient = layer.backward(states_gradient, finals.pop() if recurrent else None, layer_cache)
        self.embedding.backward(states_gradient, ids)


class NoSource(Module):
    """The encoder of a language model: a Memory with no positions."""

    def forward(self, source: Padded) -> tuple[Memory, None]:
        """Only the number of rows matters."""
        rows = len(source.lengths)
        return Memory(np.zeros((rows, 0, 0), np.float32), np.zeros((rows, 0), np.bool_), ()), None

    def backward(self, gradient: Memory, cache: None) -> None:
        """No parameters."""
