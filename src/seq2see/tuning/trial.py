"""One trial: a training that reports its evaluations, and ends early if it is worse than most at the same update."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from seq2see.comparison.planned import PlannedRun
from seq2see.console import Terminal
from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.run.folder import has_checkpoint, is_run
from seq2see.run.train import train
from seq2see.training import INTERRUPTED, Evaluated, Event

if TYPE_CHECKING:
    import optuna

JOURNAL, STUDY = "trials.log", "seq2see"
MAX_LINE = 2**16
"""Bytes of the first line of a journal, far more than it has."""


class Outcome(NamedTuple):
    """How a trial ended."""

    state: Literal["complete", "pruned", "failed", "interrupted"]
    value: float | None = None
    loss: float | None = None
    updates: int = 0
    why: str = ""


class PrunedError(Exception):
    """The trial is worse than most."""


def has_study(folder: Path) -> bool:
    """Whether this folder holds a study of ours, or the empty journal of one that was killed as it began."""
    try:
        with (folder / JOURNAL).open("rb") as journal:
            first = journal.readline(MAX_LINE)
            return not first or json.loads(first).get("study_name") == STUDY
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def open_study(folder: Path, metric: str, *, higher_is_better: bool, most_updates: int) -> optuna.Study:
    """The study in this folder, which is made if there is none. UserError without Optuna, or for a damaged journal.

    Half of the trials are pruned at each evaluation, from a quarter of the updates on, after five trials (the median
    rule of Golovin et al. 2017).
    """
    try:
        import optuna
    except ImportError:
        raise UserError("tuning needs the package optuna", fix='pip install "seq2see[tune]"') from None
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
            study_name=STUDY,
            direction="maximize" if higher_is_better else "minimize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=most_updates // 4),
        )
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError):  # whatever a changed line leads to
        fix = "restore it, or choose another folder (--out)"
        raise CheckpointError("is damaged", where=str(folder / JOURNAL), fix=fix) from None


def run_trial(
    open_own: Callable[[], optuna.Study], trial_id: int, run: PlannedRun, metric: str, device: str, parent: int
) -> Outcome:
    """Train the run, or resume it, and report its evaluations to the trial.

    `parent` is the process that has started this one: when it has died, so does the trial, which is resumed later.
    """
    import optuna

    trial = optuna.trial.Trial(open_own(), trial_id)
    last: dict[str, float] = {}
    reported = set(trial.storage.get_trial(trial_id).intermediate_values)
    update = 0

    def report(event: Event) -> None:
        nonlocal update
        if os.getpid() != parent and os.getppid() != parent:
            raise KeyboardInterrupt
        update = event.update
        if not isinstance(event, Evaluated) or event.mean_of:
            return
        value = event.metrics[metric]
        if event.best:
            last.clear()
            last.update(value=value, loss=event.metrics["loss"])
        if event.update not in reported:
            trial.report(value, event.update)
            reported.add(event.update)
        if trial.should_prune():
            raise PrunedError

    try:
        can_resume = has_checkpoint(run.folder)
        finished = train(
            run.config,
            run.folder,
            given=run.given,
            device=device,
            resume=can_resume,
            force=is_run(run.folder) and not can_resume,
            console=Terminal(quiet=True),
            callbacks=[report],
        ).finished
    except PrunedError:
        return Outcome("pruned", last.get("value"), last.get("loss"), update)
    except KeyboardInterrupt:  # before the first update, or because the parent has died
        return Outcome("interrupted")
    except (ConfigError, DataError):
        raise
    except (UserError, MemoryError, RuntimeError) as error:
        return Outcome("failed", None, None, update, str(error).partition("\n")[0])
    if finished.reason == INTERRUPTED:
        return Outcome("interrupted")
    return Outcome("complete", finished.metrics[metric], finished.metrics["loss"], finished.update)
