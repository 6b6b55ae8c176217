"""Some answers with their attention: over the tokens of a text, and over pictures and series, where they are."""

from __future__ import annotations

from collections.abc import Sequence

from seq2see.data.values import ValueSpan
from seq2see.inference.results import Prediction
from seq2see.markup import Markup, attributes_of, element, joined, text_element
from seq2see.pictures.formula import are_formulas, drawn_formula
from seq2see.pictures.grid import attention_grid, scale
from seq2see.pictures.labels import END_NOTE
from seq2see.pictures.values import as_element, data_uri


def attention_parts(predictions: Sequence[Prediction]) -> list[Markup]:
    """The attention of each answer, below its source; nothing for no answers."""
    if not predictions:
        return []
    have_pictures = any(span.kind == "picture" for each in predictions for span in each.source_values)
    has_formulas = have_pictures and are_formulas(each.text for each in predictions)  # not commands like I_TURN_LEFT
    parts = [scale([END_NOTE])]
    for each in predictions:
        parts += [heading(each, has_formulas=has_formulas), shown_attention(each)]
    return parts


def shown_attention(prediction: Prediction) -> Markup:
    """The weights over pictures and series; without any, over the tokens of the source."""
    values = as_element(prediction)
    return Markup(values) if values else attention_grid(prediction, "attention to the source, percent")


def heading(prediction: Prediction, *, has_formulas: bool) -> Markup:
    """Source and answer, each text in the direction of its script, pictures and formulas as such."""
    answer = [text_element(prediction.text, "bdi")]
    if has_formulas and (drawn := drawn_formula(prediction.text)):
        answer += [element("span", " "), image(drawn, prediction.text)]
    return element("h3", [shown_source(prediction), element("span", " → "), *answer])


def shown_source(prediction: Prediction) -> Markup:
    """The texts, pictures and series of a source, in their order."""
    parts: list[Markup] = []
    place, tokens = 0, prediction.source_tokens[:-1]
    for span in prediction.source_values:
        parts += [*text_of(tokens[place : span.start]), value_of(span)]
        place = span.start + len(span.tokens)
    return joined([*parts, *text_of(tokens[place:])])


def text_of(tokens: Sequence[str]) -> list[Markup]:
    """A text from its tokens; nothing without any."""
    between = "" if all(len(token) <= 1 for token in tokens) else " "
    return [text_element(between.join(tokens), "bdi")] if tokens else []


def value_of(span: ValueSpan) -> Markup:
    """A picture as such; of a series, how long it is: it is drawn below."""
    if span.kind == "picture":
        return image(data_uri(span), "the picture")
    return element("span", f"series of {len(span.array):,} vectors")


def image(uri: str, title: str) -> Markup:
    """A picture in a line of text."""
    return Markup(f"<img{attributes_of({'src': uri, 'alt': title, 'class_': 'inline'})}>")
