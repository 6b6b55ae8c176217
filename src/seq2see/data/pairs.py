"""A pair of texts."""

from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    """A source and its target, as in the data.

    `source` is empty for a language model; one of several fields has a TAB between them. `target` is None if unknown;
    `origin` is the file and line, such as `train.tsv:17`.
    """

    source: str
    target: str | None
    origin: str = ""
