"""Attention to the source, with all products that depend on the source alone computed once per sentence.

In a score q·W·k, that is W·k. A linear map of the context is another: the context is a weighted mean of source states,
and the map of the mean is the mean of the mapped states, including the bias.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.blueprint import DIAGONAL_REACH, STEP
from seq2see.runtime.arithmetic import Linear, RowScalars, softmax, softmax_rows
from seq2see.runtime.stream import EMPTY, Layer, Memory, RecurrentState, Stream
from seq2see.runtime.tensors import Array, Tensors, contiguous, empty, is_traced
from seq2see.runtime.wiring import LayerStates


class PointerReading:
    """What a pointer reads of the source: values [B S C], and the last place of each sentence [B]."""

    __slots__ = ("last", "values")

    def __init__(self, values: Array, last: NDArray[Any]) -> None:
        self.values = values
        self.last = last

    def select(self, rows: NDArray[Any]) -> PointerReading:
        """The selected sentences."""
        return PointerReading(self.values[rows], self.last[rows])


class PointerCarry:
    """The number of STEPs of each row so far [R]."""

    __slots__ = ("steps",)

    def __init__(self, steps: NDArray[Any]) -> None:
        self.steps = steps

    def select(self, rows: NDArray[Any]) -> PointerCarry:
        """The selected rows."""
        return PointerCarry(self.steps[rows])


class Pointer(Layer):
    """The source state at one place, mapped by `values` if given: the next one after each STEP."""

    def __init__(self, values: Linear | None = None, *, reports_weights: bool = True) -> None:
        self.values = values
        self.reports_weights = reports_weights

    def read(self, memory: Memory) -> PointerReading:
        num, places = memory.states.shape[:2]
        last = np.full(num, places - 1) if memory.mask is None else memory.mask.sum(1) - 1
        return PointerReading(memory.states if self.values is None else mapped(memory.states, self.values), last)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> PointerCarry:
        return PointerCarry(np.zeros_like(memory.states, np.int64, shape=memory.states.shape[:1]))

    def step(self, stream: Stream, carry: PointerCarry, reading: PointerReading) -> None:
        carry.steps = carry.steps + (stream.ids == STEP)
        (rows,) = carry.steps.shape
        own = np.arange(rows, like=carry.steps) // (rows // reading.last.shape[0])
        places = np.minimum(carry.steps, reading.last[own])
        stream.context = states_at(reading.values, own, places)
        if not self.reports_weights:
            return
        weights = one_hot(places, reading.values)
        stream.weights = weights
        if stream.heads is not None:
            stream.heads.append(weights[:, None])


def states_at(values: Array, sentences: NDArray[Any], places: NDArray[Any]) -> Array:
    """The states of one place [R] of each sentence [R]: [B S C] to [R C]."""
    if is_traced(values):
        _, length, width = values.shape
        found: Array = values.reshape(-1, width)[sentences * length + places]
    else:
        found = values[sentences, places]
    return found


def one_hot(places: NDArray[Any], values: Array) -> Array:
    """1 at each row's place [R], among as many places as the states have: [R S]."""
    length = values.shape[1]
    if is_traced(values):
        weights: Array = (np.arange(length, like=places) == places[:, None]).astype(values.dtype)
    else:
        weights = np.zeros((len(places), length), values.dtype)
        weights[np.arange(len(places)), places] = 1
    return weights


class Diagonal:
    """A bias on the scores of each head for every distance of source and target position [H 2·reach+1]."""

    def __init__(self, tensors: Tensors, heads: int = 1) -> None:
        self.weight = tensors.take("weight", heads, 2 * DIAGONAL_REACH + 1)

    @classmethod
    def take(cls, tensors: Tensors, *, exists: bool, heads: int = 1) -> Diagonal | None:
        """The bias of this attention; None if it has none."""
        return cls(tensors.at("diagonal"), heads) if exists else None

    def at(self, position: int, scores: Array) -> Array:
        """The bias [H S] of scores [... S] of a query at this position."""
        distances = np.arange(scores.shape[-1], like=scores) - position
        within = np.minimum(np.maximum(distances, -DIAGONAL_REACH), DIAGONAL_REACH)
        bias: Array = self.weight[:, within + DIAGONAL_REACH]
        return bias


