"""Several trainings on the same pairs: `seq2see compare`, and cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.comparison.comparing import Comparison, compare, plan_runs
    from seq2see.comparison.cross_validation import CrossValidation, cross_validate

__all__ = ["Comparison", "CrossValidation", "compare", "cross_validate", "plan_runs"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "comparing": "Comparison compare plan_runs",
        "cross_validation": "CrossValidation cross_validate",
    },
)
