"""The Transformer's layers (Vaswani et al. 2017) at one position, and the encoder's self-attention.

The carry of SelfAttention is the key-value cache, whose memory is doubled when it is full. The division of the queries
by √E is folded into their weights, and with pre-norm the norm's gain and shift are folded into the map that reads it.

Further letters: H heads, E = D / H the width of a head, P positions in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.arithmetic import ACTIVATIONS, Linear, Norm, softmax
from seq2see.runtime.positions import RotaryPositions
from seq2see.runtime.readers import Diagonal, padding_of
from seq2see.runtime.stream import Layer, Memory, RecurrentState, Stream
from seq2see.runtime.tensors import Array, Tensors, empty, is_traced

INITIAL_CAPACITY = 32
"""Initial capacity of the key-value cache, in positions."""

MOST_SCORES = 2**24
"""Scores of self-attention over the source computed at a time (64 MB): all pairs of positions, unless it is long."""


class Branch(Layer):
    """The inner layer of a residual branch: its first map, `entry`, can absorb a preceding norm's gain and shift."""

    entry: Linear


class KeyValueCache:
    """Keys and values of all positions so far [2 R H P E], with capacity for more.

    `origins` [R P] has the row in which those of each position were computed: where two rows of the same position have
    the same, they hold the same, so that a search moves only what its hypotheses don't share.
    """

    __slots__ = ("entries", "length", "origins")

    def __init__(self, entries: Array, origins: NDArray[Any], length: int) -> None:
        self.entries = entries
        self.origins = origins
        self.length = length

    @classmethod
    def start(cls, rows: int, heads: int, width: int, like: Array) -> KeyValueCache:
        """The cache before the first position."""
        origins = np.empty((rows, INITIAL_CAPACITY), np.int32)
        return cls(empty(like, 2, rows, heads, INITIAL_CAPACITY, width), origins, 0)

    def append(self, new: Array) -> Array:
        """Append the keys and values of one position [R 2 H E]; returns those of all positions [2 R H P E]."""
        length, capacity = self.length, self.entries.shape[3]
        if length == capacity:
            self.entries, self.origins = self._copied(slice(None), 2 * capacity)
        self.entries[:, :, :, length] = new.transpose(1, 0, 2, 3)
        self.origins[:, length] = np.arange(len(self.origins))
        self.length = length + 1
        return self.entries[:, :, :, : length + 1]

    def select(self, rows: NDArray[Any]) -> KeyValueCache:
        """The selected rows; unused capacity is not copied."""
        return KeyValueCache(*self._copied(rows, self.entries.shape[3]), self.length)

    def moved(self, rows: NDArray[Any]) -> KeyValueCache:
        """As `select`, but in place if there remain as many rows."""
        origins = self.origins[:, : self.length]
        if len(rows) != len(origins):
            return self.select(rows)
        wanted = origins[rows]
        to, positions = (wanted != origins).nonzero()
        if len(to):
            self.entries[:, to, :, positions] = self.entries[:, rows[to], :, positions]
            origins[to, positions] = wanted[to, positions]
        return self

    def _copied(self, rows: NDArray[Any] | slice, capacity: int) -> tuple[Array, NDArray[Any]]:
        """Entries and origins of some rows, in new memory for this many positions."""
        known = self.entries[:, rows, :, : self.length]
        kind, num_rows, heads, length, width = known.shape
        entries = empty(known, kind, num_rows, heads, capacity, width)
        entries[:, :, :, :length] = known
        origins = np.empty((num_rows, capacity), self.origins.dtype)
        origins[:, :length] = self.origins[rows, :length]
        return entries, origins


class TracedCache:
    """Keys and values that a symbolic network carries: as many positions as there are, so that appending is joining."""

    __slots__ = ("entries",)

    def __init__(self, entries: Array) -> None:
        self.entries = entries

    def append(self, new: Array) -> Array:
        """See `KeyValueCache`."""
        self.entries = np.concatenate([self.entries, new.transpose(1, 0, 2, 3)[:, :, :, None]], 3)
        return self.entries

    def select(self, rows: NDArray[Any]) -> TracedCache:
        """The selected rows."""
        return TracedCache(self.entries[:, rows])


