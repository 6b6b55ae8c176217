"""A pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Pair(NamedTuple):
    """A source and its target, as in the data.

    `source` is empty for a language model; one of several fields has a TAB between them. `target` is None if unknown;
    `origin` is the file and line, such as `train.tsv:17`.
    """

    source: str
    target: str | None
    origin: str = ""


def joined_columns(columns: Sequence[object]) -> str | None:
    """The text of several columns, separated by TAB; None if there are none, or one is no text or has a TAB itself."""
    texts = [column for column in columns if isinstance(column, str) and "\t" not in column]
    return "\t".join(texts) if texts and len(texts) == len(columns) else None
