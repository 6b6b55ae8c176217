"""Files of pairs to batches of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.data.batch import Batch, Padded, collate
    from seq2see.data.examples import EpochExamples, Examples, Sequences
    from seq2see.data.files import OpenFile, open_content
    from seq2see.data.lines import Columns
    from seq2see.data.options import TableOptions
    from seq2see.data.pairs import Pair
    from seq2see.data.reading import PairFile, Problem, read_pairs
    from seq2see.data.sampler import LengthBucketSampler
    from seq2see.data.sources import SourceRow, iterate_rows, iterate_sources
    from seq2see.data.split import split_dev
    from seq2see.data.tasks import additions, copies, dates, reversals

__all__ = [
    "Batch",
    "Columns",
    "EpochExamples",
    "Examples",
    "LengthBucketSampler",
    "OpenFile",
    "Padded",
    "Pair",
    "PairFile",
    "Problem",
    "Sequences",
    "SourceRow",
    "TableOptions",
    "additions",
    "collate",
    "copies",
    "dates",
    "iterate_rows",
    "iterate_sources",
    "open_content",
    "read_pairs",
    "reversals",
    "split_dev",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "batch": "Batch Padded collate",
        "examples": "EpochExamples Examples Sequences",
        "files": "OpenFile open_content",
        "lines": "Columns",
        "options": "TableOptions",
        "pairs": "Pair",
        "reading": "PairFile Problem read_pairs",
        "sampler": "LengthBucketSampler",
        "sources": "SourceRow iterate_rows iterate_sources",
        "split": "split_dev",
        "tasks": "additions copies dates reversals",
    },
)
