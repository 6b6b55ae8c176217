"""A pair of texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

FIELD = "\t"
"""Between the fields of a source."""


class Pair(NamedTuple):
    """A source and its target, as in the data.

    `source` is empty for a language model; one of several fields has a TAB between them. `target` is None if unknown;
    `origin` is the file and line, such as `train.tsv:17`.
    """

    source: str
    target: str | None
    origin: str = ""


def num_fields(sources: Iterable[str]) -> int:
    """The number of fields that each of these sources has; 1 if they differ: then a TAB is a character of a text."""
    num_tabs = -1
    for source in sources:
        if num_tabs not in (-1, own := source.count(FIELD)) or own == 0:
            return 1
        num_tabs = own
    return max(1, num_tabs + 1)
