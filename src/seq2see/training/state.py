"""The state of a run from which it resumes exactly, and the result of an evaluation on dev."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from seq2see.metrics import SCALES
from seq2see.training.events import Sample
from seq2see.training.watch import DevAnswer

KEPT = "kept"
"""The key of the dev metrics of the weights kept for averaging, by update."""


@dataclass
class TrainingProgress:
    """How far training has come: all of its state except tensors."""

    update: int = 0
    epoch: int = 0
    pool: int = 0
    """The sampler's pool within the epoch."""
    batch: int = 0
    """Batches of this pool already used."""
    best: dict[str, float] = field(default_factory=dict)
    """Dev metrics of the best model so far."""
    best_update: int = 0
    evaluated_at: int = 0
    """The update of the last evaluation."""
    evaluations_without_better: int = 0
    evaluations_without_mistake: int = 0
    plateau_share: float = 1.0
    window_loss: float = 0.0
    window_tokens: int = 0
    window_seconds: float = 0.0
    """Sums over the updates since the last report."""
    seconds: float = 0.0
    loss_since: float = 0.0
    tokens_since: int = 0
    """Sums over the updates since the last evaluation."""
    course: list[list[float]] = field(default_factory=list)
    """The last evaluations, each the values of an `EvaluationRecord`."""
    warned: list[str] = field(default_factory=list)
    """Kinds of warnings already given."""
    suspected: list[str] = field(default_factory=list)
    """Kinds of problems found by the last evaluation."""
    averaged_at: int = 0
    """The update at which the mean was last evaluated."""


class TrainingState(NamedTuple):
    """All that a run needs to resume exactly where it was."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    progress: dict[str, Any]
    averages: dict[str, Tensor] = {}  # noqa: RUF012 - never changed
    """`ema.NAME`: moving averages; `kept.UPDATE.NAME`: weights to be averaged."""

    def progress_so_far(self) -> TrainingProgress:
        """The progress without the additional keys."""
        return TrainingProgress(**{name: value for name, value in self.progress.items() if name != KEPT})


class DevEvaluation(NamedTuple):
    """The result of an evaluation on dev."""

    metrics: dict[str, float]
    samples: tuple[Sample, ...]
    answers: tuple[DevAnswer, ...] = ()
    """All answers, for the diagnostics; none of a language model."""
    unknown: Mapping[str, float] = MappingProxyType({})
    """By side, the share of the dev tokens that are not in the vocabulary."""
    num_wrong: int | None = None
    """Answers that differ from their target; None for a language model."""
    num_changed: int | None = None
    """Answers that differ from those of the last evaluation; None for the first."""


class EvaluationStopped(Exception):  # noqa: N818 - as StopIteration
    """The run was asked to stop during an evaluation, which comes again when the run is resumed."""


def is_better(metrics: Mapping[str, float], best: Mapping[str, float], metric: str) -> bool:
    """Whether `metrics` beat `best`: a better value of the metric, and of equal ones a lower loss.

    Anything beats what has no such value, as when a run is resumed with another metric.
    """
    if not best or metric not in best:
        return True
    return (signed(metrics, metric), -metrics["loss"]) > (signed(best, metric), -best["loss"])


def signed(metrics: Mapping[str, float], metric: str) -> float:
    """The value of the metric, negative if lower is better."""
    higher_is_better = metric in SCALES and SCALES[metric].higher_is_better
    return metrics[metric] if higher_is_better else -metrics[metric]
