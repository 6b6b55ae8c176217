"""A batch of examples as tensors on the model's device."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from seq2see.data.batch import Batch
from seq2see.model import Padded
from seq2see.text import BOS


class TensorBatch(NamedTuple):
    """Sources and targets of B examples, padded to the longest of each."""

    source: Padded
    target: Padded

    @property
    def decoder_input(self) -> Tensor:
        """What the decoder reads [B T]: BOS, then the target without its last position."""
        ids = self.target.ids
        return torch.cat([torch.full_like(ids[:, :1], BOS), ids[:, :-1]], dim=1)


def to_tensors(batch: Batch, device: torch.device | str = "cpu") -> TensorBatch:
    """The batch on `device`."""
    return TensorBatch(
        *(Padded(*(torch.from_numpy(part).to(device) for part in side)) for side in (batch.source, batch.target))
    )
