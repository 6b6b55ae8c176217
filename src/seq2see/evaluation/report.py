"""Model outputs and references scored: every metric with its interval, over all items and per slice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from seq2see.errors import DataError
from seq2see.evaluation.format import report_dicts, report_lines
from seq2see.evaluation.html import report_html
from seq2see.evaluation.items import Item, Slice
from seq2see.metrics import METRICS, SAMPLES, Interval, Measured, Scale, exact_match, intervals, ratio
from seq2see.metrics.measured import Numbers
from seq2see.metrics.resampling import interval_method


def per_token(sums: Numbers) -> Numbers:
    """Nats over tokens; NaN without tokens, where no pair has a score."""
    return np.where(sums[..., 1] > 0, ratio(sums), np.nan)


LOSS = Scale("loss", "loss", "nats", higher_is_better=False, score=per_token)
"""Nats per target token, EOS included, teacher-forced."""
LARGEST = 700.0
"""Above this loss the perplexity overflows to infinity."""


class Outputs(NamedTuple):
    """What a model outputs for the items, and their references."""

    predictions: tuple[str, ...] | None
    """One per item; None for a language model."""
    references: tuple[tuple[str, ...], ...]
    """Per item, normalized like the model's own texts."""
    log_probs: tuple[float, ...]
    """Of each pair's target, in nats, without its `unknown` tokens."""
    num_tokens: tuple[int, ...]
    """Of each pair's target, EOS included, without its `unknown` tokens."""
    unknown: tuple[tuple[str, ...], ...] = ()
    """The tokens of each pair's target that the model can't write; empty if no target has any."""


class Overlap(NamedTuple):
    """How many of the items a model has seen before."""

    train: int = 0
    """Items whose source it, or a model that it was fine-tuned from, was trained on."""
    dev: int = 0
    """Other items, whose source was among the dev pairs: they selected the checkpoint."""
    is_complete: bool = False
    """Whether the model has a record of all its training sources; otherwise more items may have been seen."""


UNKNOWN_OVERLAP = Overlap()
"""Of a model that has no record of its training."""


class Estimate(NamedTuple):
    """The value of a metric and its 95 % interval."""

    value: float
    interval: Interval
    method: str = "bootstrap"
    """How the interval was computed: `bootstrap`, or `Clopper-Pearson` (exact, if all items are right or all wrong)."""


@dataclass(frozen=True)
class SliceScores:
    """The scores of one slice."""

    by: str
    name: str
    count: int
    scores: dict[str, Estimate]


@dataclass(frozen=True)
class EvaluationReport:
    """The scores of a model on a test set. Printed it is the table of `seq2see evaluate`."""

    count: int
    """Items: distinct sources; for a language model texts."""
    num_references: int
    """Distinct (source, target) pairs."""
    exact_match: float | None
    """Share of the items, 0..1; None for a language model."""
    measured: dict[str, Measured]
    """The statistics of each metric and of `loss`, by name."""
    scores: dict[str, Estimate]
    """The value of each metric and of `loss` with its interval, by name."""
    slices: tuple[SliceScores, ...]
    outputs: Outputs
    items: tuple[Item, ...]
    samples: int
    """Bootstrap samples per interval."""
    seed: int
    """Of the bootstrap."""
    overlap: Overlap = UNKNOWN_OVERLAP
    """Items that the model has seen before."""
    missing: str = ""
    """Default metrics that were left out, and the package they need."""

    @property
    def num_known(self) -> int | None:
        """Items that are in the training data; None if unknown."""
        return self.overlap.train if self.overlap.is_complete else None

    @property
    def loss(self) -> float:
        """Nats per target token."""
        return self.scores["loss"].value

    @property
    def perplexity(self) -> float:
        """e to the loss, per target token."""
        return math.exp(self.loss) if self.loss < LARGEST else math.inf

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat dict per metric and slice, for `pandas.DataFrame`; `by` and `slice` are None for all items."""
        return report_dicts(self)

    def __str__(self) -> str:
        return "\n".join(report_lines(self))

    def _repr_html_(self) -> str:
        return report_html(self)


def assess(
    items: Sequence[Item],
    outputs: Outputs,
    *,
    metrics: Sequence[str] = (),
    titles: Mapping[str, str] = MappingProxyType({}),
    notes: Mapping[str, str] = MappingProxyType({}),
    slices: Sequence[Slice] = (),
    overlap: Overlap = UNKNOWN_OVERLAP,
    missing: str = "",
    samples: int = SAMPLES,
    seed: int = 0,
) -> EvaluationReport:
    """The named metrics and the loss, over all items and over each slice.

    `titles` are what metrics are called for these targets, if not as usual; `notes` say what a metric is for them.
    """
    if not items:
        raise DataError("there are no pairs to evaluate on", fix="give a file with at least one pair")
    texts, references = outputs.predictions, outputs.references
    measured = {} if texts is None else {name: METRICS[name](texts, references) for name in metrics}
    for name in measured.keys() & titles.keys():
        scale = replace(measured[name].scale, title=titles[name])
        measured[name] = replace(measured[name], scale=scale)
    for name in measured.keys() & notes.keys():
        measured[name] = replace(measured[name], note=notes[name])
    measured["loss"] = loss_of(items, outputs)
    scored = []
    for part in slices:
        scores = estimates({name: each.of(part.rows) for name, each in measured.items()}, samples, seed)
        scored.append(SliceScores(part.by, part.name, len(part.rows), scores))
    return EvaluationReport(
        count=len(items),
        num_references=sum(len(item.references) for item in items),
        exact_match=None if texts is None else exact_match(texts, references).value,
        measured=measured,
        scores=estimates(measured, samples, seed),
        slices=tuple(scored),
        outputs=outputs,
        items=tuple(items),
        samples=samples,
        seed=seed,
        overlap=overlap,
        missing=missing,
    )


def loss_of(items: Sequence[Item], outputs: Outputs) -> Measured:
    """The loss over all pairs; the statistics of an item are the nats and tokens of its pairs."""
    log_probs, num_tokens = np.array(outputs.log_probs), np.array(outputs.num_tokens, dtype=np.float64)
    rows = [(-log_probs[list(item.rows)].sum(), num_tokens[list(item.rows)].sum()) for item in items]
    return Measured(LOSS, np.array(rows, dtype=np.float64))


def estimates(measured: dict[str, Measured], samples: int, seed: int) -> dict[str, Estimate]:
    """Each value with its interval; all metrics share the bootstrap samples."""
    found = intervals(list(measured.values()), samples=samples, seed=seed)
    return {
        name: Estimate(each.value, interval, interval_method(each))
        for (name, each), interval in zip(measured.items(), found, strict=True)
    }
