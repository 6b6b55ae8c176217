"""Where the model looked, as a table with shaded cells: a row a generated token, a column a token of the source."""

from __future__ import annotations

from seq2see.inference.results import Prediction
from seq2see.pages.markup import Markup, element, scrolling, spoken
from seq2see.pictures import shown

SHOWN_FROM = 0.05
"""Smaller weights are shaded, but not written."""
DARK, LIGHT = (8, 81, 156), (255, 255, 255)
"""Colours of a weight of 1 and of 0."""
WHITE_ON = 0.77
"""From this weight on the number is white, so that it stands out from its cell."""


def heat_table(prediction: Prediction) -> Markup:
    """The weights in per cent; a shade never says what no number does, but for those below 5 %."""
    assert prediction.weights is not None
    head = [element("td"), *(spoken(shown(token), "th", scope="col") for token in prediction.source_tokens)]
    rows = []
    for token, weights in zip(prediction.target_tokens, prediction.weights.tolist(), strict=True):
        cells = [
            element("td", f"{100 * weight:.0f}" if weight >= SHOWN_FROM else "", style=shade(weight))
            for weight in weights
        ]
        rows.append(element("tr", [spoken(shown(token), "th", scope="row"), *cells]))
    caption = f"{prediction.text}: where each token looked, in per cent"
    body = [
        element("caption", caption, dir="auto"),
        element("thead", [element("tr", head)]),
        element("tbody", rows),
    ]
    return scrolling([element("table", body, class_="heat")], caption)


def shade(weight: float) -> str:
    """The colours of a cell."""
    mixed = [round(light + (dark - light) * min(1.0, weight)) for dark, light in zip(DARK, LIGHT, strict=True)]
    return f"background:rgb({','.join(map(str, mixed))});color:{'#fff' if weight >= WHITE_ON else '#000'}"
