"""Evaluation results as text for the terminal, as flat dicts, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from seq2see.console import counted, shown_tokens
from seq2see.evaluation.items import LENGTH, NEW
from seq2see.metrics import Difference, Measured, SeedDifference, Spread, Unit

if TYPE_CHECKING:
    from seq2see.evaluation.report import Estimate, EvaluationReport, SliceScores
    from seq2see.evaluation.runs import RunsReport

MOST_SLICES = 20
"""Labels of a column that are printed; JSON has all of them."""
EXACT = "exact binomial interval (Clopper-Pearson), since all items are right or all are wrong"
EXACT_NOTE = f"* {EXACT}"


def report_lines(report: EvaluationReport) -> Iterator[str]:
    """The scores of one model."""
    yield from [count_line(report), "", *metric_lines(report)]
    for by in dict.fromkeys(part.by for part in report.slices):
        yield from ["", *slice_lines(by, report)]
    yield from ["", *interval_lines([report]), *signature_lines(report), *note_lines([report])]
    yield from remark_lines([report], [""])
    if report.missing:
        yield f"left out: {report.missing}"


def text_lines(runs: RunsReport) -> Iterator[str]:
    """The scores of several runs side by side, or the report of a single one."""
    first = runs.reports[0]
    if len(runs.reports) == 1:
        yield from report_lines(first)
    else:
        yield from [count_line(first), "", *run_table(runs)]
        for run, report in zip(runs.runs, runs.reports, strict=True):
            kinds = list(dict.fromkeys(part.by for part in report.slices))
            if LENGTH in kinds and runs.request.by != LENGTH:  # of every run they would be too long
                kinds.remove(LENGTH)
            yield from ["", run] if kinds else []
            for by in kinds:
                yield from ["", *slice_lines(by, report)]
        yield from ["", *interval_lines(runs.reports)]
        yield from difference_lines(runs)
        if any("loss" not in compared for compared in runs.against_first[1:]):
            yield "the loss is per token of each run: no p where the tokens differ from those of the first run"
        yield from signature_lines(first)
        yield from note_lines(runs.reports)
        yield from remark_lines(runs.reports, runs.runs)
        if first.missing:
            yield f"left out: {first.missing}"
    if runs.baselines:
        yield from ["", *baseline_table(runs)]


def baseline_table(runs: RunsReport) -> Iterator[str]:
    """One row per baseline."""
    scales = {name: each.scale for name, each in runs.reports[0].measured.items() if name != "loss"}
    rows = [["without a model", *(scale.title for scale in scales.values())]]
    for baseline, scores in runs.baselines.items():
        cells = (f"{number(scores[n].value, s.unit)} {interval(scores[n], s.unit)}" for n, s in scales.items())
        rows.append([baseline, *cells])
    yield from aligned(rows)


def count_line(report: EvaluationReport) -> str:
    """How many items and references there are."""
    if report.outputs.predictions is None:
        return counted(report.count, "text")
    return f"{counted(report.count, 'item')}, {counted(report.num_references, 'reference')}"


def metric_lines(report: EvaluationReport) -> Iterator[str]:
    """One line per metric."""
    rows = [
        [measured.scale.title, number(report.scores[name].value, measured.scale.unit), interval_of(report, name)]
        for name, measured in report.measured.items()
    ]
    perplexity = f"{report.perplexity:,.2f}" if report.perplexity < 1e6 else f"{report.perplexity:.3g}"
    rows[-1].append(f"nats per target token, perplexity {perplexity}")
    yield from aligned(rows, right=(1,))


def run_table(runs: RunsReport) -> Iterator[str]:
    """One row per run with p-values against the first, and one per group of runs that differ only in the seed."""
    names = list(runs.reports[0].measured)
    scales = {name: runs.reports[0].measured[name].scale for name in names}
    rows = [["run", *(scales[name].title for name in names)]]
    for run, report, compared in zip(runs.runs, runs.reports, runs.against_first, strict=True):
        cells = []
        for name in names:
            found = compared.get(name)
            against = ""
            if found:
                p_values = f"p {found.randomization_p:.3f} / {found.bootstrap_p:.3f}"
                against = f"  {difference_of(found, scales[name].unit)}  {p_values}"
            value = number(report.scores[name].value, scales[name].unit)
            cells.append(f"{value} {interval_of(report, name)}{against}")
        rows.append([run, *cells])
    for group in runs.seed_groups:
        cells = []
        for name in names:
            unit, between = scales[name].unit, group.against_first.get(name)
            against = f"  {difference_of(between, unit)}  p {between.p:.3f}" if between else ""
            cells.append(f"{spread_of(group.spreads[name], unit)}{against}")
        rows.append([f"mean ± sd of {len(group.runs)} seeds", *cells])
    yield from aligned(rows)
    for group in runs.seed_groups:
        if len(group.runs) < len(runs.runs):
            yield f"{len(group.runs)} seeds: {', '.join(runs.runs[run] for run in group.runs)}"


def difference_lines(runs: RunsReport) -> Iterator[str]:
    """What the differences and p-values of a table are."""
    yield (
        "+/-: difference from the first run with its 95 % interval (paired bootstrap); p: two-sided, approximate "
        "randomization / paired bootstrap"
    )
    if any(group.against_first for group in runs.seed_groups):
        yield "of seeds: difference of the means from the first recipe, over seeds and items (multi-bootstrap)"


def difference_of(found: Difference | SeedDifference, unit: Unit) -> str:
    """A difference with its sign and its interval, without percent signs: +1.20 [0.30, 2.10]."""
    value, low, high = (number(each, unit).removesuffix(" %") for each in (found.value, *found.interval))
    return f"{'' if value.startswith('-') else '+'}{value} [{low}, {high}]"


def spread_of(found: Spread, unit: Unit) -> str:
    """Mean and standard deviation."""
    return f"{number(found.mean, unit).removesuffix(' %')} ± {number(found.deviation, unit)}"


def slice_lines(by: str, report: EvaluationReport) -> Iterator[str]:
    """One row per slice of this kind."""
    slices = [part for part in report.slices if part.by == by]
    rows = [[f"by {by}", "items", *(each.scale.title for each in report.measured.values())]]
    for part in slices[:MOST_SLICES]:
        rows.append([part.name or "(empty)", f"{part.count:,}", *slice_cells(part, report.measured)])
    yield from aligned(rows, right=(1,))
    if len(slices) > MOST_SLICES:
        yield f"and {len(slices) - MOST_SLICES:,} smaller ones (all of them with --json)"


def slice_cells(part: SliceScores, measured: Mapping[str, Measured]) -> Iterator[str]:
    """Value and interval of each metric."""
    for name, each in measured.items():
        unit = each.scale.unit
        yield f"{number(part.scores[name].value, unit)} {interval(part.scores[name], unit)}"


def interval_lines(reports: Iterable[EvaluationReport], *, with_slices: bool = True) -> Iterator[str]:
    """How the intervals were computed: those of all items and, if they are printed, of the slices."""
    reports = list(reports)
    first = reports[0]
    estimates = [
        estimate
        for report in reports
        for part in [report.scores, *(each.scores for each in report.slices if with_slices)]
        for estimate in part.values()
    ]
    yield f"95 % intervals in brackets: bootstrap over the items, {first.samples:,} samples, seed {first.seed}"
    if any(estimate.method != "bootstrap" for estimate in estimates):
        yield EXACT_NOTE


def signature_lines(report: EvaluationReport) -> Iterator[str]:
    """sacreBLEU's signatures."""
    for measured in report.measured.values():
        if measured.signature:
            yield f"{measured.scale.title}: {measured.signature}"


