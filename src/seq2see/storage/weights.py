"""The formats of stored weights: float32 arrays to the bytes of a safetensors file, and back to float32.

Only matrices are reduced. Tensors with one axis (biases, norms) stay float32 in every format: they are a hundredth of a
model, and an error in one of their values would affect sums of many products.
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

COPY_AGAIN = "copy the model again from its source"

LONGEST_NAME = 200
"""Characters of a tensor's name: more than any has."""
SCALE = ".scale"
"""The scales of an int8 tensor `name` are in `name.scale`; a tensor of that name is a scale only if `name` exists."""

MAX_STEP = 127
"""The largest int8 value used, on both sides of zero: without -128, a value and its negative are stored alike."""

MIN_SCALE = np.float32(np.finfo(np.float32).tiny)
"""Below it float32 loses precision. A row of zeros gets it too, so nothing is ever divided by zero."""

MAX_SCALE = np.nextafter(np.finfo(np.float32).max / np.float32(MAX_STEP), np.float32(0))
"""Above it the largest value would overflow float32."""

DTYPES: dict[Weights, frozenset[np.dtype[Any]]] = {
    "float32": frozenset({np.dtype(np.float32)}),
    "float16": frozenset({np.dtype(np.float32), np.dtype(np.float16)}),
    "int8": frozenset({np.dtype(np.float32), np.dtype(np.int8)}),
}
"""The data types that each format may hold."""


def write_weights(tensors: Mapping[str, np.ndarray], weights: Weights) -> bytes:
    """The float32 arrays as a safetensors file in that format.

    float16 rounds each value of a matrix. int8 rounds to 255 steps between plus and minus the largest value of the row
    (symmetric, one float32 scale per row), so the error is at most half a scale. A row is one index of the first axis:
    one output of a layer, or one token of a table. ConfigError, naming the tensor, for values that the format can't
    hold.
    """
    stored: Arrays = {}
    for name, tensor in tensors.items():
        assert tensor.dtype == np.float32, f"{name} is {tensor.dtype}"
        if weights == "float32" or tensor.ndim < 2:
            stored[name] = tensor
            continue
        _require_finite(name, tensor, weights)
        if weights == "float16":
            stored[name] = _to_float16(name, tensor)
        else:
            assert name + SCALE not in tensors
            stored[name], stored[name + SCALE] = quantize(tensor)
    # safetensors writes the raw memory, whatever its order.
    in_rows = {name: np.asarray(tensor, order="C") for name, tensor in stored.items()}
    return safetensors.numpy.save(in_rows, {"format": "pt"})


def read_weights(data: bytes, weights: Weights, *, where: str) -> Arrays:
    """What `write_weights` wrote, as float32 arrays. CheckpointError, naming `where`, for anything else."""
    return as_float32(read_stored(data, weights, where=where), where=where)


def read_stored(data: bytes, weights: Weights, *, where: str) -> Arrays:
    """The arrays as they are stored, scales included. CheckpointError for another format."""
    try:
        stored = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise CheckpointError(f"can't be read as safetensors: {error}", where=where, fix=COPY_AGAIN) from None
    stored = {name: stored[name] for name in sorted(stored)}  # the library's own order varies
    for name, tensor in stored.items():
        if len(name) > LONGEST_NAME:
            raise CheckpointError(f"a tensor has a name of {len(name):,} characters", where=where, fix=COPY_AGAIN)
        if tensor.dtype not in DTYPES[weights]:
            what = f"the tensor {name!r} has the type {tensor.dtype}, invalid with {weights} weights"
            raise CheckpointError(what, where=where, fix=COPY_AGAIN)
        if tensor.dtype == np.int8:
            scale = stored.get(name + SCALE)
            if scale is None or scale.dtype != np.float32 or scale.shape != tensor.shape[:1] or not tensor.ndim:
                what = f"the tensor {name!r} needs one float32 scale per row"
                raise CheckpointError(what, where=where, fix=COPY_AGAIN)
    return stored


def shapes_of(stored: Arrays) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays that `as_float32` returns."""
    return {name: tensor.shape for name, tensor in stored.items() if not is_scale(name, stored)}


def is_scale(name: str, stored: Arrays) -> bool:
    """Whether the array of that name is the scale of another."""
    scaled = stored.get(name.removesuffix(SCALE)) if name.endswith(SCALE) else None
    return scaled is not None and scaled.dtype == np.int8


def as_float32(stored: Arrays, *, where: str) -> Arrays:
    """The arrays as float32, without scales. CheckpointError if a value isn't finite."""
    tensors: Arrays = {}
    for name, tensor in stored.items():
        if tensor.dtype == np.int8:
            tensors[name] = restore_quantized(tensor, stored[name + SCALE])
        elif not is_scale(name, stored):
            tensors[name] = tensor.astype(np.float32)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"the tensor {name!r} contains NaN or infinity", where=where, fix=COPY_AGAIN)
    return tensors


def quantize(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A float32 matrix [R ...] as int8 and the float32 scales [R] of its rows."""
    rows = matrix.reshape(len(matrix), prod(matrix.shape[1:]))
    scales = np.clip(np.abs(rows).max(axis=1, initial=0) / np.float32(MAX_STEP), MIN_SCALE, MAX_SCALE)
    steps = np.rint(rows / scales[:, None])  # at largest 127 plus a rounding error, so 127 after rounding
    return steps.astype(np.int8).reshape(matrix.shape), scales


def restore_quantized(steps: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The float32 matrix [R ...] of int8 steps and the scales [R] of their rows."""
    with np.errstate(all="ignore"):  # overflow gives infinity, which the caller checks
        matrix: np.ndarray = steps.astype(np.float32) * scales.reshape(-1, *[1] * (steps.ndim - 1))
    return matrix


def as_weights(name: str, *, where: str = "--weights") -> Weights:
    """The format of that name. ConfigError if it is unknown."""
    if name not in WEIGHTS:
        raise ConfigError(f"must be one of: {', '.join(WEIGHTS)}; not {name!r}", where=where, fix="choose one of these")
    return name


def _to_float16(name: str, tensor: np.ndarray) -> np.ndarray:
    """The tensor in float16. ConfigError for a value out of range."""
    with np.errstate(over="ignore"):
        halved = tensor.astype(np.float16)
    if not np.isfinite(halved).all():
        largest = float(np.abs(tensor).max())
        raise ConfigError(
            f"the tensor {name!r} contains {largest:,.0f}, beyond the limit of {float(np.finfo(np.float16).max):,.0f}",
            where="weights float16",
            fix='use --weights int8 or float32 (weights="int8")',
        )
    return halved


def _require_finite(name: str, tensor: np.ndarray, weights: Weights) -> None:
    """ConfigError for infinities and NaN."""
    if not np.isfinite(tensor).all():
        raise ConfigError(
            f"the tensor {name!r} contains NaN or infinity", where=f"weights {weights}", fix="train the model again"
        )
