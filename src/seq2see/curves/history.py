"""The training history of a run, read from metrics.jsonl; damaged lines are skipped and reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from seq2see.errors import CheckpointError
from seq2see.inference.loading import members_of
from seq2see.metrics import SCALES
from seq2see.run.folder import METRICS
from seq2see.storage.files import read_file
from seq2see.system_errors import reported

NUMBERS = {
    "update": ("loss", "rate", "target_tokens_per_second"),
    "evaluation": ("dev_loss",),
    "warning": (),
    "end": ("best_update", "seconds"),
}
"""By event, the numbers required beside `update`."""
TEXTS = {"warning": ("kind", "message", "advice"), "end": ("reason",)}
"""By event, the strings required."""

MAX_UPDATE = 2**53
MAX_NUMBER = 1e30
"""No run writes larger ones; sums and differences of these are finite."""


class Point(NamedTuple):
    """A value at an update."""

    update: int
    value: float


class LoggedWarning(NamedTuple):
    """A warning given during training."""

    update: int
    kind: str
    message: str
    advice: str


class TrainingEnd(NamedTuple):
    """How training ended."""

    update: int
    reason: str
    best_update: int
    seconds: float


@dataclass
class History:
    """The contents of metrics.jsonl, in the order of the updates."""

    name: str
    """The run folder as given."""
    train_loss: list[Point] = field(default_factory=list)
    """Nats per target token, label smoothing included."""
    dev_loss: list[Point] = field(default_factory=list)
    """Nats per target token."""
    exact_match: list[Point] = field(default_factory=list)
    """On dev, 0..1; empty for a language model."""
    others: dict[str, list[Point]] = field(default_factory=dict)
    """Of dev, the metric that selects the best model, by its name, if it is another one."""
    rate: list[Point] = field(default_factory=list)
    speed: list[Point] = field(default_factory=list)
    """Target tokens per second."""
    best_update: int = 0
    """The update of the best checkpoint; 0 if there is none."""
    warnings: list[LoggedWarning] = field(default_factory=list)
    end: TrainingEnd | None = None
    """None if training is still running or was killed."""
    problems: list[str] = field(default_factory=list)
    """Skipped lines: file:line and the problem."""

    @property
    def last_update(self) -> int:
        """The last update in the log."""
        reached = [points[-1].update for points in (self.train_loss, self.dev_loss) if points]
        return max([*reached, self.end.update if self.end else 0])


MAX_LOG_BYTES = 2**32
"""Bytes of a log: far more than any run writes."""


def read_history(run: Path) -> History:
    """The history of the run in this folder. CheckpointError if its log can't be read or has no valid event."""
    path, members = run / METRICS, members_of(run)
    if members != [run]:
        what = f"holds {len(members)} runs, and one is expected"
        raise CheckpointError(what, where=str(run), fix=f"name one of them: {members[0]}")
    with reported(path, "read", CheckpointError, also="name a run folder of seq2see train"):
        lines = read_file(path, MAX_LOG_BYTES).split(b"\n")
    history = History(str(run))
    for number, line in enumerate(lines, start=1):
        if line.strip():
            problem = take(history, line)
            history.problems += [f"{path}:{number}: {problem}"] if problem else []
    if not history.last_update:
        what = "has no update and no evaluation" + (f" ({history.problems[0]})" if history.problems else "")
        raise CheckpointError(what, where=str(path), fix="resume the run, or name another")
    return history


def take(history: History, line: bytes) -> str:
    """Add the event of a line. Returns the problem if it is invalid, else an empty string."""
    try:
        values = json.loads(line.decode(), parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return "invalid JSON: truncated or modified"
    if not isinstance(values, dict) or not isinstance(values.get("event"), str) or values["event"] not in NUMBERS:
        return "unknown event"
    event, update = values["event"], values.get("update")
    if type(update) is not int or not 0 <= update < MAX_UPDATE:
        return f"the update of this {event} is {update!r:.80}"
    for name in NUMBERS[event]:
        if not is_number(values.get(name)):
            return f"{name} of this {event} is {values.get(name)!r:.80}"
    for name in TEXTS.get(event, ()):
        if not isinstance(values.get(name), str):
            return f"{name} of this {event} is {values.get(name)!r:.80}"
    return add(history, event, update, values)


def add(history: History, event: str, update: int, values: dict[str, Any]) -> str:
    """Add a valid event, unless its update precedes the last one."""
    match event:
        case "update" if is_next(history.train_loss, update):
            for points, name in (
                (history.train_loss, "loss"),
                (history.rate, "rate"),
                (history.speed, "target_tokens_per_second"),
            ):
                points.append(Point(update, float(values[name])))
        case "evaluation" if values.get("mean_of") and any(point.update == update for point in history.dev_loss[-1:]):
            # Averaged weights are evaluated at the update of the last weights: no point of their own.
            if values.get("best") is True:
                history.best_update = update
        case "evaluation" if is_next(history.dev_loss, update):
            history.dev_loss.append(Point(update, float(values["dev_loss"])))
            if is_number(share := values.get("dev_exact_match")):
                history.exact_match.append(Point(update, float(share)))
            for name in SCALES.keys() - {"exact_match"}:
                if is_number(value := values.get(f"dev_{name}")):
                    history.others.setdefault(name, []).append(Point(update, float(value)))
            if values.get("best") is True:
                history.best_update = update
        case "warning":
            history.warnings.append(LoggedWarning(update, values["kind"], values["message"], values["advice"]))
        case "end":
            history.end = TrainingEnd(update, values["reason"], int(values["best_update"]), float(values["seconds"]))
        case _:
            return f"goes back to update {update:,}: does the line belong to another run?"
    return ""


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number (and not a bool) of a size that can be plotted."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER


def is_next(points: list[Point], update: int) -> bool:
    """Whether the update is later than all points."""
    return not points or update > points[-1].update


def problem_lines(histories: list[History], most: int = 5) -> Iterator[str]:
    """Messages about skipped lines: the first few of each run, then their number."""
    for history in histories:
        yield from (f"skipped {problem}" for problem in history.problems[:most])
        if len(history.problems) > most:
            yield f"skipped {len(history.problems) - most:,} more lines of {history.name}"
