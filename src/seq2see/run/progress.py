"""The log and the display of a training run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from seq2see.console import LOSSES, counted, print_line
from seq2see.errors import CheckpointError
from seq2see.metrics import SCALES
from seq2see.run.bar import Bar, bar_for
from seq2see.run.folder import what_remains
from seq2see.storage.files import write_file
from seq2see.system_errors import system_error
from seq2see.training.events import Evaluated, Event, Finished, Sample, Updated
from seq2see.training.watch import WarningIssued


class MetricsLog:
    """metrics.jsonl: one JSON object per event, appended as it happens."""

    def __init__(self, path: Path, *, from_update: int = 0, has_mean: bool = False) -> None:
        """A resumed run continues `from_update`: later events are removed, since they will happen again.

        `has_mean` says whether the averaged weights were already evaluated at this update.
        """
        self.path = path
        self.damaged: list[int] = []
        """The numbers of the lines that could not be read when the run was resumed; they are lost."""
        kept = []
        for number, line in enumerate(logged_lines(path) if from_update else (), start=1):
            event = event_of(line)
            if not line.strip():
                continue
            if event is None:
                self.damaged.append(number)
            elif is_kept(event, from_update, has_mean):
                kept.append(line + b"\n")
        write_file(path, b"".join(kept))

    def __call__(self, event: Event) -> None:
        """Write one event."""
        match event:
            case Updated():
                values: dict[str, Any] = {
                    "event": "update", "update": event.update, "epoch": event.epoch, "loss": event.loss,
                    "rate": event.rate, "gradient_norm": event.gradient_norm,
                    "target_tokens_per_second": round(event.tokens_per_second), "seconds": round(event.seconds, 2),
                }  # fmt: skip
            case Evaluated():
                metrics = {f"dev_{name}": value for name, value in event.metrics.items()}
                values = {
                    "event": "evaluation",
                    "update": event.update,
                    **metrics,
                    "best": event.best,
                    "seconds": round(event.seconds, 2),
                }
                if event.mean_of:
                    values["mean_of"] = event.mean_of
            case WarningIssued():
                values = {"event": "warning", **event._asdict()}
            case Finished():
                values = {
                    "event": "end",
                    "update": event.update,
                    "reason": event.reason,
                    "best_update": event.best_update,
                    "seconds": round(event.seconds, 2),
                }
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
        except OSError as error:
            also = what_remains(self.path.parent)
            raise system_error(error, self.path, "written", CheckpointError, also=also) from error


def logged_lines(path: Path) -> list[bytes]:
    """The whole lines of a log: the last may be cut short. None if it can't be read: a log is never worth a run."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except OSError:
        return []


def event_of(line: bytes) -> dict[str, Any] | None:
    """The event on a line; None if the line is damaged."""
    try:
        event = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(event, dict) and isinstance(event.get("event"), str) and type(event.get("update")) is int
    return event if is_event else None


def is_kept(event: Mapping[str, Any], update: int, has_mean: bool) -> bool:
    """Whether the event is kept when a run is resumed after `update`."""
    will_come = event["event"] == "end" or ("mean_of" in event and event["update"] == update and not has_mean)
    return bool(event["update"] <= update and not will_come)


class OutputWatch:
    """Logs that what training prints can no longer be written, because its reader or its disk is gone."""

    def __init__(self, log: MetricsLog) -> None:
        self.log = log
        self.before = LOSSES.count
        self.is_logged = False

    def __call__(self, event: Event) -> None:
        """Look for losses before this event is logged."""
        if LOSSES.count > self.before and not self.is_logged:
            self.is_logged = True
            message = "what training prints can no longer be written; training continues"
            self.log(WarningIssued(event.update, "output", message, "write it to a file: 2> train.log"))


