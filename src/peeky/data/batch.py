"""Examples as the tensors of one update."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from peeky.data.examples import Examples, Ids, Offsets
from peeky.model.tensors import Padded
from peeky.text import BOS, PAD


class Batch(NamedTuple):
    """Sources and targets of B examples, padded to the longest of each.

    `index` [B] says which examples they are.
    """

    source: Padded
    target: Padded
    index: Tensor  # type: ignore[assignment]  # in place of the method that every tuple has

    @property
    def decoder_input(self) -> Tensor:
        """What the decoder reads [B T]: BOS, then the target without its last position."""
        ids = self.target.ids
        return torch.cat([torch.full_like(ids[:, :1], BOS), ids[:, :-1]], dim=1)

    @property
    def target_tokens(self) -> int:
        """The number of tokens to learn from: EOS counts, padding does not."""
        return int(self.target.lengths.sum())

    def to(self, device: torch.device) -> Batch:
        """The same on `device`."""
        return Batch(self.source.to(device), self.target.to(device), self.index.to(device, non_blocking=True))


def collate(examples: Examples, indices: npt.NDArray[np.int64]) -> Batch:
    """The batch of the examples with these indices."""
    return Batch(
        _pad(examples.source_ids, examples.source_offsets, indices),
        _pad(examples.target_ids, examples.target_offsets, indices),
        torch.from_numpy(np.array(indices, dtype=np.int64)),
    )


def _pad(ids: Ids, offsets: Offsets, indices: npt.NDArray[np.int64]) -> Padded:
    starts = offsets[indices]
    lengths = offsets[indices + 1] - starts
    positions = np.arange(lengths.max(initial=0))
    is_token = positions < lengths[:, None]
    padded = np.full(is_token.shape, PAD, dtype=np.int64)
    padded[is_token] = ids[(starts[:, None] + positions)[is_token]]
    return Padded(torch.from_numpy(padded), torch.from_numpy(lengths))
