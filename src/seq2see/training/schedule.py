"""The learning rate schedule: a pure function of the number of the update."""

from __future__ import annotations

import math

from seq2see.training.options import TrainingOptions


def rate_share(options: TrainingOptions, update: int) -> float:
    """The learning rate as a share of `options.rate` at `update` (1, 2, … max_updates).

    All schedules rise linearly over the warm-up. Then `linear` and `cosine` (Loshchilov & Hutter 2016) fall towards 0,
    which they would reach one update after the last, so that every update learns; `inverse_sqrt` falls as
    √(warm-up / update) (Vaswani et al. 2017, eq. 3), and `constant` and `plateau` stay (the trainer halves the rate of
    `plateau` when dev does not improve).
    """
    assert options.max_updates is not None
    warmup = max(1, round(options.warmup * options.max_updates))
    if update < warmup:
        return update / warmup
    done = (update - warmup) / (options.max_updates + 1 - warmup)
    match options.schedule:
        case "linear":
            return 1 - done
        case "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        case "inverse_sqrt":
            return math.sqrt(warmup / update)
        case _:
            return 1.0
