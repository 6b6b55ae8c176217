"""Attention as an HTML table with shaded cells: one row per generated token, one column per source token."""

from __future__ import annotations

from seq2see.inference.results import Prediction
from seq2see.markup import Markup, element, scrollable, text_element
from seq2see.pictures import token_label

SHOWN_FROM = 0.05
"""Smaller weights are shaded, but their number isn't written."""
DARK, LIGHT = (8, 81, 156), (255, 255, 255)
"""Colours of the weights 1 and 0."""
WHITE_ON = 0.77
"""From this weight on the number is white, for contrast with its cell."""


def heat_table(prediction: Prediction) -> Markup:
    """The weights in percent. Only weights below 5 % are shown only by their shade."""
    assert prediction.weights is not None
    head = [element("td"), *(text_element(token_label(token), "th", scope="col") for token in prediction.source_tokens)]
    rows = []
    for token, weights in zip(prediction.target_tokens, prediction.weights.tolist(), strict=True):
        cells = [
            element("td", f"{100 * weight:.0f}" if weight >= SHOWN_FROM else "", style=shade(weight))
            for weight in weights
        ]
        rows.append(element("tr", [text_element(token_label(token), "th", scope="row"), *cells]))
    caption = f"{prediction.text}: attention weights in percent"
    body = [
        element("caption", caption, dir="auto"),
        element("thead", [element("tr", head)]),
        element("tbody", rows),
    ]
    return scrollable([element("table", body, class_="heat")], caption)


def shade(weight: float) -> str:
    """The CSS colours of a cell."""
    mixed = [round(light + (dark - light) * min(1.0, weight)) for dark, light in zip(DARK, LIGHT, strict=True)]
    return f"background:rgb({','.join(map(str, mixed))});color:{'#fff' if weight >= WHITE_ON else '#000'}"
