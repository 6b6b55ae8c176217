"""`seq2see tune`: settings chosen by trials on dev.

OUT/data/             the train and dev pairs of all trials, if no dev pairs were given
OUT/trials.log        what was tried and what came out: Optuna's journal, from which a stopped tuning goes on
OUT/trials/N/         the run of the best trial, and of those in progress
OUT/best.toml         the best settings, as a recipe for `seq2see train`
OUT/importance.svg    how much each setting matters
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
from rich.console import Console

from seq2see.comparison.comparing import data_files
from seq2see.comparison.planned import PlannedRun
from seq2see.config import Config, make_config, option
from seq2see.console import Terminal, counted, say_to
from seq2see.corpus.corpus import is_corpus
from seq2see.errors import ConfigError
from seq2see.metrics import SCALES
from seq2see.model import find, resolve
from seq2see.run.folder import CHECKPOINTS
from seq2see.run.planning import plan_run
from seq2see.run.progress import title_of, value_text
from seq2see.storage.files import hash_file, require_none, write_file
from seq2see.storage.locks import locked
from seq2see.tuning.importance import importance_of, importance_picture
from seq2see.tuning.result import Trial, Tuning, ranking, short
from seq2see.tuning.space import NAME, Setting, Usual, settings_of, space_of, suggested, usual_values
from seq2see.tuning.trial import JOURNAL, Outcome, has_study, open_study, run_trial

if TYPE_CHECKING:
    import optuna

RECIPE, PICTURE, TRIALS = "best.toml", "importance.svg", "trials"
USUAL_TRIALS = 30
MOST_JOBS = 256
"""Processes at the same time."""


@dataclass(frozen=True)
class Budget:
    """When no more trials are started. ConfigError for a budget of nothing."""

    trials: int | None = None
    """Trials in all, those of earlier calls included; by default 30, or as many as there is time for."""
    minutes: float | None = None
    """Since the start of this call, which makes at least one trial."""

    def __post_init__(self) -> None:
        for name, value in (("trials", self.trials), ("minutes", self.minutes)):
            if value is not None and not value > 0:
                raise ConfigError(f"must be above 0, not {value}", where=name, fix="use --trials 30, or --minutes 60")

    @property
    def most(self) -> float:
        """The number of trials in all."""
        return self.trials or (USUAL_TRIALS if self.minutes is None else float("inf"))


@dataclass(frozen=True)
class Job:
    """What all trials have in common."""

    config: Config
    given: frozenset[str]
    out: Path
    space: Sequence[Setting]
    metric: str
    usual: Usual
    max_updates: int
    device: str

    @property
    def study(self) -> partial[optuna.Study]:
        """Opens the study, in this process or in another."""
        higher_is_better = self.metric in SCALES and SCALES[self.metric].higher_is_better
        return partial(
            open_study, self.out, self.metric, higher_is_better=higher_is_better, most_updates=self.max_updates
        )

    def planned(self, number: int, values: Mapping[str, Any]) -> PlannedRun:
        """The run of a trial."""
        settings = settings_of(values, self.usual)
        config = self.config
        for key, value in settings.items():
            section, _, name = key.partition(".")
            config = replace(config, **{section: replace(getattr(config, section), **{name: value})})
        folder = self.out / TRIALS / str(number)
        return PlannedRun(str(number), config, self.given | settings.keys(), folder)


def tune(
    config: Config,
    out: Path,
    *,
    given: frozenset[str] = frozenset(),
    budget: Budget = Budget(),
    jobs: int = 1,
    device: str = "auto",
    console: Console | None = None,
) -> Tuning | None:
    """Try settings of the configured model on dev, and write the best as a recipe; what is `given` stays as it is.

    The first trial is without tuning. Returns None if interrupted; the same call then goes on, and with a larger budget
    it adds trials. Settings are suggested by TPE (Bergstra et al. 2011), whose choice depends on the seed and on the
    trials before, and with several `jobs` on which of them have ended; never on the time.
    """
    console = console or Terminal(stderr=True)
    say = say_to(console)
    require_possible(config, jobs)
    with locked(out, say, "tuning"):
        if not has_study(out):
            names = (JOURNAL, TRIALS, RECIPE, PICTURE)
            require_none([out / name for name in names], "move it elsewhere, or choose another folder (--out)")
        job = plan_job(config, out, given, device=device, say=say)
        study = job.study()
        require_same(study, job)
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(usual_values(job.space))
        is_done = try_all(study, job, budget, jobs, seed=config.training.seed, say=say)
        if not is_done:
            say("interrupted; run the same command to go on")
            return None
        return finish(study, job, config, given)


def require_possible(config: Config, jobs: int) -> None:
    """ConfigError, before any training, for what can't be tuned."""
    if not 1 <= jobs <= MOST_JOBS:
        what = f"must be at least 1 and at most {MOST_JOBS}, not {jobs}"
        raise ConfigError(what, where="jobs", fix="use --jobs 2 (jobs=2)")
    for path in (*config.data.train, *config.data.dev):
        if is_corpus(Path(path)):
            fix = "name a file of pairs, such as a part of those that it was prepared from"
            raise ConfigError("tuning reads files of pairs, not a prepared corpus", where=path, fix=fix)
    if not find(resolve(config.model).name).has_source:
        raise ConfigError("language models are not supported", where="model.name", fix="choose one with a source")
    if config.training.start_from:
        raise ConfigError("tuning doesn't fine-tune", where="training.start_from", fix="leave it out")


