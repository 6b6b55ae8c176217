"""What tells a Transformer the places apart: something added to the first layer's input, or turned queries and keys.

Each is a table with a row a place; those without an end are made for the places met so far, and doubled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.stream import Layer, LSTMState, Memory, Stream
from seq2see.runtime.tensors import Array, Tensors

PERIOD = 10_000.0
"""The slowest angle of sinusoidal and rotary positions turns once in 2π·PERIOD positions."""

FEWEST_PLACES = 64
"""So many rows are made at first."""


def angles(places: int, width: int, dtype: np.dtype[Any]) -> Array:
    """place · PERIOD ** (−2i / width) for i = 0, 1, …: [places, half of the width]."""
    exponents = np.arange(0, width, 2, dtype=dtype) / np.asarray(width, dtype)
    frequencies = np.asarray(PERIOD, dtype) ** -exponents
    turned: Array = np.arange(places, dtype=dtype)[:, None] * frequencies
    return turned


class Sinusoidal:
    """sin and cos of the place at D / 2 frequencies (Vaswani et al. 2017, section 3.5), side by side in two halves."""

    def __init__(self, width: int, dtype: np.dtype[Any]) -> None:
        self.width = width
        self.dtype = dtype
        self.table = self.made(FEWEST_PLACES)

    def made(self, places: int) -> Array:
        """The first rows."""
        turned = angles(places, self.width, self.dtype)
        return np.concatenate([np.sin(turned), np.cos(turned)], 1)[:, : self.width]

    def upto(self, places: int) -> Array:
        """At least so many rows [places D]."""
        if len(self.table) < places:
            self.table = self.made(max(places, 2 * len(self.table)))
        return self.table


class Learned:
    """A learnt vector a place, for as many places as there are (Gehring et al. 2017)."""

    def __init__(self, tensors: Tensors, max_positions: int, width: int) -> None:
        self.table = tensors.take("table.weight", max_positions, width)

    def upto(self, places: int) -> Array:
        """All rows; IndexError if there are too few."""
        if len(self.table) < places:
            raise IndexError(f"the model has {len(self.table)} learnt positions, and {places} are asked for")
        return self.table


class Rotary:
    """Turns the pair (x_i, x_{i + E/2}) by its place's angle: products then depend on distances (Su et al. 2021)."""

    def __init__(self, width: int, dtype: np.dtype[Any]) -> None:
        self.width = width
        self.dtype = dtype
        self.sin, self.cos = self.made(FEWEST_PLACES)

    def made(self, places: int) -> tuple[Array, Array]:
        """sin and cos of the first places, each [places E/2]."""
        turned = angles(places, self.width, self.dtype)
        return np.sin(turned), np.cos(turned)

    def grow(self, places: int) -> None:
        """Have at least so many rows."""
        if len(self.sin) < places:
            sin, cos = self.made(max(places, 2 * len(self.sin)))
            self.cos, self.sin = cos, sin  # in this order: another thread may be looking at the length of `sin`

    def turn(self, x: Array, place: int) -> None:
        """Turn x [... E], all of it at one place, in place."""
        self.grow(place + 1)
        rotate(x, self.sin[place], self.cos[place])

    def turn_all(self, x: Array) -> None:
        """Turn x [B S 2 H E] at the places 0 to S, in place."""
        length = x.shape[1]
        self.grow(length)
        rotate(x, self.sin[:length, None, None], self.cos[:length, None, None])


def rotate(x: Array, sin: Array, cos: Array) -> None:
    """Turn the pairs of x by angles of which these are sin and cos, in place."""
    left, right = np.split(x, 2, -1)
    turned = left * cos - right * sin
    right[...] = left * sin + right * cos
    left[...] = turned


class Place:
    """The place of the next position, the same for all rows."""

    __slots__ = ("next",)

    def __init__(self, next_place: int = 0) -> None:
        self.next = next_place

    def select(self, rows: NDArray[Any]) -> Place:
        """The same place; it goes on by itself."""
        return Place(self.next)


class AddPositions(Layer):
    """Adds to x what belongs to its place."""

    def __init__(self, places: Sinusoidal | Learned) -> None:
        self.places = places

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Place:
        return Place()

    def step(self, stream: Stream, carry: Place, reading: Any) -> None:
        place = carry.next
        carry.next = place + 1
        stream.x = stream.x + self.places.upto(carry.next)[place]
