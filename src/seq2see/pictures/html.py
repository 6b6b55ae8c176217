"""Attention as an HTML page: one self-contained file in the browser's fonts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2see.markup import Markup, document, element, paragraph
from seq2see.pictures.grid import attention_grid, head_drawings, scale
from seq2see.pictures.labels import (
    BEGIN_NOTE,
    CROSS,
    DECODER,
    ENCODER,
    END_NOTE,
    is_right_to_left,
    labels_of,
    legible,
    self_labels,
)
from seq2see.pictures.values import as_element

if TYPE_CHECKING:
    from seq2see.pictures.attention import Attention

SELF_ATTENTION = {
    ENCODER: ("encoder self-attention", "Each source token (rows) and the source tokens it attends to (columns)."),
    DECODER: (
        "decoder self-attention",
        "Each generated token (rows) and the tokens before it that the decoder attended to (columns). " + BEGIN_NOTE,
    ),
}
"""Title and explanation by kind."""


def as_html(attentions: Sequence[Attention]) -> str:
    """A page with one section per text: the weights as a table, then every head as a small drawing.

    Weights are shown on hover, touch and keyboard focus. The columns of a right-to-left source run from right to left.
    """
    lead = (
        "One row per generated token, one column per source token, weights in percent. The darker a cell (on a dark "
        "page: the lighter), the larger the weight."
    )
    sections = [(f"text-{number}", title(number, each), parts(each)) for number, each in enumerate(attentions, 1)]
    return document("Attention", sections, lead=[paragraph(lead, class_="note")])


def title(number: int, attention: Attention) -> list[Markup]:
    """Number, source and answer. Both texts are isolated, so that a right-to-left one doesn't reverse the arrow."""
    texts = [isolated(attention.source), element("span", " → "), isolated(attention.prediction.text)]
    return [element("span", f"{number}. "), *texts]


def isolated(text: str) -> Markup:
    """A text in the direction of its own script."""
    return element("bdi", legible(text), dir="rtl" if is_right_to_left(text) else "ltr")


def parts(attention: Attention) -> list[Markup]:
    """The weights and the heads of one text."""
    labels = labels_of(attention.prediction)
    notes = [
        *(["columns run from right to left, like the source"] if labels.source_is_right_to_left else []),
        *([END_NOTE] if labels.has_end else []),
        *([] if attention.prediction.finished else ["the prediction was cut off"]),
    ]
    caption = "attention to the source" + ("" if attention.heads is None else f", {attention.mean_title}")
    found = [scale(notes), attention_grid(attention.prediction, caption)]
    if drawn_values := as_element(attention.prediction):
        found += [element("h3", "attention over the source, token by token"), Markup(drawn_values)]
    if attention.heads is not None:
        found += [
            element("h3", "every head: attention to the source"),
            head_drawings(attention.each_head(CROSS), labels),
        ]
    for kind, (heading, explanation) in SELF_ATTENTION.items():
        if heads := list(attention.each_head(kind)):
            drawn = head_drawings(iter(heads), self_labels(attention.prediction, kind))
            found += [element("h3", f"every head: {heading}"), paragraph(explanation, class_="note"), drawn]
    return found
