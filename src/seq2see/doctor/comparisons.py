"""Findings about whole sets: duplicates, contradictions, leaks, copies, and outliers in length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from seq2see.data.options import TableOptions, flags_of
from seq2see.data.table import TableFormat
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.doctor.raw_findings import RawFinding
from seq2see.doctor.rows import Faults, PairSource
from seq2see.text.fields import FIELD_BREAK

_NUM_EXAMPLES = 3
_FAR = 6.0
"""Robust standard deviations of logarithms from the median; of a normal distribution, one in a billion is beyond."""
_MIN_DEVIATION = 0.25
"""If nearly all lengths are equal, an outlier still differs by at least a factor of 4.5."""
_SMOOTHING = 5
"""Characters added to both sides of a ratio, since between short texts any ratio is usual."""
_INTENDED = "check some; if they are intended, evaluate with all targets of a source as references"
_MOST_COLUMNS, _USES = 8, 5
"""Columns that are tried, and the pairs with the same value of one, on average, at least."""
_MIN_PAIRS = 20
"""Minimum number of pairs to tell what is usual."""


def repeated(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Exact duplicates, and sources with several targets."""
    keys = statistics.keys()
    order = np.argsort(keys, kind="stable")
    starts_group = np.concatenate([[True], keys[order][1:] != keys[order][:-1]]) if len(keys) else np.zeros(0, bool)
    again = order[~starts_group]
    if len(again):
        first = order[np.maximum.accumulate(np.where(starts_group, np.arange(len(order)), 0))][~starts_group]
        earliest = np.argsort(again, kind="stable")[:_NUM_EXAMPLES]
        rows = [(int(again[at]), f"as line {statistics.lines[first[at]]}") for at in earliest]
        yield RawFinding("duplicates", statistics, len(again), _share(len(again), len(statistics)), rows)

    distinct = np.sort(order[starts_group])
    sources, firsts, counts = np.unique(statistics.source.hashes[distinct], return_index=True, return_counts=True)
    several = np.flatnonzero(counts > 1)
    if len(several):
        chosen = several[np.argsort(firsts[several], kind="stable")[: _NUM_EXAMPLES - 1]]
        rows = []
        for at in chosen:
            both = distinct[statistics.source.hashes[distinct] == sources[at]][:2]
            rows += [(int(row), "") for row in both]
        num_pairs = int(counts[several].sum())
        detail = f"{_share(len(several), len(sources))}, with {num_pairs:,} different targets"
        telling = _column_that_tells(statistics.files, len(several))
        remedy = f"{_INTENDED}; {telling}" if telling else _INTENDED
        yield RawFinding("contradictions", statistics, len(several), detail, rows, remedy=remedy)


def _column_that_tells(files: PairSource, num_contradictions: int) -> str:
    """How to read a column that is left out, and tells most sources with several targets apart; empty if none does.

    Not one with hardly any value twice, such as a number: it would tell any lines apart.
    """
    if not isinstance(files.format, TableFormat):
        return ""
    chosen = TableOptions(**files.format.chosen())  # type: ignore[arg-type]
    for called in map(files.format.option_name, files.format.unused[:_MOST_COLUMNS]):
        own = TableOptions(source=(*chosen.source, called), target=chosen.target)
        wider = PairSource(files.paths, own.over(files.table))
        targets: dict[int, int] = {}
        values, contradictory, num = set[str](), set[int](), 0
        for block in wider.blocks(Faults()):
            num += len(block.sources)
            values.update(source.rpartition(FIELD_BREAK)[2] for source in block.sources)
            for source, target in zip(map(hash, block.sources), map(hash, block.targets), strict=True):
                if targets.setdefault(source, target) != target:
                    contradictory.add(source)
        if _USES * len(values) <= num and 2 * len(contradictory) <= num_contradictions:
            apart = num_contradictions - len(contradictory)
            return f"or read column {called}, too, which tells {apart:,} of them apart: {' '.join(flags_of(own))}"
    return ""


def leaked(earlier: PairStatistics, later: PairStatistics) -> Iterator[RawFinding]:
    """Pairs and sources of the later set that the earlier set contains, too."""
    same = np.isin(later.keys(), earlier.keys())
    if same.any():
        detail = f"{_share(int(same.sum()), len(later))}, also in {earlier.name}"
        yield RawFinding("leaked-pairs", later, int(same.sum()), detail, _first(same))
    other = np.isin(later.source.hashes, earlier.source.hashes) & ~same
    if other.any():
        detail = f"{_share(int(other.sum()), len(later))}, whose source is in {earlier.name} with a different target"
        yield RawFinding("leaked-sources", later, int(other.sum()), detail, _first(other))


def shared(train: PairStatistics, held_out: PairStatistics) -> dict[str, int]:
    """How many pairs of a held-out set have their pair, source or target in the training set."""
    return {
        "pairs": int(np.isin(held_out.keys(), train.keys()).sum()),
        "sources": int(np.isin(held_out.source.hashes, train.source.hashes).sum()),
        "targets": int(np.isin(held_out.target.hashes, train.target.hashes).sum()),
    }


def copies(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Pairs whose source and target are equal."""
    same = statistics.source.hashes == statistics.target.hashes
    if same.any():
        yield RawFinding("copies", statistics, int(same.sum()), _share(int(same.sum()), len(statistics)), _first(same))


def out_of_proportion(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Outliers: texts that are too long, and pairs with an unusual ratio of lengths."""
    if len(statistics) < _MIN_PAIRS:
        return
    for side in statistics.sides:
        lengths = side.lengths
        distance = _distance(np.log(lengths + float(_SMOOTHING)))
        far = distance > _FAR
        if far.any():
            longest = np.flatnonzero(far)[np.argsort(-lengths[far], kind="stable")[:_NUM_EXAMPLES]]
            rows = [(int(row), f"{lengths[row]:,} characters") for row in longest]
            usual = int(np.median(lengths))
            detail = f"{side.name}: more than {lengths[~far].max():,} characters, the median is {usual:,}"
            yield RawFinding("long-texts", statistics, int(far.sum()), detail, rows)
    lengths_of_source, lengths_of_target = statistics.source.lengths, statistics.target.lengths
    distance = np.abs(
        _distance(np.log((lengths_of_target + float(_SMOOTHING)) / (lengths_of_source + float(_SMOOTHING))))
    )
    far = distance > _FAR
    if far.any():
        oddest = np.flatnonzero(far)[np.argsort(-distance[far], kind="stable")[:_NUM_EXAMPLES]]
        rows = [(int(row), f"{lengths_of_source[row]:,} and {lengths_of_target[row]:,} characters") for row in oddest]
        yield RawFinding("odd-ratios", statistics, int(far.sum()), _share(int(far.sum()), len(statistics)), rows)


def _distance(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The distance of each value from the median, in robust standard deviations (1.4826 x MAD)."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return np.asarray((values - middle) / max(spread, _MIN_DEVIATION))


def _first(chosen: npt.NDArray[np.bool_]) -> list[tuple[int, str]]:
    return [(int(row), "") for row in np.flatnonzero(chosen)[:_NUM_EXAMPLES]]


def _share(count: int, total: int) -> str:
    share = 100 * count / total
    return f"{share:.1f} %" if share >= 0.1 else f"{share:.2g} %"
