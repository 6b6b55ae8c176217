"""Converts between the trainer's state and the files of a checkpoint."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2see.blueprint import with_options_added_later
from seq2see.config import Config, make_config
from seq2see.data.source_record import NO_RECORD, SourceRecord
from seq2see.run.changes import DataFingerprint
from seq2see.run.checkpoint_content import RUN_KEYS, facts_of, invalid, progress_of
from seq2see.run.folder import CHECKPOINTS
from seq2see.storage.checkpoints import Checkpoint, save_checkpoint
from seq2see.text import Codecs
from seq2see.training import TrainingState
from seq2see.version import __version__

RECORD = "sources"
"""The name of the record of sources among the tensors."""
VERSIONS = {"seq2see": __version__, "python": platform.python_version(), "torch": torch.__version__}


def save_state(
    folder: Path,
    state: TrainingState,
    codecs: Codecs,
    trained_on: DataFingerprint,
    config: Config,
    max_length: int,
    seen: Mapping[str, Any],
    record: SourceRecord,
    *,
    processes: int = 1,
) -> None:
    """Write a checkpoint of the run in `folder`, with its configuration and the fingerprint of its pairs.

    `max_length` limits the answers in target tokens, `seen` says how long the texts of training were, `record` which
    sources they had. `processes` is only recorded: any number can resume. So is the number of threads, with which the
    last bits of sums vary.
    """
    tensors = {f"model.{name}": tensor for name, tensor in state.model.items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in state.optimizer.items()}
    tensors |= {f"averages.{name}": tensor for name, tensor in state.averages.items()}
    arrays = to_numpy(tensors) | {"pairs.train": trained_on.train, "pairs.dev": trained_on.dev}
    arrays[RECORD] = np.frombuffer(record.to_bytes(), np.uint8)
    own = {
        "pairs": trained_on.digest,
        "config": asdict(config),
        "max_length": max_length,
        "seen": dict(seen),
        "processes": processes,
        "threads": torch.get_num_threads(),
    }
    assert own.keys() == RUN_KEYS
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


def training_state_of(checkpoint: Checkpoint) -> TrainingState:
    """The trainer's state in a checkpoint. CheckpointError if its progress is invalid: hashes can be forged."""
    progress = progress_of(checkpoint)

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {
            name.removeprefix(prefix): torch.from_numpy(array)
            for name, array in checkpoint.tensors.items()
            if name.startswith(prefix)
        }

    try:
        return TrainingState(part("model."), part("optimizer."), progress, part("averages."))
    except TypeError as error:  # a type of numbers that PyTorch doesn't have
        raise invalid(checkpoint, str(error)) from None


def record_of(checkpoint: Checkpoint) -> SourceRecord:
    """The sources seen so far; unknown for a checkpoint without the record."""
    if RECORD not in checkpoint.tensors:
        return NO_RECORD
    return SourceRecord.from_bytes(checkpoint.tensors[RECORD].tobytes(), where=str(checkpoint.folder))


def config_of(checkpoint: Checkpoint) -> Config:
    """The configuration that the checkpoint was trained with."""
    given = {
        section: {key: value for key, value in table.items() if value is not None}
        for section, table in facts_of(checkpoint).config.items()
    }
    config = make_config(given, {}, where=str(checkpoint.folder))
    return replace(config, model=with_options_added_later(config.model))


def process_notes(checkpoint: Checkpoint, processes: int) -> list[str]:
    """A note if the number of processes has changed: each of them draws its own dropout masks."""
    before = facts_of(checkpoint).processes or processes
    if before == processes:
        return []
    return [
        f"note: {before} processes so far, {processes} from here on: sums may differ in the last bits, "
        "and dropout masks differ"
    ]


@contextmanager
def as_many_threads(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Compute with as many threads as the run so far, if this machine has as many and OMP_NUM_THREADS is not set."""
    now = torch.get_num_threads()
    before = (facts_of(checkpoint).threads if checkpoint else None) or now
    is_open = "OMP_NUM_THREADS" not in os.environ
    torch.set_num_threads(before if is_open and before < now else now)
    try:
        yield
    finally:
        torch.set_num_threads(now)


def thread_notes(checkpoint: Checkpoint) -> list[str]:
    """A note if the number of threads has changed after all."""
    now = torch.get_num_threads()
    before = facts_of(checkpoint).threads or now
    return (
        []
        if before == now
        else [f"note: {before} threads so far, {now} from here on: sums may differ in the last bits"]
    )


def version_notes(checkpoint: Checkpoint) -> list[str]:
    """A note if other versions wrote the checkpoint: the run continues, but perhaps not bit for bit."""
    others = [f"{name} {was}" for name, was in checkpoint.versions.items() if VERSIONS.get(name, was) != was]
    if not others:
        return []
    now = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
    return [
        f"note: the checkpoint was written with {', '.join(others)}, this is {now}: sums may differ in the last bits"
    ]


def to_numpy(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """The tensors as arrays on the CPU."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
