"""`seq2see compare`: several architectures or recipes trained on the same pairs with the same budget, and compared.

OUT/data/               the options of each run; without --dev, the train and dev pairs that all runs share
OUT/NAME-SEED/          one run per model and seed
OUT/compare.html        the comparison
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

import seq2see.metrics as metrics
from seq2see.comparison.planned import DATA, NO_TABLE, PlannedRun, columns_of, require_own, train_all, write_pairs
from seq2see.config import Config, given_keys, make_config, option, read_toml
from seq2see.console import Terminal, say_to
from seq2see.corpus.corpus import is_corpus
from seq2see.curves.history import read_history
from seq2see.data import Pair, read_pairs
from seq2see.data.options import TableOptions
from seq2see.data.split import nested_rows
from seq2see.errors import ConfigError
from seq2see.evaluation import EvaluationOptions, RunsReport, evaluate_runs
from seq2see.evaluation.sizes import SizeScores, scores_by_size, size_dicts, size_lines
from seq2see.evaluation.tables import csv_text, latex_text, sizes_latex
from seq2see.inference.checking import require_type
from seq2see.metrics import Scale
from seq2see.model import ARCHITECTURES, find, fitting, resolve
from seq2see.pages.comparison import write_comparison
from seq2see.pages.report import require_page
from seq2see.pages.size_chart import size_picture
from seq2see.run.first_look import require_model
from seq2see.run.pairs import RunData, as_jsonl, read_data, split_seed_of
from seq2see.storage.files import write_file
from seq2see.training.options import Seeds

PAGE, PICTURE = "compare.html", "sizes.svg"
WIDTH_MM = 84.0
"""Of the picture: a column of a page with two."""


@dataclass(frozen=True)
class Comparison:
    """A finished comparison. Printed it is the table of `seq2see compare`."""

    evaluation: RunsReport
    page: Path
    """compare.html"""
    sizes: tuple[SizeScores, ...] = ()
    """The scores by recipe and number of training pairs, if that was compared."""
    picture: Path | None = None
    """sizes.svg, if that was compared."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat dict per run, metric and slice, for `pandas.DataFrame`."""
        return self.evaluation.to_dicts()

    def to_csv(self) -> str:
        """The scores by recipe and number of pairs if that was compared, else those of each run."""
        return csv_text(size_dicts(self.sizes) if self.sizes else self.to_dicts())

    def to_latex(self) -> str:
        """The same as a table in LaTeX."""
        return sizes_latex(self.sizes, scales_of(self.evaluation)) if self.sizes else latex_text(self.evaluation)

    def __str__(self) -> str:
        if not self.sizes:
            return str(self.evaluation)
        return "\n".join([*size_lines(self.sizes, scales_of(self.evaluation)), "", str(self.evaluation)])

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
    sizes: Sequence[int] = (),
    width_mm: float = WIDTH_MM,
    settings: dict[str, Any] | None = None,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    request: EvaluationOptions | None = None,
    device: str = "auto",
    console: Console | None = None,
) -> Comparison | None:
    """Train each model `names` from each seed, evaluate all on the test files (default: dev), and write the page.

    With `sizes`, each is trained on as many pairs, of which a larger set contains the smaller ones, and a picture of
    `width_mm` shows the scores by number of pairs. `names` are architectures or paths of recipes; `table` says which
    columns of the files are read. Returns None if interrupted; the same call then continues: finished runs are kept,
    the others resumed.
    """
    console = console or Terminal(stderr=True)
    say = say_to(console)
    require_page(out / PAGE)
    require_own(out, PAGE, *([PICTURE] if sizes else []))
    runs = plan_runs(names, out, seeds=seeds, sizes=sizes, settings=settings or {}, say=say)
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
    train_files, dev_files, columns = data_files(first, data, dev, out, sizes=sizes, say=say)

    def with_files(run: PlannedRun) -> PlannedRun:
        train, own_dev = tuple(map(str, train_files[run.size])), tuple(map(str, dev_files))
        files = replace(run.config.data, train=train, dev=own_dev, **columns)
        return replace(run, config=replace(run.config, data=files))

    if not train_all([with_files(run) for run in runs], device=device, console=console):
        return None
    folders = [run.folder for run in runs]
    found = evaluate_runs(
        folders, list(test or dev_files), options, table=table if test else TableOptions(), device=device
    )
    evaluation = replace(found, runs=tuple(run.name for run in runs))
    histories = [replace(read_history(run.folder), name=run.name) for run in runs]
    tested_on = ", ".join(path.name for path in test) if test else "the dev pairs, which also selected the checkpoints"
    scores: list[SizeScores] = []
    if sizes:
        scores = scores_by_size([run.recipe for run in runs], [run.size or 0 for run in runs], evaluation.reports)
        metric, scale = next(iter(scales_of(evaluation).items()))
        write_file(out / PICTURE, size_picture(scores, metric, scale, width_mm))
    write_comparison(out / PAGE, evaluation, histories, folders, data=data, tested_on=tested_on, sizes=scores)
    return Comparison(evaluation, out / PAGE, tuple(scores), out / PICTURE if sizes else None)