class MultiHeadSelfAttention(Branch):
    """The parameters that the self-attentions of decoder and encoder share."""

    def __init__(self, tensors: Tensors, width: int, heads: int, rotary: RotaryPositions | None) -> None:
        self.heads = heads
        self.rotary = rotary
        self.entry = projection(tensors, width, heads)
        self.output = Linear.take(tensors.at("output"), width, width)


class SelfAttention(MultiHeadSelfAttention):
    """Causal self-attention at the next position."""

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> KeyValueCache | TracedCache:
        rows, _, width = memory.states.shape
        each = width // self.heads
        if is_traced(memory.states):
            return TracedCache(np.zeros_like(memory.states, shape=(2, rows, self.heads, 0, each)))
        return KeyValueCache.start(rows, self.heads, each, memory.states)

    def step(self, stream: Stream, carry: KeyValueCache | TracedCache, reading: Any) -> None:
        rows, width = stream.x.shape
        projected = self.entry(stream.x).reshape(rows, 3, self.heads, -1)
        if self.rotary is not None:
            self.rotary.rotate_one(projected[:, :2], stream.position)
        keys, values = carry.append(projected[:, 1:])
        weights = np.matmul(projected[:, 0, :, None], keys.swapaxes(2, 3))
        softmax(weights)
        if stream.self_heads is not None:
            stream.self_heads.append(weights[:, :, 0])
        stream.x = self.output(np.matmul(weights, values).reshape(rows, width))


class BatchShape:
    """The shape [B S] of a padded batch whose positions are passed as rows, and its padding as a term of the scores."""

    def __init__(self, memory: Memory) -> None:
        self.shape = memory.states.shape[:2]
        padding = padding_of(memory)
        self.padding = None if padding is None else padding[:, None]


