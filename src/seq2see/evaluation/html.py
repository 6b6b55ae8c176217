"""Evaluation results as HTML tables: for notebooks, and for the pages of `seq2see report` and `seq2see compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.console import counted
from seq2see.evaluation.format import (
    MOST_SLICES,
    difference_of,
    interval,
    interval_lines,
    interval_of,
    note_lines,
    number,
    remark_lines,
    signature_lines,
    slice_cells,
    spread_of,
)
from seq2see.markup import Markup, element, joined, paragraph, table, text_element

if TYPE_CHECKING:
    from seq2see.evaluation.report import EvaluationReport
    from seq2see.evaluation.runs import RunsReport


def report_html(report: EvaluationReport) -> Markup:
    """The scores of one model, slices included."""
    return joined([*score_parts(report), *slice_tables(report)])


def runs_html(runs: RunsReport) -> Markup:
    """The scores of several runs side by side, or the report of a single one."""
    return report_html(runs.reports[0]) if len(runs.reports) == 1 else joined(run_parts(runs))


def score_parts(report: EvaluationReport) -> list[Markup]:
    """A table with one row per metric, and notes on it."""
    rows = []
    for name, measured in report.measured.items():
        unit, estimate = measured.scale.unit, report.scores[name]
        better = "higher is better" if measured.scale.higher_is_better else "lower is better"
        rows.append(
            [
                element("th", measured.scale.title, scope="row"),
                element("td", number(estimate.value, unit), class_="number"),
                element("td", interval(estimate, unit), class_="number"),
                element("td", f"{better}; {measured.signature}" if measured.signature else better, class_="note"),
            ]
        )
    head = ["metric", "value", "95 % interval", "note"]
    caption = f"{counted(report.count, 'item')}, {counted(report.num_references, 'reference')}"
    perplexity = f"The loss is in nats per target token; perplexity {report.perplexity:,.2f}."
    notes = [perplexity, *interval_lines([report]), *note_lines([report])]
    return [
        table(head, rows, caption=caption, numbers=(1, 2)),
        *(paragraph(line, class_="note") for line in notes),
        *(paragraph(line) for line in remark_lines([report], [""])),
    ]


def slice_tables(report: EvaluationReport) -> list[Markup]:
    """A table per kind of slice: by source, by a column, by length."""
    return [slice_table(by, report) for by in dict.fromkeys(part.by for part in report.slices)]


def slice_table(by: str, report: EvaluationReport) -> Markup:
    """One row per slice."""
    slices = [part for part in report.slices if part.by == by]
    rows = []
    for part in slices[:MOST_SLICES]:
        texts = [f"{part.count:,}", *slice_cells(part, report.measured)]
        cells = [element("td", text, class_="number") for text in texts]
        rows.append([text_element(part.name or "(empty)", "th", scope="row"), *cells])
    titles = [measured.scale.title for measured in report.measured.values()]
    more = f", the largest {MOST_SLICES} of {len(slices):,}" if len(slices) > MOST_SLICES else ""
    return table(["slice", "items", *titles], rows, caption=f"by {by}{more}", numbers=range(1, len(titles) + 2))


def seed_notes(runs: RunsReport) -> list[str]:
    """What the differences of groups of seeds are, if there are several."""
    if not any(group.against_first for group in runs.seed_groups):
        return []
    return ["Of seeds: the difference of the means from the first recipe, over seeds and items (multi-bootstrap)."]


def run_parts(runs: RunsReport) -> list[Markup]:
    """A table with one row per run, intervals and p-values, and one row per group of seeds; then notes on it."""
    first = runs.reports[0]
    rows = []
    for run, report, compared in zip(runs.runs, runs.reports, runs.against_first, strict=True):
        cells = [element("th", run, scope="row")]
        for name, measured in first.measured.items():
            difference = compared.get(name)
            text = f"{number(report.scores[name].value, measured.scale.unit)} {interval_of(report, name)}"
            apart, p = "—", "—"
            if difference:
                apart = difference_of(difference, measured.scale.unit)
                p = f"{difference.randomization_p:.3f} / {difference.bootstrap_p:.3f}"
            cells += [element("td", each, class_="number") for each in (text, apart, p)]
        rows.append(cells)
    for group in runs.seed_groups:
        names = ", ".join(runs.runs[run] for run in group.runs)
        cells = [element("th", f"mean ± sd of {len(group.runs)} seeds ({names})", scope="row")]
        for name, measured in first.measured.items():
            unit, between = measured.scale.unit, group.against_first.get(name)
            apart, p = (difference_of(between, unit), f"{between.p:.3f}") if between else ("", "")
            texts = (spread_of(group.spreads[name], unit), apart, p)
            cells += [element("td", each, class_="number") for each in texts]
        rows.append(cells)
    head = ["run"]
    for measured in first.measured.values():
        head += [measured.scale.title, "difference", "p"]
    notes = [
        *interval_lines(runs.reports),
        f"Difference from {runs.runs[0]}, with its 95 % interval by the paired bootstrap; p: two-sided, approximate "
        "randomization / paired bootstrap. They say nothing about other seeds.",
        *seed_notes(runs),
        *signature_lines(first),
        *note_lines(runs.reports),
        *remark_lines(runs.reports, runs.runs),
    ]
    numbers = range(1, len(head))
    return [
        table(head, rows, caption=counted(first.count, "item"), numbers=numbers),
        *(paragraph(note, class_="note") for note in notes),
    ]
