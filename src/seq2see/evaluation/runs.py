"""One or several trained runs evaluated on a test file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from seq2see.config import Config, make_config, read_toml
from seq2see.data import PairFile
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.evaluation.baselines import require_baselines, score_baselines
from seq2see.evaluation.comparison import SeedGroup, against_first, seed_groups
from seq2see.evaluation.error_table import ranking_of, require_writable, write_errors
from seq2see.evaluation.format import runs_dicts, text_lines
from seq2see.evaluation.html import runs_html
from seq2see.evaluation.options import EvaluationOptions
from seq2see.evaluation.report import Estimate, EvaluationReport
from seq2see.evaluation.scoring import evaluate, require_known_targets, require_predictions
from seq2see.inference.loading import load
from seq2see.inference.pair_files import read_for
from seq2see.inference.predictor import Predictor
from seq2see.metrics import Difference, find_metrics, levenshtein
from seq2see.run.folder import CONFIG, MODEL


@dataclass(frozen=True)
class RunsReport:
    """The scores of one or several runs on the same items. Printed it is the output of `seq2see evaluate`."""

    runs: tuple[str, ...]
    """Their names; an ensemble is a single run."""
    reports: tuple[EvaluationReport, ...]
    request: EvaluationOptions
    ranked_by: str
    """The metric that the error table is sorted by; empty without one."""
    num_left_out: int = 0
    """Invalid lines of the test file that were skipped."""
    format: str = ""
    """How a test file that is not source TAB target was read."""
    against_first: tuple[dict[str, Difference], ...] = ()
    """The difference of each run from the first, by metric; empty for the first."""
    seed_groups: tuple[SeedGroup, ...] = ()
    baselines: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    """The metrics of what needs no model, by baseline."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat dict per run, metric and slice, for `pandas.DataFrame`."""
        return runs_dicts(self)

    def __str__(self) -> str:
        return "\n".join(text_lines(self))

    def _repr_html_(self) -> str:
        return runs_html(self)