class EncoderSelfAttention(MultiHeadSelfAttention):
    """Self-attention over all real positions; the rows are B × S positions."""

    def read(self, memory: Memory) -> BatchShape:
        return BatchShape(memory)

    def step(self, stream: Stream, carry: Any, reading: BatchShape) -> None:
        sentences, length = reading.shape
        projected = self.entry(stream.x).reshape(sentences, length, 3, self.heads, -1)
        if self.rotary is not None:
            self.rotary.rotate_all(projected[:, :, :2], stream.positions)
        queries, keys, values = projected.transpose(2, 0, 3, 1, 4)
        attended = np.empty_like(queries)
        weights = []
        parts = [slice(None)]
        if not is_traced(queries):
            together = max(1, MOST_SCORES // (sentences * self.heads * length))
            parts = [slice(begin, begin + together) for begin in range(0, length, together)]
        for part in parts:
            scores = np.matmul(queries[:, :, part], keys.swapaxes(2, 3))
            if reading.padding is not None:
                scores += reading.padding
            softmax(scores)
            np.matmul(scores, values, attended[:, :, part])
            if stream.self_heads is not None:
                weights.append(scores)
        if stream.self_heads is not None:
            stream.self_heads.append(np.concatenate(weights, 2))
        stream.x = self.output(attended.swapaxes(1, 2).reshape(stream.x.shape))


class SourceKeyValues:
    """Keys and values of the source [B H S E], and its padding as a term of the scores [B 1 1 S]."""

    __slots__ = ("keys", "padding", "values")

    def __init__(self, keys: Array, values: Array, padding: Array | None) -> None:
        self.keys = keys
        self.values = values
        self.padding = padding

    def select(self, rows: NDArray[Any]) -> SourceKeyValues:
        """The selected sentences."""
        return SourceKeyValues(self.keys[rows], self.values[rows], None if self.padding is None else self.padding[rows])


class CrossAttention(Branch):
    """Attention to the source; with `reports_weights`, `stream.weights` is the mean over the heads."""

    def __init__(
        self,
        tensors: Tensors,
        width: int,
        heads: int,
        diagonal: Diagonal | None = None,
        *,
        reports_weights: bool,
    ) -> None:
        self.heads = heads
        self.diagonal = diagonal
        self.reports_weights = reports_weights
        query = Linear.take(tensors.at("query"), width, width)
        scale = 1 / math.sqrt(width // heads)
        self.entry = Linear(query.weight * np.asarray(scale, tensors.dtype), scaled(query.bias, scale))
        self.projection = Linear.take(tensors.at("projection"), 2 * width, width)
        self.output = Linear.take(tensors.at("output"), width, width)

    def read(self, memory: Memory) -> SourceKeyValues:
        sentences, length, width = memory.states.shape
        both = self.projection(memory.states.reshape(-1, width)).reshape(sentences, length, 2, self.heads, -1)
        keys, values = both.transpose(2, 0, 3, 1, 4)
        padding = padding_of(memory)
        return SourceKeyValues(keys, values, None if padding is None else padding[:, None])

    def step(self, stream: Stream, carry: Any, reading: SourceKeyValues) -> None:
        rows, width = stream.x.shape
        # The hypotheses of a sentence are queries over the same keys, so the source states are not copied.
        sentences = reading.keys.shape[0]
        queries = self.entry(stream.x).reshape(sentences, -1, self.heads, width // self.heads).swapaxes(1, 2)
        weights = np.matmul(queries, reading.keys.swapaxes(2, 3))
        if reading.padding is not None:
            weights += reading.padding
        if self.diagonal is not None:
            weights += self.diagonal.at(stream.position, weights)[:, None]
        softmax(weights)
        if self.reports_weights:
            stream.weights = weights.mean(1).reshape(rows, -1)
        if stream.heads is not None:
            stream.heads.append(weights.swapaxes(1, 2).reshape(rows, self.heads, -1))
        stream.x = self.output(np.matmul(weights, reading.values).swapaxes(1, 2).reshape(rows, width))


class FeedForward(Branch):
    """W₂ f(W₁ x + b₁) + b₂ at each position (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, tensors: Tensors, width: int, inner_width: int, activation: str) -> None:
        widened = 2 * inner_width if activation == "swiglu" else inner_width
        self.entry = Linear.take(tensors.at("widen"), widened, width)
        self.narrow = Linear.take(tensors.at("narrow"), width, inner_width)
        self.activation = ACTIVATIONS[activation]

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        stream.x = self.narrow(self.activation(self.entry(stream.x)))


class PreNorm(Layer):
    """x + inner(norm(x)): the norm inside the residual branch (Xiong et al. 2020)."""

    def __init__(self, inner: Branch, norm: Norm) -> None:
        inner.entry = inner.entry.after(norm)
        self.inner = inner
        self.norm = norm
        self.read = inner.read  # type: ignore[method-assign]
        self.start = inner.start  # type: ignore[method-assign]

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        x = stream.x
        stream.x = self.norm.standardised(x)
        self.inner.step(stream, carry, reading)
        stream.x += x


class PostNorm(Layer):
    """norm(x + inner(x)), as in the paper (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, inner: Branch, norm: Norm) -> None:
        self.inner = inner
        self.norm = norm
        self.read = inner.read  # type: ignore[method-assign]
        self.start = inner.start  # type: ignore[method-assign]

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        x = stream.x
        self.inner.step(stream, carry, reading)
        stream.x += x
        stream.x = self.norm(stream.x)


class LastNorm(Layer):
    """Layer normalization: the final norm of a stack of pre-norm blocks."""

    def __init__(self, norm: Norm) -> None:
        self.norm = norm

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        stream.x = self.norm(stream.x)


def projection(tensors: Tensors, width: int, heads: int) -> Linear:
    """Queries, keys and values in one map, the queries divided by √E."""
    linear = Linear.take(tensors.at("projection"), 3 * width, width)
    factors = np.ones(3 * width, tensors.dtype)
    factors[:width] = 1 / math.sqrt(width // heads)
    return Linear(linear.weight * factors, scaled(linear.bias, factors))


def scaled(bias: Array | None, factors: Array | float) -> Array:
    """The bias times factors, in its own dtype."""
    assert bias is not None
    product: Array = (bias * factors).astype(bias.dtype, copy=False)
    return product
