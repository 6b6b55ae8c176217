"""A training that is one of several in a folder: planned, trained or resumed, and recognized when it is finished.

OUT/data/       the options of each run, with the hashes of its files
OUT/NAME/       the run folder
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rich.console import Console

from seq2see.config import Config, option
from seq2see.console import Terminal, counted, say_to
from seq2see.curves.history import read_history
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError, UserError
from seq2see.run.bar import Bar, bar_for
from seq2see.run.changes import option_changes
from seq2see.run.folder import CHECKPOINTS, METRICS, is_run, stored_config, with_given_options
from seq2see.run.pairs import RunData
from seq2see.run.progress import dev_text, metrics_text
from seq2see.run.record import other_files
from seq2see.run.train import train
from seq2see.storage.files import hash_file, require_none, write_file
from seq2see.training import INTERRUPTED, Evaluated, Event, Updated, WarningIssued

DATA, OPTIONS = "data", ".options.json"
NO_TABLE = {field.name: getattr(TableOptions(), field.name) for field in fields(TableOptions)}
"""The options of a table as they are by default, for files that are JSON lines."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of the comparison."""

    name: str
    """The name of its folder: plain-1."""
    config: Config
    given: frozenset[str]
    """The option keys that were set explicitly."""
    folder: Path
    recipe: str = ""
    """The architecture or recipe."""
    size: int | None = None
    """Training pairs, if that is compared."""


def train_run(run: PlannedRun, position: str, *, device: str, console: Console) -> bool:
    """Train or resume it, unless it is finished; False if interrupted. `position` is "2/6"."""
    say = say_to(console)
    if is_finished(run):
        if not options_file(run).exists():  # started by `seq2see train`
            write_options(run)
        say(f"{position} {run.name}: already finished")
        return True
    is_started = is_run(run.folder)
    can_resume = is_started and any((run.folder / CHECKPOINTS).glob("*"))
    bar: Bar | None = None
    score: list[str] = []

    def show(event: Event) -> None:
        nonlocal bar
        if isinstance(event, Updated):
            # The number of updates is known once the run has started.
            total = stored_config(run.folder).training.max_updates or event.update
            bar = bar or bar_for(console, total, label=f"{position} {run.name}")
            if bar is not None:
                bar.show(event.update, [*score, f"loss {event.loss:.3f}"])
        elif isinstance(event, Evaluated):
            score[:] = [dev_text(event.metrics)]
        elif isinstance(event, WarningIssued):
            say(f"{position} {run.name}: warning: {event.message}")

    write_options(run)
    try:
        trained = train(
            run.config,
            run.folder,
            given=run.given,
            device=device,
            resume=can_resume,
            force=is_started and not can_resume,
            console=Terminal(quiet=True),
            callbacks=[show],
        )
    finally:
        if bar is not None:
            bar.stop()
    done = trained.finished
    if done.reason == INTERRUPTED:
        return False
    say(f"{position} {run.name}: {metrics_text(done.metrics)}; {counted(done.update, 'update')}, {done.seconds:.0f} s")
    return True


def train_all(runs: Sequence[PlannedRun], *, device: str, console: Console) -> bool:
    """Train the runs one after the other; False if interrupted, which is said."""
    for number, run in enumerate(runs, start=1):
        try:
            has_finished = train_run(run, f"{number}/{len(runs)}", device=device, console=console)
        except KeyboardInterrupt:  # a signal before the first update
            has_finished = False
        if not has_finished:
            say_to(console)(f"interrupted in {run.name}; run the same command to continue")
            return False
    return True


def require_own(out: Path, *names: str) -> None:
    """ConfigError, before any training, for results in a folder that has no record of runs trained there."""
    if not any((out / DATA).glob(f"*{OPTIONS}")):
        require_none([out / name for name in names], "move it elsewhere, or choose another folder (--out)")


def options_of(run: PlannedRun) -> dict[str, Any]:
    """The options set for a run, and the hashes of its data."""
    config = run.config
    files = [Path(name) for name in (*config.data.train, *config.data.dev, *other_files(config).values())]
    given = {key: option(config, key) for key in sorted(run.given) if not key.startswith("data.")}
    return {"set": given, "data": [hash_file(path) for path in files]}


def options_file(run: PlannedRun) -> Path:
    """The file of that, beside the data."""
    return run.folder.parent / DATA / f"{run.name}{OPTIONS}"


def write_options(run: PlannedRun) -> None:
    """Store the options and data of a run that starts."""
    write_file(options_file(run), json.dumps(options_of(run), indent=1).encode() + b"\n")


def require_same_options(run: PlannedRun) -> None:
    """ConfigError if the existing run was started with other options or data."""
    try:
        before = json.loads(options_file(run).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # started by `seq2see train`: its options are compared instead
    now = json.loads(json.dumps(options_of(run)))
    fix = "use the options and data of the existing runs, or choose another --out"
    for key in sorted(before["set"].keys() ^ now["set"].keys()):
        what = f"was set when {run.folder} was started" if key in before["set"] else "was not set"
        raise ConfigError(what, where=key, fix=fix)
    if before["data"] != now["data"]:
        raise ConfigError(f"differs from the pairs that {run.folder} was started with", where="--data", fix=fix)


def is_finished(run: PlannedRun) -> bool:
    """Whether it was trained to its end. ConfigError if that was with other options or data."""
    if not (run.folder / METRICS).exists() or not is_run(run.folder):
        return False
    require_same_options(run)
    stored = stored_config(run.folder)
    wanted = with_given_options(stored, run.config, run.given | {"data.train", "data.dev"})
    for key, (before, now) in option_changes(stored, wanted).items():
        raise ConfigError(
            f"is {now!r}, but {run.folder} was started with {before!r}",
            where=key,
            fix="use the options of the existing runs, or choose another --out",
        )
    try:
        end = read_history(run.folder).end
    except UserError:
        return False  # killed before its first line
    return end is not None and end.reason != INTERRUPTED


def write_pairs(path: Path, content: bytes) -> None:
    """Write the pairs of a run, unless they are there already. ConfigError if other pairs are."""
    if not path.exists():
        write_file(path, content)
    elif path.read_bytes() != content:
        what = "has other pairs than these: the runs were started with other pairs, or with these divided otherwise"
        raise ConfigError(what, where=str(path), fix="give what the runs were started with, or choose another --out")


def columns_of(data: RunData) -> dict[str, Any]:
    """The options of the columns of a file that `as_jsonl` has made of the data."""
    return {name: value for name, value in data.columns.items() if name in ("source", "target", "names")}
