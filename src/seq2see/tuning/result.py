"""What a tuning has found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from seq2see.console import counted
from seq2see.evaluation.format import aligned
from seq2see.metrics import SCALES
from seq2see.run.progress import title_of, value_text

MOST_ROWS = 10
State = Literal["complete", "pruned", "failed"]


class Trial(NamedTuple):
    """One training with settings of its own."""

    number: int
    settings: dict[str, Any]
    state: State
    value: float | None
    """The dev metric of its best model; of a pruned trial until then; None if it failed."""
    loss: float | None
    updates: int


@dataclass(frozen=True)
class Tuning:
    """The trials so far. Printed it is the table of `seq2see tune`."""

    metric: str
    """The dev metric by which trials are compared."""
    trials: tuple[Trial, ...]
    """In the order in which they were started; the first is the one without tuning."""
    best: Trial
    recipe: Path
    """best.toml"""
    run: Path
    """The run of the best trial."""
    importance: dict[str, float]
    """How much of the variation of good trials each setting explains, in shares; empty for few trials."""
    picture: Path | None
    """importance.svg"""

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat dict per trial, for `pandas.DataFrame`."""
        return [
            {
                "trial": each.number,
                "state": each.state,
                self.metric: each.value,
                "dev_loss": each.loss,
                "updates": each.updates,
            }
            | each.settings
            for each in self.trials
        ]

    def __str__(self) -> str:
        return "\n".join(tuning_lines(self))


def ranking(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """The finished trials, best first; of equal values the one with the lowest loss, then the first."""
    sign = -1 if metric in SCALES and SCALES[metric].higher_is_better else 1
    complete = [each for each in trials if each.state == "complete"]
    return sorted(complete, key=lambda each: (sign * (each.value or 0.0), each.loss or 0.0, each.number))


def tuning_lines(found: Tuning) -> Iterator[str]:
    """The best trials, the one without tuning, and the importance of the settings."""
    keys = list(found.trials[0].settings)
    rows = [["trial", f"dev {title_of(found.metric)}", "dev loss", *keys]]
    ranked = ranking(found.trials, found.metric)
    for each in ranked[:MOST_ROWS]:
        marks = [*(["best"] if each == found.best else []), *(["default"] if each.number == 0 else [])]
        name = f"{each.number} ({', '.join(marks)})" if marks else str(each.number)
        assert each.value is not None and each.loss is not None
        values = [value_text(found.metric, each.value), f"{each.loss:.4f}"]
        rows.append([name, *values, *(short(each.settings[key]) for key in keys)])
    yield from aligned(rows, right=(1, 2))
    counts = {state: sum(each.state == state for each in found.trials) for state in ("complete", "pruned", "failed")}
    more = f", the table has {MOST_ROWS}" if len(ranked) > MOST_ROWS else ""
    ended = f"{counts['pruned']} were pruned, {counts['failed']} failed"
    yield f"trained to the end: {counted(counts['complete'], 'trial')}{more}; {ended}"
    if found.importance:
        shares = ", ".join(f"{key} {100 * share:.0f} %" for key, share in found.importance.items())
        yield f"importance: {shares}"


def short(value: Any) -> str:
    """A value as it is printed."""
    return f"{value:g}" if isinstance(value, float) else str(value)
