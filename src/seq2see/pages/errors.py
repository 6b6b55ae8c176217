"""The wrong predictions of an evaluation as a part of a page: a table of them, and the symbols that were confused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from rich.cells import cell_len

from seq2see.evaluation import EvaluationReport, WrongPrediction, ranking_of, wrong_items, wrong_predictions
from seq2see.evaluation.confusions import Confusion, confusions
from seq2see.evaluation.format import number
from seq2see.markup import Markup, element, heat_table, joined, paragraph, side_by_side, table, text_element
from seq2see.markup.colors import shade
from seq2see.metrics import levenshtein
from seq2see.pictures.labels import truncated, visible

WORST, FEWEST, MOST_CHARACTERS = 200, 20, 200_000
"""Wrong predictions shown at most; fewer of long texts, so that the page stays small, but at least FEWEST."""
MOST_CONFUSIONS, MATRIX = 14, 14
"""Confusions listed, and symbols of the matrix, at most."""
NOTHING = "∅"
"""In place of a symbol that is missing or superfluous."""


def worst(report: EvaluationReport, unit: str) -> list[Markup]:
    """The worst predictions, each with its difference from the reference; nothing for a language model or no errors."""
    if report.outputs.predictions is None:
        return []
    num_wrong = len(wrong_items(report))
    if not num_wrong:
        return []
    ranked = ranking_of(report, unit).scale
    shown = fitting(islice(wrong_predictions(report, unit), WORST))
    rows = [
        [
            element("td", number(wrong.score, ranked.unit), class_="number", data_label=ranked.title),
            text_cell(wrong.source, "source"),
            text_cell(wrong.prediction, "prediction"),
            text_cell(wrong.reference, "nearest reference"),
            element("td", [element("span", difference(wrong), dir="auto")], class_="text", data_label="difference"),
        ]
        for wrong in shown
    ]
    caption = f"the worst {len(rows)} of {num_wrong:,} errors" if num_wrong > len(rows) else f"all {num_wrong:,} errors"
    legend = element(
        "p",
        [
            *(element("del", "struck out"), element("span", ": missing from the prediction; ")),
            *(element("ins", "underlined"), element("span", ": superfluous in it.")),
        ],
        class_="note",
    )
    head = [ranked.title, "source", "prediction", "nearest reference", "difference"]
    kind = "list sortable filterable"
    return [legend, table(head, rows, caption=caption, numbers=(0,), kind=kind)]


def fitting(found: Iterable[WrongPrediction]) -> list[WrongPrediction]:
    """The first FEWEST, and others as long as all have at most MOST_CHARACTERS."""
    shown: list[WrongPrediction] = []
    characters = 0
    for wrong in found:
        characters += sum(map(len, (wrong.source, wrong.prediction, wrong.reference)))
        if len(shown) >= FEWEST and characters > MOST_CHARACTERS:
            break
        shown.append(wrong)
    return shown


def text_cell(text: str, label: str, mark: Iterable[Markup] = ()) -> Markup:
    """A cell with a text of the data; `label` names it where the columns are stacked."""
    return element("td", [element("span", [*mark, text_element(text, "bdi")])], class_="text", data_label=label)


def confused(report: EvaluationReport, unit: str) -> list[Markup]:
    """Which symbols were predicted for which: the most frequent as a list, and as a matrix."""
    if report.outputs.predictions is None:
        return []
    found = confusions(report, unit)
    if not found:
        return []
    rows = [
        [
            text_cell(visible(each.expected) or NOTHING, "expected"),
            text_cell(visible(each.predicted) or NOTHING, "predicted"),
            element("td", f"{each.times:,}", class_="number", data_label="times"),
            element("td", share(each), class_="number", data_label="of all"),
            text_cell(each.example, "for example in"),
        ]
        for each in found[:MOST_CONFUSIONS]
    ]
    more = f", the {len(rows)} most frequent of {len(found):,}" if len(found) > len(rows) else ""
    head = ["expected", "predicted", "times", "of all", "for example in"]
    listed = table(head, rows, caption=f"confusions{more}", numbers=(2, 3), kind="sortable")
    note = (
        "From the fewest edits between each wrong prediction and its nearest reference. "
        f"Expected {NOTHING}: superfluous in the prediction; predicted {NOTHING}: missing from it."
    )
    return [paragraph(note, class_="note"), side_by_side([listed], [matrix(found)])]


def share(confusion: Confusion) -> str:
    """How often the expected symbol was taken for the other, of all its occurrences."""
    return f"{100 * confusion.times / confusion.occurrences:.1f} %" if confusion.occurrences else "—"


def matrix(found: Sequence[Confusion]) -> Markup:
    """The symbols confused most, expected ones in rows and predicted ones in columns."""
    counts = {(each.expected, each.predicted): each.times for each in found}
    involved = [Counter[str](), Counter[str]()]
    for each in found:
        involved[0][each.expected] += each.times
        involved[1][each.predicted] += each.times
    expected, predicted = ([symbol for symbol, _ in side.most_common(MATRIX)] for side in involved)
    most = max(counts.values())
    rows = []
    for symbol in expected:
        cells = [counts.get((symbol, other), 0) for other in predicted]
        shaded = [element("td", f"{count}" if count else "", class_=f"w{shade(count / most)}") for count in cells]
        rows.append((symbol_header(symbol, "row"), shaded))
    columns = [symbol_header(symbol, "col") for symbol in predicted]
    is_long = any(cell_len(symbol) > 3 for symbol in predicted)
    caption = "expected (rows) and predicted (columns)"
    return heat_table(
        columns, rows, caption=caption, verb="taken for", kinds=["counts", *(["long"] if is_long else [])]
    )


def symbol_header(symbol: str, scope: str) -> Markup:
    """The header of a symbol's row or column."""
    return element("th", [text_element(truncated(visible(symbol)) or NOTHING, "bdi")], scope=scope)


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
