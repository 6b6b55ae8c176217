"""All that training needs to go on, between the trainer's tensors and the files of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from peeky.checkpoint import load_checkpoint, save_checkpoint
from peeky.errors import CheckpointError
from peeky.folder import CHECKPOINTS
from peeky.text import Codecs
from peeky.training import TrainingState


def save_state(folder: Path, state: TrainingState, codecs: Codecs, data: str) -> None:
    """Write a checkpoint; `data` is the fingerprint of what it was trained on."""
    tensors = {f"model.{name}": tensor for name, tensor in state.model.items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in state.optimizer.items()}
    progress = {**state.progress, "data": data}
    save_checkpoint(folder / CHECKPOINTS, state.progress["update"], to_numpy(tensors), progress, codecs)


def load_state(folder: Path, data: str) -> TrainingState:
    """The newest checkpoint, as the trainer wants it; CheckpointError if it was made with other data."""
    arrays, progress = load_checkpoint(folder / CHECKPOINTS)
    if progress.pop("data") != data:
        raise CheckpointError(
            "the training or dev pairs are not those the run was started with",
            where=str(folder),
            fix="put the data back as they were, or train anew with --force (or into another --out)",
        )
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

    return TrainingState(part("model."), part("optimizer."), progress)


def to_numpy(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """The tensors as arrays on the CPU."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
