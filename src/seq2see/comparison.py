"""`seq2see compare`: several architectures or recipes trained on the same pairs with the same budget, and compared.

OUT/data/               the options of each run; without --dev, the train and dev pairs that all runs share
OUT/NAME-SEED/          one run per model and seed
OUT/compare.html        the comparison
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

import seq2see.metrics as metrics
from seq2see.config import Config, given_keys, make_config, option, read_toml
from seq2see.console import Terminal, say_to
from seq2see.corpus.corpus import is_corpus
from seq2see.curves.history import read_history
from seq2see.data import read_pairs
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError, UserError
from seq2see.evaluation import EvaluationOptions, RunsReport, evaluate_runs
from seq2see.model import ARCHITECTURES, find, fitting, resolve
from seq2see.pages.comparison import write_comparison
from seq2see.pages.report import require_page
from seq2see.run.bar import Bar, bar_for
from seq2see.run.changes import option_changes
from seq2see.run.folder import CHECKPOINTS, METRICS, is_run, stored_config, with_given_options
from seq2see.run.pairs import as_jsonl, read_data
from seq2see.run.progress import dev_text, metrics_text
from seq2see.run.train import train
from seq2see.storage.files import hash_file, write_file
from seq2see.training import INTERRUPTED, Evaluated, Event, Updated, WarningIssued

PAGE, DATA = "compare.html", "data"


@dataclass(frozen=True)
class PlannedRun:
    """One run of the comparison."""

    name: str
    """The name of its folder: plain-1."""
    config: Config
    given: frozenset[str]
    """The option keys that were set explicitly."""
    folder: Path


@dataclass(frozen=True)
class Comparison:
    """A finished comparison. Printed it is the table of `seq2see compare`."""

    evaluation: RunsReport
    page: Path
    """compare.html"""

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat dict per run, metric and slice, for `pandas.DataFrame`."""
        return self.evaluation.to_dicts()

    def __str__(self) -> str:
        return str(self.evaluation)

    def _repr_html_(self) -> str:
        return self.evaluation._repr_html_()


def compare(
    names: Sequence[str],
    data: Sequence[Path],
    out: Path,
    *,
    dev: Sequence[Path] = (),
    test: Sequence[Path] = (),
    seeds: int = 1,
    settings: dict[str, Any] | None = None,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    request: EvaluationOptions | None = None,
    device: str = "auto",
    console: Console | None = None,
) -> Comparison | None:
    """Train each model `names` from each seed, evaluate all on the test files (default: dev), and write the page.

    `names` are architectures or paths of recipes; `table` says which columns of the files are read. Returns None if
    interrupted; the same call then continues: finished runs are kept, the others resumed.
    """
    console = console or Terminal(stderr=True)
    say = say_to(console)
    require_page(out / PAGE)
    runs = plan_runs(names, out, seeds=seeds, settings=settings or {}, say=say)
    for path in (*data, *dev, *test):
        if is_corpus(path):
            fix = "name the files it was prepared from, or train each model on it: seq2see train CORPUS --model NAME"
            raise ConfigError("a comparison reads files of pairs, not a prepared corpus", where=str(path), fix=fix)
    # What is wrong with the evaluation raises before hours of training.
    options = request or EvaluationOptions()
    for name in metrics.find_metrics(options.metrics) if options.metrics is not None else ():
        metrics.METRICS[name]([], [])
    if options.label is not None and not test:
        raise ConfigError("needs a test file, whose column it names", where="by", fix="give the path of a test file")
    if test:
        read_pairs(list(test), label=options.label, table=table)
    first = replace(runs[0].config, data=replace(runs[0].config.data, **table.given()))
    train_files, dev_files, columns = data_files(first, data, dev, out, say=say)
    for number, run in enumerate(runs, start=1):
        files = replace(run.config.data, train=tuple(map(str, train_files)), dev=tuple(map(str, dev_files)), **columns)
        own = replace(run, config=replace(run.config, data=files))
        try:
            has_finished = train_run(own, f"{number}/{len(runs)}", device=device, console=console)
        except KeyboardInterrupt:  # a signal before the first update
            has_finished = False
        if not has_finished:
            say(f"interrupted in {run.name}; run the same command to continue")
            return None
    folders = [run.folder for run in runs]
    found = evaluate_runs(
        folders, list(test or dev_files), options, table=table if test else TableOptions(), device=device
    )
    evaluation = replace(found, runs=tuple(run.name for run in runs))
    histories = [replace(read_history(run.folder), name=run.name) for run in runs]
    tested_on = ", ".join(path.name for path in test) if test else "the dev pairs, which also selected the checkpoints"
    write_comparison(out / PAGE, evaluation, histories, folders, data=data, tested_on=tested_on)
    return Comparison(evaluation, out / PAGE)