def scales_of(evaluation: RunsReport) -> dict[str, Scale]:
    """The scale of each metric."""
    return {name: each.scale for name, each in evaluation.reports[0].measured.items()}


def plan_runs(
    names: Sequence[str],
    out: Path,
    *,
    seeds: int,
    sizes: Sequence[int] = (),
    settings: dict[str, Any],
    say: Any = lambda line: None,
) -> list[PlannedRun]:
    """One run per name, size and seed; names are architectures or paths of recipes.

    ConfigError if they can't be compared.
    """
    names = list(dict.fromkeys(names))
    require_type("seeds", seeds, Seeds)
    if any(size < 2 for size in sizes) or len(set(sizes)) < len(sizes):
        what = f"must be different numbers of at least 2 pairs, not {','.join(map(str, sizes))}"
        raise ConfigError(what, where="sizes", fix="use --sizes 100,300,900 (sizes=[100, 300, 900])")
    if len(names) * seeds * max(1, len(sizes)) < 2:
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
            training = config.training
            if not find(architecture).has_attention:
                lost |= {f"training.{key}" for key in training.attention_losses}
                training = replace(training, coverage=0.0, guided_attention=None)
            if training.sample_alignments and not find(architecture).is_transducer:
                lost.add("training.sample_alignments")
                training = replace(training, sample_alignments=None)
            if lost:
                asked = ", ".join(f"{key}={option(config, key)}" for key in sorted(lost))
                say(f"note: {name} has no option {asked}; ignored")
            config, given = replace(config, model=fitted, training=training), given - lost
        require_model(config)
        label = path.stem if is_recipe else name
        of_sizes: list[int | None] = [*sorted(sizes)] or [None]
        for size in of_sizes:
            for seed in range(config.training.seed, config.training.seed + seeds):
                seeded = replace(config, training=replace(config.training, seed=seed))
                full = f"{label}-{seed}" if size is None else f"{label}-{size}-{seed}"
                own_keys = frozenset(given | {"training.seed"})
                found.append(PlannedRun(full, seeded, own_keys, out / full, label, size))
    doubled = [run.name for run in found if sum(other.folder == run.folder for other in found) > 1]
    if doubled:
        what = f"two runs have the name {doubled[0]}"
        raise ConfigError(what, where="seq2see compare", fix="rename one of the recipes")
    return found


def data_files(
    config: Config, data: Sequence[Path], dev: Sequence[Path], out: Path, *, sizes: Sequence[int] = (), say: Any
) -> tuple[dict[int | None, list[Path]], list[Path], dict[str, Any]]:
    """The files of training pairs by size, those of dev pairs, and their columns.

    Without dev pairs, one split is made for all runs; without sizes, that of all pairs is None.
    """
    if not data:
        raise ConfigError("no training data were given", where="--data", fix="name a file: --data train.tsv")
    if dev and not sizes:
        return {None: [path.absolute() for path in data]}, [path.absolute() for path in dev], config.data.given()
    train_paths, dev_paths = (tuple(str(path.absolute()) for path in paths) for paths in (data, dev))
    named = replace(config, data=replace(config.data, train=train_paths, dev=dev_paths))
    split = read_data(named, None, None, has_source=True)
    for line in split.notes:
        say(line)
    parts = {"dev": split.dev, **({"train": split.train} if not sizes else subsets(named, split, sizes))}
    files = {}
    for name, pairs in parts.items():
        files[name] = path = (out / DATA / f"{name}.jsonl").absolute()
        write_pairs(path, as_jsonl(pairs, split.columns))
    if not sizes:
        return {None: [files["train"]]}, [files["dev"]], columns_of(split)
    return {size: [files[f"train-{size}"]] for size in sizes}, [files["dev"]], NO_TABLE | columns_of(split)


def subsets(config: Config, split: RunData, sizes: Sequence[int]) -> dict[str, list[Pair]]:
    """The training pairs of each size, a larger set containing the smaller ones, by the name of their file."""
    total = len(split.train)
    if max(sizes) > total:
        what = f"at most {total:,}, the number of training pairs, not {max(sizes):,}"
        raise ConfigError(what, where="sizes", fix=f"use {total} as the largest, or give more --data")
    seed = split_seed_of(config)
    rows = {size: nested_rows(split.train, size, seed=seed, grouping=split.grouping) for size in sizes}
    return {f"train-{size}": [split.train[row] for row in own] for size, own in rows.items()}
