"""Answers and what should have been answered, to a report: every figure with its interval, as a whole and in parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seq2see.errors import DataError
from seq2see.evaluation.items import Item, Part
from seq2see.metrics import METRICS, SAMPLES, Interval, Measured, Scale, exact_match, intervals, ratio

LOSS = Scale("loss", "loss", "nats", higher_is_better=False, score=ratio)
"""Nats per target token, EOS counted, teacher-forced."""
LARGEST = 700.0
"""Beyond this loss the perplexity is infinite in floating point."""


class Answers(NamedTuple):
    """What a model makes of the items."""

    predictions: tuple[str, ...] | None
    """One an item; None for a language model."""
    references: tuple[tuple[str, ...], ...]
    """Of each item, normalised as the model's own texts are."""
    log_probs: tuple[float, ...]
    """Of each pair's target, in nats."""
    num_tokens: tuple[int, ...]
    """Of each pair's target, EOS counted."""


class Figure(NamedTuple):
    """A value and the 95 % interval around it."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Slice:
    """A part of the items, scored by itself."""

    by: str
    name: str
    count: int
    figures: dict[str, Figure]


@dataclass(frozen=True)
class Report:
    """How well a model does on a test set."""

    count: int
    """Items: distinct sources, or texts of a language model."""
    num_references: int
    """Distinct (source, target) pairs."""
    exact_match: float | None
    """Share of the items, 0..1; None for a language model."""
    measured: dict[str, Measured]
    """By name: the metrics, and `loss`."""
    figures: dict[str, Figure]
    """Likewise."""
    slices: tuple[Slice, ...]
    answers: Answers
    items: tuple[Item, ...]
    num_known: int | None = None
    """Items that the training data have; None where nobody can tell."""

    @property
    def loss(self) -> float:
        """Nats per target token."""
        return self.figures["loss"].value

    @property
    def perplexity(self) -> float:
        """Between how many tokens the model wavers, on average: e to the loss."""
        return math.exp(self.loss) if self.loss < LARGEST else math.inf


def assess(
    items: Sequence[Item],
    answers: Answers,
    *,
    metrics: Sequence[str] = (),
    parts: Sequence[Part] = (),
    num_known: int | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Report:
    """The report of answers to these items: METRICS by name and the loss, over all items and over each of the parts."""
    if not items:
        raise DataError("there are no pairs to evaluate on", fix="give a file with at least one pair")
    texts, references = answers.predictions, answers.references
    measured = {} if texts is None else {name: METRICS[name](texts, references) for name in metrics}
    measured["loss"] = loss_of(items, answers)
    slices = []
    for part in parts:
        figures = figures_of({name: each.of(part.rows) for name, each in measured.items()}, samples, seed)
        slices.append(Slice(part.by, part.name, len(part.rows), figures))
    return Report(
        count=len(items),
        num_references=sum(len(item.references) for item in items),
        exact_match=None if texts is None else exact_match(texts, references).value,
        measured=measured,
        figures=figures_of(measured, samples, seed),
        slices=tuple(slices),
        answers=answers,
        items=tuple(items),
        num_known=num_known,
    )


def loss_of(items: Sequence[Item], answers: Answers) -> Measured:
    """The loss over all pairs; statistics of an item: nats and tokens of its pairs."""
    log_probs, num_tokens = np.array(answers.log_probs), np.array(answers.num_tokens, dtype=np.float64)
    rows = [(-log_probs[list(item.rows)].sum(), num_tokens[list(item.rows)].sum()) for item in items]
    return Measured(LOSS, np.array(rows, dtype=np.float64))


def figures_of(measured: dict[str, Measured], samples: int, seed: int) -> dict[str, Figure]:
    """Every value with its interval, all drawn from the same sets."""
    around = intervals(list(measured.values()), samples=samples, seed=seed)
    return {name: Figure(each.value, one) for (name, each), one in zip(measured.items(), around, strict=True)}
