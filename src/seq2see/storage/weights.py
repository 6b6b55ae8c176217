"""The formats of stored weights: float32 arrays to the bytes of a safetensors file, and back to float32.

Only matrices are made smaller. What has one axis (biases, norms) stays float32 in every format: it is a hundredth of a
model, and its values are added to sums of many products, where an error of their own would show in each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import safetensors
import safetensors.numpy

from seq2see.errors import CheckpointError, ConfigError

Weights: TypeAlias = Literal["float32", "float16", "int8"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
Arrays: TypeAlias = dict[str, np.ndarray]

SCALE = ".scale"
"""`name` in int8 has its scales in `name.scale`; a tensor of that name is a scale only if there is such a `name`."""

LARGEST = 127
"""Of int8, on both sides of zero: -128 is left out, so that a value and its negative are stored alike."""

SMALLEST_SCALE = np.float32(np.finfo(np.float32).tiny)
"""Below it float32 loses digits. A row of zeros gets it too, and so nothing is ever divided by zero."""

LARGEST_SCALE = np.nextafter(np.finfo(np.float32).max / np.float32(LARGEST), np.float32(0))
"""Above it the largest step would be beyond float32."""

KINDS: dict[Weights, frozenset[np.dtype[Any]]] = {
    "float32": frozenset({np.dtype(np.float32)}),
    "float16": frozenset({np.dtype(np.float32), np.dtype(np.float16)}),
    "int8": frozenset({np.dtype(np.float32), np.dtype(np.int8)}),
}
"""What each format may hold."""


def write_weights(tensors: Mapping[str, np.ndarray], weights: Weights) -> bytes:
    """The float32 arrays as a safetensors file in that format.

    float16 rounds each value of a matrix to the nearest it can hold; int8 takes the nearest of 255 steps between
    plus and minus the largest value of the row (symmetric, a float32 scale a row): off by half a scale at most. Rows
    are those of the first axis: of a layer's matrix all that makes one output, of a table one token. ConfigError,
    naming the tensor, for values that the format can't hold.
    """
    stored: Arrays = {}
    for name, tensor in tensors.items():
        assert tensor.dtype == np.float32, f"{name} is {tensor.dtype}"
        if weights == "float32" or tensor.ndim < 2:
            stored[name] = tensor
            continue
        _require_numbers(name, tensor, weights)
        if weights == "float16":
            stored[name] = _halved(name, tensor)
        else:
            assert name + SCALE not in tensors
            stored[name], stored[name + SCALE] = quantize(tensor)
    # safetensors writes what is in memory in the order in which it is there, whatever that means.
    in_rows = {name: np.asarray(tensor, order="C") for name, tensor in stored.items()}
    return safetensors.numpy.save(in_rows, {"format": "pt"})


def read_weights(data: bytes, weights: Weights, *, where: str) -> Arrays:
    """What `write_weights` wrote, as float32 arrays. CheckpointError, naming `where`, for anything else."""
    again = "copy the model again from where it was made"
    try:
        stored = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise CheckpointError(f"can't be read as safetensors: {error}", where=where, fix=again) from None
    tensors: Arrays = {}
    scales = {name + SCALE for name, tensor in stored.items() if tensor.dtype == np.int8}
    for name, tensor in stored.items():
        if tensor.dtype not in KINDS[weights]:
            what = f"the tensor {name!r} is {tensor.dtype}, which there isn't in a model of {weights} weights"
            raise CheckpointError(what, where=where, fix=again)
        if tensor.dtype == np.int8:
            scale = stored.get(name + SCALE)
            if scale is None or scale.dtype != np.float32 or scale.shape != tensor.shape[:1] or not tensor.ndim:
                what = f"the scales of the tensor {name!r} are missing, or are not a number for each of its rows"
                raise CheckpointError(what, where=where, fix=again)
            tensors[name] = restore_quantized(tensor, scale)
        elif name not in scales:
            tensors[name] = tensor.astype(np.float32)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"the tensor {name!r} holds what is no number", where=where, fix=again)
    return tensors


def quantize(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A float32 matrix [R ...] as int8 and the float32 scales [R] of its rows."""
    rows = matrix.reshape(len(matrix), prod(matrix.shape[1:]))
    scales = np.clip(np.abs(rows).max(axis=1, initial=0) / np.float32(LARGEST), SMALLEST_SCALE, LARGEST_SCALE)
    steps = np.rint(rows / scales[:, None])  # 127 and a rounding error at most, so it is 127 once rounded
    return steps.astype(np.int8).reshape(matrix.shape), scales


def restore_quantized(steps: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The float32 matrix [R ...] of int8 steps and the scales [R] of their rows."""
    with np.errstate(all="ignore"):  # what overflows is no number, and seen to by who asked
        matrix: np.ndarray = steps.astype(np.float32) * scales.reshape(-1, *[1] * (steps.ndim - 1))
    return matrix


def as_weights(name: str, *, where: str = "--weights") -> Weights:
    """The format of that name. ConfigError for one that isn't there."""
    if name not in WEIGHTS:
        raise ConfigError(f"there are no weights {name!r}", where=where, fix=f"one of: {', '.join(WEIGHTS)}")
    return name


def _halved(name: str, tensor: np.ndarray) -> np.ndarray:
    """The tensor in float16. ConfigError for a value beyond it."""
    with np.errstate(over="ignore"):
        halved = tensor.astype(np.float16)
    if not np.isfinite(halved).all():
        most = float(np.abs(tensor).max())
        raise ConfigError(
            f"the tensor {name!r} holds {most:,.0f}, and float16 nothing beyond {float(np.finfo(np.float16).max):,.0f}",
            where="--weights float16",
            fix="take --weights float32 or int8",
        )
    return halved


def _require_numbers(name: str, tensor: np.ndarray, weights: Weights) -> None:
    """ConfigError for infinities and NaN."""
    if not np.isfinite(tensor).all():
        raise ConfigError(
            f"the tensor {name!r} holds what is no number", where=f"--weights {weights}", fix="train the model again"
        )
