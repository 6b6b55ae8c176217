"""Who is right where: the items on which several models differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2see.evaluation import EvaluationReport
from seq2see.markup import Markup, element, heat_table, paragraph, table
from seq2see.markup.colors import shade
from seq2see.pages.errors import text_cell

MOST_ITEMS = 200
"""Items shown."""


def agreement(names: Sequence[str], reports: Sequence[EvaluationReport]) -> list[Markup]:
    """Counts of the items that one model has right and another has wrong, and a table of such items.

    Nothing for a single model, and for language models. All reports are of the same items.
    """
    if len(names) < 2 or any(report.outputs.predictions is None for report in reports):
        return []
    right = np.array([is_right(report) for report in reports])  # [models items]
    everyone, no_one = right.all(0), ~right.any(0)
    notes = [
        f"All are right on {everyone.sum():,} of {right.shape[1]:,} items, none on {no_one.sum():,}, "
        f"some on {(~everyone & ~no_one).sum():,}."
    ]
    if (~everyone & ~no_one).any():
        both = len(names) == 2
        notes.append(f"A perfect choice between {'the two' if both else 'them'} would be right on {(~no_one).sum():,}.")
    parts = [paragraph(" ".join(notes)), wins(names, right)]
    apart = np.flatnonzero(~everyone & ~no_one)
    if len(apart):
        parts.append(items_table(names, reports, right, apart.tolist()))
    return parts


def is_right(report: EvaluationReport) -> list[bool]:
    """Whether the prediction for each item is one of its references."""
    assert report.outputs.predictions is not None
    both = zip(report.outputs.predictions, report.outputs.references, strict=True)
    return [prediction in references for prediction, references in both]


def wins(names: Sequence[str], right: np.ndarray) -> Markup:
    """A matrix: on how many items the model of the row is right and that of the column wrong."""
    counts = right.astype(int) @ (~right).T.astype(int)
    most = max(1, counts.max())
    rows = []
    for name, of_row in zip(names, counts.tolist(), strict=True):
        cells = [element("td", f"{count:,}", class_=f"w{shade(count / most)}") for count in of_row]
        rows.append((element("th", name, scope="row"), cells))
    columns = [element("th", name, scope="col") for name in names]
    caption = "items on which the row is right and the column wrong"
    return heat_table(columns, rows, caption=caption, verb="right, wrong:", kinds=["counts"])


def items_table(
    names: Sequence[str], reports: Sequence[EvaluationReport], right: np.ndarray, apart: Sequence[int]
) -> Markup:
    """The items on which the models differ, with the answer of each, marked right or wrong."""
    rows = []
    for index in apart[:MOST_ITEMS]:
        cells = [
            text_cell(reports[0].items[index].source, "source"),
            text_cell(" | ".join(reports[0].outputs.references[index]), "reference"),
        ]
        for name, report, is_good in zip(names, reports, right[:, index].tolist(), strict=True):
            assert report.outputs.predictions is not None
            mark = element("span", "✓ " if is_good else "✗ ", class_="right" if is_good else "wrong")
            cells.append(text_cell(report.outputs.predictions[index], name, [mark]))
        rows.append(cells)
    more = f", the first {MOST_ITEMS} of {len(apart):,}" if len(apart) > MOST_ITEMS else ""
    caption = f"items on which they differ{more}"
    return table(["source", "reference", *names], rows, caption=caption, kind="list sortable filterable")
