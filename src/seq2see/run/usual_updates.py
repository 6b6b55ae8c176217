"""The default number of updates."""

from __future__ import annotations

import numpy as np

UPDATES = {100: 1_000, 800: 1_500, 3_600: 2_500, 8_000: 6_000, 40_000: 8_000, 100_000: 16_000, 1_000_000: 60_000}
"""Numbers of updates by the number of pairs; interpolated between them on logarithmic scales."""


def usual_updates(num_pairs: int) -> int:
    """The number of updates for this many pairs, unless it is set: see docs/defaults.md."""
    sizes = list(UPDATES)
    usual = float(np.exp(np.interp(np.log(num_pairs), np.log(sizes), np.log(list(UPDATES.values())))))
    return int(round(usual, -2 if usual > 1000 else -1))
