"""Distributions over the next token that are mixtures over the places of the source, with the output layer's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.blueprint import COPY_LEFT
from seq2see.runtime.arithmetic import Linear
from seq2see.runtime.readers import Attend, AttendCarry, AttendReading, mapped
from seq2see.runtime.stream import Constant, Layer, Memory, Stream
from seq2see.runtime.tensors import Array, is_traced
from seq2see.runtime.wiring import LayerStates, Output


class Copying(Layer):
    """The output layer, and beside it the tokens of the source, as attended to (See et al. 2017).

    The share that is copied is σ(-(w·x + b)) from the output layer's input x. `copies` has for each source token the
    target token that it is copied as, 0 for none.
    """

    def __init__(self, gate: Linear, output: Output, copies: Sequence[int], num_source: int) -> None:
        self.gate = gate
        self.layers = (output,)
        self.targets: Array = np.array(copies or [0] * num_source)

    def read(self, memory: Memory) -> LayerStates:
        assert memory.ids is not None
        targets = self.targets[memory.ids]
        if is_traced(targets):
            targets = one_hot(targets, self.layers[0].linear.weight.shape[1], memory.states)
        return LayerStates([self.layers[0].read(memory), Constant(targets)])

    def start(self, memory: Memory, finals: Any) -> Any:
        return self.layers[0].start(memory, finals)

    def step(self, stream: Stream, carry: Any, reading: LayerStates) -> None:
        assert stream.weights is not None
        of_output, copies = reading.parts
        gate = self.gate(stream.x)
        weights = sigmoid(-gate) * stream.weights
        left = sigmoid(gate) + left_over(weights, copies.array).sum(1, keepdims=True)
        self.layers[0].step(stream, carry, of_output)
        log_probs = stream.x
        copied = added_up(weights, copies.array, log_probs)
        log_probs += np.log(np.maximum(left, COPY_LEFT))
        floor = np.finfo(copied.dtype).tiny
        both = np.logaddexp(log_probs, np.log(np.maximum(copied, floor)))
        np.copyto(log_probs, np.where(copied > 0, both, log_probs))


def added_up(weights: Array, targets: NDArray[Any], like: Array) -> Array:
    """For each token the weights [R S] of the places copied as it [R V]; traced, `targets` are those of `one_hot`."""
    if is_traced(targets):
        sentences, places, _ = targets.shape
        together: Array = np.matmul(weights.reshape(sentences, -1, places), targets)
        return together.reshape(like.shape)
    rows = len(weights)
    own = np.repeat(targets, rows // len(targets), 0)
    copied = np.zeros_like(like)
    np.add.at(copied, (np.arange(rows)[:, None], own), weights * (own > 0))
    return copied


def left_over(weights: Array, targets: NDArray[Any]) -> Array:
    """The weights [R S] of the places that are copied as no token, 0 at the others; `targets` as in `added_up`."""
    is_left: Array = (1 - targets.sum(2)) if is_traced(targets) else targets == 0
    sentences, places = is_left.shape
    left: Array = weights.reshape(sentences, -1, places) * is_left[:, None]
    return left.reshape(weights.shape)


def one_hot(targets: NDArray[Any], tokens: int, like: Array) -> Array:
    """1 at each target, which 0 is not: [B S] to [B S V]."""
    own = np.where(targets == 0, -1, targets)[:, :, None]
    found: Array = (np.arange(tokens, like=like) == own).astype(like.dtype)
    return found


def sigmoid(x: Array) -> Array:
    """σ(x), precise where it is small, too: 1/2 + 1/2 tanh(x/2) is 0 there."""
    precise: Array = np.exp(-np.logaddexp(0, -x))
    return precise


LOWEST = -1e9
"""log p of what is impossible: finite, so that the difference of two is a number."""


class Places:
    """log p of each place after the tokens before the last one [R S], log p of the last token at each [R S V]."""

    __slots__ = ("emitted", "prior", "scores")

    def __init__(self, prior: Array, emitted: Array, scores: AttendCarry) -> None:
        self.prior = prior
        self.emitted = emitted
        self.scores = scores

    def select(self, rows: NDArray[Any]) -> Places:
        """The selected rows."""
        return Places(self.prior[rows], self.emitted[rows], self.scores.select(rows))


class HardMonotonic(Layer):
    """One place per token, which never goes back, summed over all alignments (Wu & Cotterell 2019).

    See `seq2see.model.mixtures`. `attend` has the scores of the places.
    """

    def __init__(self, attend: Attend, state: Linear, source: Linear, output: Linear) -> None:
        self.attend = attend
        self.state = state
        self.source = source
        self.output = output

    def read(self, memory: Memory) -> LayerStates:
        return LayerStates([self.attend.read(memory), Constant(mapped(memory.states, self.source))])

    def start(self, memory: Memory, finals: Any) -> Places:
        rows, places, _ = memory.states.shape
        prior = np.zeros_like(memory.states, shape=(rows, places))
        prior[...] = np.where(np.arange(places, like=prior) == 0, 0, LOWEST)
        emitted = np.zeros_like(memory.states, shape=(rows, places, self.output.weight.shape[1]))
        return Places(prior, emitted, self.attend.start(memory, finals))

    def step(self, stream: Stream, carry: Places, reading: LayerStates) -> None:
        of_scores, of_source = reading.parts
        rows, places = carry.prior.shape
        scores = self.scores(stream.x, of_scores).reshape(rows, places)
        total = log_sums(scores, backward=True)
        posterior = log_normalized(carry.prior + of_token(carry.emitted, stream.ids), 1)
        carry.prior = scores + log_sums(posterior - total)
        source = np.repeat(of_source.array, rows // of_source.array.shape[0], 0)
        hidden = np.tanh(self.state(stream.x)[:, None] + source)
        logits = self.output(hidden.reshape(rows * places, -1)).reshape(rows, places, -1)
        carry.emitted = log_normalized(logits, 2)
        stream.x = log_sum(carry.prior[:, :, None] + carry.emitted, 1)[:, 0]
        stream.weights = np.exp(carry.prior)
        if stream.heads is not None:
            stream.heads.append(stream.weights[:, None])

    def scores(self, x: Array, source: AttendReading) -> Array:
        """The score of each place, `LOWEST` at padding."""
        scores = self.attend.scores(x, source)
        if source.padding is not None:
            scores = np.maximum(scores + source.padding, LOWEST)
        return scores


def of_token(emitted: Array, ids: NDArray[Any]) -> Array:
    """The column of each row's token [R]: [R S V] to [R S]."""
    rows, places, tokens = emitted.shape
    if is_traced(emitted):
        numbers = np.arange(rows, like=ids) * tokens + ids
        emitted = emitted.transpose(0, 2, 1).reshape(-1, places)[numbers]
    else:
        emitted = emitted[np.arange(rows), :, ids]
    return emitted


def log_sums(x: Array, *, backward: bool = False) -> Array:
    """log Σ exp(x) over each place and those before it (`backward`: after it) [R S]."""
    if is_traced(x):
        places = np.arange(x.shape[1], like=x)
        last, first = (places, places[:, None]) if backward else (places[:, None], places)
        return log_sum(np.where(first < last + 1, x[:, None], -np.inf), 2)[:, :, 0]
    if backward:
        return np.logaddexp.accumulate(x[:, ::-1], axis=1)[:, ::-1]
    return np.logaddexp.accumulate(x, axis=1)


def log_sum(x: Array, axis: int) -> Array:
    """log Σ exp(x) over this axis, which is kept."""
    largest = x.max(axis, keepdims=True)
    total: Array = largest + np.log(np.exp(x - largest).sum(axis, keepdims=True))
    return total


def log_normalized(x: Array, axis: int) -> Array:
    """x - log Σ exp(x) over this axis."""
    normalized: Array = x - log_sum(x, axis)
    return normalized
