"""Bootstrap confidence intervals, and significance tests for the difference of two systems.

The sums of statistics over all bootstrap samples are one matrix product, for all metrics and systems at once, so that a
thousand samples take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from seq2see.metrics.measured import Measured, Numbers

SAMPLES = 1000
"""The default number of samples."""
_BLOCK_ITEMS = 1 << 20
"""Maximum number of items drawn at once, which limits memory."""
_TIE = 1e-9
"""Differences up to this are equal, to allow for rounding errors."""


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Difference(NamedTuple):
    """The difference of two systems on the same items."""

    value: float
    """The value of the first system minus that of the other."""
    interval: Interval
    bootstrap_p: float
    """Two-sided p-value of the paired bootstrap."""
    randomization_p: float
    """Two-sided p-value of approximate randomization."""


class SeedDifference(NamedTuple):
    """The difference of two recipes, each trained from several seeds, on the same items."""

    value: float
    """The mean of the first recipe's runs minus that of the other's."""
    interval: Interval
    p: float
    """Two-sided, over seeds and items."""


class Spread(NamedTuple):
    """Mean and deviation over several runs with different seeds."""

    mean: float
    deviation: float
    """Sample standard deviation, with n - 1."""


def bootstrap_sums(statistics: Numbers, *, samples: int = SAMPLES, seed: int = 0) -> Numbers:
    """Sums [samples K] of the statistics [N K] of N items drawn with replacement, one row per sample (Efron 1979)."""
    rng = np.random.default_rng(seed)
    num_items = len(statistics)
    sums = []
    for count in _blocks(samples, num_items):
        drawn = rng.integers(0, num_items, (count, num_items))
        drawn += np.arange(count)[:, None] * num_items
        counts = np.bincount(drawn.ravel(), minlength=count * num_items).reshape(count, num_items)
        sums.append(counts.astype(np.float64) @ statistics)
    return np.concatenate(sums)


def intervals(
    measured: Sequence[Measured], *, samples: int = SAMPLES, seed: int = 0, confidence: float = 0.95
) -> list[Interval]:
    """The bootstrap percentile interval of each metric on the same items (Efron 1979; Koehn 2004, section 3).

    If all items are correct or all are wrong, so are all samples. A proportion then gets the exact binomial interval
    instead (Clopper & Pearson 1934).
    """
    sums = bootstrap_sums(np.concatenate([each.statistics for each in measured], 1), samples=samples, seed=seed)
    tail = (1 - confidence) / 2
    found = []
    for each, values in zip(measured, _scores(measured, sums), strict=True):
        low, high = np.quantile(values, [tail, 1 - tail]).tolist()
        if interval_method(each) == "Clopper-Pearson":
            margin = 1 - tail ** (1 / len(each.statistics))
            low, high = (0.0, margin) if each.value == 0 else (1 - margin, 1.0)
        found.append(Interval(low, high))
    return found


def interval_method(measured: Measured) -> Literal["bootstrap", "Clopper-Pearson"]:
    """How `intervals` computes the interval of this metric on these items."""
    is_extreme = measured.scale.is_proportion and measured.value in (0.0, 1.0)
    return "Clopper-Pearson" if is_extreme else "bootstrap"


def differences(
    measured: Sequence[Measured], others: Sequence[Measured], *, samples: int = SAMPLES, seed: int = 0
) -> list[Difference]:
    """The difference of two systems in each metric, on the same items in the same order.

    The paired bootstrap draws the same items for both (Koehn 2004, section 4); p is the share of samples whose
    difference, centered at 0, is at least as large as the observed one. Approximate randomization swaps the predictions
    of the two systems at random per item; p is the share of outcomes with at least as large a difference (Riezler &
    Maxwell 2005). Both are (count + 1) / (samples + 1), since the observed outcome counts too.
    """
    ours, theirs = (np.concatenate([each.statistics for each in side], 1) for side in (measured, others))
    width = ours.shape[1]
    sums = bootstrap_sums(np.concatenate([ours, theirs], 1), samples=samples, seed=seed)
    drawn = _gaps(measured, sums[:, :width], sums[:, width:])
    moved = randomized_sums(ours - theirs, samples=samples, seed=seed + 1)
    swapped = _gaps(measured, ours.sum(0) - moved, theirs.sum(0) + moved)
    found = _gaps(measured, ours.sum(0)[None], theirs.sum(0)[None])
    result = []
    for [value], resampled, shuffled in zip(found, drawn, swapped, strict=True):
        low, high = np.quantile(resampled, [0.025, 0.975]).tolist()
        centered = resampled - resampled.mean()
        result.append(
            Difference(float(value), Interval(low, high), _p_value(centered, value), _p_value(shuffled, value))
        )
    return result


def seed_difference(
    ours: Sequence[Measured], theirs: Sequence[Measured], *, samples: int = SAMPLES, seed: int = 0
) -> SeedDifference:
    """The difference of the mean of several runs from that of others, in one metric, on the same items.

    Each sample draws items, the same for all runs, and seeds of either side (multi-bootstrap, Sellam et al. 2022); of
    n seeds n - 1, since n would understate the variance over few seeds (Rao & Wu 1988). At least two of each.
    """
    runs = [*ours, *theirs]
    sums = bootstrap_sums(np.concatenate([each.statistics for each in runs], 1), samples=samples, seed=seed)
    scores = np.stack(list(_scores(runs, sums)), 1)
    rng = np.random.default_rng(seed + 1)
    means = []
    for columns in (scores[:, : len(ours)], scores[:, len(ours) :]):
        number = columns.shape[1]
        drawn = rng.integers(0, number, (samples, number - 1))
        means.append(np.take_along_axis(columns, drawn, 1).mean(1))
    value = float(np.mean([each.value for each in ours]) - np.mean([each.value for each in theirs]))
    resampled = means[0] - means[1]
    low, high = np.quantile(resampled, [0.025, 0.975]).tolist()
    return SeedDifference(value, Interval(low, high), _p_value(resampled - resampled.mean(), value))


def randomized_sums(gaps: Numbers, *, samples: int = SAMPLES, seed: int = 0) -> Numbers:
    """Sums [samples K] of random subsets of the rows of gaps [N K], each row with probability 1/2."""
    rng = np.random.default_rng(seed)
    num_items = len(gaps)
    sums = []
    for count in _blocks(samples, num_items):
        tossed = np.unpackbits(np.frombuffer(rng.bytes(-(-count * num_items // 8)), np.uint8))
        sums.append(tossed[: count * num_items].reshape(count, num_items).astype(np.float64) @ gaps)
    return np.concatenate(sums)


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of at least two values."""
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)))


def _blocks(samples: int, num_items: int) -> Iterator[int]:
    """The numbers of samples to draw at once."""
    size = max(1, _BLOCK_ITEMS // num_items)
    for start in range(0, samples, size):
        yield min(size, samples - start)


def _scores(measured: Sequence[Measured], sums: Numbers) -> Iterator[Numbers]:
    """The values [samples] of each metric, whose statistics are concatenated in the sums [samples K]."""
    start = 0
    for each in measured:
        width = each.statistics.shape[1]
        own = sums[:, start : start + width]
        of_samples = each.scale.of_samples
        yield each.scale.score(own) if of_samples is None else of_samples(own, each.statistics.sum(0))
        start += width


def _gaps(measured: Sequence[Measured], ours: Numbers, theirs: Numbers) -> list[Numbers]:
    return [one - two for one, two in zip(_scores(measured, ours), _scores(measured, theirs), strict=True)]


def _p_value(under_chance: Numbers, found: float) -> float:
    """(count + 1) / (n + 1), counting the outcomes under chance that are at least as far from 0."""
    as_large = np.count_nonzero(np.abs(under_chance) >= abs(found) - _TIE)
    return (int(as_large) + 1) / (len(under_chance) + 1)
