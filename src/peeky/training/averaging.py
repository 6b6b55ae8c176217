"""Weights averaged over the course of training, which generalise a little better than the last ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from peeky.training.world import own_part


class MovingAverage:
    """An exponential moving average of parameters: average ← d · average + (1 − d) · weights after each update.

    d = min(decay, (1 + n) / (10 + n)) at update n, so that the initial values are soon forgotten.
    """

    def __init__(self, parameters: Iterable[tuple[str, Tensor]], decay: float) -> None:
        self.decay = decay
        self.tensors = {name: parameter.detach().clone() for name, parameter in parameters}

    @torch.no_grad()
    def update(self, parameters: Iterable[tuple[str, Tensor]], number: int) -> None:
        """Take in the parameters after update `number`."""
        share = 1 - min(self.decay, (1 + number) / (10 + number))
        named = list(parameters)
        averages = [own_part(self.tensors[name]) for name, _ in named]
        torch._foreach_lerp_(averages, [own_part(parameter.detach()) for _, parameter in named], share)


def mean_of(models: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the weights of several models of a kind, summed in float64."""
    return {
        name: torch.stack([model[name].double() for model in models]).mean(0).to(tensor.dtype)
        for name, tensor in models[0].items()
    }
