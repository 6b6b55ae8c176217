"""Sources that are not text: series of vectors, and pictures, as embeddings in place of tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2see.blueprint import PICTURE_CHANNELS, PICTURE_DEVIATION, VALUE, Field
from seq2see.runtime.arithmetic import Linear
from seq2see.runtime.positions import SinusoidalPositions
from seq2see.runtime.tensors import Array, Tensors


class FieldValues(NamedTuple):
    """The numbers of a field in a batch, of the P rows that have any: vectors [P L D] or pictures [P C H W]."""

    array: Array
    sizes: NDArray[Any]
    """The number of vectors [P 1], or height and width [P 2]; what is beyond is padding."""


class SourceValues:
    """The embeddings of all fields that have values, by the number of the field."""

    def __init__(self, fields: Sequence[Field], tensors: Tensors, width: int) -> None:
        self.readers: dict[int, Callable[[FieldValues], Array]] = {
            number: VectorProjection(tensors.at(number), field.width, width)
            if field.kind == "vectors"
            else PictureStack(tensors.at(number), field.width, width)
            for number, field in enumerate(fields)
            if field.has_values
        }

    def put_into(self, x: Array, ids: NDArray[Any], numbers: NDArray[Any], values: Sequence[FieldValues]) -> None:
        """Put into x [B S E] the embedding of each vector or cell at its token; `numbers` are those of the fields."""
        for (number, embed), own in zip(self.readers.items(), values, strict=True):
            x[(ids == VALUE) & (numbers == number)] = embed(own)


class VectorProjection:
    """W x + b of each vector."""

    def __init__(self, tensors: Tensors, inputs: int, width: int) -> None:
        self.linear = Linear.take(tensors.at("linear"), width, inputs)

    def __call__(self, values: FieldValues) -> Array:
        """The embeddings of all vectors [P L D], without padding, row by row: [N E]."""
        mask = np.arange(values.array.shape[1]) < values.sizes[:, :1]
        return self.linear(np.ascontiguousarray(values.array[mask], self.linear.weight.dtype))


class PictureStack:
    """Stages of two convolutions, of which the first halves height and width; then a 1 × 1 convolution.

    Pictures are computed one by one, so that neither the size of others nor padding changes anything.
    """

    def __init__(self, tensors: Tensors, channels: int, width: int) -> None:
        self.layers: list[ConvolutionLayer] = []
        inputs = channels
        for outputs in PICTURE_CHANNELS:
            for stride in (2, 1):
                own = tensors.at("layers", len(self.layers))
                self.layers.append(ConvolutionLayer(own, inputs, outputs, stride=stride))
                inputs = outputs
        own = tensors.at("projection")
        weight = scaled(own.take("weight", width, inputs, 1, 1))
        self.projection = Linear(np.ascontiguousarray(weight[:, :, 0, 0].T), own.take("bias", width))
        self.columns = SinusoidalPositions(width // 2, tensors.dtype)
        self.rows = SinusoidalPositions(width - width // 2, tensors.dtype)

    def __call__(self, values: FieldValues) -> Array:
        """The embeddings of all cells of pictures [P C H W], column by column, without padding: [N E]."""
        cells = [self.cells(picture[:, :h, :w]) for picture, (h, w) in zip(values.array, values.sizes, strict=True)]
        return np.concatenate(cells) if cells else np.zeros((0, self.projection.weight.shape[1]), np.float32)

    def cells(self, picture: Array) -> Array:
        """The embeddings of the cells of one picture [C H W]."""
        x = np.ascontiguousarray(picture.transpose(1, 2, 0), self.projection.weight.dtype)
        for layer in self.layers:
            x = layer(x)
        height, width, channels = x.shape
        cells = self.projection(np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(-1, channels))
        by_column = cells.reshape(width, height, -1)
        middle = self.columns.width
        by_column[..., :middle] += self.columns.up_to(width)[:width, None]
        by_column[..., middle:] += self.rows.up_to(height)[:height]
        return cells


def scaled(weight: Array) -> Array:
    """The weights of a convolution as they are used: with the deviation √(2 / fan-in) at first."""
    used: Array = weight * np.asarray(math.sqrt(2 / weight[0].size) / PICTURE_DEVIATION, weight.dtype)
    return used


class ConvolutionLayer:
    """A convolution 3 × 3 and ReLU."""

    def __init__(self, tensors: Tensors, inputs: int, outputs: int, *, stride: int) -> None:
        self.stride = stride
        weight = scaled(tensors.take("convolution.weight", outputs, inputs, 3, 3))
        self.weight = np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, outputs))
        self.bias = tensors.take("convolution.bias", outputs)

    def __call__(self, x: Array) -> Array:
        """The picture [H W C] after this layer."""
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))[:: self.stride, :: self.stride]
        height, width = windows.shape[:2]
        patches = windows.transpose(0, 1, 3, 4, 2).reshape(height * width, -1)
        y = patches @ self.weight + self.bias
        np.maximum(y, 0, out=y)
        pixels: Array = y.reshape(height, width, -1)
        return pixels
