"""The events that the trainer reports to its callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from seq2see.training.watch import WarningIssued

INTERRUPTED = "interrupted"
"""The reason of `Finished` if `stop` ended training."""


@dataclass(frozen=True)
class Updated:
    """Updates were done; averages since the last such event."""

    update: int
    epoch: int
    loss: float
    """Training loss in nats per target token (label smoothing included)."""
    rate: float
    gradient_norm: float
    tokens_per_second: float
    """Target tokens."""
    seconds: float
    """Since training began, earlier parts of a resumed run included."""


@dataclass(frozen=True)
class Sample:
    """A dev pair and the model's current answer; for a language model only a text that it generated."""

    source: str
    prediction: str
    target: str


@dataclass(frozen=True)
class Evaluated:
    """The model was evaluated on dev."""

    update: int
    metrics: dict[str, float]
    """`exact_match` (0..1; not for a language model) and `loss` (nats per token); before them `training.metric`."""
    best: bool
    """Whether it is the best model so far, and was saved."""
    samples: tuple[Sample, ...]
    """A few wrong answers, or texts that a language model generated."""
    seconds: float
    mean_of: int = 0
    """If the evaluated weights are a mean: of how many evaluations."""
    num_answers: int = 0
    """Dev pairs; 0 for a language model."""
    num_wrong: int | None = None
    """Answers that differ from their target; None if unknown."""
    num_changed: int | None = None
    """Answers that differ from those of the last evaluation; None for the first, and for the first after a resume."""


@dataclass(frozen=True)
class Finished:
    """Training has ended."""

    update: int
    reason: str
    best_update: int
    metrics: dict[str, float]
    """Dev metrics of the best model."""
    seconds: float


Event: TypeAlias = Updated | Evaluated | WarningIssued | Finished
Callback: TypeAlias = Callable[[Event], None]