def plan_job(config: Config, out: Path, given: frozenset[str], *, device: str, say: Any) -> Job:
    """The pairs of all trials, and what is tuned."""
    train, dev = ([Path(path) for path in paths] for paths in (config.data.train, config.data.dev))
    files, dev_files, columns = data_files(config, train, dev, out, say=say)
    data = replace(config.data, **columns, train=tuple(map(str, files[None])), dev=tuple(map(str, dev_files)))
    shared = replace(config, data=data)
    plan = plan_run(shared, given=given)
    space = space_of(plan, shared.model, given)
    if not space:
        what = "nothing is left to tune: all settings that matter are given"
        raise ConfigError(what, where="seq2see tune", fix="leave out some of the settings")
    metric, updates = plan.config.training.metric, plan.config.training.max_updates
    assert metric and updates
    for each in space:
        values = " to ".join(map(short, each.values)) + " of the usual" if each.key == "training.rate" else ""
        say(f"tuned: {each.key} ({values or ', '.join(map(short, each.values))})")
    say(f"each trial: {counted(updates, 'update')}, judged by dev {title_of(metric)}")
    # The same for all trials, whatever is tuned; in a recipe, as they are chosen again.
    fixed = replace(shared, training=replace(shared.training, metric=metric, max_updates=updates))
    keys = {"training.metric", "training.max_updates", "data.train", "data.dev"}
    training = plan.config.training
    assert training.rate and training.optimizer
    usual = Usual(plan.blueprint.name, training.rate, training.optimizer)
    return Job(fixed, given | keys, out, space, metric, usual, updates, device)


def require_same(study: optuna.Study, job: Job) -> None:
    """ConfigError if the tuning in this folder was started with other settings or pairs."""
    data = [hash_file(Path(path)) for path in (*job.config.data.train, *job.config.data.dev)]
    keys = sorted(key for key in job.given if not key.startswith("data."))
    now: dict[str, Any] = {key: option(job.config, key) for key in keys}
    now |= {each.key: each.values for each in job.space}
    now |= {"--data and --dev": data, "training.seed": job.config.training.seed}
    now = json.loads(json.dumps(now))  # as it is stored
    before = study.user_attrs.get("started")
    if before is None:
        study.set_user_attr("started", now)
        return
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            fix = "use the settings and data of the existing trials, or choose another --out"
            raise ConfigError(f"differs from what the tuning in {job.out} was started with", where=key, fix=fix)


def try_all(study: optuna.Study, job: Job, budget: Budget, jobs: int, *, seed: int, say: Any) -> bool:
    """Make trials until the budget is spent; False if interrupted."""
    import optuna

    began, states = time.monotonic(), optuna.trial.TrialState
    left = [each for each in study.get_trials(deepcopy=False) if each.state == states.RUNNING]
    started = len([each for each in study.get_trials(deepcopy=False) if each.state != states.WAITING])
    running: dict[Future[Outcome], optuna.trial.Trial] = {}
    is_interrupted, is_first = False, True
    with executor_of(jobs) as executor:
        while True:
            while not is_interrupted and len(running) < jobs and (is_first or has_time(budget, began)):
                if not left and started >= budget.most:
                    break
                number = left[0].number if left else started
                study.sampler = optuna.samplers.TPESampler(seed=1000 * seed + number)
                if left:
                    trial = optuna.trial.Trial(study, left.pop(0)._trial_id)
                else:
                    trial, started = study.ask(), started + 1
                run = job.planned(trial.number, suggested(trial, job.space))
                work = (job.study, trial._trial_id, run, job.metric, job.device, os.getpid())
                running[executor.submit(run_trial, *work)], is_first = trial, False
            if not running:
                return not is_interrupted
            try:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
            except KeyboardInterrupt:  # the other processes have it too, save their state and return
                is_interrupted = True
                continue
            for future in done:
                trial = running.pop(future)
                outcome = future.result()
                if outcome.state == "interrupted":
                    is_interrupted = True
                    continue
                conclude(study, trial, outcome, job, say)