def note_lines(reports: Iterable[EvaluationReport]) -> Iterator[str]:
    """What makes the values of a metric unreliable, once for all runs."""
    noted = {each.scale.title: each.note for report in reports for each in report.measured.values() if each.note}
    yield from (f"note: {title}: {note}" for title, note in noted.items())


def known_lines(report: EvaluationReport) -> Iterator[str]:
    """How many of the items the model has seen, as far as it has a record of that."""
    what = "texts" if report.outputs.predictions is None else "sources"
    (train, dev, is_complete), count = report.overlap, report.count
    why = "since the model has no complete record of its training"
    if train == count:
        yield f"all {count:,} {what} are in the training data: the scores say nothing about new {what}"
    elif train and is_complete:
        rest = f": rely on the scores of the {NEW} ones" if train + dev < count else ""
        yield f"{train:,} of {count:,} {what} are in the training data{rest}"
    elif train:
        yield f"at least {train:,} of {count:,} {what} are in the training data, perhaps more, {why}"
    elif is_complete:
        yield f"none of the {what} is in the training data"
    else:
        yield f"it is unknown which of the {what} are in the training data, {why}"
    if dev:
        number = f"all {count:,}" if dev == count else f"{dev:,} of {count:,}"
        yield f"{number} {what} are dev pairs, which selected the checkpoint: scores on them are slightly optimistic"


