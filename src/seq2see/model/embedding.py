"""Token embeddings: the first layer of encoder and decoder."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn


class Embedding(nn.Embedding):
    """An embedding table whose vectors are multiplied by `scale` when they are looked up.

    A table shared with the output layer (Press & Wolf 2017) needs a variance of 1 / E there; as an input it is scaled
    by √E to a variance of 1 (Vaswani et al. 2017, section 3.4).
    """

    def __init__(self, vocabulary: int, width: int, *, scaled: bool = False) -> None:
        super().__init__(vocabulary, width)
        self.scale = width**0.5 if scaled else 1.0

    def forward(self, ids: Int[Tensor, "R T"]) -> Float[Tensor, "R T E"]:
        """The vectors of the ids."""
        vectors: Tensor = super().forward(ids)
        return vectors * self.scale if self.scale != 1 else vectors
