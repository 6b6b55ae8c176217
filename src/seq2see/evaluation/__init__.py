"""Evaluation on test sets: metrics with intervals, slices, comparison of runs, and the wrong predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.evaluation.comparison import SeedGroup
    from seq2see.evaluation.error_table import WrongPrediction, error_lines, ranking_of, wrong_items, wrong_predictions
    from seq2see.evaluation.format import as_json, text_lines
    from seq2see.evaluation.items import Item, Slice, items_of
    from seq2see.evaluation.options import EvaluationArguments, EvaluationOptions
    from seq2see.evaluation.report import Estimate, EvaluationReport, Outputs, Overlap, SliceScores, assess
    from seq2see.evaluation.runs import RunsReport, evaluate_runs
    from seq2see.evaluation.scoring import evaluate
    from seq2see.evaluation.tables import csv_text, latex_text

__all__ = [
    "Estimate",
    "EvaluationArguments",
    "EvaluationOptions",
    "EvaluationReport",
    "Item",
    "Outputs",
    "Overlap",
    "RunsReport",
    "SeedGroup",
    "Slice",
    "SliceScores",
    "WrongPrediction",
    "as_json",
    "assess",
    "csv_text",
    "error_lines",
    "evaluate",
    "evaluate_runs",
    "items_of",
    "latex_text",
    "ranking_of",
    "text_lines",
    "wrong_items",
    "wrong_predictions",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "comparison": "SeedGroup",
        "error_table": "WrongPrediction error_lines ranking_of wrong_items wrong_predictions",
        "scoring": "evaluate",
        "format": "as_json text_lines",
        "items": "Item Slice items_of",
        "options": "EvaluationArguments EvaluationOptions",
        "report": "Estimate EvaluationReport Outputs Overlap SliceScores assess",
        "tables": "csv_text latex_text",
        "runs": "RunsReport evaluate_runs",
    },
)
