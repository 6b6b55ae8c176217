"""Initial values: those of `seq2see.model.initialize`, drawn by NumPy."""

from __future__ import annotations

import numpy as np

from seq2see.scratch.layers import Affine, Embedding
from seq2see.scratch.lstm import LSTM
from seq2see.scratch.part import Parameter, Part
from seq2see.scratch.transformer import LayerNorm


def initialize(model: Part, seed: int) -> None:
    """Fill every matrix; biases stay zero.

    Matrices are uniform in ±1/√fan-in, fan-in being the width of what each reads: then what comes out of a product is
    about as large as what went in (LeCun et al. 1998, section 4.6). Embeddings are normal, and read out they have unit
    variance. They come last: where a table is the output layer's too, this is its first value.
    """
    random = np.random.default_rng(seed)
    for part in model.parts():
        match part:
            case LSTM():
                fill_by_fan_in(part.weight_input, random)
                fill_by_fan_in(part.weight_hidden, random)
            case Affine():
                fill_by_fan_in(part.weight, random)
            case LayerNorm():
                part.weight.value.fill(1)
    for part in model.parts():
        if isinstance(part, Embedding):
            part.weight.value[...] = random.standard_normal(part.weight.value.shape, np.float32) / part.scale


def fill_by_fan_in(weight: Parameter, random: np.random.Generator) -> None:
    """Uniform in ±1/√I, the weight being [O I]."""
    bound = weight.value.shape[1] ** -0.5
    weight.value[...] = random.uniform(-bound, bound, weight.value.shape)
