"""All that training needs to go on, between the trainer's tensors and the files of a checkpoint."""

from __future__ import annotations

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2see.config import Config, make_config
from seq2see.errors import CheckpointError
from seq2see.run.changes import DataFingerprint
from seq2see.run.folder import CHECKPOINTS
from seq2see.storage.checkpoints import ANEW, Checkpoint, save_checkpoint
from seq2see.text import Codecs
from seq2see.training import TrainingState
from seq2see.version import __version__

OWN = frozenset({"pairs", "config", "max_length", "processes"})
"""What progress.json has beside the trainer's own."""
VERSIONS = {"seq2see": __version__, "python": platform.python_version(), "torch": torch.__version__}


def save_state(
    folder: Path,
    state: TrainingState,
    codecs: Codecs,
    trained_on: DataFingerprint,
    config: Config,
    max_length: int,
    *,
    processes: int = 1,
) -> None:
    """Write a checkpoint of the run in `folder`, and with it what the run is: its pairs and its configuration.

    `max_length` is how long its answers may be, which a model that it started from has a say in. It says on how many
    `processes` the run was, and fits any other number.
    """
    tensors = {f"model.{name}": tensor for name, tensor in state.model.items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in state.optimizer.items()}
    tensors |= {f"averages.{name}": tensor for name, tensor in state.averages.items()}
    arrays = to_numpy(tensors) | {"pairs.train": trained_on.train, "pairs.dev": trained_on.dev}
    own = {
        "pairs": trained_on.digest,
        "config": asdict(config),
        "max_length": max_length,
        "processes": processes,
    }
    assert own.keys() == OWN
    progress = {**state.progress, **own}
    save_checkpoint(
        folder / CHECKPOINTS,
        state.progress["update"],
        arrays,
        progress,
        codecs,
        versions=VERSIONS,
        keep=config.training.keep_checkpoints,
    )


def state_of(checkpoint: Checkpoint) -> TrainingState:
    """The state as the trainer wants it."""
    progress = {name: value for name, value in checkpoint.progress.items() if name not in OWN}

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {
            name.removeprefix(prefix): torch.from_numpy(array)
            for name, array in checkpoint.tensors.items()
            if name.startswith(prefix)
        }

    return TrainingState(part("model."), part("optimizer."), progress, part("averages."))


def fingerprint_of(checkpoint: Checkpoint) -> DataFingerprint:
    """What it was trained on."""
    try:
        tensors = checkpoint.tensors
        return DataFingerprint(tensors["pairs.train"], tensors["pairs.dev"], checkpoint.progress["pairs"])
    except KeyError as error:
        raise CheckpointError(f"has no {error}", where=str(checkpoint.folder), fix=ANEW) from None


def config_of(checkpoint: Checkpoint) -> Config:
    """The configuration that it was trained with."""
    tables: dict[str, dict[str, Any]] = checkpoint.progress.get("config", {})
    given = {
        section: {key: value for key, value in table.items() if value is not None} for section, table in tables.items()
    }
    return make_config(given, {}, where=str(checkpoint.folder))


def processes_said(checkpoint: Checkpoint, processes: int) -> list[str]:
    """What to say where the run was on another number of processes: each draws dropout masks of its own."""
    before = checkpoint.progress.get("processes", processes)
    if before == processes:
        return []
    return [
        f"note: processes: {before} until now, {processes} from here on: sums may differ in their last bits, "
        "and dropout falls elsewhere"
    ]


def versions_said(checkpoint: Checkpoint) -> list[str]:
    """What to say where another version wrote the checkpoint: it goes on, but perhaps not bit for bit."""
    others = [f"{name} {was}" for name, was in checkpoint.versions.items() if VERSIONS.get(name, was) != was]
    if not others:
        return []
    now = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
    return [
        f"note: the checkpoint was written with {', '.join(others)}, this is {now}: sums may differ in their last bit"
    ]


def to_numpy(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """The tensors as arrays on the CPU."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
