"""One or several trained runs evaluated on a test file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from seq2see.config import Config, make_config, read_toml
from seq2see.data import PairFile
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError, UserError
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
from seq2see.metrics import Difference, find_metrics, levenshtein
from seq2see.run.folder import CONFIG, MODEL
from seq2see.text import Codec


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
    otherwise those that the runs were trained on. `baselines` are scored beside them, looked up in the first run's
    training pairs. `say` is told how the file is read.
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
    found: PairFile | None = None
    known: TableOptions | None = None
    columns: Literal["pairs", "target"] = "pairs"
    reports: list[EvaluationReport] = []
    configs: list[Config | None] = []
    codecs: list[Codec] = []
    floors: dict[str, dict[str, Estimate]] = {}
    for members in [list(runs)] if ensemble else [[run] for run in runs]:
        model = load(members, engine=engine, device=device)
        own: Literal["pairs", "target"] = "pairs" if model.source_codec else "target"
        if found is not None and own != columns:
            raise ConfigError(
                "a language model can't be compared with models that have sources",
                where=str(members[0]),
                fix="evaluate language models separately, on a file with one text per line",
            )
        require_predictions(model, request)
        known = model.table if known is None else known
        if model.table.source and model.table.source != known.source and not table.source:
            raise ConfigError(
                f"was trained on other columns ({','.join(model.table.source)}) than the first run",
                where=str(members[0]),
                fix="evaluate them separately, or name the columns for all: --source … --target …",
            )
        if errors is not None and model.source_codec is None:
            raise ConfigError("a language model has no predictions to list", where="--errors", fix="leave it out")
        if found is None:
            columns = own
            found = read_for(model, files, table=table, label=request.label, skip_bad=skip_bad)
            if say is not None and found.format is not None and (said := found.format.describe()):
                say(f"{' '.join(map(str, files))}: {said}")
            if say is not None and found.unreadable:
                say(found.unreadable)
            require_known_targets(model, found.pairs)
        configs.append(config_of(members[0]))
        reports.append(evaluate(model, found.pairs, request, labels=found.labels))
        codecs.append(model.target_codec)
        if len(reports) == 1:
            floors = score_baselines(baselines, model, members[0], reports[0])
        if request.metrics is None and model.source_codec:
            request = replace(request, metrics=tuple(name for name in reports[0].measured if name != "loss"))
    assert found is not None
    unit = codecs[0].tokenizer.name
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


def config_of(run: Path) -> Config | None:
    """The configuration of a run folder, or of the run that a model/ folder belongs to; None if it can't be read."""
    for folder in (run, run.absolute().parent) if run.name == MODEL else (run,):
        try:
            return make_config(read_toml(folder / CONFIG), {})
        except UserError:
            continue
    return None
