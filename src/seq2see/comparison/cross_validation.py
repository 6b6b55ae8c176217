"""`seq2see cross`: k-fold cross-validation. Each fold is predicted by a model that was trained on the others.

OUT/data/            the pairs of each training and of each fold
OUT/fold-N/          the run that has not seen fold N; its dev pairs are a part of the other folds
OUT/errors.tsv       the wrong ones of the out-of-fold predictions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console

from seq2see.comparison.planned import DATA, NO_TABLE, PlannedRun, columns_of, require_own, train_all, write_pairs
from seq2see.config import Config
from seq2see.console import Terminal, say_to
from seq2see.corpus.corpus import is_corpus
from seq2see.data import Pair, read_pairs
from seq2see.data.options import TableOptions
from seq2see.data.split import folds_of
from seq2see.errors import ConfigError
from seq2see.evaluation import EvaluationOptions, EvaluationReport, Item, Outputs, assess
from seq2see.evaluation.error_table import write_errors
from seq2see.evaluation.format import aligned, interval_lines, interval_of, number, report_dicts, spread_of
from seq2see.evaluation.runs import evaluate_runs
from seq2see.metrics import METRICS, Spread, find_metrics, spread
from seq2see.model import find, resolve
from seq2see.run.pairs import as_jsonl, read_data, split_seed_of
from seq2see.storage.saved_model import load_model

ERRORS = "errors.tsv"


@dataclass(frozen=True)
class CrossValidation:
    """The scores of a cross-validation. Printed it is the table of `seq2see cross`."""

    folds: tuple[EvaluationReport, ...]
    """On each fold, those of the run that was trained on the others."""
    pooled: EvaluationReport
    """On all out-of-fold predictions together."""
    errors: Path
    """The wrong ones."""

    @property
    def spreads(self) -> dict[str, Spread]:
        """Mean and standard deviation over the folds, by metric."""
        return {name: spread([fold.scores[name].value for fold in self.folds]) for name in self.pooled.scores}

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat dict per fold and metric, for `pandas.DataFrame`; the fold of all together is None."""
        reports: list[tuple[int | None, EvaluationReport]] = [*enumerate(self.folds, start=1), (None, self.pooled)]
        return [{"fold": fold} | row for fold, report in reports for row in report_dicts(report) if row["by"] is None]

    def to_json(self) -> dict[str, Any]:
        """The same as one object, with the spread over the folds."""
        spreads = {name: each._asdict() for name, each in self.spreads.items()}
        return {"folds": self.to_dicts(), "spread": spreads, "errors": str(self.errors)}

    def __str__(self) -> str:
        return "\n".join(cross_lines(self))


def cross_validate(
    config: Config,
    out: Path,
    number: int = 5,
    *,
    given: frozenset[str] = frozenset(),
    request: EvaluationOptions | None = None,
    device: str = "auto",
    console: Console | None = None,
) -> CrossValidation | None:
    """Train the configured model once per fold on the other folds, and score it on that fold.

    Folds are made of the pairs of `data.train`, by `data.group` and `data.split_seed`. Returns None if interrupted; the
    same call then continues: finished runs are kept, the others resumed.
    """
    console, request = console or Terminal(stderr=True), request or EvaluationOptions()
    say = say_to(console)
    require_possible(config, number, request)
    require_own(out, ERRORS)
    runs, files, groups = plan_folds(config, out, number, given)
    say(f"{number} folds by distinct {groups}, seed {split_seed_of(config)}")
    if not train_all(runs, device=device, console=console):
        return None
    columns = TableOptions(**{key: value for key, value in runs[0].config.data.given().items() if key in COLUMNS})
    reports = []
    for run, file in zip(runs, files, strict=True):
        found = evaluate_runs([run.folder], [file], request, table=columns, device=device)
        reports.append(found.reports[0])
        # The other folds are scored in the metrics of the first.
        request = replace(request, metrics=tuple(name for name in reports[0].measured if name != "loss"))
    pairs = [read_pairs([file], table=columns).pairs for file in files]
    pooled = pool(reports, pairs, request)
    unit = load_model(runs[0].folder).target_codec.tokenizer.name
    write_errors(out / ERRORS, pooled, unit)
    return CrossValidation(tuple(reports), pooled, out / ERRORS)


COLUMNS = ("source", "target", "names")


