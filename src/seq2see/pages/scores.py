"""The worst predictions of an evaluation as a part of a page."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from seq2see.evaluation import EvaluationReport, WrongPrediction, wrong_items, wrong_predictions
from seq2see.markup import Markup, element, joined, table, text_element
from seq2see.metrics import levenshtein

WORST = 20
"""Wrong predictions shown."""


def worst(report: EvaluationReport, unit: str) -> list[Markup]:
    """The worst predictions, each with its difference from the reference; nothing for a language model or no errors."""
    if report.outputs.predictions is None:
        return []
    num_wrong = len(wrong_items(report))
    if not num_wrong:
        return []
    rows = [
        [
            text_element(wrong.source, class_="text"),
            text_element(wrong.prediction, class_="text"),
            text_element(wrong.reference, class_="text"),
            element("td", difference(wrong), dir="auto", class_="text"),
        ]
        for wrong in islice(wrong_predictions(report, unit), WORST)
    ]
    caption = f"the worst {len(rows)} of {num_wrong:,} errors" if num_wrong > len(rows) else "all errors"
    legend = element(
        "p",
        [
            *(element("del", "struck out"), element("span", ": missing from the prediction; ")),
            *(element("ins", "underlined"), element("span", ": superfluous in it.")),
        ],
    )
    return [legend, table(["source", "prediction", "nearest reference", "difference"], rows, caption=caption)]


def difference(wrong: WrongPrediction) -> Iterable[Markup]:
    """The edits from the reference to the prediction: missing tokens as `del`, superfluous ones as `ins`."""
    reference, prediction = wrong.tokens(wrong.reference), wrong.tokens(wrong.prediction)
    pieces: list[Markup] = []
    for kind, start, end, first, last in levenshtein("a diff").opcodes(reference, prediction):
        missing, extra = wrong.separator.join(reference[start:end]), wrong.separator.join(prediction[first:last])
        piece = [element("span", missing)] if kind == "equal" else []
        if kind != "equal" and end > start:
            piece.append(element("del", missing))
        if kind != "equal" and last > first:
            piece.append(element("ins", extra))
        pieces += [*([element("span", wrong.separator)] if pieces and wrong.separator else []), joined(piece)]
    return pieces
