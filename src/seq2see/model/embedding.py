"""Token ids to vectors: where both halves of a model begin."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn


class Embedding(nn.Embedding):
    """A table of vectors, read out `scale` times as large as it is stored.

    A table that is also the output layer's (Press & Wolf 2017) must be small for that, with a variance of 1 / E; read
    as an input it is scaled by √E to a variance of 1 (Vaswani et al. 2017, section 3.4).
    """

    def __init__(self, vocabulary: int, width: int, *, scaled: bool = False) -> None:
        super().__init__(vocabulary, width)
        self.scale = width**0.5 if scaled else 1.0

    def forward(self, ids: Int[Tensor, "R T"]) -> Float[Tensor, "R T E"]:
        """The vectors of the ids."""
        vectors: Tensor = super().forward(ids)
        return vectors * self.scale if self.scale != 1 else vectors
