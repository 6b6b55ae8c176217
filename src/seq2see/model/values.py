"""Sources that are not text: series of vectors, and pictures, as embeddings in place of tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import conv2d, relu

from seq2see.blueprint import PICTURE_CHANNELS, PICTURE_DEVIATION, VALUE, Field
from seq2see.model.tensors import FieldValues
from seq2see.model.transformer import sinusoids


class SourceValues(nn.ModuleDict):
    """The embeddings of all fields that have values, by the number of the field."""

    def __init__(self, fields: Sequence[Field], width: int) -> None:
        super().__init__(
            {
                str(number): VectorProjection(field.width, width)
                if field.kind == "vectors"
                else PictureStack(field.width, width)
                for number, field in enumerate(fields)
                if field.has_values
            }
        )

    def forward(
        self,
        x: Float[Tensor, "B S E"],
        ids: Int[Tensor, "B S"],
        numbers: Int[Tensor, "B S"],
        values: Sequence[FieldValues],
    ) -> Float[Tensor, "B S E"]:
        """x with the embedding of each vector or cell in place of its token; `numbers` are those of the fields."""
        for (number, embed), own in zip(self.items(), values, strict=True):
            is_here = ((ids == VALUE) & (numbers == int(number)))[..., None]
            x = x.masked_scatter(is_here, embed(own).to(x.dtype))
        return x


class VectorProjection(nn.Module):
    """W x + b of each vector."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, width)

    def forward(self, values: FieldValues) -> Float[Tensor, "N E"]:
        """The embeddings of all vectors [P L D], without padding, row by row."""
        mask = torch.arange(values.array.size(1), device=values.array.device) < values.sizes[:, :1]
        rows: Tensor = self.linear(values.array[mask])
        return rows


class PictureStack(nn.Module):
    """Stages of two convolutions, of which the first halves height and width; then a 1 × 1 convolution.

    A cell also gets sinusoidal encodings of its column and its row. Neither the size of other pictures nor padding
    changes anything: what is outside a picture is 0 before each convolution, as at its own edge.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        layers, inputs = [], channels
        for outputs in PICTURE_CHANNELS:
            layers += [ConvolutionLayer(inputs, outputs, stride=2), ConvolutionLayer(outputs, outputs, stride=1)]
            inputs = outputs
        self.layers = nn.ModuleList(layers)
        self.projection = Convolution(inputs, width, 1)

    def forward(self, values: FieldValues) -> Float[Tensor, "N E"]:
        """The embeddings of all cells of pictures [P C H W], column by column, without padding."""
        sizes = values.sizes
        x = values.array * inside(sizes, *values.array.shape[2:])[:, None]
        for layer in self.layers:
            x, sizes = layer(x, sizes)
        cells = self.projection(x).permute(0, 3, 2, 1)  # [P W H E]
        width = cells.size(-1) // 2
        columns = sinusoids(torch.arange(cells.size(1), device=x.device), width, like=cells)
        rows = sinusoids(torch.arange(cells.size(2), device=x.device), cells.size(-1) - width, like=cells)
        both = torch.cat([columns[:, None].expand(-1, len(rows), -1), rows.expand(len(columns), -1, -1)], -1)
        found: Tensor = (cells + both)[inside(sizes, cells.size(2), cells.size(1)).transpose(1, 2)]
        return found


class ConvolutionLayer(nn.Module):
    """A convolution 3 × 3 and ReLU.

    No normalization: over a batch it would make answers depend on other pictures, and over the channels of each pixel
    it hides the contrast (drawn digits were then learned several times more slowly).
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.convolution = Convolution(inputs, outputs, 3, stride=stride)
        self.stride = stride

    def forward(
        self, x: Float[Tensor, "P C H W"], sizes: Int[Tensor, "P 2"]
    ) -> tuple[Float[Tensor, "P _O _H _W"], Int[Tensor, "P 2"]]:
        """The pictures after this layer, 0 outside, and their sizes."""
        x = relu(self.convolution(x))
        sizes = (sizes + self.stride - 1) // self.stride
        return x * inside(sizes, x.size(2), x.size(3))[:, None], sizes


class Convolution(nn.Module):
    """A convolution whose weights, all of the same variance at first, are multiplied by a constant when they are used.

    So the steps of Adam, which are equally large for all parameters, suit them as well as the layers that follow (the
    equalized learning rate of Karras et al. 2018, section 4.1). What is used has the scale of He et al. 2015: a
    deviation of √(2 / fan-in).
    """

    def __init__(self, inputs: int, outputs: int, size: int, *, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.scale = math.sqrt(2 / (inputs * size * size)) / PICTURE_DEVIATION
        self.stride = stride

    def forward(self, x: Float[Tensor, "P C H W"]) -> Float[Tensor, "P _O _H _W"]:
        """Pictures of the same size, or smaller by the stride."""
        return conv2d(x, self.weight * self.scale, self.bias, self.stride, padding=self.weight.size(2) // 2)


def inside(sizes: Int[Tensor, "P 2"], height: int, width: int) -> Tensor:
    """Whether a pixel of a padded picture belongs to it [P H W]."""
    rows = torch.arange(height, device=sizes.device) < sizes[:, :1]
    columns = torch.arange(width, device=sizes.device) < sizes[:, 1:]
    return rows[:, :, None] & columns[:, None, :]
