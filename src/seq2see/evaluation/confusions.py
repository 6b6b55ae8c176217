"""Which symbols a model predicts for which, counted over its wrong predictions."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from seq2see.evaluation.error_table import wrong_predictions
from seq2see.evaluation.report import EvaluationReport
from seq2see.metrics import levenshtein


class Confusion(NamedTuple):
    """A symbol of the references, and what was predicted in its place."""

    expected: str
    """Empty for a superfluous symbol."""
    predicted: str
    """Empty for a missing symbol."""
    times: int
    occurrences: int
    """Of the expected symbol, in the first reference of each item; 0 for a superfluous symbol."""
    example: str
    """The source of one of them."""


def confusions(report: EvaluationReport, unit: str) -> list[Confusion]:
    """All confusions, the most frequent first; each wrong prediction is aligned with its nearest reference.

    `unit` is the tokenizer of the targets: symbols are characters for spelling, else words or symbols between blanks.
    """
    edits = levenshtein("a confusion table").editops
    counts: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    occurrences: Counter[str] = Counter()
    is_spelling = True
    for wrong in wrong_predictions(report, unit):
        is_spelling = not wrong.separator
        reference, prediction = wrong.tokens(wrong.reference), wrong.tokens(wrong.prediction)
        for kind, place, predicted in edits(reference, prediction):
            pair = (
                "" if kind == "insert" else reference[place],
                "" if kind == "delete" else prediction[predicted],
            )
            counts[pair] += 1
            example.setdefault(pair, wrong.source)
    for first, *_ in report.outputs.references if counts else ():
        occurrences.update(first if is_spelling else first.split())
    return [
        Confusion(*pair, times, max(times, occurrences[pair[0]]) if pair[0] else 0, example[pair])
        for pair, times in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]
