"""One source with its target."""

from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    """A source and its target, as they stand in the data.

    `source` is empty for a language model, `target` is None where it is to be predicted; `origin` is the place, such
    as `train.tsv:17`.
    """

    source: str
    target: str | None
    origin: str = ""