def evaluate_runs(
    runs: Sequence[Path],
    files: Sequence[Path],
    request: EvaluationOptions,
    *,
    ensemble: bool = False,
    skip_bad: bool = False,
    engine: str = "auto",
    device: str = "auto",
    errors: Path | None = None,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    baselines: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> RunsReport:
    """Evaluate each run, or all of them as an ensemble; write the wrong predictions of a single one to `errors`.

    By default runs are compared in the metrics that suit the first of them. `table` says which columns are read;
    otherwise each run reads those that it was trained on, and rows with the same source for every run are one item.
    `baselines` are scored beside them, looked up in the first run's training pairs. `say` is told how the file is read.
    """
    require_baselines(baselines)
    if request.metrics is not None:
        find_metrics(request.metrics)
    if ensemble and len(runs) == 1:
        raise ConfigError("needs at least two runs", where="--ensemble", fix="name another run, or leave it out")
    if errors is not None:
        if len(runs) > 1 and not ensemble:
            raise ConfigError("needs a single run", where="--errors", fix="name one run, or add --ensemble")
        require_writable(errors, files)
        levenshtein("the error table")
    groups = [list(runs)] if ensemble else [[run] for run in runs]
    models = [load(members, engine=engine, device=device) for members in groups]
    require_alike(models, groups)
    for model in models:
        require_predictions(model, request)
    if errors is not None and models[0].source_codec is None:
        raise ConfigError("a language model has no predictions to list", where="--errors", fix="leave it out")
    files_read: list[PairFile] = []
    for model in models:
        is_alike = model.table == models[0].table or not (model.table.source or model.table.target)
        if (
            files_read and is_alike
        ):  # trained on the same columns as the first, or on a file without a choice of columns
            files_read.append(files_read[0])
        else:
            files_read.append(read_for(model, files, table=table, label=request.label, skip_bad=skip_bad))
    require_same_rows(files_read, groups)
    found = files_read[0]
    if say is not None:
        for line in reading_lines(files_read, files, groups):
            say(line)
    keys = list(zip(*([pair.source for pair in read.pairs] for read in files_read), strict=True))
    reports: list[EvaluationReport] = []
    floors: dict[str, dict[str, Estimate]] = {}
    require_known_targets(models[0], found.pairs)
    for model, read, members in zip(models, files_read, groups, strict=True):
        reports.append(evaluate(model, read.pairs, request, labels=read.labels, keys=keys))
        if len(reports) == 1:
            floors = score_baselines(baselines, model, members[0], reports[0])
        if request.metrics is None and model.source_codec:
            request = replace(request, metrics=tuple(name for name in reports[0].measured if name != "loss"))
    configs = [config_of(members[0]) for members in groups]
    unit = models[0].target_codec.tokenizer.name
    if errors is not None:
        write_errors(errors, reports[0], unit)
    return RunsReport(
        runs=tuple(map(str, runs)) if not ensemble else (" + ".join(map(str, runs)),),
        reports=tuple(reports),
        request=request,
        ranked_by=ranking_of(reports[0], unit).scale.title if errors is not None else "",
        num_left_out=found.skipped,
        format="" if found.format is None else found.format.describe(),
        against_first=tuple(against_first(reports, samples=request.samples, seed=request.seed)),
        seed_groups=tuple(seed_groups(reports, configs, samples=request.samples, seed=request.seed)),
        baselines=floors,
    )


def require_alike(models: Sequence[Predictor], groups: Sequence[Sequence[Path]]) -> None:
    """ConfigError if some are language models and others have sources."""
    for model, members in zip(models, groups, strict=True):
        if (model.source_codec is None) != (models[0].source_codec is None):
            raise ConfigError(
                "a language model can't be compared with models that have sources",
                where=str(members[0]),
                fix="evaluate language models separately, on a file with one text per line",
            )


def require_same_rows(files_read: Sequence[PairFile], groups: Sequence[Sequence[Path]]) -> None:
    """DataError if a run, by the columns that it was trained on, reads other lines or targets than the first one."""
    first = [(pair.origin, pair.target) for pair in files_read[0].pairs]
    for read, members in zip(files_read[1:], groups[1:], strict=True):
        own = [(pair.origin, pair.target) for pair in read.pairs]
        if own == first:
            continue
        ours, theirs = next(pair for pair in zip_longest(own, first) if pair[0] != pair[1])
        what = "targets" if ours and theirs and ours[0] == theirs[0] else "lines"
        raise DataError(
            f"reads other {what} than the first run, so that they can't be compared: {said_row(ours)} instead of "
            f"{said_row(theirs)}",
            where=str(members[0]),
            fix="evaluate them separately, or name the columns for all: --source … --target …",
        )


def said_row(row: tuple[str, str | None] | None) -> str:
    """A row of a file and its target, for a message."""
    return "nothing" if row is None else f"{row[1] or ''!r:.80} at {row[0]}"


def reading_lines(
    files_read: Sequence[PairFile], files: Sequence[Path], groups: Sequence[Sequence[Path]]
) -> Iterator[str]:
    """How the files are read, once if for all runs alike, and what of them can't be read."""
    names = " ".join(map(str, files))
    said = [read.format.describe() if read.format is not None else "" for read in files_read]
    if said[0]:
        yield f"{names}: {said[0]}"
    for own, members in zip(said[1:], groups[1:], strict=True):
        if own != said[0]:
            yield f"{names}, for {members[0]}: {own or 'source TAB target'}"
    if files_read[0].unreadable:
        yield files_read[0].unreadable


def config_of(run: Path) -> Config | None:
    """The configuration of a run folder, or of the run that a model/ folder belongs to; None if it can't be read."""
    for folder in (run, run.absolute().parent) if run.name == MODEL else (run,):
        try:
            return make_config(read_toml(folder / CONFIG), {})
        except UserError:
            continue
    return None