def require_possible(config: Config, number: int, request: EvaluationOptions) -> None:
    """ConfigError, before hours of training, for what can't be cross-validated."""
    if number < 2:
        raise ConfigError(f"must be at least 2, not {number}", where="folds", fix="use --folds 5 (folds=5)")
    if config.data.dev:
        what = "conflicts with cross-validation, where dev pairs are a part of the other folds"
        raise ConfigError(what, where="data.dev", fix="leave it out, or name these pairs as data too")
    for path in config.data.train:
        if is_corpus(Path(path)):
            fix = "name the files it was prepared from"
            raise ConfigError("cross-validation reads files of pairs, not a prepared corpus", where=path, fix=fix)
    if config.model.name is not None and not find(resolve(config.model).name).has_source:
        raise ConfigError("language models are not supported", where="model.name", fix="choose one with a source")
    if request.by is not None:
        raise ConfigError("has no effect on cross-validation", where="by", fix="leave it out")
    for name in find_metrics(request.metrics) if request.metrics is not None else ():
        METRICS[name]([], [])


def plan_folds(
    config: Config, out: Path, number: int, given: frozenset[str]
) -> tuple[list[PlannedRun], list[Path], str]:
    """One run per fold, the files of the folds, and what they are made by. The files are written."""
    read = read_data(config, None, [], has_source=True)
    pairs, grouping = list(read.train), read.grouping
    seed, columns = split_seed_of(config), columns_of(read)
    runs, files = [], []
    for fold, rows in enumerate(folds_of(pairs, number, seed=seed, grouping=grouping), start=1):
        held_out = set(rows)
        parts: Mapping[str, list[Pair]] = {
            "train": [pair for row, pair in enumerate(pairs) if row not in held_out],
            "fold": [pairs[row] for row in rows],
        }
        paths = {name: (out / DATA / f"{name}-{fold}.jsonl").absolute() for name in parts}
        for name, part in parts.items():
            write_pairs(paths[name], as_jsonl(part, read.columns))
        data = replace(config.data, **(NO_TABLE | columns), train=(str(paths["train"]),), split_seed=seed)
        label = f"fold-{fold}"
        runs.append(PlannedRun(label, replace(config, data=data), given, out / label))
        files.append(paths["fold"])
    return runs, files, grouping.name


def pool(
    reports: Sequence[EvaluationReport], pairs: Sequence[Sequence[Pair]], request: EvaluationOptions
) -> EvaluationReport:
    """All out-of-fold predictions as one report."""
    items: list[Item] = []
    start = 0
    for report, own in zip(reports, pairs, strict=True):
        items += [item._replace(rows=tuple(start + row for row in item.rows)) for item in report.items]
        start += len(own)
    every = [report.outputs for report in reports]
    unknown = [one.unknown or ((),) * len(one.log_probs) for one in every]
    outputs = Outputs(
        tuple(chain.from_iterable(one.predictions or () for one in every)),
        tuple(chain.from_iterable(one.references for one in every)),
        tuple(chain.from_iterable(one.log_probs for one in every)),
        tuple(chain.from_iterable(one.num_tokens for one in every)),
        tuple(chain.from_iterable(unknown)) if any(one.unknown for one in every) else (),
    )
    titles = {name: each.scale.title for name, each in reports[0].measured.items()}
    return assess(
        items,
        outputs,
        metrics=[name for name in reports[0].measured if name != "loss"],
        titles=titles,
        samples=request.samples,
        seed=request.seed,
    )


def cross_lines(found: CrossValidation) -> Iterator[str]:
    """One row per fold, their mean and deviation, and the scores of all out-of-fold predictions together."""
    measured = found.pooled.measured
    rows = [["fold", "items", *(each.scale.title for each in measured.values())]]
    for name, report in [*((str(n), fold) for n, fold in enumerate(found.folds, start=1)), ("all", found.pooled)]:
        values = [
            f"{number(report.scores[key].value, each.scale.unit)} {interval_of(report, key)}"
            for key, each in measured.items()
        ]
        rows.append([name, f"{report.count:,}", *values])
    spreads = [spread_of(found.spreads[name], each.scale.unit) for name, each in measured.items()]
    rows.insert(-1, [f"mean ± sd of {len(found.folds)} folds", "", *spreads])
    yield from aligned(rows, right=(1,))
    yield ""
    yield from interval_lines([*found.folds, found.pooled], with_slices=False)
    yield "all: the out-of-fold predictions of all folds, scored together"
