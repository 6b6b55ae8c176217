"""What a person may set of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta


@dataclass(frozen=True)
class DataOptions:
    """Where the pairs come from."""

    train: tuple[str, ...] = ()
    """One file of pairs (TSV or JSONL), or two parallel ones; each may be gzipped."""
    dev: tuple[str, ...] = ()
    """Likewise; where nothing is given, a part of train is set aside."""
    dev_share: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the distinct sources that is set aside."""
    skip_bad: bool = False
    """Go on without the lines that can't be used, and count them."""
    workers: Annotated[int, Meta(ge=0)] = 0
    """Threads that put batches together ahead of the updates; the result is the same with any number."""
