"""Rows of parameters that are not trained, such as pretrained embeddings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class FrozenRows:
    """Rows of some parameters, by name, which keep the values they have when an update begins."""

    def __init__(self, model: nn.Module, rows: Mapping[str, Tensor]) -> None:
        own = dict(model.named_parameters())
        self._rows = [(own[name], some.to(own[name].device)) for name, some in rows.items()]
        self._values: list[Tensor] = []

    @torch.no_grad()
    def without_gradient(self) -> None:
        """Before an update: no gradient, so that the others are clipped by their own norm."""
        self._values = [parameter[rows] for parameter, rows in self._rows]
        for parameter, rows in self._rows:
            if parameter.grad is not None:
                parameter.grad[rows] = 0

    @torch.no_grad()
    def put_back(self) -> None:
        """After it, since weight decay needs no gradient."""
        for (parameter, rows), values in zip(self._rows, self._values, strict=True):
            parameter[rows] = values
