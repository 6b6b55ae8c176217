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
from seq2see.runtime.tensors import Array
from seq2see.runtime.wiring import LayerStates, Output


class Copying(Layer):
    """The output layer, and beside it the tokens of the source, as attended to (See et al. 2017).

    The share that is copied is σ(-(w·x + b)) from the output layer's input x. `copies` has for each source token the
    target token that it is copied as, 0 for none.
    """

    def __init__(self, gate: Linear, output: Output, copies: Sequence[int], num_source: int) -> None:
        self.gate = gate
        self.layers = (output,)
        self.targets = np.array(copies or [0] * num_source)

    def read(self, memory: Memory) -> LayerStates:
        assert memory.ids is not None
        return LayerStates([self.layers[0].read(memory), Constant(self.targets[memory.ids])])

    def start(self, memory: Memory, finals: Any) -> Any:
        return self.layers[0].start(memory, finals)

    def step(self, stream: Stream, carry: Any, reading: LayerStates) -> None:
        assert stream.weights is not None
        of_output, copies = reading.parts
        rows = len(stream.x)
        targets = np.repeat(copies.array, rows // len(copies.array), 0)
        gate = self.gate(stream.x)
        weights = sigmoid(-gate) * stream.weights
        left = sigmoid(gate) + (weights * (targets == 0)).sum(1, keepdims=True)
        self.layers[0].step(stream, carry, of_output)
        log_probs = stream.x
        copied = np.zeros_like(log_probs)
        np.add.at(copied, (np.arange(rows)[:, None], targets), weights * (targets > 0))
        log_probs += np.log(np.maximum(left, COPY_LEFT))
        floor = np.finfo(copied.dtype).tiny
        both = np.logaddexp(log_probs, np.log(np.maximum(copied, floor)))
        np.copyto(log_probs, np.where(copied > 0, both, log_probs))


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
        prior = np.full((rows, places), LOWEST, memory.states.dtype)
        prior[:, 0] = 0
        emitted = np.zeros((rows, places, self.output.weight.shape[1]), memory.states.dtype)
        return Places(prior, emitted, self.attend.start(memory, finals))

    def step(self, stream: Stream, carry: Places, reading: LayerStates) -> None:
        of_scores, of_source = reading.parts
        rows, places = carry.prior.shape
        scores = self.scores(stream.x, of_scores).reshape(rows, places)
        total = np.logaddexp.accumulate(scores[:, ::-1], axis=1)[:, ::-1]
        read = carry.emitted[np.arange(rows), :, stream.ids]
        posterior = log_normalised(carry.prior + read, 1)
        carry.prior = scores + np.logaddexp.accumulate(posterior - total, axis=1)
        source = np.repeat(of_source.array, rows // len(of_source.array), 0)
        hidden = np.tanh(self.state(stream.x)[:, None] + source)
        logits = self.output(hidden.reshape(rows * places, -1)).reshape(rows, places, -1)
        carry.emitted = log_normalised(logits, 2)
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


def log_sum(x: Array, axis: int) -> Array:
    """log Σ exp(x) over this axis, which is kept."""
    largest = x.max(axis, keepdims=True)
    total: Array = largest + np.log(np.exp(x - largest).sum(axis, keepdims=True))
    return total


def log_normalised(x: Array, axis: int) -> Array:
    """x - log Σ exp(x) over this axis."""
    normalised: Array = x - log_sum(x, axis)
    return normalised