def remark_lines(reports: Iterable[EvaluationReport], names: Sequence[str]) -> Iterator[str]:
    """What each report says of its targets and of its sources; what all say alike is said once, without a name."""
    found = [[*unknown_lines(report), *known_lines(report)] for report in reports]
    common = [line for line in found[0] if all(line in lines for lines in found)]
    for name, lines in zip(names, found, strict=True):
        yield from (f"{name}: {line}" for line in lines if line not in common)
    yield from common


def unknown_lines(report: EvaluationReport) -> Iterator[str]:
    """Which targets the model can't write, and what that means for the scores."""
    unknown = [tokens for tokens in report.outputs.unknown if tokens]
    if unknown:
        num_tokens = sum(map(len, unknown))
        uncounted = "the unknown token doesn't" if num_tokens == 1 else f"the {num_tokens:,} unknown tokens don't"
        predicted = "" if report.outputs.predictions is None else "they are never predicted, and "
        yield (
            f"note: {len(unknown):,} of {len(report.outputs.unknown):,} targets can't be written by this model, whose "
            f"vocabulary lacks some of their tokens (number of targets with each: {shown_tokens(unknown)}): "
            f"{predicted}{uncounted} count in the loss"
        )


def number(value: float, unit: Unit) -> str:
    """A value as it is printed."""
    return {"share": f"{100 * value:.2f} %", "points": f"{value:.2f}", "nats": f"{value:.4f}"}[unit]


def interval(estimate: Estimate, unit: Unit) -> str:
    """Its interval without percent signs; an exact one is marked with an asterisk, see EXACT_NOTE."""
    low, high = (number(end, unit).removesuffix(" %") for end in estimate.interval)
    return f"[{low}, {high}]{'' if estimate.method == 'bootstrap' else '*'}"


def interval_of(report: EvaluationReport, name: str) -> str:
    """The interval of a metric over all items."""
    return interval(report.scores[name], report.measured[name].scale.unit)


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> Iterator[str]:
    """Rows with aligned columns, those in `right` right-aligned. Wide characters count as two columns."""
    most = max(map(len, rows))
    widths = [max(cell_len(row[column]) for row in rows if column < len(row)) for column in range(most)]
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            padding = " " * (widths[column] - cell_len(cell))
            cells.append(padding + cell if column in right else cell + padding)
        yield "  ".join(cells).rstrip()


def report_dicts(report: EvaluationReport) -> list[dict[str, Any]]:
    """One flat dict per metric and slice."""
    parts: list[tuple[str | None, str | None, int, Mapping[str, Estimate]]] = [
        (None, None, report.count, report.scores),
        *((part.by, part.name, part.count, part.scores) for part in report.slices),
    ]
    return [
        {
            "by": by,
            "slice": name,
            "count": count,
            "metric": metric,
            "value": estimate.value,
            "low": estimate.interval.low,
            "high": estimate.interval.high,
            "interval": estimate.method,
            "unit": report.measured[metric].scale.unit,
        }
        for by, name, count, scores in parts
        for metric, estimate in scores.items()
    ]


