"""The result of a metric: sufficient statistics per item, from which any subset can be scored.

Corpus metrics such as BLEU or an edit rate are not means over items, but functions of sums over items (of n-gram
matches, edits, lengths). So a bootstrap sample, a subset or a single item is scored without processing any text again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Unit = Literal["share", "points", "nats"]


@dataclass(frozen=True)
class Scale:
    """The name, unit and direction of a metric, and its formula."""

    name: str
    """The name in options: `cer`."""
    title: str
    """The printed name: `CER`."""
    unit: Unit
    """share: 0..1 (an edit rate can exceed 1); points: 0..100, as in sacreBLEU; nats: a loss."""
    higher_is_better: bool
    score: Callable[[Numbers], Numbers]
    """From sums of statistics [... K] to values [...]."""
    is_proportion: bool = False
    """Whether each item is correct or wrong and the value is the share of correct ones."""
    of_samples: Callable[[Numbers, Numbers], Numbers] | None = None
    """The same from the sums of bootstrap samples and of all items, where a sample may lack what all items have."""
    ranks_items: bool = True
    """Whether the value of a single item is meaningful; that of BLEU is not."""


@dataclass(frozen=True)
class Measured:
    """One metric on one set of items: additive statistics [N K]."""

    scale: Scale
    statistics: Numbers
    signature: str = ""
    """The settings that must be equal for values to be comparable, in the format of sacreBLEU."""
    note: str = ""
    """What makes the value unreliable on these texts; empty for most."""

    @property
    def value(self) -> float:
        """The metric on all items."""
        return float(self.scale.score(self.statistics.sum(0)))

    @property
    def per_item(self) -> Numbers:
        """The metric on each item [N]."""
        return self.scale.score(self.statistics)

    def of(self, rows: Sequence[int] | NDArray[np.intp]) -> Measured:
        """The metric on these items only."""
        return replace(self, statistics=self.statistics[np.asarray(rows, dtype=np.intp)])


Metric = Callable[[Sequence[str], Sequence[Sequence[str]]], Measured]
"""From predictions and their references, at least one per prediction, to the result."""


def ratio(sums: Numbers) -> Numbers:
    """The first statistic over the second; 0/0 is 0, and x/0 is 1, as in sacreBLEU's TER."""
    above, below = sums[..., 0], sums[..., 1]
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), (above > 0).astype(np.float64))
