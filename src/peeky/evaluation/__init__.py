"""Models held to test sets: every figure with its interval, in parts, beside other runs, and what went wrong."""

from __future__ import annotations

from peeky.evaluation.comparison import Group
from peeky.evaluation.errors_file import Wrong, error_lines, ranking_of, wrong_answers, wrong_items
from peeky.evaluation.evaluate import Evaluation, Request, evaluate, evaluate_runs
from peeky.evaluation.items import Item, Part, items_of
from peeky.evaluation.report import Answers, Figure, Report, Slice, assess
from peeky.evaluation.shown import as_json, text_lines

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
