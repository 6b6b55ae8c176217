"""Token embeddings: the first layer of encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2see.blueprint import FIELD_BREAK, FieldKind


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


class FieldEmbedding(nn.Embedding):
    """One vector per field of the source, added to the embeddings of its tokens (Wu et al. 2021, section 3).

    The field of a token follows from the breaks before it; a break belongs to the field that it ends.
    """

    is_text: Tensor

    def __init__(self, kinds: Sequence[FieldKind], width: int) -> None:
        super().__init__(len(kinds), width)
        self.has_tags = "tags" in kinds
        self.register_buffer("is_text", torch.tensor([kind == "text" for kind in kinds]), persistent=False)

    def numbers(self, ids: Int[Tensor, "B S"]) -> Int[Tensor, "B S"]:
        """The number of each token's field."""
        is_break = (ids == FIELD_BREAK).long()
        return (is_break.cumsum(1) - is_break).clamp(max=self.num_embeddings - 1)

    def forward(self, ids: Int[Tensor, "B S"]) -> Float[Tensor, "B S E"]:
        """The vector of each token's field."""
        vectors: Tensor = super().forward(self.numbers(ids))
        return vectors

    def positions(self, ids: Int[Tensor, "B S"]) -> Int[Tensor, "B S"] | None:
        """The position of each token of a text; 0 for tags, whose order means nothing. None if all are texts."""
        if not self.has_tags:
            return None
        is_text = self.is_text[self.numbers(ids)].long()
        return (is_text.cumsum(1) - 1).clamp(min=0) * is_text