class AttendReading:
    """What attention reads of the source: keys [B S K], values [B S C]."""

    __slots__ = ("keys", "padding", "single", "transposed_keys", "values")

    def __init__(self, keys: Array, values: Array, padding: Array | None) -> None:
        self.keys = keys
        self.values = values
        self.padding = padding
        """[B 1 S]: -inf at padding, else 0; None if there is no padding."""
        self.transposed_keys = keys.transpose(0, 2, 1)
        self.single = None
        """For a single sentence, which takes a faster path: keys [K S], values [S C], ones [S 1]."""
        if padding is None and len(keys) == 1:
            self.single = keys[0].T, values[0], np.ones((len(keys[0]), 1), keys.dtype)

    def select(self, rows: NDArray[Any]) -> AttendReading:
        """The selected sentences."""
        return AttendReading(self.keys[rows], self.values[rows], None if self.padding is None else self.padding[rows])


def padding_of(memory: Memory) -> Array | None:
    """The padding mask as a term of the scores: [B 1 S], -inf at padding, else 0; None if there is no padding."""
    if memory.mask is None:
        return None
    return np.where(memory.mask, 0, -np.inf).astype(memory.states.dtype)[:, None]


class AttendCarry:
    """Workspace only: the context [R C], and one number per row."""

    __slots__ = ("context", "scalars")

    def __init__(self, rows: int, width: int, like: Array) -> None:
        self.context = empty(like, rows, width)
        self.scalars = RowScalars(rows, like)

    def select(self, rows: NDArray[Any]) -> AttendCarry:
        """Workspace for this number of rows."""
        rows_before, width = self.context.shape
        return self if rows.shape[0] == rows_before else AttendCarry(rows.shape[0], width, self.context)


class Attend(Layer):
    """Attention with x as the query (Luong et al. 2015).

    The context is the weighted sum of the source states, mapped by `values` if given. `score` is dot, scaled_dot or
    general: q·k, where the keys are the source states, these divided by √D, or W·k.
    """

    def __init__(
        self, score: str, tensors: Tensors, width: int, values: Linear | None = None, diagonal: Diagonal | None = None
    ) -> None:
        self.width = width
        self.diagonal = diagonal
        self.scale = 1 / math.sqrt(width) if score == "scaled_dot" else None
        self.projection = tensors.take("projection.weight", width, width) if score == "general" else None
        self.values = values

    def read(self, memory: Memory) -> AttendReading:
        return AttendReading(self.keys(memory.states), self.project_values(memory.states), padding_of(memory))

    def keys(self, states: Array) -> Array:
        """Keys [B S W] of the source states [B S W]."""
        if self.projection is not None:
            return multiply(states, self.projection)
        return states if self.scale is None else states * np.asarray(self.scale, states.dtype)

    def project_values(self, states: Array) -> Array:
        """Values [B S C] of the source states [B S W]."""
        return states if self.values is None else mapped(states, self.values)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> AttendCarry:
        return AttendCarry(memory.states.shape[0], self.width, memory.states)

    def step(self, stream: Stream, carry: AttendCarry, reading: AttendReading) -> None:
        if reading.single is not None:
            keys, values, ones = reading.single
            weights = stream.x.dot(keys)
            self.add_bias(weights, stream.position)
            softmax_rows(weights, carry.scalars, ones)
            weights.dot(values, carry.context)
        else:
            scores = self.scores(stream.x, reading)
            self.add_bias(scores, stream.position)
            weights = write_context(scores, reading, carry.context)
        stream.context = carry.context
        stream.weights = weights
        if stream.heads is not None:
            stream.heads.append(weights[:, None])

    def add_bias(self, scores: Array, position: int) -> None:
        """Add the bias of this position, if there is one, to scores [... S]."""
        if self.diagonal is not None:
            scores += self.diagonal.at(position, scores)[0]

    def scores(self, x: Array, source: AttendReading) -> Array:
        """The scores of each row of x [R W] with the positions of its sentence: [B R/B S]."""
        scores: Array = np.matmul(x.reshape(source.keys.shape[0], -1, x.shape[1]), source.transposed_keys)
        return scores


