"""Attention within a page: a table of weights, and small drawings of single heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.cells import cell_len

from seq2see.markup import Markup, element, heat_table, text_element
from seq2see.markup.colors import shade
from seq2see.pictures.labels import Labels, labels_of, truncated, widest

if TYPE_CHECKING:
    from seq2see.inference.results import Prediction
    from seq2see.pictures.attention import AttentionHead

    Weights = npt.NDArray[np.floating[Any]]

SHOWN_FROM = 0.05
"""Smaller weights are shaded, but their number isn't written."""
DENSE_FROM = 26
"""Source tokens from which the cells are small and have no numbers."""
CELL, LETTER = 10, 5
"""Side of a cell of a small drawing and width of a letter, in its units."""
LONGEST_SMALL = 10
"""Columns of a label of a small drawing at most."""


def attention_grid(prediction: Prediction, caption: str) -> Markup:
    """The weights [T S] as a table: one row per generated token, one column per source token, in percent.

    The columns of a right-to-left source run from right to left.
    """
    assert prediction.weights is not None
    labels, weights = labels_of(prediction), prediction.weights
    kinds = ["dense"] if len(labels.source) >= DENSE_FROM else []
    kinds += ["long"] if widest(labels.source) > 3 else []
    rows = [
        (header(target, "row"), [cell(weight) for weight in row])
        for target, row in zip(labels.target, weights.tolist(), strict=True)
    ]
    return heat_table(
        [header(label, "col") for label in labels.source],
        rows,
        caption=caption,
        verb="attends to",
        kinds=kinds,
        right_to_left=labels.source_is_right_to_left,
    )


def header(label: str, scope: str) -> Markup:
    """The header of a row or a column; the whole label is a tooltip where it is truncated."""
    short = truncated(label)
    return element("th", [text_element(short, "bdi")], scope=scope, title=label if short != label else "")


def cell(weight: float) -> Markup:
    """A shaded cell with the weight in percent, and exactly in its tooltip."""
    text = f"{100 * weight:.0f}" if weight >= SHOWN_FROM else ""
    return element("td", text, class_=f"w{shade(weight)}", title=f"{weight:.4f}")


def scale(notes: Sequence[str] = ()) -> Markup:
    """The scale of colors and what the labels mean; the page's script adds a switch."""
    ramp = element("span", [element("span", class_=f"w{number}") for number in range(0, 101, 5)], class_="ramp")
    ends = [element("span", "0"), ramp, element("span", "1", class_="end")]
    return element("p", [*ends, *(element("span", note) for note in notes)], class_="scale")


def head_drawings(heads: Iterator[AttentionHead], labels: Labels) -> Markup:
    """Every head as a small drawing with its labels, one line per layer."""
    layers = [
        element("div", [head_figure(head, labels) for head in of_layer], class_="layer")
        for _, of_layer in groupby(heads, key=lambda head: head.layer)
    ]
    return element("div", layers, class_="heads")


def head_figure(head: AttentionHead, labels: Labels) -> Markup:
    """One head: a path per shade, so that the page stays small."""
    rows, columns = ([short(label) for label in each] for each in (labels.target, labels.source))
    is_backward, count = labels.source_is_right_to_left, len(columns)
    is_long = max(map(cell_len, columns)) > 2
    # In whole cells, so that the page's script finds a cell by dividing.
    beside = whole_cells(LETTER * max(map(cell_len, rows)) + 6)
    above = whole_cells(LETTER * max(map(cell_len, columns)) + 2 if is_long else CELL)
    origin = 0 if is_backward else beside

    def x_of(column: int) -> int:
        return origin + CELL * (count - 1 - column if is_backward else column)

    by_shade: dict[int, list[str]] = {}
    for row, weights in enumerate(head.weights.tolist()):
        for column, weight in enumerate(weights):
            if number := shade(weight):
                by_shade.setdefault(number, []).append(f"M{x_of(column)} {above + CELL * row + CELL // 2}h{CELL}")
    parts = [element("path", class_=f"w{number}", d="".join(cells)) for number, cells in sorted(by_shade.items())]
    width, height = beside + CELL * count, above + CELL * len(rows)
    frame = {"x": f"{origin}", "y": f"{above}", "width": f"{CELL * count}", "height": f"{CELL * len(rows)}"}
    parts.append(element("rect", class_="frame", **frame))
    for column, label in enumerate(columns):
        x = x_of(column)
        turned = {"transform": f"rotate(-90 {x + 8} {above - 2})"} if is_long else {"text_anchor": "middle"}
        middle = x + 8 if is_long else x + CELL // 2
        parts.append(drawn_label(label, "column", middle, above - 2, data_x=f"{x}", **turned))
    for row, label in enumerate(rows):
        x, anchor = (CELL * count + 3, "start") if is_backward else (beside - 3, "end")
        parts.append(drawn_label(label, "row", x, above + CELL * row + 8, text_anchor=anchor))
    description = f"{head.title}: {strongest(head.weights, labels)}"
    drawing = element(
        "svg", parts, viewBox=f"0 0 {width} {height}", width=f"{1.1 * width:.0f}", role="img", aria_label=description,
        data_above=f"{above}",
    )  # fmt: skip
    return element("figure", [element("figcaption", head.title), drawing], class_="head")


def whole_cells(length: int) -> int:
    """The length rounded up to whole cells."""
    return CELL * -(-length // CELL)


def drawn_label(label: str, kind: str, x: int, y: int, **attributes: str) -> Markup:
    """A label of a drawing."""
    return element("text", label, class_=kind, x=f"{x}", y=f"{y}", **attributes)


def short(label: str) -> str:
    """A label of a small drawing."""
    return label if cell_len(label) <= LONGEST_SMALL else label[: LONGEST_SMALL - 1] + "…"


def strongest(weights: Weights, labels: Labels) -> str:
    """The column of the largest weight of each row, as text for those who don't see the drawing."""
    found = weights.argmax(1)
    texts = [
        f"{target} to {labels.source[column]} {100 * float(row[column]):.0f} %"
        for target, column, row in zip(labels.target, found, weights, strict=True)
    ]
    return ", ".join(texts)
