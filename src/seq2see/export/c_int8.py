"""What may stay int8 while a C file computes: prepared matrices that products read, each column with one scale.

Rows that are moved, halved or transposed are still whole numbers times a scale. Instead of following the operations,
the program that prepares the weights is run on the weights, and on their scales: where the quotients are whole numbers
that give the same float32 values, the matrix is replaced.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import safetensors.numpy

from seq2see.export.bundle import Bundle
from seq2see.program import Program, Programs
from seq2see.program.replay import run
from seq2see.storage.weights import MAX_STEP, SCALE, read_weights

READ_AS_MATRIX = {"matmul": 1, "lstm": 2, "gru": 2}
"""The operations that multiply by a matrix, and which of their inputs it is."""


class Steps(NamedTuple):
    """A matrix [I M] of whole numbers, and the scale of each column."""

    steps: np.ndarray
    scales: np.ndarray


def steps_of(bundle: Bundle, names: Collection[str]) -> dict[str, Steps]:
    """Those of these prepared matrices, which only products read, that stay int8; none for other weights."""
    if bundle.format != "int8" or not names:
        return {}
    stored = safetensors.numpy.load(bundle.weights)
    tensors = read_weights(bundle.weights, bundle.format, where="export")
    scales = {
        name: np.broadcast_to(stored[name + SCALE].reshape(-1, *[1] * (tensor.ndim - 1)), tensor.shape)
        if stored[name].dtype == np.int8
        else tensor
        for name, tensor in tensors.items()
    }
    values, sizes = (run(bundle.programs.prepare, each, {}) for each in (tensors, scales))
    found = {name: divided(values[name], sizes[name]) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def only_in_products(programs: Programs) -> set[str]:
    """The prepared matrices that nothing but products reads; a single column is none."""
    types = {name: programs.prepare.type(number) for name, number in programs.prepare.outputs}
    names = {name for name, type_ in types.items() if len(type_.shape) == 2 and type_.shape[1] != 1}
    for program in (programs.encode, programs.step):
        inputs = [name for name, _ in program.inputs]
        names -= {inputs[number] for _, number in program.outputs if number < len(inputs)}
        for operation in program.operations:
            for place, number in enumerate(operation.inputs):
                if number < len(inputs) and READ_AS_MATRIX.get(operation.kind) != place:
                    names.discard(inputs[number])
    return names


def divided(values: np.ndarray, sizes: np.ndarray) -> Steps | None:
    """The matrix in whole numbers, if it is the same."""
    scales = sizes[0] if len(sizes) else np.zeros(0, np.float32)
    if not scales.size or not (scales > 0).all() or not (sizes == scales).all():
        return None
    steps = np.rint(values / scales)
    if np.abs(steps).max() > MAX_STEP or not (steps.astype(np.float32) * scales == values).all():
        return None
    return Steps(steps.astype(np.int8), scales)


def without(program: Program, names: Collection[str]) -> Program:
    """The program without these outputs, and without what only they need."""
    outputs = [(name, number) for name, number in program.outputs if name not in names]
    needed = {number for _, number in outputs}
    first = len(program.inputs)
    for place in reversed(range(len(program.operations))):
        if first + place in needed:
            needed.update(program.operations[place].inputs)
    kept = sorted(needed)
    place_of = {number: place for place, number in enumerate(kept)}
    return Program(
        tuple(program.inputs[number] for number in kept if number < first),
        tuple(
            operation._replace(inputs=tuple(place_of[each] for each in operation.inputs))
            for operation in (program.operations[number - first] for number in kept if number >= first)
        ),
        tuple((name, place_of[number]) for name, number in outputs),
    )
