"""Attention over the source, with everything that can be multiplied once a sentence multiplied once.

Of a score q·W·k, the product W·k depends on the source alone; so does what a linear map makes of the context, which is
a weighted mean of source states: the mean of the mapped states is the mapped mean, its bias included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.arithmetic import Linear, Numbers, softmax, softmax_rows
from seq2see.runtime.stream import Layer, LSTMState, Memory, Stream
from seq2see.runtime.tensors import Array, Tensors


class Source:
    """What the queries are compared with and what they bring home: keys [B S K], values [B S C]."""

    __slots__ = ("alone", "keys", "padding", "turned", "values")

    def __init__(self, keys: Array, values: Array, padding: Array | None) -> None:
        self.keys = keys
        self.values = values
        self.padding = padding
        """[B 1 S]: -inf at padding, else 0; None where there is none."""
        self.turned = keys.transpose(0, 2, 1)
        self.alone = None
        """Of one sentence, which goes through calls that take less time: keys [K S], values [S C], ones [S 1]."""
        if len(keys) == 1 and padding is None:
            self.alone = keys[0].T, values[0], np.ones((len(keys[0]), 1), keys.dtype)

    def select(self, rows: NDArray[Any]) -> Source:
        """The chosen sentences."""
        return Source(self.keys[rows], self.values[rows], None if self.padding is None else self.padding[rows])


def padding_of(memory: Memory) -> Array | None:
    """What is added to scores: [B 1 S], -inf at padding, else 0; None where there is none."""
    if memory.mask is None:
        return None
    return np.where(memory.mask, 0, -np.inf).astype(memory.states.dtype)[:, None]


class AttendCarry:
    """Nothing to remember; memory for the context [R C] and for a number a row."""

    __slots__ = ("context", "numbers")

    def __init__(self, rows: int, width: int, dtype: np.dtype[Any]) -> None:
        self.context = np.empty((rows, width), dtype)
        self.numbers = Numbers(rows, dtype)

    def select(self, rows: NDArray[Any]) -> AttendCarry:
        """The same for so many rows."""
        if len(rows) == len(self.context):
            return self
        return AttendCarry(len(rows), self.context.shape[1], self.context.dtype)


class Attend(Layer):
    """Look at the source with x as the query (Luong et al. 2015).

    The context is the weighted sum of the source states, or of what `values` makes of them. `score` is one of dot,
    scaled_dot and general: q·k with keys that are the source states, these over √D, or W·k.
    """

    def __init__(self, score: str, tensors: Tensors, width: int, values: Linear | None = None) -> None:
        self.width = width
        self.scale = 1 / math.sqrt(width) if score == "scaled_dot" else None
        self.projection = tensors.take("projection.weight", width, width) if score == "general" else None
        self.values = values

    def read(self, memory: Memory) -> Source:
        return Source(self.keys(memory.states), self.brought(memory.states), padding_of(memory))

    def keys(self, states: Array) -> Array:
        """What queries are compared with: [B S W] to [B S W]."""
        if self.projection is not None:
            return across(states, self.projection)
        return states if self.scale is None else states * np.asarray(self.scale, states.dtype)

    def brought(self, states: Array) -> Array:
        """What is summed up: [B S W] to [B S C]."""
        if self.values is None:
            return states
        mapped = across(states, self.values.weight)
        if self.values.bias is not None:
            mapped += self.values.bias
        return mapped

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> AttendCarry:
        return AttendCarry(len(memory.states), self.width, memory.states.dtype)

    def step(self, stream: Stream, carry: AttendCarry, reading: Source) -> None:
        if reading.alone is not None:
            keys, values, ones = reading.alone
            weights = stream.x.dot(keys)
            softmax_rows(weights, carry.numbers, ones)
            weights.dot(values, carry.context)
        else:
            scores = self.scores(stream.x, reading)
            weights = look(scores, reading, carry.context)
        stream.context = carry.context
        stream.weights = weights
        if stream.heads is not None:
            stream.heads.append(weights[:, None])

    def scores(self, x: Array, source: Source) -> Array:
        """How well each row of x [R W] matches each position of its sentence: [B R/B S]."""
        scores: Array = np.matmul(x.reshape(len(source.keys), -1, x.shape[1]), source.turned)
        return scores


def look(scores: Array, source: Source, context: Array) -> Array:
    """Scores [B R/B S] to weights [R S]; what they bring from the source is written to `context` [R C]."""
    if source.padding is not None:
        np.add(scores, source.padding, scores)
    softmax(scores)
    np.matmul(scores, source.values, context.reshape(*scores.shape[:2], -1))
    return scores.reshape(len(context), -1)


class AttendAdditively(Attend):
    """The same with v·tanh(W q + U k) as the score (Bahdanau et al. 2014, A.1.2)."""

    def __init__(self, tensors: Tensors, width: int, values: Linear | None = None) -> None:
        super().__init__("additive", tensors, width, values)
        self.query = Linear.take(tensors.at("query"), width, width)
        self.key = Linear.take(tensors.at("key"), width, width, bias=False)
        self.v = np.ascontiguousarray(tensors.take("v.weight", 1, width)[0])

    def keys(self, states: Array) -> Array:
        return across(states, self.key.weight)

    def step(self, stream: Stream, carry: AttendCarry, reading: Source) -> None:
        stream.weights = look(self.scores(stream.x, reading), reading, carry.context)
        stream.context = carry.context
        if stream.heads is not None:
            stream.heads.append(stream.weights[:, None])

    def scores(self, x: Array, source: Source) -> Array:
        sentences, _, width = source.keys.shape
        queries = self.query(x).reshape(sentences, -1, 1, width)
        # One hypothesis of each sentence at a time: all at once would leave the cache.
        rows = []
        for number in range(queries.shape[1]):
            match = queries[:, number] + source.keys
            rows.append(np.dot(np.tanh(match, match), self.v))
        return rows[0][:, None] if len(rows) == 1 else np.stack(rows, 1)


def across(states: Array, weight: Array) -> Array:
    """states [B S I] times weight [I O], in one product."""
    product: Array = np.dot(states.reshape(-1, states.shape[2]), weight)
    return product.reshape(*states.shape[:2], -1)


def attend(score: str, tensors: Tensors, width: int, values: Linear | None = None) -> Attend:
    """The layer of that score."""
    if score == "additive":
        return AttendAdditively(tensors, width, values)
    return Attend(score, tensors, width, values)
