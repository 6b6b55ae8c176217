"""Position encodings of Transformers: vectors added to the first layer's input, or rotated queries and keys.

Each is a table with one row per position; tables without a fixed length are doubled when they are too short.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.stream import Layer, Stream
from seq2see.runtime.tensors import Array, Tensors

PERIOD = 10_000.0
"""The longest wavelength of sinusoidal and rotary positions is 2π·PERIOD positions."""

INITIAL_POSITIONS = 64
"""Initial number of rows."""


def angles(positions: int, width: int, dtype: np.dtype[Any]) -> Array:
    """position · PERIOD ** (−2i / width) for i = 0, 1, …: [positions width/2]."""
    exponents = np.arange(0, width, 2, dtype=dtype) / np.asarray(width, dtype)
    frequencies = np.asarray(PERIOD, dtype) ** -exponents
    product: Array = np.arange(positions, dtype=dtype)[:, None] * frequencies
    return product


class SinusoidalPositions:
    """sin and cos of the position at D / 2 frequencies, in two halves (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, width: int, dtype: np.dtype[Any]) -> None:
        self.width = width
        self.dtype = dtype
        self.table = self.compute(INITIAL_POSITIONS)

    def compute(self, positions: int) -> Array:
        """The first rows of the table."""
        phases = angles(positions, self.width, self.dtype)
        return np.concatenate([np.sin(phases), np.cos(phases)], 1)[:, : self.width]

    def up_to(self, positions: int) -> Array:
        """The table with at least this number of rows [positions D]."""
        if len(self.table) < positions:
            self.table = self.compute(max(positions, 2 * len(self.table)))
        return self.table


class LearnedPositions:
    """One learned vector per position, up to `max_positions` (Gehring et al. 2017)."""

    def __init__(self, tensors: Tensors, max_positions: int, width: int) -> None:
        self.table = tensors.take("table.weight", max_positions, width)

    def up_to(self, positions: int) -> Array:
        """The table [max_positions D]; IndexError if it has too few rows."""
        if len(self.table) < positions:
            raise IndexError(f"the model has {len(self.table)} learned positions, fewer than {positions}")
        return self.table


class RotaryPositions:
    """Rotates each pair (x_i, x_{i + E/2}) by its position's angle: scores depend on distances (Su et al. 2021)."""

    def __init__(self, width: int, dtype: np.dtype[Any]) -> None:
        self.width = width
        self.dtype = dtype
        self.sin, self.cos = self.compute(INITIAL_POSITIONS)

    def compute(self, positions: int) -> tuple[Array, Array]:
        """sin and cos of the first positions, each [positions E/2]."""
        phases = angles(positions, self.width, self.dtype)
        return np.sin(phases), np.cos(phases)

    def grow(self, positions: int) -> None:
        """Extend the tables to at least this number of rows."""
        if len(self.sin) < positions:
            sin, cos = self.compute(max(positions, 2 * len(self.sin)))
            self.cos, self.sin = cos, sin  # in this order: another thread may be checking the length of `sin`

    def rotate_one(self, x: Array, position: int) -> None:
        """Rotate x [... E], all at the same position, in place."""
        self.grow(position + 1)
        rotate(x, self.sin[position], self.cos[position])

    def rotate_all(self, x: Array, positions: NDArray[Any] | None) -> None:
        """Rotate x [B S 2 H E] in place, at these positions [B S], or at 0 to S - 1."""
        length = x.shape[1]
        self.grow(length)
        at = slice(length) if positions is None else positions
        rotate(x, self.sin[at][..., None, None, :], self.cos[at][..., None, None, :])


def rotate(x: Array, sin: Array, cos: Array) -> None:
    """Rotate the pairs of x by angles with this sin and cos, in place."""
    left, right = np.split(x, 2, -1)
    new_left = left * cos - right * sin
    right[...] = left * sin + right * cos
    left[...] = new_left


class AddPositions(Layer):
    """Adds the position encoding to x."""

    def __init__(self, encoding: SinusoidalPositions | LearnedPositions) -> None:
        self.encoding = encoding

    def step(self, stream: Stream, carry: Any, reading: Any) -> None:
        stream.x = stream.x + self.encoding.up_to(stream.position + 1)[stream.position]
