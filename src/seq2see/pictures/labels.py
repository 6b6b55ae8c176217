"""Tokens as they can be seen: what is drawn in their place, and which way they are read."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import regex  # type: ignore[import-untyped]
from rich.cells import cell_len

from seq2see.inference.results import Prediction

EOS = "<eos>"
END = "∎"
END_NOTE = "∎ is the end of the text"
DOTTED_CIRCLE = "◌"
LONGEST = 24
"""Columns of a terminal that a label takes at most; what is longer is cut."""

SHOWN = {EOS: END, "\t": "⇥", "\n": "↵", "\r": "↵"}
JOINERS = ("\u200c", "\u200d")
INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}|\u2800")
"""Characters that leave no mark of their own; the blank of Braille is not even a space."""

GRAPHEME = regex.compile(r"\X")


class Labels(NamedTuple):
    """What stands at the columns and the rows of a prediction's weights."""

    source: list[str]
    target: list[str]
    source_is_right_to_left: bool
    """The columns then run from right to left, as the text is read."""

    @property
    def has_end(self) -> bool:
        """Whether `END_NOTE` has something to explain."""
        return END in (*self.source[-1:], *self.target[-1:])


def labels_of(prediction: Prediction) -> Labels:
    """The labels of all tokens; only the last can be the end, so that a word that is spelt `<eos>` stays one."""
    source, target = prediction.source_tokens, prediction.target_tokens
    return Labels(
        [*map(visible, source[:-1]), *map(shown, source[-1:])],
        [*map(visible, target[:-1]), *map(shown if prediction.finished else visible, target[-1:])],
        is_right_to_left("".join(source[:-1])),
    )


def shown(token: str) -> str:
    """A token as it can be seen, EOS as an end mark."""
    return SHOWN.get(token) or visible(token)


def visible(token: str) -> str:
    """A token as it can be seen: white space as ␣, a mark without a letter on a dotted circle.

    What can't be seen is written by its number, U+200B, unless it joins or parts the letters around it.
    """
    made = [_visible(character, token, place) for place, character in enumerate(token)]
    alone = made and made[0] == token[0] and unicodedata.category(token[0]).startswith("M")
    return (DOTTED_CIRCLE if alone else "") + "".join(made)


def _visible(character: str, token: str, place: int) -> str:
    if unicodedata.category(character) == "Zs":
        return "␣"
    if character in SHOWN:
        return SHOWN[character]
    is_inside = 0 < place < len(token) - 1 if character in JOINERS else place > 0
    if INVISIBLE.match(character) and is_inside and (character in JOINERS or unicodedata.category(character) == "Mn"):
        return character
    if INVISIBLE.match(character) or not character.isprintable():
        return f"U+{ord(character):04X}"
    return character


def legible(text: str) -> str:
    """A whole text for a caption: as it is, but for what can't be seen."""
    return " ".join(visible(word) for word in text.split(" "))


def is_right_to_left(text: str) -> bool:
    """Whether its first letter with a direction is of a script that runs from right to left."""
    directions = map(unicodedata.bidirectional, text)
    return next((each for each in directions if each in ("L", "R", "AL")), "L") != "L"


def cut(label: str) -> str:
    """The label, its end left out where it is very long."""
    if cell_len(label) <= LONGEST:
        return label
    kept = ""
    for symbol in GRAPHEME.findall(label):
        if cell_len(kept + symbol) >= LONGEST:
            break
        kept += symbol
    return kept + "…"


def widest(labels: Sequence[str]) -> int:
    """Columns of a terminal that the widest of them takes, once cut."""
    return max(cell_len(cut(label)) for label in labels)