def runs_dicts(runs: RunsReport) -> list[dict[str, Any]]:
    """One flat dict per run, metric and slice, and per baseline and metric.

    Those of a run over all items have the difference from the first run.
    """
    found = []
    nothing = dict.fromkeys(("difference", "difference_low", "difference_high", "randomization_p", "bootstrap_p"))
    for run, report, compared in zip(runs.runs, runs.reports, runs.against_first, strict=True):
        for row in report_dicts(report):
            difference = compared.get(row["metric"]) if row["by"] is None else None
            against = {
                "difference": difference.value if difference else None,
                "difference_low": difference.interval.low if difference else None,
                "difference_high": difference.interval.high if difference else None,
                "randomization_p": difference.randomization_p if difference else None,
                "bootstrap_p": difference.bootstrap_p if difference else None,
            }
            found.append({"run": run} | row | against)
    for baseline, scores in runs.baselines.items():
        alone = replace(runs.reports[0], scores=scores, slices=())
        found += [{"run": f"baseline {baseline}"} | row | nothing for row in report_dicts(alone)]
    return found


def as_json(runs: RunsReport) -> dict[str, Any]:
    """The scores of a single run, or those of several as a list under `runs`."""
    request: dict[str, Any] = {"samples": runs.request.samples, "seed": runs.request.seed}
    if runs.baselines:
        measured = runs.reports[0].measured
        request["baselines"] = {name: scores_json(scores, measured) for name, scores in runs.baselines.items()}
    if len(runs.reports) == 1:
        return report_json(runs.reports[0]) | request
    found = []
    for run, report, compared in zip(runs.runs, runs.reports, runs.against_first, strict=True):
        against = {
            name: {
                "difference": each.value,
                "low": each.interval.low,
                "high": each.interval.high,
                "randomization_p": each.randomization_p,
                "bootstrap_p": each.bootstrap_p,
            }
            for name, each in compared.items()
        }
        found.append({"run": run} | report_json(report) | {"against_first": against})
    seeds = [
        {
            "runs": [runs.runs[run] for run in group.runs],
            "metrics": {name: {"mean": mean, "deviation": sd} for name, (mean, sd) in group.spreads.items()},
            "against_first": {
                name: {
                    "difference": each.value,
                    "low": each.interval.low,
                    "high": each.interval.high,
                    "p": each.p,
                }
                for name, each in group.against_first.items()
            },
        }
        for group in runs.seed_groups
    ]
    return {"runs": found, "seeds": seeds} | request


def report_json(report: EvaluationReport) -> dict[str, Any]:
    """The scores of one run: shares as 0..1, sacreBLEU's metrics as 0..100."""
    return {
        "count": report.count,
        "exact_match": report.exact_match,
        "loss": report.loss,
        "perplexity": report.perplexity if math.isfinite(report.perplexity) else None,
        "references": report.num_references,
        "in_training_data": report.num_known,
        "in_dev_data": report.overlap.dev if report.overlap.is_complete else None,
        "targets_with_unknown_tokens": sum(map(bool, report.outputs.unknown)),
        "unknown_target_tokens": sum(map(len, report.outputs.unknown)),
        "metrics": scores_json(report.scores, report.measured),
        "slices": [
            {"by": part.by, "name": part.name, "count": part.count, "metrics": scores_json(part.scores, {})}
            for part in report.slices
        ],
    }


def scores_json(scores: Mapping[str, Estimate], measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Value and interval by metric; unit, signature and note of those in `measured`."""
    found: dict[str, Any] = {}
    for name, (value, (low, high), method) in scores.items():
        # JSON has no NaN: a slice of texts that are all too long has no loss.
        finite = {key: None if math.isnan(x) else x for key, x in (("value", value), ("low", low), ("high", high))}
        found[name] = {**finite, "interval": method}
        if name in measured:
            found[name]["unit"] = measured[name].scale.unit
        if name in measured and measured[name].signature:
            found[name]["signature"] = measured[name].signature
        if name in measured and measured[name].note:
            found[name]["note"] = measured[name].note
    return found