class Display:
    """Progress of a training run: a live bar on a terminal or in a notebook, and lines that also suit a log file."""

    def __init__(self, console: Console, max_updates: int) -> None:
        self.console = console
        self.max_updates = max_updates
        self.bar: Bar | None = None
        self.dev: list[str] = []

    def __enter__(self) -> Self:
        self.bar = bar_for(self.console, self.max_updates)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Updated() if self.bar is not None:
                speed = f"{event.tokens_per_second:,.0f} tokens/s"
                self.bar.show(event.update, [f"loss {event.loss:.3f}", *self.dev, speed])
            case Evaluated():
                self.dev = [dev_text(event.metrics)]
                self.print(self.evaluation_line(event))
                if changes := changes_text(event):
                    self.print(f"    {changes}", style="dim")
                for sample in event.samples:
                    self.print(f"    {sample_text(sample)}", style="dim")
            case WarningIssued():
                self.print(f"warning: {event.message}", style="yellow")
                self.print(f"    try: {event.advice}")
            case Finished():
                best = event.metrics
                result = f"best at update {event.best_update:,}: {metrics_text(best)}" if best else "nothing evaluated"
                self.print(
                    f"{event.reason} after {counted(event.update, 'update')} and {event.seconds:.0f} s; {result}"
                )

    def evaluation_line(self, event: Evaluated) -> str:
        """One line that also makes sense in a log file."""
        share = event.update / self.max_updates
        mark = f" (mean of the weights of {event.mean_of} evaluations)" if event.mean_of else ""
        mark += " (best so far)" if event.best else ""
        return f"update {event.update:>6,} ({share:>4.0%}, {event.seconds:.0f} s)  {metrics_text(event.metrics)}{mark}"

    def print(self, line: str, style: str = "") -> None:
        """Print a line above the bar."""
        print_line(self.console, line, style)


def metrics_text(metrics: dict[str, float]) -> str:
    """Dev metrics in words."""
    if list(metrics) == ["loss"]:
        perplexity = math.exp(min(metrics["loss"], 99))
        return f"dev loss {metrics['loss']:.4f} (perplexity {perplexity:,.2f})"
    return f"dev {', '.join(f'{title_of(name)} {value_text(name, value)}' for name, value in metrics.items())}"


def title_of(metric: str) -> str:
    """What a dev metric is called."""
    return SCALES[metric].title if metric in SCALES else metric


def value_text(metric: str, value: float) -> str:
    """A value of a dev metric in its unit."""
    unit = SCALES[metric].unit if metric in SCALES else "nats"
    return {"share": percent(value), "points": f"{value:.2f}", "nats": f"{value:.4f}"}[unit]


def dev_text(metrics: dict[str, float]) -> str:
    """The first dev metric, as short as the bar needs it."""
    name, value = next(iter(metrics.items()))
    if name == "exact_match":
        return f"dev {percent(value)}"
    return f"dev {title_of(name)} {f'{value:.3f}' if name == 'loss' else value_text(name, value)}"


def changes_text(event: Evaluated) -> str:
    """How many answers are wrong, and how many have changed since the last evaluation; empty if unknown."""
    if event.num_wrong is None:
        return ""
    wrong = f"{event.num_wrong:,} of {event.num_answers:,} wrong" if event.num_wrong else "none wrong"
    if event.num_changed is None:
        return wrong
    return f"{wrong}, {event.num_changed:,} changed since the last evaluation"


def sample_text(sample: Sample) -> str:
    """A prediction compared with its target, or a text that a language model generated."""
    if not sample.source:
        return shortened(sample.prediction)
    sign = "=" if sample.prediction == sample.target else "≠"
    prediction = shortened(sample.prediction) or "(empty)"
    return f"{shortened(sample.source)} → {prediction} {sign} {shortened(sample.target)}"


def shortened(text: str, max_length: int = 100) -> str:
    """The text, cut to `max_length` characters."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def percent(share: float) -> str:
    """A share as a percentage: 0.1234 as 12.34 %."""
    return f"{100 * share:.2f} %"
