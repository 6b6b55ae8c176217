"""Copying: a mixture of the output layer's distribution and of attention to the source (See et al. 2017)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2see.blueprint import COPY_LEFT, Sizes
from seq2see.model.stream import Memory, Stream
from seq2see.model.tensors import at_least_float32


class Copying(nn.Module):
    """How likely each target token is to be copied: (1 - g) times the attention to its equals in the source.

    g = σ(w·x + b) from the input x of the output layer, which has state and context (See et al. 2017, eq. 8, also has
    the last token). Places whose token isn't in the target vocabulary can't be copied, nor can EOS.
    """

    targets: Tensor

    def __init__(self, sizes: Sizes, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, 1)
        self.num_tokens = sizes.target
        copies = torch.tensor(sizes.copies) if sizes.copies else torch.zeros(sizes.source, dtype=torch.int64)
        self.register_buffer("targets", copies, persistent=False)

    def read(self, memory: Memory) -> Int[Tensor, "B S"]:
        """The target token that each place of the source is copied as; 0 for none."""
        assert memory.ids is not None
        read: Tensor = self.targets[memory.ids]
        return read

    def forward(self, stream: Stream, reading: Int[Tensor, "B S"]) -> Stream:
        """The stream with `copied`, from its attention weights."""
        assert stream.weights is not None, "a layer that looks at the source must come first"
        rows, length, _ = stream.x.shape
        own = reading.repeat_interleave(rows // reading.size(0), 0)[:, None].expand(-1, length, -1)
        share = at_least_float32(self.gate(stream.x)).neg().sigmoid()  # 1 - g
        weights = share * at_least_float32(stream.weights) * (own > 0)
        copied = weights.new_zeros(rows, length, self.num_tokens).scatter_add(2, own, weights)
        return stream._replace(copied=copied)


def mixed(logits: Float[Tensor, "*rows V"], copied: Float[Tensor, "*rows V"]) -> Float[Tensor, "*rows V"]:
    """log p of each token: what is copied, and the output layer's distribution with the rest of the probability."""
    left = (1 - copied.sum(-1, keepdim=True)).clamp_min(COPY_LEFT)
    written = at_least_float32(logits).log_softmax(-1) + left.log()
    tiny = torch.finfo(copied.dtype).tiny
    return torch.where(copied > 0, torch.logaddexp(written, copied.clamp_min(tiny).log()), written)
