"""Programs run in NumPy, operation by operation: what every other target is compared with.

    model = Replay(programs, tensors)
    state = model.start(source_ids, source_lengths)
    log_probs, state, weights = model.step(ids, state)

Written to be read, not to be fast: a target for another language is this module in that language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.errors import CheckpointError
from seq2see.program.operations import Operation
from seq2see.program.program import CARRY, IDS, LENGTHS, LOG_PROBS, READING, WEIGHTS, Program, Programs
from seq2see.program.sizes import AnySize, Size, value_of

Array = NDArray[Any]
DTYPES = {"float": np.float32, "int": np.int64, "bool": np.bool_}


class ReplayState:
    """The state of a decoder between two steps."""

    def __init__(
        self,
        readings: dict[str, Array],
        carry: dict[str, Array],
        axes: Mapping[str, int],
        sizes: Mapping[str, int],
    ) -> None:
        self.readings = readings
        self.carry = carry
        self.axes = axes
        """Of each carry the axis of its rows."""
        self.sizes = sizes

    def select(self, rows: Array, sentences: Array | None = None) -> ReplayState:
        """See `seq2see.search.State`."""
        readings, sizes = self.readings, self.sizes
        if sentences is not None:
            readings = {name: value[sentences] for name, value in readings.items()}
            sizes = {**sizes, "B": len(sentences)}
        carry = {name: np.take(value, rows, self.axes[name]) for name, value in self.carry.items()}
        return ReplayState(readings, carry, self.axes, {**sizes, "K": len(rows) // sizes["B"]})


class Replay:
    """A model as its programs say."""

    def __init__(self, programs: Programs, tensors: Mapping[str, Array]) -> None:
        self.programs = programs
        self.axes = {name: rows_axis(type_.shape) for name, type_ in programs.step.inputs if name.startswith(CARRY)}
        self.prepared = run(programs.prepare, tensors, {})

    def start(self, ids: Array, lengths: Array) -> ReplayState:
        """The state before the first token, from ids [B S] with padding at the end of each row, and lengths [B]."""
        sizes = {"B": ids.shape[0], "S": ids.shape[1], "K": 1, "P": 0}
        found = run(self.programs.encode, {IDS: ids, LENGTHS: lengths, **self.prepared}, sizes)
        readings, carry = ({n: v for n, v in found.items() if n.startswith(kind)} for kind in (READING, CARRY))
        return ReplayState(readings, carry, self.axes, sizes)

    def step(self, ids: Array, state: ReplayState) -> tuple[Array, ReplayState, Array | None]:
        """Log-probabilities [B*K V] of the token after each of `ids` [B*K], the next state, attention weights."""
        given = {IDS: ids, **self.prepared, **state.readings, **state.carry}
        found = run(self.programs.step, given, state.sizes)
        log_probs, weights = found.pop(LOG_PROBS), found.pop(WEIGHTS, None)
        sizes = {**state.sizes, "P": state.sizes["P"] + 1}
        return log_probs, ReplayState(state.readings, found, self.axes, sizes), weights


def run(program: Program, given: Mapping[str, Array], sizes: Mapping[str, int]) -> dict[str, Array]:
    """The outputs of a program for these inputs and named sizes."""
    values: list[Array] = [given[name] for name, _ in program.inputs]
    for operation in program.operations:
        values.append(compute(operation, [values[number] for number in operation.inputs], sizes))
    return {name: values[number] for name, number in program.outputs}


def compute(operation: Operation, inputs: Sequence[Array], sizes: Mapping[str, int]) -> Array:
    """The result of one operation."""
    attributes = {name: known(value, sizes) for name, value in operation.attributes.items()}
    kind = operation.kind
    if kind in KERNELS:
        return np.asarray(KERNELS[kind](*inputs, **attributes))
    function: Any = getattr(np, kind)
    return np.asarray(function(*inputs))


def known(value: Any, sizes: Mapping[str, int]) -> Any:
    """An attribute with its sizes as numbers."""
    if isinstance(value, Size):
        return value_of(value, sizes)
    return tuple(known(each, sizes) for each in value) if isinstance(value, tuple) else value


def rows_axis(shape: Sequence[AnySize]) -> int:
    """The axis of a carry that has one row per hypothesis."""
    return next(axis for axis, size in enumerate(shape) if isinstance(size, Size) and "K" in repr(size))


def _gather(table: Array, ids: Array) -> Array:
    if ids.size and not 0 <= ids.min() <= ids.max() < len(table):
        what = f"an index is {ids.min()} to {ids.max()}, and must be 0 to {len(table) - 1}"
        raise CheckpointError(what, where="gather", fix="export the model again")
    return np.asarray(table[ids])


def _slice(x: Array, starts: Sequence[int], stops: Sequence[int]) -> Array:
    return x[tuple(map(slice, starts, stops))]


def _lstm(gates: Array, lengths: Array, hidden: Array, reverse: bool) -> Array:
    sentences, length, _ = gates.shape
    units = len(hidden)
    found = np.zeros((sentences, length + 2, units), np.float32)
    for row in range(sentences):
        h, c = np.zeros((2, units), np.float32)
        places = range(int(lengths[row]))
        for place in reversed(places) if reverse else places:
            signal = np.tanh(gates[row, place] + h @ hidden)
            opened = signal[: 3 * units] * np.float32(0.5) + np.float32(0.5)
            c = opened[:units] * signal[3 * units :] + opened[units : 2 * units] * c
            h = opened[2 * units :] * np.tanh(c)
            found[row, place] = h
        found[row, length], found[row, length + 1] = h, c
    return found


def _gru(gates: Array, lengths: Array, hidden: Array, reverse: bool) -> Array:
    sentences, length, _ = gates.shape
    units = len(hidden)
    found = np.zeros((sentences, length + 1, units), np.float32)
    for row in range(sentences):
        h = np.zeros(units, np.float32)
        places = range(int(lengths[row]))
        for place in reversed(places) if reverse else places:
            signal = gates[row, place] + h @ hidden
            reset, update = np.split(np.tanh(signal[: 2 * units]) * np.float32(0.5) + np.float32(0.5), 2)
            new = np.tanh(signal[3 * units :] + reset * signal[2 * units : 3 * units])
            h = new + update * (h - new)
            found[row, place] = h
        found[row, length] = h
    return found


KERNELS: dict[str, Callable[..., Any]] = {
    "constant": lambda dtype, shape, data: np.array(data, DTYPES[dtype]).reshape(shape),
    "full": lambda dtype, shape, value: np.full(shape, value, DTYPES[dtype]),
    "range": lambda start, stop: np.arange(start, stop),
    "gather": _gather,
    "slice": _slice,
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, axes: x.transpose(axes),
    "broadcast": lambda x, shape: np.broadcast_to(x, shape),
    "concat": lambda *parts, axis: np.concatenate(parts, axis),
    "cast": lambda x, dtype: x.astype(DTYPES[dtype]),
    "sum": lambda x, axis: np.add.reduce(x, axis=axis, keepdims=True),
    "max": lambda x, axis: np.maximum.reduce(x, axis=axis, keepdims=True),
    "cumsum": lambda x, axis: x.cumsum(axis),
    "lstm": _lstm,
    "gru": _gru,
}
"""The operations that aren't functions of NumPy with the same name."""
