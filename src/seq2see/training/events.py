"""What the trainer says while it works; whoever listens shows it or writes it down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from seq2see.training.watch import Warned

INTERRUPTED = "interrupted"
"""The reason why training ended when `stop` said so."""


@dataclass(frozen=True)
class Updated:
    """Some updates are done: sums since the last such event."""

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
    """One sentence of dev and what the model makes of it now; a language model has only something of its own."""

    source: str
    prediction: str
    target: str


@dataclass(frozen=True)
class Evaluated:
    """The model was tried on dev."""

    update: int
    metrics: dict[str, float]
    """`exact_match` (0..1; not for a language model) and `loss` (nats per token)."""
    best: bool
    """It is the best so far, and was saved."""
    samples: tuple[Sample, ...]
    seconds: float
    mean_of: int = 0
    """The weights that were tried are the mean of so many evaluations'."""


@dataclass(frozen=True)
class Finished:
    """Training is over."""

    update: int
    reason: str
    best_update: int
    metrics: dict[str, float]
    """Dev metrics of the best model."""
    seconds: float


Event: TypeAlias = Updated | Evaluated | Warned | Finished
Listener: TypeAlias = Callable[[Event], None]
