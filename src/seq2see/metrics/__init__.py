"""Evaluation metrics with confidence intervals and significance tests, over texts and numbers only."""

from __future__ import annotations

from seq2see.metrics.aligned import word_diff
from seq2see.metrics.edits import (
    character_error_rate,
    exact_match,
    levenshtein,
    nearest,
    phone_error_rate,
    symbol_error_rate,
    word_error_rate,
)
from seq2see.metrics.measured import Measured, Metric, Scale, Unit, ratio
from seq2see.metrics.names import METRICS, SCALES, SPELLING, are_single_words, computable, find_metrics, metrics_for
from seq2see.metrics.resampling import (
    SAMPLES,
    Difference,
    Interval,
    SeedDifference,
    Spread,
    differences,
    intervals,
    seed_difference,
    spread,
)
from seq2see.metrics.rouge import rouge_1, rouge_2, rouge_l
from seq2see.metrics.translation import bleu, chrf, ter

__all__ = [
    "METRICS",
    "SAMPLES",
    "SCALES",
    "SPELLING",
    "Difference",
    "Interval",
    "Measured",
    "Metric",
    "Scale",
    "SeedDifference",
    "Spread",
    "Unit",
    "are_single_words",
    "bleu",
    "character_error_rate",
    "chrf",
    "computable",
    "differences",
    "exact_match",
    "find_metrics",
    "intervals",
    "levenshtein",
    "metrics_for",
    "nearest",
    "phone_error_rate",
    "ratio",
    "rouge_1",
    "rouge_2",
    "rouge_l",
    "seed_difference",
    "spread",
    "symbol_error_rate",
    "ter",
    "word_diff",
    "word_error_rate",
]
