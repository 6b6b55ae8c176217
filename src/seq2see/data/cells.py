"""What the cells of a column are: running numbers, labels, tags, parts of forms, notes on the origin of a pair."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seq2see.data.digits import whole_number

FEW = 5
"""Rows from which a pattern in a column is trusted."""
MOST_LABELS = 20
_NUMBER = r"[-+]?\d+([.,]\d+)?(e[-+]?\d+)?"
_DATE = r"\d{1,4}([./:-]\d{1,4}){1,2}([.,]\d{1,6})?"
"""Of a time, with fractions of a second."""
_NUMBERS = re.compile(rf"({_NUMBER}|{_DATE})( ({_NUMBER}|{_DATE}))*")
_ORIGIN = re.compile(r"\s*(CC[ -]BY|CC0|https?://|©|licen[cs]e|attribution|source:)", re.IGNORECASE)
_ADDRESS = re.compile(r"(https?|ftp)://\S+", re.IGNORECASE)
_TAG_SIGNS = re.compile(r"[;|,=+]")
_PART_SIGNS = re.compile(r"[;|=+]")


def are_running_numbers(column: Sequence[str]) -> bool:
    """Whether the cells count the rows."""
    first = whole_number(column[0]) if len(column) >= FEW else None
    return first is not None and all(whole_number(cell) == number for number, cell in enumerate(column, start=first))


def is_constant(column: Sequence[str]) -> bool:
    """Whether all cells are the same, such as the name of a corpus or a language; tags may be the same for long."""
    return len(column) >= FEW and len(set(column)) == 1 and not _PART_SIGNS.search(column[0])


def are_numbers(column: Sequence[str]) -> bool:
    """Whether the cells are numbers, such as those of sentences, scores, dates or times, also several."""
    return len(column) >= FEW and all(_NUMBERS.fullmatch(cell.strip()) for cell in column)


def are_origins(column: Sequence[str]) -> bool:
    """Whether the cells say where a pair is from, as in "CC-BY 2.0 (France) Attribution: …"."""
    return len(column) >= FEW and all(map(_ORIGIN.match, column))


def are_addresses(column: Sequence[str]) -> bool:
    """Whether the cells are addresses of web pages, such as those that the texts beside them are from."""
    return len(column) >= FEW and all(_ADDRESS.fullmatch(cell.strip()) for cell in column)


def are_tags(column: Sequence[str]) -> bool:
    """Whether the cells are combinations of few parts, without blanks, such as V;IND;PRS."""
    if any(" " in cell for cell in column) or not any(_PART_SIGNS.search(cell) for cell in column):
        return False
    parts = [part for cell in column for part in _TAG_SIGNS.split(cell)]
    return 2 * len(set(parts)) <= len(parts) or len(column) < FEW


def are_segments(column: Sequence[str], forms: Sequence[str]) -> bool:
    """Whether the cells are the parts of these forms, as in UniMorph 4: `zag|en`, or `-` where they aren't known."""
    pairs = zip(column, forms, strict=True)
    return any("|" in cell for cell in column) and all("|" in cell or cell in ("-", "", form) for cell, form in pairs)


def are_labels(column: Sequence[str]) -> bool:
    """Whether a column of N cells has few different ones, all of one word: at most 20, and fewer than √N."""
    values = set(column)
    return len(values) <= MOST_LABELS and len(values) ** 2 < len(column) and not any(" " in value for value in values)
