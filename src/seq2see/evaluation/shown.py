"""An evaluation as a person reads it, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from seq2see.evaluation.evaluate import Evaluation
from seq2see.evaluation.items import NEW
from seq2see.evaluation.report import Figure, Report, Slice
from seq2see.metrics import Measured, Unit

MOST_SLICES = 20
"""Labels of a column that are printed; JSON has them all."""


def text_lines(evaluation: Evaluation) -> Iterator[str]:
    """The whole of it, for a terminal."""
    first, request = evaluation.reports[0], evaluation.request
    if first.answers.predictions is None:
        yield f"{first.count:,} texts"
    else:
        yield f"{first.count:,} items, {first.num_references:,} references"
    yield ""
    yield from single(first) if len(evaluation.reports) == 1 else table(evaluation)
    for run, report in zip(evaluation.runs, evaluation.reports, strict=True):
        kinds = list(dict.fromkeys(part.by for part in report.slices))
        if len(evaluation.runs) > 1:
            kinds = [kind for kind in kinds if kind != "length"]  # a page a run is more than anyone asked for
        if kinds and len(evaluation.runs) > 1:
            yield from ["", run]
        for kind in kinds:
            yield ""
            yield from parts(kind, [part for part in report.slices if part.by == kind], report.measured)
    yield ""
    yield f"in brackets: 95 % intervals by bootstrap over the items, {request.samples:,} samples, seed {request.seed}"
    if len(evaluation.reports) > 1:
        yield "p: against the first run, two-sided; by approximate randomisation / by paired bootstrap"
        if any("loss" not in compared for compared in evaluation.against_first[1:]):
            yield "the loss is per token of each run's own: no p where these are others than the first's"
    for measured in first.measured.values():
        if measured.signature:
            yield f"{measured.scale.title}: {measured.signature}"
    for run, report in zip(evaluation.runs, evaluation.reports, strict=True):
        yield from (f"{run}: {line}" if len(evaluation.runs) > 1 else line for line in known_lines(report))
    yield from (f"not compared with the training data: {note}" for note in evaluation.notes)
    if evaluation.lacking:
        yield f"left out: {evaluation.lacking}"


def single(report: Report) -> Iterator[str]:
    """A line a figure."""
    rows = [
        [measured.scale.title, number(report.figures[name].value, measured.scale.unit), around(report, name)]
        for name, measured in report.measured.items()
    ]
    rows[-1].append(f"nats per target token, perplexity {report.perplexity:,.2f}")
    yield from aligned(rows, right=(1,))


def table(evaluation: Evaluation) -> Iterator[str]:
    """A row a run, with p-values against the first, and a row for runs that differ in their seed alone."""
    names = list(evaluation.reports[0].measured)
    scales = {name: evaluation.reports[0].measured[name].scale for name in names}
    rows = [["run", *(scales[name].title for name in names)]]
    for run, report, compared in zip(evaluation.runs, evaluation.reports, evaluation.against_first, strict=True):
        cells = []
        for name in names:
            found = compared.get(name)
            p_values = f"  p {found.randomisation_p:.3f} / {found.bootstrap_p:.3f}" if found else ""
            cells.append(f"{number(report.figures[name].value, scales[name].unit)} {around(report, name)}{p_values}")
        rows.append([run, *cells])
    for group in evaluation.groups:
        spreads = [(group.spreads[name], scales[name].unit) for name in names]
        cells = [
            f"{number(each.mean, unit).removesuffix(' %')} ± {number(each.deviation, unit)}" for each, unit in spreads
        ]
        rows.append([f"mean ± sd of {len(group.places)} seeds", *cells])
    yield from aligned(rows)
    for group in evaluation.groups:
        if len(group.places) < len(evaluation.runs):
            yield f"{len(group.places)} seeds: {', '.join(evaluation.runs[place] for place in group.places)}"


def parts(kind: str, slices: Sequence[Slice], measured: Mapping[str, Measured]) -> Iterator[str]:
    """A row a part of the items."""
    rows = [[f"by {kind}", "items", *(each.scale.title for each in measured.values())]]
    for part in slices[:MOST_SLICES]:
        cells = [
            f"{number(part.figures[name].value, each.scale.unit)} {interval(part.figures[name], each.scale.unit)}"
            for name, each in measured.items()
        ]
        rows.append([part.name or "(empty)", f"{part.count:,}", *cells])
    yield from aligned(rows, right=(1,))
    if len(slices) > MOST_SLICES:
        yield f"and {len(slices) - MOST_SLICES:,} smaller ones, which --json has"


def known_lines(report: Report) -> Iterator[str]:
    """Whether the test is one of new items."""
    what = "texts" if report.answers.predictions is None else "sources"
    if report.num_known == report.count:
        yield f"all {report.count:,} {what} are in the training data: this says nothing about new ones"
    elif report.num_known:
        yield (
            f"{report.num_known:,} of {report.count:,} {what} are in the training data; "
            f"an honest figure is that of the {NEW} ones"
        )
    elif report.num_known == 0:
        yield f"none of the {what} is in the training data"


def number(value: float, unit: Unit) -> str:
    """A figure as it is printed."""
    return {"share": f"{100 * value:.2f} %", "points": f"{value:.2f}", "nats": f"{value:.4f}"}[unit]


def interval(figure: Figure, unit: Unit) -> str:
    """Its interval, likewise, without the sign of per cent."""
    low, high = (number(end, unit).removesuffix(" %") for end in figure.interval)
    return f"[{low}, {high}]"


def around(report: Report, name: str) -> str:
    """The interval of a figure of the report."""
    return interval(report.figures[name], report.measured[name].scale.unit)


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> Iterator[str]:
    """Columns under each other, those in `right` flush right; wide characters count twice, as terminals show them."""
    most = max(map(len, rows))
    widths = [max(cell_len(row[column]) for row in rows if column < len(row)) for column in range(most)]
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            blanks = " " * (widths[column] - cell_len(cell))
            cells.append(blanks + cell if column in right else cell + blanks)
        yield "  ".join(cells).rstrip()


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """One run's figures, or a list of them under `runs`."""
    request = evaluation.request
    drawn = {"samples": request.samples, "seed": request.seed}
    if len(evaluation.reports) == 1:
        return report_json(evaluation.reports[0]) | drawn
    found = []
    for run, report, compared in zip(evaluation.runs, evaluation.reports, evaluation.against_first, strict=True):
        against = {
            name: {
                "difference": each.value,
                "low": each.interval.low,
                "high": each.interval.high,
                "randomisation_p": each.randomisation_p,
                "bootstrap_p": each.bootstrap_p,
            }
            for name, each in compared.items()
        }
        found.append({"run": run} | report_json(report) | {"against_first": against})
    seeds = [
        {
            "runs": [evaluation.runs[place] for place in group.places],
            "metrics": {name: {"mean": mean, "deviation": sd} for name, (mean, sd) in group.spreads.items()},
        }
        for group in evaluation.groups
    ]
    return {"runs": found, "seeds": seeds} | drawn


def report_json(report: Report) -> dict[str, Any]:
    """The figures of one run: shares as 0..1, sacreBLEU's as 0..100."""
    return {
        "count": report.count,
        "exact_match": report.exact_match,
        "loss": report.loss,
        "perplexity": report.perplexity if math.isfinite(report.perplexity) else None,
        "references": report.num_references,
        "in_training_data": report.num_known,
        "metrics": figures_json(report.figures, report.measured),
        "slices": [
            {"by": part.by, "name": part.name, "count": part.count, "metrics": figures_json(part.figures, {})}
            for part in report.slices
        ],
    }


def figures_json(figures: Mapping[str, Figure], measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Value and interval by metric, with what has to be said of the whole but not of each part."""
    found: dict[str, Any] = {}
    for name, (value, (low, high)) in figures.items():
        found[name] = {"value": value, "low": low, "high": high}
        if name in measured:
            found[name]["unit"] = measured[name].scale.unit
        if name in measured and measured[name].signature:
            found[name]["signature"] = measured[name].signature
    return found