def has_time(budget: Budget, began: float) -> bool:
    """Whether another trial may be started."""
    return budget.minutes is None or time.monotonic() - began < 60 * budget.minutes


def conclude(study: optuna.Study, trial: optuna.trial.Trial, outcome: Outcome, job: Job, say: Any) -> None:
    """Note how a trial ended, say it, and remove its run unless it is the best."""
    import optuna

    states = optuna.trial.TrialState
    for name in ("value", "loss", "updates"):
        trial.set_user_attr(name, getattr(outcome, name))
    state = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[outcome.state]
    study.tell(trial.number, outcome.value if outcome.state == "complete" else None, state=state)
    settings = settings_of(trial.params, job.usual)
    what = ", ".join(f"{key.partition('.')[2]} {short(value)}" for key, value in settings.items())
    value = outcome.value
    result = outcome.why if value is None else f"dev {title_of(job.metric)} {value_text(job.metric, value)}"
    best = next(iter(ranking(trials_of(study, job), job.metric)), None)
    mark = " (best so far)" if best and best.number == trial.number else ""
    early = f", {outcome.state} after {counted(outcome.updates, 'update')}" if outcome.state != "complete" else ""
    say(f"trial {trial.number}: {result or 'nothing evaluated'}{early}; {what}{mark}")
    kept = {each.number for each in study.get_trials(deepcopy=False) if each.state == states.RUNNING}
    kept |= {best.number} if best else set()
    for folder in (job.out / TRIALS).iterdir():
        if folder.name.isdecimal() and folder.name not in map(str, kept):
            shutil.rmtree(folder)


def trials_of(study: optuna.Study, job: Job) -> list[Trial]:
    """The trials that have ended."""
    import optuna

    states = optuna.trial.TrialState
    names = {states.COMPLETE: "complete", states.PRUNED: "pruned", states.FAIL: "failed"}
    return [
        Trial(
            each.number,
            settings_of({key.key: each.params[key.key] for key in job.space}, job.usual),
            names[each.state],  # type: ignore[arg-type]
            each.user_attrs.get("value"),
            each.user_attrs.get("loss"),
            each.user_attrs.get("updates", 0),
        )
        for each in study.get_trials(deepcopy=False)
        if each.state in names
    ]


def finish(study: optuna.Study, job: Job, config: Config, given: frozenset[str]) -> Tuning:
    """The result, with its recipe and its picture. UserError if no trial has been trained to its end."""
    trials = trials_of(study, job)
    best = next(iter(ranking(trials, job.metric)), None)
    if best is None:
        what = f"none of {len(trials)} trials was trained to its end"
        raise ConfigError(what, where="seq2see tune", fix="run the same command with a larger budget")
    importance = importance_of(study)
    if importance:
        write_file(job.out / PICTURE, importance_picture(importance, title_of(job.metric)))
    run = job.out / TRIALS / str(best.number)
    shutil.rmtree(run / CHECKPOINTS, ignore_errors=True)
    recipe = recipe_of(config, given, best, job, len(trials))
    write_file(job.out / RECIPE, recipe.encode(errors="surrogateescape"))
    return Tuning(
        job.metric,
        tuple(trials),
        best,
        job.out / RECIPE,
        run,
        importance,
        job.out / PICTURE if importance else None,
    )


def recipe_of(config: Config, given: frozenset[str], best: Trial, job: Job, num_trials: int) -> str:
    """The given and the best settings as TOML, on the files that were given."""
    tables: dict[str, dict[str, Any]] = {}
    for key, value in {**{key: option(config, key) for key in sorted(given)}, **best.settings}.items():
        section, _, name = key.partition(".")
        if value is not None:
            tables.setdefault(section, {})[name] = list(value) if isinstance(value, tuple) else value
    tables.setdefault("model", {}).setdefault("name", best.settings.get(NAME, job.usual.name))
    make_config(tables, {})  # it is one that `train` takes
    assert best.value is not None
    head = (
        f"# The best of {num_trials} trials of seq2see tune: dev {title_of(job.metric)} "
        f"{value_text(job.metric, best.value)}.\n# Dev has chosen these settings, so their dev score is optimistic.\n\n"
    )
    return head + tomli_w.dumps(tables)


@contextmanager
def executor_of(jobs: int) -> Iterator[Executor]:
    """What runs the trials: this process, or several, which share its threads."""
    if jobs == 1:
        yield Here()
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = get_context("spawn")  # PyTorch doesn't survive a fork
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=use_threads, initargs=(threads,)) as pool:
        yield pool


def use_threads(number: int) -> None:
    """Let PyTorch use this many threads."""
    import torch

    torch.set_num_threads(number)


class Here(Executor):
    """Runs each call at once in this process."""

    def submit(self, call: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        """The finished call."""
        future: Future[Any] = Future()
        future.set_result(call(*arguments, **options))
        return future
