"""Figures, parts and wrong answers of an evaluation as parts of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from seq2see.evaluation import Report, Slice, Wrong, wrong_answers
from seq2see.evaluation.shown import MOST_SLICES, interval, known_lines, number
from seq2see.metrics import levenshtein
from seq2see.pages.markup import Markup, element, joined, paragraph, spoken, table

WORST = 20
"""Wrong answers that are shown."""


def figures(report: Report) -> list[Markup]:
    """A row a metric."""
    rows = []
    for name, measured in report.measured.items():
        unit, figure = measured.scale.unit, report.figures[name]
        better = "higher is better" if measured.scale.higher_is_better else "lower is better"
        rows.append(
            [
                element("th", measured.scale.title, scope="row"),
                element("td", number(figure.value, unit), class_="number"),
                element("td", interval(figure, unit), class_="number"),
                element("td", f"{better}; {measured.signature}" if measured.signature else better, class_="note"),
            ]
        )
    head = ["metric", "value", "95 % interval", "note"]
    counted = f"{report.count:,} items, {report.num_references:,} references"
    found = [table(head, rows, caption=counted, numbers=(1, 2))]
    found.append(
        paragraph(f"The loss is in nats per target token; perplexity {report.perplexity:,.2f}.", class_="note")
    )
    return [*found, *(paragraph(line) for line in known_lines(report))]


def slices(report: Report) -> list[Markup]:
    """A table a kind of part: by source, by a column, by length."""
    kinds = dict.fromkeys(part.by for part in report.slices)
    return [parts(kind, [part for part in report.slices if part.by == kind], report) for kind in kinds]


def parts(kind: str, found: Sequence[Slice], report: Report) -> Markup:
    """A row a part."""
    rows = []
    for part in found[:MOST_SLICES]:
        cells = [spoken(part.name or "(empty)", "th", scope="row"), element("td", f"{part.count:,}", class_="number")]
        for name, measured in report.measured.items():
            unit = measured.scale.unit
            value = f"{number(part.figures[name].value, unit)} {interval(part.figures[name], unit)}"
            cells.append(element("td", value, class_="number"))
        rows.append(cells)
    titles = [measured.scale.title for measured in report.measured.values()]
    more = f", the largest {MOST_SLICES} of {len(found):,}" if len(found) > MOST_SLICES else ""
    numbers = range(1, len(titles) + 2)
    return table(["part", "items", *titles], rows, caption=f"by {kind}{more}", numbers=numbers)


def worst(report: Report, unit: str) -> list[Markup]:
    """The worst answers, each with what has to be changed in it; nothing of a language model or without mistakes."""
    if report.answers.predictions is None:
        return []
    right = report.answers.references
    num_wrong = sum(text not in texts for text, texts in zip(report.answers.predictions, right, strict=True))
    if not num_wrong:
        return []
    rows = [
        [
            spoken(wrong.source, class_="text"),
            spoken(wrong.prediction, class_="text"),
            spoken(wrong.reference, class_="text"),
            element("td", difference(wrong), dir="auto", class_="text"),
        ]
        for wrong in islice(wrong_answers(report, unit), WORST)
    ]
    how_many = f"the worst {len(rows)} of {num_wrong:,} wrong answers" if num_wrong > len(rows) else "all wrong answers"
    legend = element(
        "p",
        [
            *(element("del", "struck out"), element("span", " is missing in the answer, ")),
            *(element("ins", "underlined"), element("span", " is too much in it.")),
        ],
    )
    return [legend, table(["source", "answer", "nearest reference", "difference"], rows, caption=how_many)]


def difference(wrong: Wrong) -> Iterable[Markup]:
    """The reference turned into the answer: what is missing struck out, what is too much underlined."""
    reference, prediction = wrong.cut(wrong.reference), wrong.cut(wrong.prediction)
    pieces: list[Markup] = []
    for kind, start, end, first, last in levenshtein("a diff").opcodes(reference, prediction):
        missing, extra = wrong.between.join(reference[start:end]), wrong.between.join(prediction[first:last])
        piece = [element("span", missing)] if kind == "equal" else []
        if kind != "equal" and end > start:
            piece.append(element("del", missing))
        if kind != "equal" and last > first:
            piece.append(element("ins", extra))
        pieces += [*([element("span", wrong.between)] if pieces and wrong.between else []), joined(piece)]
    return pieces
