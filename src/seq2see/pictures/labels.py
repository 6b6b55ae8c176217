"""Labels for tokens: invisible characters made visible, and the direction of the script."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import regex  # type: ignore[import-untyped]
from rich.cells import cell_len

if TYPE_CHECKING:
    from seq2see.inference.results import Prediction


CROSS, ENCODER, DECODER = "cross", "encoder", "decoder"
"""Kinds of attention: of the target to the source, and the self-attention of the encoder and of the decoder."""

START, EOS = "<bos>", "<eos>"
BEGIN, END = "⊢", "∎"
END_NOTE = "∎ is the end of the text"
BEGIN_NOTE = "⊢ is the start, before the first token"
DOTTED_CIRCLE = "◌"
LONGEST = 24
"""Terminal columns of a label at most; longer ones are truncated."""

SHOWN = {EOS: END, "\t": "⇥", "\n": "↵", "\r": "↵"}
JOINERS = ("\u200c", "\u200d")
INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}|\u2800")
"""Characters without a glyph of their own; the Braille blank is not a space (Zs)."""

GRAPHEME = regex.compile(r"\X")


class Labels(NamedTuple):
    """The column and row labels of a prediction's weights."""

    source: list[str]
    target: list[str]
    source_is_right_to_left: bool
    """Then the columns run from right to left, like the text."""

    @property
    def has_end(self) -> bool:
        """Whether the end mark occurs, which `END_NOTE` explains."""
        return END in (*self.source[-1:], *self.target[-1:])


def labels_of(prediction: Prediction) -> Labels:
    """The labels of all tokens. Only the last can be the end mark, so that a word spelled `<eos>` stays as it is."""
    source, target = prediction.source_tokens, prediction.target_tokens
    return Labels(
        [*map(visible, source[:-1]), *map(token_label, source[-1:])],
        [*map(visible, target[:-1]), *map(token_label if prediction.finished else visible, target[-1:])],
        is_right_to_left("".join(source[:-1])),
    )


def self_labels(prediction: Prediction, kind: str) -> Labels:
    """The labels of a self-attention: rows and columns are both of the source, or both of the target.

    The columns of the decoder begin with the start and end with the last token but one.
    """
    labels = labels_of(prediction)
    if kind == ENCODER:
        return labels._replace(target=labels.source)
    target = prediction.target_tokens
    return Labels([BEGIN, *map(visible, target[:-1])], labels.target, is_right_to_left("".join(target[:-1])))


def token_label(token: str) -> str:
    """A visible token, EOS as the end mark."""
    return SHOWN.get(token) or visible(token)


def visible(token: str) -> str:
    """A token with white space as ␣ and a combining mark without a letter on a dotted circle.

    Other invisible characters are written by their code point, U+200B, unless they affect the letters around them.
    """
    made = [_visible(character, token, index) for index, character in enumerate(token)]
    alone = made and made[0] == token[0] and unicodedata.category(token[0]).startswith("M")
    return (DOTTED_CIRCLE if alone else "") + "".join(made)


def _visible(character: str, token: str, index: int) -> str:
    if unicodedata.category(character) == "Zs":
        return "␣"
    if character in SHOWN:
        return SHOWN[character]
    is_inside = 0 < index < len(token) - 1 if character in JOINERS else index > 0
    if INVISIBLE.match(character) and is_inside and (character in JOINERS or unicodedata.category(character) == "Mn"):
        return character
    if INVISIBLE.match(character) or not character.isprintable():
        return f"U+{ord(character):04X}"
    return character


def legible(text: str) -> str:
    """A whole text for a caption, with its spaces; other invisible characters are made visible."""
    return " ".join(visible(word) for word in text.split(" "))


def is_right_to_left(text: str) -> bool:
    """Whether the first character with a strong direction is right-to-left."""
    directions = map(unicodedata.bidirectional, text)
    return next((each for each in directions if each in ("L", "R", "AL")), "L") != "L"


def truncated(label: str) -> str:
    """The label, with an ellipsis if it is longer than LONGEST."""
    if cell_len(label) <= LONGEST:
        return label
    kept = ""
    for symbol in GRAPHEME.findall(label):
        if cell_len(kept + symbol) >= LONGEST:
            break
        kept += symbol
    return kept + "…"


def widest(labels: Sequence[str]) -> int:
    """Terminal columns of the widest label, once truncated."""
    return max(cell_len(truncated(label)) for label in labels)
