"""A prediction as HTML, for notebooks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seq2see.markup import Markup, element, joined, paragraph, table, text_element
from seq2see.pictures.attention import Attention
from seq2see.pictures.labels import labels_of
from seq2see.pictures.svg import inline_svg

if TYPE_CHECKING:
    from seq2see.inference.results import Prediction


def prediction_html(prediction: Prediction) -> str:
    """The text, the tokens with their log-probabilities, the heat map.

    All text from the prediction is escaped.
    """
    parts = [text_element(prediction.text, "p", style="font-size:larger")]
    note = f"log-probability {number(prediction.log_prob)}, score {number(prediction.score)}"
    parts.append(paragraph(note if prediction.finished else f"{note}; cut off"))
    tokens = labels_of(prediction).target if prediction.target_tokens else []
    log_probs = prediction.token_log_probs
    if log_probs and tokens:
        rows = [
            [text_element(token), element("td", number(float(log_prob)))]
            for token, log_prob in zip(tokens, log_probs, strict=True)
        ]
        parts.append(table(["token", "log-probability"], rows, caption="tokens"))
    if prediction.weights is not None and tokens:
        parts.append(Markup(inline_svg(Attention("".join(prediction.source_tokens[:-1]), prediction))))
    return joined(parts)


def number(value: float) -> str:
    """Four decimals; -∞ for a probability of 0."""
    return f"{value:.4f}" if math.isfinite(value) else "-∞"