def write_context(scores: Array, source: AttendReading, context: Array) -> Array:
    """Scores [B R/B S] to weights [R S]; writes the weighted sum of the values to `context` [R C]."""
    if source.padding is not None:
        np.add(scores, source.padding, scores)
    softmax(scores)
    np.matmul(scores, source.values, context.reshape(*scores.shape[:2], -1))
    return scores.reshape(context.shape[0], -1)


class AttendAdditively(Attend):
    """The same with v·tanh(W q + U k) as the score (Bahdanau et al. 2014, A.1.2)."""

    def __init__(
        self, tensors: Tensors, width: int, values: Linear | None = None, diagonal: Diagonal | None = None
    ) -> None:
        super().__init__("additive", tensors, width, values, diagonal)
        self.query = Linear.take(tensors.at("query"), width, width)
        self.key = Linear.take(tensors.at("key"), width, width, bias=False)
        self.v = contiguous(tensors.take("v.weight", 1, width)[0])

    def keys(self, states: Array) -> Array:
        return multiply(states, self.key.weight)

    def step(self, stream: Stream, carry: AttendCarry, reading: AttendReading) -> None:
        scores = self.scores(stream.x, reading)
        self.add_bias(scores, stream.position)
        stream.weights = write_context(scores, reading, carry.context)
        stream.context = carry.context
        if stream.heads is not None:
            stream.heads.append(stream.weights[:, None])

    def scores(self, x: Array, source: AttendReading) -> Array:
        sentences, _, width = source.keys.shape
        queries = self.query(x).reshape(sentences, -1, 1, width)
        if is_traced(queries):
            together: Array = np.dot(np.tanh(queries + source.keys[:, None]), self.v)
            return together
        # One hypothesis of each sentence at a time: all at once would exceed the cache.
        rows = []
        for number in range(queries.shape[1]):
            match = queries[:, number] + source.keys
            rows.append(np.dot(np.tanh(match, match), self.v))
        return rows[0][:, None] if len(rows) == 1 else np.stack(rows, 1)


class AttendFromPrevious(Layer):
    """A recurrent layer, and attention whose query is that layer's output of the step before (Wu et al. 2016)."""

    def __init__(self, recurrent: Layer, attend: Attend) -> None:
        self.layers = (recurrent, attend)

    def read(self, memory: Memory) -> AttendReading:
        return self.layers[1].read(memory)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> LayerStates:
        return LayerStates([layer.start(memory, finals) for layer in self.layers])

    def step(self, stream: Stream, carry: LayerStates, reading: AttendReading) -> None:
        recurrent, attend = self.layers
        own, of_attention = carry.parts
        before = own.h.copy()
        recurrent.step(stream, own, EMPTY)
        x, stream.x = stream.x, before
        attend.step(stream, of_attention, reading)
        stream.x = x


def mapped(states: Array, linear: Linear) -> Array:
    """W x + b of the states [B S I]."""
    product = multiply(states, linear.weight)
    if linear.bias is not None:
        product += linear.bias
    return product


def multiply(states: Array, weight: Array) -> Array:
    """states [B S I] times weight [I O], in one product."""
    product: Array = np.dot(states.reshape(-1, states.shape[2]), weight)
    return product.reshape(*states.shape[:2], -1)


def make_attend(
    score: str, tensors: Tensors, width: int, values: Linear | None = None, *, has_diagonal: bool = False
) -> Attend:
    """The attention layer with that score function."""
    diagonal = Diagonal.take(tensors, exists=has_diagonal)
    if score == "additive":
        return AttendAdditively(tensors.at("score"), width, values, diagonal)
    return Attend(score, tensors.at("score"), width, values, diagonal)
