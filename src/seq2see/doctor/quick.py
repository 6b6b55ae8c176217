"""The quick part of the check, for the start of training: what single texts and pairs of a sample show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2see.data import Pair
from seq2see.data.groups import field_names
from seq2see.data.header import MAX_ROWS, is_header
from seq2see.data.options import TableOptions
from seq2see.data.split import sample_evenly
from seq2see.doctor.columns import are_merged, is_constant, is_series_of_decimals, names_of_files
from seq2see.doctor.finding_types import FINDING_TYPES
from seq2see.doctor.format_marks import COMMENT, FormatMarks
from seq2see.doctor.rows import Faults, pair_sources
from seq2see.doctor.side_statistics import SideStatistics
from seq2see.doctor.unrelated import are_of_one_ending, are_unrelated
from seq2see.text.fields import VALUE_UNITS, columns_of, num_fields

MAX_PAIRS = 5_000
"""Pairs that are looked at, evenly spaced."""
NUM_WORST = 2


class _Seen(NamedTuple):
    """A warning of the check, how many of the pairs have it, and the index of the first."""

    name: str
    num_pairs: int
    first: int


def worst_findings(
    pairs: Sequence[Pair], files: Sequence[Path] = (), source_names: Sequence[str] = (), *, unit_is_given: bool = False
) -> list[str]:
    """The worst two warnings that `seq2see check` has about these pairs, a line each.

    `files` are where they are from, and `source_names` what the columns of the source are called, if they have names.

    Marks of another format come first, and columns that are something else than text, since they are in the way of
    every answer; then the most frequent. If the unit of the sources is given, it isn't for a finding to doubt it.
    """
    sample = sample_evenly(pairs, MAX_PAIRS)
    *sources, target = sides = _sides(sample, source_names)
    found = [
        *_unrelated_sides(sample, files),
        *_header(pairs),
        *([] if unit_is_given else _no_texts(sources)),
        *_marks(sample),
    ]
    found += _merged_cells(sources, sample)
    found += _constant(sides if len(sources) > 1 else [target], len(sample))
    found += sorted(_faults_of_texts(sides), key=lambda seen: -seen.num_pairs)
    lines = []
    for seen in found[:NUM_WORST]:
        count = "" if seen.name == "header" else f"{seen.num_pairs:,} of {len(sample):,} pairs, "
        origin = sample[seen.first].origin
        lines.append(f"warning: {seen.name}: {FINDING_TYPES[seen.name].meaning} ({count}first {origin})")
    return lines


def worst_findings_of_files(paths: Sequence[Path], table: TableOptions) -> list[str]:
    """The same of the first pairs of one file, or of two parallel files."""
    [files] = pair_sources(paths, table)
    block = next(files.blocks(Faults()), None)
    if block is None:
        return []
    origins = map(files.origin, block.lines.tolist())
    pairs = list(map(Pair, block.sources, block.targets, origins))
    return worst_findings(pairs, paths, files.source_names)


def _unrelated_sides(sample: Sequence[Pair], files: Sequence[Path]) -> Iterator[_Seen]:
    if are_of_one_ending(files) and are_unrelated(sample):
        yield _Seen("unrelated-sides", len(sample), 0)


def _header(pairs: Sequence[Pair]) -> Iterator[_Seen]:
    rows = [(pair.source, pair.target or "") for pair in pairs[: 2 * MAX_ROWS]]
    if rows and pairs[0].origin.endswith(":1") and not COMMENT.match(rows[0][0]) and is_header(rows[0], rows[1:]):
        yield _Seen("header", 1, 0)


def _marks(sample: Sequence[Pair]) -> Iterator[_Seen]:
    marks = FormatMarks()
    marks.add([pair.source for pair in sample], [pair.target or "" for pair in sample], _indices(sample))
    for mark in marks.found():
        yield _Seen(mark.name, mark.num_pairs, mark.examples[0][0])


def _sides(sample: Sequence[Pair], source_names: Sequence[str]) -> list[SideStatistics]:
    """Source and target; a source of several fields is a side for each."""
    texts = [pair.source for pair in sample]
    num = num_fields(texts)
    columns = [*(columns_of(texts, num) if num > 1 else [texts]), [pair.target or "" for pair in sample]]
    names = field_names(source_names, num) if num > 1 else ["source"]
    sides = [*(SideStatistics(name, is_source=True) for name in names), SideStatistics("target")]
    for side, column in zip(sides, columns, strict=True):
        side.add(column, _indices(sample))
    return sides


def _no_texts(sources: Sequence[SideStatistics]) -> Iterator[_Seen]:
    """Names of files, and series of numbers."""
    texts = [side for side in sources if side.unit()[0] not in VALUE_UNITS]
    if counts := [side.extensions.total() for side in texts if names_of_files(side)]:
        yield _Seen("file-names", max(counts), 0)
    if counts := [len(side.lengths) for side in texts if is_series_of_decimals(side)]:
        yield _Seen("series-as-text", max(counts), 0)


def _merged_cells(columns: Sequence[SideStatistics], sample: Sequence[Pair]) -> Iterator[_Seen]:
    if len(columns) < 2:
        return
    sources = np.fromiter((hash(pair.source) for pair in sample), np.int64, len(sample))
    lines = np.fromiter((hash(pair.origin or at) for at, pair in enumerate(sample)), np.int64, len(sample))
    empty = [side.lengths == 0 for side in columns if are_merged(side, sources, lines)]
    if empty:
        yield _Seen("merged-cells", max(int(each.sum()) for each in empty), min(int(each.argmax()) for each in empty))


def _constant(sides: Sequence[SideStatistics], num_pairs: int) -> Iterator[_Seen]:
    if any(map(is_constant, sides)):
        yield _Seen("constant", num_pairs, 0)


def _faults_of_texts(sides: Sequence[SideStatistics]) -> Iterator[_Seen]:
    for name in dict.fromkeys(name for side in sides for name in side.found):
        if FINDING_TYPES[name].severity == "warning":
            first = min(side.examples[name][0][0] for side in sides if name in side.examples)
            yield _Seen(name, max(side.found[name] for side in sides), first)


def _indices(sample: Sequence[Pair]) -> np.ndarray:
    """In place of line numbers."""
    return np.arange(len(sample), dtype=np.int32)
