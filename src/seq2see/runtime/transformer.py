"""The Transformer's parts (Vaswani et al. 2017) at one position, and the look around of its encoder.

The carry of SelfAttention is the keys and values of all positions so far, in memory that is doubled when it is full.
Queries are never divided by √E: their weights are, once. Under pre-norm the gain and shift of a norm are taken into
the map that reads it.

Letters beside the usual: H heads, E = D / H the width of one, P positions already carried, F the feed-forward's width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.arithmetic import ACTIVATIONS, Linear, Norm, softmax
from seq2see.runtime.positions import Rotary
from seq2see.runtime.readers import padding_of
from seq2see.runtime.stream import Layer, LSTMState, Memory, Stream
from seq2see.runtime.tensors import Array, Tensors

FEWEST_PLACES = 32
"""For so many positions there is room from the start."""


class Branch(Layer):
    """What stands in a residual branch: its first map is `entry`, which can take over the gain of a norm before it."""

    entry: Linear


class Past:
    """Keys and values of all positions so far [2 R H P E], with room for more."""

    __slots__ = ("known", "length")

    def __init__(self, known: Array, length: int) -> None:
        self.known = known
        self.length = length

    def append(self, new: Array) -> Array:
        """All keys and values, with those of one position more, [R 2 H E], at the end."""
        length, room = self.length, self.known.shape[3]
        if length == room:
            grown = np.empty((*self.known.shape[:3], 2 * room, self.known.shape[4]), self.known.dtype)
            grown[:, :, :, :length] = self.known
            self.known = grown
        self.known[:, :, :, length] = new.transpose(1, 0, 2, 3)
        self.length = length + 1
        return self.known[:, :, :, : length + 1]

    def select(self, rows: NDArray[Any]) -> Past:
        """The chosen rows; what is not yet used is not copied."""
        kind, _, heads, room, width = self.known.shape
        chosen = np.empty((kind, len(rows), heads, room, width), self.known.dtype)
        chosen[:, :, :, : self.length] = self.known[:, rows, :, : self.length]
        return Past(chosen, self.length)


class SelfAttention(Branch):
    """Every position looks at itself and at those before it."""

    def __init__(self, tensors: Tensors, width: int, heads: int, rotary: Rotary | None) -> None:
        self.heads = heads
        self.rotary = rotary
        self.entry = projection(tensors, width, heads)
        self.output = Linear.take(tensors.at("output"), width, width)

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Past:
        rows, _, width = memory.states.shape
        return Past(np.empty((2, rows, self.heads, FEWEST_PLACES, width // self.heads), memory.states.dtype), 0)

    def step(self, stream: Stream, carry: Past, reading: Any) -> None:
        rows, width = stream.x.shape
        asked = self.entry(stream.x).reshape(rows, 3, self.heads, -1)
        if self.rotary is not None:
            self.rotary.turn(asked[:, :2], carry.length)
        keys, values = carry.append(asked[:, 1:])
        weights = np.matmul(asked[:, 0, :, None], keys.swapaxes(2, 3))
        softmax(weights)
        stream.x = self.output(np.matmul(weights, values).reshape(rows, width))


class Around:
    """The shape of a padded batch [B S] that is passed as rows, and what is added to scores at its padding."""

    def __init__(self, memory: Memory) -> None:
        self.shape = memory.states.shape[:2]
        padding = padding_of(memory)
        self.padding = None if padding is None else padding[:, None]


class EncoderSelfAttention(Branch):
    """Every position looks at all real ones: the self-attention of an encoder. Its rows are B × S positions."""

    def __init__(self, tensors: Tensors, width: int, heads: int, rotary: Rotary | None) -> None:
        self.heads = heads
        self.rotary = rotary
        self.entry = projection(tensors, width, heads)
        self.output = Linear.take(tensors.at("output"), width, width)

    def read(self, memory: Memory) -> Around:
        return Around(memory)

    def step(self, stream: Stream, carry: Any, reading: Around) -> None:
        sentences, length = reading.shape
        asked = self.entry(stream.x).reshape(sentences, length, 3, self.heads, -1)
        if self.rotary is not None:
            self.rotary.turn_all(asked[:, :, :2])
        queries, keys, values = asked.transpose(2, 0, 3, 1, 4)
        scores = np.matmul(queries, keys.swapaxes(2, 3))
        if reading.padding is not None:
            scores += reading.padding
        softmax(scores)
        stream.x = self.output(np.matmul(scores, values).swapaxes(1, 2).reshape(stream.x.shape))


class Seen:
    """Keys and values of the source [B H S E], and what is added to scores at its padding [B 1 1 S]."""

    __slots__ = ("keys", "padding", "values")

    def __init__(self, keys: Array, values: Array, padding: Array | None) -> None:
        self.keys = keys
        self.values = values
        self.padding = padding

    def select(self, rows: NDArray[Any]) -> Seen:
        """The chosen sentences."""
        return Seen(self.keys[rows], self.values[rows], None if self.padding is None else self.padding[rows])


class CrossAttention(Branch):
    """Every position looks at the source; if it `shows`, it says where: the mean over its heads."""

    def __init__(self, tensors: Tensors, width: int, heads: int, *, shows: bool) -> None:
        self.heads = heads
        self.shows = shows
        query = Linear.take(tensors.at("query"), width, width)
        scale = 1 / math.sqrt(width // heads)
        self.entry = Linear(query.weight * np.asarray(scale, tensors.dtype), scaled(query.bias, scale))
        self.projection = Linear.take(tensors.at("projection"), 2 * width, width)
        self.output = Linear.take(tensors.at("output"), width, width)

    def read(self, memory: Memory) -> Seen:
        sentences, length, width = memory.states.shape
        both = self.projection(memory.states.reshape(-1, width)).reshape(sentences, length, 2, self.heads, -1)
        keys, values = both.transpose(2, 0, 3, 1, 4)
        padding = padding_of(memory)
        return Seen(keys, values, None if padding is None else padding[:, None])

    def step(self, stream: Stream, carry: Any, reading: Seen) -> None:
        rows, width = stream.x.shape
        # The hypotheses of a sentence look at the same states: they ask side by side, and nothing is copied.
        queries = self.entry(stream.x).reshape(len(reading.keys), -1, self.heads, width // self.heads).swapaxes(1, 2)
        weights = np.matmul(queries, reading.keys.swapaxes(2, 3))
        if reading.padding is not None:
            weights += reading.padding
        softmax(weights)
        if self.shows:
            stream.weights = weights.mean(1).reshape(rows, -1)
        if stream.heads is not None:
            stream.heads.append(weights.swapaxes(1, 2).reshape(rows, self.heads, -1))
        stream.x = self.output(np.matmul(weights, reading.values).swapaxes(1, 2).reshape(rows, width))


class FeedForward(Branch):
    """W₂ f(W₁ x + b₁) + b₂ at each position by itself (Vaswani et al. 2017, eq. 2)."""

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
    """Layer normalisation: what closes a stack of pre-norm blocks."""

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
    """The bias times factors, in its own format."""
    assert bias is not None
    product: Array = (bias * factors).astype(bias.dtype, copy=False)
    return product