def plan_runs(
    names: Sequence[str], out: Path, *, seeds: int, settings: dict[str, Any], say: Any = lambda line: None
) -> list[PlannedRun]:
    """One run per name and seed; names are architectures or paths of recipes. ConfigError if they can't be compared."""
    names = list(dict.fromkeys(names))
    if seeds < 1:
        raise ConfigError(f"must be at least 1, not {seeds}", where="seeds", fix="use --seeds 3 (seeds=3)")
    if len(names) * seeds < 2:
        fix = "name two models, such as: seq2see compare plain attention --data train.tsv; or use --seeds 3"
        raise ConfigError("needs at least two runs", where="seq2see compare", fix=fix)
    for key in ("model.name", "data.train", "data.dev"):
        if key in settings:
            fix = "name models before --data" if key == "model.name" else "use --data and --dev"
            raise ConfigError("can't be set here", where=f"--set {key}", fix=fix)
    found: list[PlannedRun] = []
    for name in names:
        path = Path(name)
        is_recipe = path.suffix == ".toml"
        values = {key: table for key, table in read_toml(path).items() if key != "data"} if is_recipe else {}
        own = settings if is_recipe else settings | {"model.name": name}
        config = make_config(values, own, where=name)
        architecture = None if is_recipe else name
        if not find(architecture or resolve(config.model).name).has_source:
            fix = f"choose from: {', '.join(key for key, each in ARCHITECTURES.items() if each.has_source)}"
            raise ConfigError("language models are not supported", where=name, fix=fix)
        given = given_keys(values, own)
        if architecture:
            fitted = fitting(config.model, architecture)
            lost = {key for key in given if key.startswith("model.") and getattr(fitted, key[6:]) is None}
            if lost:
                say(f"note: {name} has no option {', '.join(sorted(lost))}; ignored")
            config, given = replace(config, model=fitted), given - lost
        label = path.stem if is_recipe else name
        for seed in range(config.training.seed, config.training.seed + seeds):
            seeded = replace(config, training=replace(config.training, seed=seed))
            full = f"{label}-{seed}"
            found.append(PlannedRun(full, seeded, frozenset(given | {"training.seed"}), out / full))
    doubled = [run.name for run in found if sum(other.folder == run.folder for other in found) > 1]
    if doubled:
        what = f"two runs have the name {doubled[0]}"
        raise ConfigError(what, where="seq2see compare", fix="rename one of the recipes")
    return found


def data_files(
    config: Config, data: Sequence[Path], dev: Sequence[Path], out: Path, *, say: Any
) -> tuple[list[Path], list[Path], dict[str, Any]]:
    """The files of training and dev pairs, and their columns. Without dev pairs, one split is made for all runs."""
    if not data:
        raise ConfigError("no training data were given", where="--data", fix="name a file: --data train.tsv")
    if dev:
        return [path.absolute() for path in data], [path.absolute() for path in dev], config.data.given()
    named = replace(config, data=replace(config.data, train=tuple(str(path.absolute()) for path in data)))
    split = read_data(named, None, None, has_source=True)
    for line in split.notes:
        say(line)
    files = {}
    for name, pairs in (("train", split.train), ("dev", split.dev)):
        files[name] = path = (out / DATA / f"{name}.jsonl").absolute()
        content = as_jsonl(pairs, split.columns)
        if path.exists() and path.read_bytes() != content:
            fix = "restore the data, or choose another --out"
            raise ConfigError(
                "differs from --data: the comparison was started with other pairs", where=str(path), fix=fix
            )
        if not path.exists():
            write_file(path, content)
    columns = {name: value for name, value in split.columns.items() if name in ("source", "target", "names")}
    return [files["train"]], [files["dev"]], columns


def train_run(run: PlannedRun, position: str, *, device: str, console: Console) -> bool:
    """Train or resume it, unless it is finished; False if interrupted. `position` is "2/6"."""
    say = say_to(console)
    if is_finished(run):
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
    say(f"{position} {run.name}: {metrics_text(done.metrics)}; {done.update:,} updates, {done.seconds:.0f} s")
    return True


def options_of(run: PlannedRun) -> dict[str, Any]:
    """The options set for a run, and the hashes of its data."""
    config = run.config
    files = [Path(name) for name in (*config.data.train, *config.data.dev)]
    given = {key: option(config, key) for key in sorted(run.given) if not key.startswith("data.")}
    return {"set": given, "data": [hash_file(path) for path in files]}


def options_file(run: PlannedRun) -> Path:
    """The file of that, beside the data."""
    return run.folder.parent / DATA / f"{run.name}.options.json"


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
