"""The course of a run, read back from metrics.jsonl: the lines that are as written, and the place of any other."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from seq2see.errors import CheckpointError
from seq2see.run.folder import METRICS

NUMBERS = {
    "update": ("loss", "rate", "target_tokens_per_second"),
    "evaluation": ("dev_loss",),
    "warning": (),
    "end": ("best_update", "seconds"),
}
"""By event, the numbers that its line has to have beside `update`."""
TEXTS = {"warning": ("kind", "message", "advice"), "end": ("reason",)}
"""Likewise the texts."""


class Point(NamedTuple):
    """A value at an update."""

    update: int
    value: float


class Alarm(NamedTuple):
    """A warning that was given while the run was trained."""

    update: int
    kind: str
    message: str
    advice: str


class End(NamedTuple):
    """How training ended."""

    update: int
    reason: str
    best_update: int
    seconds: float


@dataclass
class History:
    """What metrics.jsonl says of a run, in the order of the updates."""

    name: str
    """The run folder, as it was named."""
    train_loss: list[Point] = field(default_factory=list)
    """Nats per target token, label smoothing included."""
    dev_loss: list[Point] = field(default_factory=list)
    """Nats per target token."""
    exact_match: list[Point] = field(default_factory=list)
    """On dev, 0..1; none of a language model."""
    rate: list[Point] = field(default_factory=list)
    speed: list[Point] = field(default_factory=list)
    """Target tokens a second."""
    best_update: int = 0
    """That of the model that was kept; 0 where none was."""
    alarms: list[Alarm] = field(default_factory=list)
    end: End | None = None
    """None of a run that is still trained, or was broken off."""
    problems: list[str] = field(default_factory=list)
    """Lines that were left out: the place, and what is wrong."""

    @property
    def last_update(self) -> int:
        """How far it has come."""
        reached = [points[-1].update for points in (self.train_loss, self.dev_loss) if points]
        return max([*reached, self.end.update if self.end else 0])


def read_history(run: Path) -> History:
    """The course of the run in this folder. CheckpointError where there is no log to be read, or nothing in it."""
    path = run / METRICS
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise CheckpointError(
            f"can't be read: {error.strerror}", where=str(path), fix="name a run folder, as seq2see train leaves it"
        ) from None
    history = History(str(run))
    for number, line in enumerate(lines, start=1):
        if line.strip():
            problem = take(history, line)
            history.problems += [f"{path}:{number}: {problem}"] if problem else []
    if not history.last_update:
        what = "holds no update and no evaluation" + (f" ({history.problems[0]})" if history.problems else "")
        raise CheckpointError(what, where=str(path), fix="train the run further, or name another")
    return history


def take(history: History, line: bytes) -> str:
    """Add what a line says; what is wrong with it where it was left out, else nothing."""
    try:
        values = json.loads(line.decode(), parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return "not a line of JSON: cut short, or changed"
    if not isinstance(values, dict) or values.get("event") not in NUMBERS:
        return "not an event that seq2see writes"
    event, update = values["event"], values.get("update")
    if type(update) is not int or update < 0:
        return f"the update of this {event} is {update!r}"
    for name in NUMBERS[event]:
        if not is_number(values.get(name)):
            return f"{name} of this {event} is {values.get(name)!r}"
    for name in TEXTS.get(event, ()):
        if not isinstance(values.get(name), str):
            return f"{name} of this {event} is {values.get(name)!r}"
    return add(history, event, update, values)


def add(history: History, event: str, update: int, values: dict[str, Any]) -> str:
    """Add an event whose values are what they should be, unless its update was passed already."""
    match event:
        case "update" if is_next(history.train_loss, update):
            for points, name in (
                (history.train_loss, "loss"),
                (history.rate, "rate"),
                (history.speed, "target_tokens_per_second"),
            ):
                points.append(Point(update, float(values[name])))
        case "evaluation" if values.get("mean_of") and any(point.update == update for point in history.dev_loss[-1:]):
            # Averaged weights are no further point of the course: they are what was kept, or they are not.
            if values.get("best") is True:
                history.best_update = update
        case "evaluation" if is_next(history.dev_loss, update):
            history.dev_loss.append(Point(update, float(values["dev_loss"])))
            if is_number(share := values.get("dev_exact_match")):
                history.exact_match.append(Point(update, float(share)))
            if values.get("best") is True:
                history.best_update = update
        case "warning":
            history.alarms.append(Alarm(update, values["kind"], values["message"], values["advice"]))
        case "end":
            history.end = End(update, values["reason"], int(values["best_update"]), float(values["seconds"]))
        case _:
            return f"goes back to update {update:,}: lines of another run?"
    return ""


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number (and not true or false)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_next(points: list[Point], update: int) -> bool:
    """Whether the update comes after those that are there."""
    return not points or update > points[-1].update


def problem_lines(histories: list[History], most: int = 5) -> Iterator[str]:
    """What to say of the lines that were left out, the first few of each run by name."""
    for history in histories:
        yield from (f"left out {problem}" for problem in history.problems[:most])
        if len(history.problems) > most:
            yield f"left out {len(history.problems) - most:,} more lines of {history.name}"
