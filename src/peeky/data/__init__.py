"""From files of pairs to batches of numbers."""

from peeky.data.batch import Batch, Padded, collate
from peeky.data.examples import Examples, Recut
from peeky.data.files import OpenFile, open_content
from peeky.data.lines import Columns
from peeky.data.pairs import Pair
from peeky.data.reading import PairFile, Problem, iterate_sources, read_pairs
from peeky.data.sampler import LengthBucketSampler
from peeky.data.split import split_dev
from peeky.data.tasks import additions, copies, dates, reversals

__all__ = [
    "Batch",
    "Columns",
    "Examples",
    "LengthBucketSampler",
    "OpenFile",
    "Padded",
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
