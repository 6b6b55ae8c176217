"""Random distortions of pictures, new in each epoch of training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seq2see.data.examples import EpochExamples, Examples

Array = npt.NDArray[Any]

ROTATION = math.radians(8)
SHEAR = 0.2
STRETCH = 0.2
"""Up to these, in both directions, before what would leave the picture is scaled down: rotation in radians, columns per
row, relative height and width."""
DISTORTED_BY = 0xD157
"""Keeps these random draws apart from those of the order of the examples."""
ELASTIC, SPACING = 1.5, 10
"""Standard deviation of random displacements, in pixels, and the distance of the points that have one of their own."""


@dataclass(frozen=True)
class Distortion:
    """A rotation, shearing and scaling, and smooth local displacements (elastic distortions, Simard et al. 2003).

    A picture keeps its size, so what is in it may become smaller, but not larger. Uncovered areas get the median of its
    border.
    """

    strength: float
    """1 for the limits above."""
    seed: int
    epoch: int

    def __call__(self, picture: Array, index: int) -> Array:
        """The distorted picture [C H W], as float32; it depends on seed, epoch and index alone."""
        rng = np.random.default_rng((self.seed, self.epoch, index, DISTORTED_BY))
        _, height, width = picture.shape
        back = np.linalg.inv(self.affine(rng, height, width)).astype(np.float32)
        rows, columns = np.indices((height, width), np.float32)
        center_y, center_x = (height - 1) / 2, (width - 1) / 2
        y, x = rows - center_y, columns - center_x
        grid = self.strength * ELASTIC * rng.standard_normal((2, height // SPACING + 2, width // SPACING + 2))
        moved = sampled(grid.astype(np.float32), rows / SPACING, columns / SPACING)
        from_rows = back[0, 0] * y + back[0, 1] * x + moved[0] + center_y
        from_columns = back[1, 0] * y + back[1, 1] * x + moved[1] + center_x
        return sampled(with_border(picture), from_rows + 1, from_columns + 1)

    def affine(self, rng: np.random.Generator, height: int, width: int) -> Array:
        """The linear map [2 2] of (row, column), such that the corners of the picture stay inside it."""
        angle, shear, *stretch = self.strength * rng.uniform(-1, 1, 4) * (ROTATION, SHEAR, STRETCH, STRETCH)
        # A long line, or a tall column, would have to become tiny.
        angle *= min(1.0, 2 * height / width, 2 * width / height)
        shear *= min(1.0, 2 * width / height)
        rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        found: Array = rotation @ np.array([[1.0, 0.0], [shear, 1.0]]) @ np.diag(np.exp(stretch))
        half = np.array([height, width]) / 2
        reach = np.abs(found) @ half
        return found * np.minimum(1, half / reach)[:, None]


def with_border(picture: Array) -> Array:
    """The picture [C H+2 W+2] in float32 with a border of its background: the median of the pixels at its edges."""
    edges = np.concatenate([picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1]], 1)
    channels, height, width = picture.shape
    framed = np.empty((channels, height + 2, width + 2), np.float32)
    framed[:] = np.median(edges, axis=1)[:, None, None]
    framed[:, 1:-1, 1:-1] = picture
    return framed


def sampled(picture: Array, rows: Array, columns: Array) -> Array:
    """The values [C H W] of a picture at these places [H W], linear between pixels, at the edge beyond it."""
    channels, height, width = picture.shape
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = (np.minimum(each.astype(np.int32), size - 2) for each, size in ((rows, height), (columns, width)))
    down, right = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    flat, place = picture.reshape(channels, -1), top * width + left
    above = flat[:, place] * (1 - right) + flat[:, place + 1] * right
    below = flat[:, place + width] * (1 - right) + flat[:, place + width + 1] * right
    found: Array = above * (1 - down) + below * down
    return found


def with_distorted_pictures(examples: Examples, strength: float, seed: int) -> EpochExamples:
    """The same examples in each epoch, with new distortions of their pictures."""

    def epoch_examples(epoch: int) -> Examples:
        distortion = Distortion(strength, seed, epoch)
        columns = tuple(replace(column, distortion=distortion) for column in examples.sources.values)
        return replace(examples, sources=replace(examples.sources, values=columns))

    return epoch_examples
