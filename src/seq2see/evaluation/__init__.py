"""Models held to test sets: every figure with its interval, in parts, beside other runs, and what went wrong."""

from __future__ import annotations

from seq2see.evaluation.comparison import Group
from seq2see.evaluation.errors_file import Wrong, error_lines, ranking_of, wrong_answers, wrong_items
from seq2see.evaluation.evaluate import Evaluation, Request, evaluate, evaluate_runs
from seq2see.evaluation.items import Item, Part, items_of
from seq2see.evaluation.report import Answers, Figure, Report, Slice, assess
from seq2see.evaluation.shown import as_json, text_lines

__all__ = [
    "Answers",
    "Evaluation",
    "Figure",
    "Group",
    "Item",
    "Part",
    "Report",
    "Request",
    "Slice",
    "Wrong",
    "as_json",
    "assess",
    "error_lines",
    "evaluate",
    "evaluate_runs",
    "items_of",
    "ranking_of",
    "text_lines",
    "wrong_answers",
    "wrong_items",
]
