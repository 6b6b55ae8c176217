"""What a metric gives: numbers of each item that are enough to score any choice of items.

Metrics of a whole test set, such as BLEU or an edit rate, are no means over items. What they are made of (n-grams
found, edits, lengths) does add up over items, and the value follows from the sums. So a set drawn anew from the same
items, a slice of them, or a single item is scored without looking at any text again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Unit = Literal["share", "points", "nats"]


@dataclass(frozen=True)
class Scale:
    """What the numbers of a metric mean."""

    name: str
    """As it is asked for: `cer`."""
    title: str
    """As it is printed: `CER`."""
    unit: Unit
    """A share is 0..1 (an edit rate may pass 1), points are sacreBLEU's 0..100, nats are a loss."""
    higher_is_better: bool
    score: Callable[[Numbers], Numbers]
    """From sums of statistics [... K] to values [...]."""
    is_proportion: bool = False
    """Whether each item is right or wrong, and the value the share of the right ones."""
    ranks_items: bool = True
    """Whether the value of a single item says how good it is; BLEU's doesn't."""


@dataclass(frozen=True)
class Measured:
    """One metric on one set of items: their statistics [N K], which add up."""

    scale: Scale
    statistics: Numbers
    signature: str = ""
    """What has to be the same for two values to be comparable, as sacreBLEU writes it."""

    @property
    def value(self) -> float:
        """The metric on all items."""
        return float(self.scale.score(self.statistics.sum(0)))

    @property
    def per_item(self) -> Numbers:
        """The metric on each item by itself, [N]."""
        return self.scale.score(self.statistics)

    def of(self, rows: Sequence[int] | NDArray[np.intp]) -> Measured:
        """The same on these items alone."""
        return Measured(self.scale, self.statistics[np.asarray(rows, dtype=np.intp)], self.signature)


Metric = Callable[[Sequence[str], Sequence[Sequence[str]]], Measured]
"""Predictions, and for each of them one or more references, to what was measured."""


def ratio(sums: Numbers) -> Numbers:
    """First statistic over second; of nothing at all 0, and of something over nothing 1, as in sacreBLEU's TER."""
    above, below = sums[..., 0], sums[..., 1]
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), (above > 0).astype(np.float64))
