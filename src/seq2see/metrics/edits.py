"""Exact match and edit rates over characters, words or symbols.

An edit is an insertion, a deletion or a substitution (Levenshtein 1966). A rate is micro-averaged: the edits of all
items over the lengths of their references, so long items weigh more. With several references, an item is compared with
the one that needs the fewest edits, of equal ones with the longest, as is usual for pronunciations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2see.metrics.installed import require_package
from seq2see.metrics.measured import Measured, Metric, Scale, ratio
from seq2see.metrics.scripts import letters_of

Distance = Callable[[Sequence[str], Sequence[str]], int]


class Nearest(NamedTuple):
    """The reference that needs the fewest edits."""

    edits: int
    length: int
    """In tokens."""
    reference: int
    """Index of the reference."""


def levenshtein(what: str = "an edit rate") -> Any:
    """rapidfuzz's module for this distance. Raises UserError if it is not installed."""
    return require_package("rapidfuzz.distance.Levenshtein", what)


def nearest(prediction: Sequence[str], references: Sequence[Sequence[str]], distance: Distance) -> Nearest:
    """Of tokenized references, the one with the fewest edits, then the longest, then the first."""
    found = [(distance(prediction, reference), -len(reference), n) for n, reference in enumerate(references)]
    edits, length, index = min(found)
    return Nearest(edits, -length, index)


def exact_match(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """Share of the items whose prediction equals one of their references; statistics: correct (0 or 1), 1."""
    rows = [(float(text in known), 1.0) for text, known in zip(predictions, references, strict=True)]
    return Measured(EXACT_MATCH, np.array(rows).reshape(-1, 2))


def _edit_rate(
    scale: Scale,
    split: Callable[[str], Sequence[str]],
    summary: str,
    note: Callable[[Sequence[Sequence[str]]], str] = lambda references: "",
) -> Metric:
    """An edit rate over the tokens of `split`; statistics: edits, length of the reference."""

    def measure(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
        distance = levenshtein(scale.title).distance
        rows = [
            nearest(split(text), [split(one) for one in known], distance)[:2]
            for text, known in zip(predictions, references, strict=True)
        ]
        return Measured(scale, np.array(rows, dtype=np.float64).reshape(-1, 2), note=note(references))

    measure.__doc__ = f"{summary}; statistics: edits, length of the reference."
    measure.__name__ = scale.name
    return measure


def _one_word_note(references: Sequence[Sequence[str]]) -> str:
    """A note for scripts without blanks between words."""
    return "a text without blanks is one word to WER; use CER" if letters_of(references).are_without_blanks else ""


EXACT_MATCH = Scale(
    "exact_match",
    "exact match",
    "share",
    higher_is_better=True,
    score=ratio,
    is_proportion=True,
    ranks_items=False,
)

CER = Scale("cer", "CER", "share", higher_is_better=False, score=ratio)
WER = Scale("wer", "WER", "share", higher_is_better=False, score=ratio)
PER = Scale("per", "PER", "share", higher_is_better=False, score=ratio)
SER = Scale("ser", "symbol error rate", "share", higher_is_better=False, score=ratio)

character_error_rate = _edit_rate(CER, lambda text: text, "CER: edits over the code points of the text")
word_error_rate = _edit_rate(WER, str.split, "WER: edits over the words between blanks", _one_word_note)
phone_error_rate = _edit_rate(PER, str.split, "PER, the phone error rate: edits over the phones between blanks")
symbol_error_rate = _edit_rate(SER, str.split, "Symbol error rate: edits over the symbols between blanks")
