"""Random initial values as in `seq2see.model.initialize`, drawn with NumPy."""

from __future__ import annotations

import numpy as np

from seq2see.scratch.gru import GRU
from seq2see.scratch.layers import Affine, Embedding, LayerNorm
from seq2see.scratch.lstm import LSTM
from seq2see.scratch.module import Module, Parameter


def initialize(model: Module, seed: int) -> None:
    """Initialize every matrix; biases stay zero.

    Matrices are uniform in ±1/√fan-in, which keeps outputs about as large as inputs (LeCun et al. 1998, section 4.6).
    Embeddings are normal, with unit variance after scaling. They come last, so that they also initialize a tied output
    layer.
    """
    random = np.random.default_rng(seed)
    for module in model.modules():
        match module:
            case LSTM() | GRU():
                fill_by_fan_in(module.weight_input, random)
                fill_by_fan_in(module.weight_hidden, random)
            case Affine():
                fill_by_fan_in(module.weight, random)
            case LayerNorm():
                module.weight.value.fill(1)
    for module in model.modules():
        if isinstance(module, Embedding):
            module.weight.value[...] = random.standard_normal(module.weight.value.shape, np.float32) / module.scale


def fill_by_fan_in(weight: Parameter, random: np.random.Generator) -> None:
    """Uniform in ±1/√I, for a weight [O I]."""
    bound = weight.value.shape[1] ** -0.5
    weight.value[...] = random.uniform(-bound, bound, weight.value.shape)
