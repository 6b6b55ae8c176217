"""From files of pairs to batches of numbers. Only `Batch` and `collate` need torch, so they are imported when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peeky.data.examples import Examples, Recut
from peeky.data.files import OpenFile, open_content
from peeky.data.lines import Columns
from peeky.data.pairs import Pair
from peeky.data.reading import PairFile, Problem, iterate_sources, read_pairs
from peeky.data.sampler import LengthBucketSampler
from peeky.data.split import split_dev
from peeky.data.tasks import additions, copies, dates, reversals

if TYPE_CHECKING:
    from peeky.data.batch import Batch, collate

__all__ = [
    "Batch",
    "Columns",
    "Examples",
    "LengthBucketSampler",
    "OpenFile",
    "Pair",
    "PairFile",
    "Problem",
    "Recut",
    "additions",
    "collate",
    "copies",
    "dates",
    "iterate_sources",
    "open_content",
    "read_pairs",
    "reversals",
    "split_dev",
]


def __getattr__(name: str) -> object:
    if name not in ("Batch", "collate"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from peeky.data import batch

    return getattr(batch, name)
