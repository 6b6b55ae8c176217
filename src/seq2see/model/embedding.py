"""Token embeddings: the first layer of encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2see.blueprint import FIELD_BREAK, HIDDEN_TAG, Field


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

    is_ordered: Tensor
    is_tags: Tensor

    def __init__(self, fields: Sequence[Field], width: int) -> None:
        super().__init__(len(fields), width)
        ordered = [field.has_positions for field in fields]
        self.are_all_ordered = all(ordered)
        self.register_buffer("is_ordered", torch.tensor(ordered), persistent=False)
        is_tags = torch.tensor([field.kind == "tags" for field in fields])
        self.register_buffer("is_tags", is_tags, persistent=False)

    def numbers(self, ids: Int[Tensor, "B S"]) -> Int[Tensor, "B S"]:
        """The number of each token's field."""
        is_break = (ids == FIELD_BREAK).long()
        return (is_break.cumsum(1) - is_break).clamp(max=self.num_embeddings - 1)

    def forward(self, ids: Int[Tensor, "B S"]) -> Float[Tensor, "B S E"]:
        """The vector of each token's field."""
        vectors: Tensor = super().forward(self.numbers(ids))
        return vectors

    def tags(self, ids: Int[Tensor, "B S"]) -> Bool[Tensor, "B S"]:
        """Which tokens are known tags: all ids beyond the break's are tokens of the vocabulary."""
        found: Tensor = self.is_tags[self.numbers(ids)] & (ids > FIELD_BREAK)
        return found

    def without_tags(self, ids: Int[Tensor, "B S"]) -> Int[Tensor, "B S"]:
        """The ids with the unknown token in place of each tag."""
        return torch.where(self.tags(ids), HIDDEN_TAG, ids)

    def positions(self, ids: Int[Tensor, "B S"]) -> Int[Tensor, "B S"] | None:
        """The position of each token among those of ordered fields; 0 for tags and cells. None if all are ordered."""
        if self.are_all_ordered:
            return None
        is_ordered = self.is_ordered[self.numbers(ids)].long()
        return (is_ordered.cumsum(1) - 1).clamp(min=0) * is_ordered
