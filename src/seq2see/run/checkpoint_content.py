"""What a checkpoint says, held to types and shapes before anything is restored: its hashes can be forged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
import torch
from msgspec import Meta

from seq2see.errors import CheckpointError
from seq2see.run.changes import DataFingerprint
from seq2see.storage.checkpoints import TRAIN_AGAIN, Checkpoint, update_of
from seq2see.training import KEPT, TrainingProgress, TrainingState
from seq2see.training.adam import MOMENTS, STEP
from seq2see.training.watch import EvaluationRecord

RUN_KEYS = frozenset({"pairs", "config", "max_length", "seen", "processes", "threads"})
"""The keys of progress.json that are not the trainer's."""
Converted = TypeVar("Converted")


@dataclass(frozen=True)
class Seen:
    """What the run has been trained on: see `RunPlan.seen`."""

    longest: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, list[str]] = field(default_factory=dict)
    filled: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class RunFacts:
    """What a checkpoint says of its run, beside the trainer's state."""

    pairs: str
    """The digest of the pairs."""
    max_length: Annotated[int, Meta(ge=1, lt=2**31)]
    config: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    processes: Annotated[int, Meta(ge=1)] | None = None
    threads: Annotated[int, Meta(ge=1, lt=2**31)] | None = None


def facts_of(checkpoint: Checkpoint) -> RunFacts:
    """What the checkpoint says of its run. CheckpointError if it is invalid: hashes can be forged."""
    return converted(
        {name: value for name, value in checkpoint.progress.items() if name in RUN_KEYS}, RunFacts, checkpoint
    )


def converted(values: Any, kind: type[Converted], checkpoint: Checkpoint) -> Converted:
    """The values as this type. CheckpointError if they aren't."""
    try:
        return msgspec.convert(values, kind)
    except (ValueError, RecursionError) as error:  # ValueError: also for numbers beyond 64 bits
        raise invalid(checkpoint, str(error).partition("\n")[0]) from None


def invalid(checkpoint: Checkpoint, what: str) -> CheckpointError:
    """The error for a training state that no run can have written."""
    return CheckpointError(
        f"holds an invalid training state: {what:.200}", where=str(checkpoint.folder), fix=TRAIN_AGAIN
    )


def progress_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """The trainer's progress. CheckpointError if a value has an invalid type, or contradicts another."""
    own = {name: value for name, value in checkpoint.progress.items() if name not in RUN_KEYS}
    progress = converted(own, TrainingProgress, checkpoint)
    kept = converted(own.get(KEPT, {}), dict[str, dict[str, float]], checkpoint)
    values = asdict(progress)
    for name, value in values.items():
        if isinstance(value, int) and value < 0:
            raise invalid(checkpoint, f"{name} is {value}")
    if progress.update != update_of(checkpoint.folder):
        raise invalid(checkpoint, f"update is {progress.update}")
    if progress.best_update > progress.update:
        raise invalid(checkpoint, f"best_update is {progress.best_update}, after update {progress.update}")
    if any("loss" not in metrics for metrics in (progress.best, *kept.values()) if metrics):
        raise invalid(checkpoint, "the dev metrics have no loss")
    if not all(update.isdecimal() for update in kept):
        raise invalid(checkpoint, f"{KEPT} is {list(kept)}")
    if any(len(record) != len(EvaluationRecord._fields) for record in progress.course):
        raise invalid(checkpoint, "course has invalid records")
    return values | {KEPT: kept}


def require_fitting(state: TrainingState, shapes: Mapping[str, Sequence[int]], *, where: str) -> None:
    """CheckpointError if the tensors of a state aren't those of a network with tensors of these shapes."""
    wanted = {name: tuple(shape) for name, shape in shapes.items()}
    kept = {f"kept.{update}.{name}" for update in state.progress[KEPT] for name in wanted}
    fits = (
        shapes_of(state.model) == wanted
        and has_moments_of(wanted, shapes_of(state.optimizer))
        and kept <= state.averages.keys()
        and all(wanted.get(name_in(name)) == shape for name, shape in shapes_of(state.averages).items())
    )
    if not fits:
        raise CheckpointError("has the tensors of a different model", where=where, fix=TRAIN_AGAIN)


def name_in(average: str) -> str:
    """The tensor that `ema.NAME` or `kept.UPDATE.NAME` is an average of."""
    kind, _, name = average.partition(".")
    return name if kind == "ema" else name.partition(".")[2]


def shapes_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def has_moments_of(shapes: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether an optimizer's tensors are those of a network with tensors of these shapes.

    Each has a number of updates and two moments; with Muon, the matrices between the first and the last layer have
    only the first moment.
    """
    first, second = MOMENTS
    may_lack = {name for name, shape in shapes.items() if len(shape) == 2 and "embedding" not in name}
    wanted: dict[str, tuple[int, ...]] = {f"{STEP}.{name}": () for name in shapes}
    wanted |= {f"{first}.{name}": shape for name, shape in shapes.items()}
    wanted |= {f"{second}.{name}": shape for name, shape in shapes.items() if name not in may_lack}
    allowed = wanted | {f"{second}.{name}": shapes[name] for name in may_lack}
    return wanted.items() <= found.items() <= allowed.items()


def fingerprint_of(checkpoint: Checkpoint) -> DataFingerprint:
    """The fingerprint of the pairs. CheckpointError if it is missing or invalid."""
    train, dev = (checkpoint.tensors.get(f"pairs.{side}", np.zeros(())) for side in ("train", "dev"))
    if any(array.ndim != 1 or array.dtype != np.uint32 for array in (train, dev)):
        raise invalid(checkpoint, "the hashes of the pairs are missing or invalid")
    return DataFingerprint(train, dev, facts_of(checkpoint).pairs)
