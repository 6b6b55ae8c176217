"""Copying: a mixture of the output layer's distribution and of attention to the source (See et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2see.blueprint import COPY_LEFT
from seq2see.runtime.arithmetic import Linear
from seq2see.runtime.stream import Constant, Layer, Memory, Stream
from seq2see.runtime.wiring import LayerStates, Output


class Copying(Layer):
    """The output layer, and beside it the tokens of the source, as attended to.

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
        share = 0.5 - 0.5 * np.tanh(0.5 * self.gate(stream.x))
        weights = share * stream.weights * (targets > 0)
        self.layers[0].step(stream, carry, of_output)
        log_probs = stream.x
        copied = np.zeros_like(log_probs)
        np.add.at(copied, (np.arange(rows)[:, None], targets), weights)
        left = np.maximum(1 - copied.sum(1, keepdims=True), COPY_LEFT)
        log_probs += np.log(left)
        floor = np.finfo(copied.dtype).tiny
        both = np.logaddexp(log_probs, np.log(np.maximum(copied, floor)))
        np.copyto(log_probs, np.where(copied > 0, both, log_probs))
