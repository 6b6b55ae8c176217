"""What a run needs to go on exactly where it was, and what trying its model on dev gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from seq2see.training.events import Sample
from seq2see.training.watch import DevAnswer

KEPT = "kept"
"""Under which the dev metrics of the weights that are kept to be averaged stand beside progress, by update."""


@dataclass
class Progress:
    """How far training has come: all of its state that is not a tensor."""

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
    """The update at which dev was tried last."""
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
    """The last evaluations, each the values of a `Point`."""
    warned: list[str] = field(default_factory=list)
    """Kinds of what has been warned of."""
    suspected: list[str] = field(default_factory=list)
    """Kinds of what the last evaluation found."""
    averaged_at: int = 0
    """The update at which their mean was tried last."""


class TrainingState(NamedTuple):
    """All that a run needs to go on exactly where it was."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    progress: dict[str, Any]
    averages: dict[str, Tensor] = {}  # noqa: RUF012 - never changed
    """`ema.NAME`: moving averages; `kept.UPDATE.NAME`: weights to be averaged."""

    def progress_so_far(self) -> Progress:
        """Its progress, without what stands beside it."""
        return Progress(**{name: value for name, value in self.progress.items() if name != KEPT})


class Evaluation(NamedTuple):
    """What trying the model on dev gave."""

    metrics: dict[str, float]
    samples: tuple[Sample, ...]
    tried: tuple[DevAnswer, ...] = ()
    """All answers, to be watched; none of a language model."""
    unknown: Mapping[str, float] = MappingProxyType({})
    """By side, the share of dev's tokens that its vocabulary lacks."""


def is_better(metrics: dict[str, float], best: dict[str, float], metric: str) -> bool:
    """Whether dev says so: a higher exact match, or a lower loss; equal exact matches are decided by the loss."""
    if not best or metric == "loss":
        return not best or metrics["loss"] < best["loss"]
    return (metrics["exact_match"], -metrics["loss"]) > (best["exact_match"], -best["loss"])
