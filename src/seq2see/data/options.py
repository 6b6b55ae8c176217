"""Options of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta


@dataclass(frozen=True)
class DataOptions:
    """The files of pairs and how they are read."""

    train: tuple[str, ...] = ()
    """One file of pairs (TSV or JSONL), or two parallel files; each may be gzipped."""
    dev: tuple[str, ...] = ()
    """The same for dev pairs (--dev); by default a part of data.train is set aside."""
    dev_share: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the pairs to set aside for dev."""
    group: Annotated[int, Meta(ge=1)] | Literal["none"] | None = None
    """The field of the sources, by number, whose values are never in both training and dev pairs, such as that of the
    lemma; by default the first of several fields; none: only the same source is never in both."""
    skip_bad: bool = False
    """Skip invalid lines, and count them (--skip-bad)."""
    longest: Annotated[int, Meta(ge=1)] | None = None
    """Most tokens of a source or target; longer pairs are left out of training and dev, and counted; by
    default all are kept."""
    workers: Annotated[int, Meta(ge=0)] = 0
    """Threads that prefetch batches; the result does not depend on their number."""
