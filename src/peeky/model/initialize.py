"""Initial values, each drawn by the role of the parameter and scaled by its own fan-in and fan-out."""

from __future__ import annotations

import torch
from torch import nn

from peeky.model.recurrent import LSTM


def initialize(model: nn.Module) -> None:
    """Fill every parameter of `model`, from torch's global generator.

    Matrices that read the layer below: Xavier uniform (Glorot & Bengio 2010, eq. 16), an LSTM's gate by gate, because
    its four gates are four matrices. Recurrent matrices: orthogonal (Saxe et al. 2013). Biases 0, forget gate 1
    (Jozefowicz et al. 2015). Embeddings: standard normal, so that a layer's input has unit variance.
    """
    for module in model.modules():
        match module:
            case LSTM():
                for weight in module.weight_input.chunk(4):
                    nn.init.xavier_uniform_(weight)
                for weight in module.weight_hidden.chunk(4):
                    nn.init.orthogonal_(weight)
                with torch.no_grad():
                    module.bias.zero_()
                    module.bias[module.width : 2 * module.width] = 1.0
            case nn.Linear():
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            case nn.Embedding():
                nn.init.normal_(module.weight)
