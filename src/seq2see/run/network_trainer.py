"""The trainer protocol: `--engine` chooses one of its implementations, and the rest of a run is the same for all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import torch

from seq2see.config import Config
from seq2see.run.changes import DataFingerprint
from seq2see.run.fine_tune import Pretrained
from seq2see.run.plan import RunPlan
from seq2see.run.resume import RunContext
from seq2see.training import Callback, Finished, TrainingProgress, TrainingState

SaveBest: TypeAlias = Callable[[Mapping[str, np.ndarray], TrainingProgress], None]


@dataclass(frozen=True)
class TrainingJob:
    """All that a trainer needs beside the network."""

    context: RunContext
    plan: RunPlan
    fingerprint: DataFingerprint
    pretrained: Pretrained | None
    """The model to fine-tune."""
    resumed: TrainingState | None
    """The state of a resumed run."""
    is_changed: bool
    """Whether a resumed run has other options or pairs than its checkpoint says."""
    save_best: SaveBest
    callback: Callback
    stop: Callable[[], bool]


class HasTensors(Protocol):
    """A network whose tensors can be listed by name."""

    def tensors(self) -> Mapping[str, np.ndarray] | Mapping[str, torch.Tensor]:
        """Each tensor once."""


Network = TypeVar("Network", bound=HasTensors)


class NetworkTrainer(Protocol[Network]):
    """Builds and trains a network."""

    def require_supported(
        self, config: Config, given: Collection[str], *, device: str, resume_flag: str, num_processes: int
    ) -> None:
        """ConfigError for anything asked for that this trainer doesn't support.

        `given` are the keys that were set explicitly, `resume_flag` the flag that asks to resume, if any.
        """

    def preset(self, config: Config) -> Config:
        """The configuration with the values of options that have only one for this trainer; called before planning."""

    def complete(self, plan: RunPlan, context: RunContext) -> RunPlan:
        """The plan with every option chosen, precision included."""

    def build(self, plan: RunPlan, context: RunContext) -> Network:
        """The network with its initial values, drawn from `training.seed`."""

    def description(self, plan: RunPlan, context: RunContext) -> str:
        """Number format and device in words, such as "float32 on cpu"."""

    def run(self, network: Network, job: TrainingJob) -> Finished:
        """Train to the end; by then the best model on dev has been saved."""
