"""A batch of examples as tensors on the model's device."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2see.data.batch import Batch
from seq2see.data.batch import Padded as PaddedArrays
from seq2see.model import Padded
from seq2see.model.tensors import FieldValues
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
    return TensorBatch(*(padded_tensors(side, device) for side in (batch.source, batch.target)))


def padded_tensors(padded: PaddedArrays, device: torch.device | str = "cpu") -> Padded:
    """One side of a batch on `device`."""

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    values = tuple(FieldValues(*map(tensor, each)) for each in padded.values)
    return Padded(tensor(padded.ids), tensor(padded.lengths), values)
