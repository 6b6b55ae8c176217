"""Evaluation results as tables for papers and spreadsheets: LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from seq2see.console import counted
from seq2see.evaluation.format import EXACT, interval, number, spread_of
from seq2see.evaluation.items import LENGTH
from seq2see.evaluation.report import Estimate
from seq2see.evaluation.runs import RunsReport
from seq2see.evaluation.seen import SEEN
from seq2see.evaluation.sizes import SizeScores, size_cells
from seq2see.metrics import Scale, Unit

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
"""Characters that LaTeX reads as commands."""
SMALL_P = 0.05
STAR, DAGGER = "$^{*}$", r"$^{\dagger}$"


def csv_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Flat dicts with the same keys as CSV, with a header; None is empty."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def latex_text(runs: RunsReport) -> str:
    """One row per run, group of seeds, slice that was asked for and baseline; one column per metric: for booktabs.

    A star marks runs that differ from the first with p <= 0.05 by approximate randomization, and recipes by the
    multi-bootstrap over seeds and items; a dagger marks exact intervals.
    """
    scales = {name: each.scale for name, each in runs.reports[0].measured.items()}
    rows = []
    for run, report, compared in zip(runs.runs, runs.reports, runs.against_first, strict=True):
        is_apart = {name: name in compared and compared[name].randomization_p <= SMALL_P for name in scales}
        rows.append([escaped(run), *estimate_cells(report.scores, scales, is_apart)])
    of_seeds = []
    for group in runs.seed_groups:
        cells = []
        for name, scale in scales.items():
            differs = name in group.against_first and group.against_first[name].p <= SMALL_P
            cells.append(starred(plus_minus(spread_of(group.spreads[name], scale.unit)), differs))
        of_seeds.append([f"mean of {', '.join(escaped(runs.runs[run]) for run in group.runs)}", *cells])
    of_slices = slice_rows(runs, scales)
    of_baselines = [
        [f"baseline {escaped(name)}", *estimate_cells(scores, scales)] for name, scores in runs.baselines.items()
    ]
    cells = [cell for row in (*rows, *of_seeds, *of_slices, *of_baselines) for cell in row]
    notes = [f"95\\,\\% intervals in brackets: bootstrap over {counted(runs.reports[0].count, 'item')}"]
    notes += ["* differs from the first, p <= 0.05"] if any(STAR in cell for cell in cells) else []
    notes += [f"dagger: {EXACT}"] if any(DAGGER in cell for cell in cells) else []
    parts = [part for part in (of_seeds, of_slices, of_baselines) if part]
    return "\n".join(tabular("run", scales, [rows, *parts], notes))


def slice_rows(runs: RunsReport, scales: Mapping[str, Scale]) -> list[list[str]]:
    """A row per slice of `--by`, with its number of items; of several runs with the name of each."""
    by, found = runs.request.by, []
    for run, report in zip(runs.runs, runs.reports, strict=True):
        for part in report.slices:
            if part.by == by or (by == SEEN and part.by != LENGTH):
                of_run = f"{run}, " if len(runs.runs) > 1 else ""
                label = f"{of_run}{part.by}: {part.name or '(empty)'} ({counted(part.count, 'item')})"
                found.append([escaped(label), *estimate_cells(part.scores, scales)])
    return found


def estimate_cells(
    scores: Mapping[str, Estimate], scales: Mapping[str, Scale], is_apart: Mapping[str, bool] = MappingProxyType({})
) -> list[str]:
    """Value and interval of each metric, a dash for one that is missing, with a star where it is apart."""
    cells = []
    for name, scale in scales.items():
        if (estimate := scores.get(name)) is None:
            cells.append("--")
            continue
        value = starred(plain_number(estimate.value, scale.unit), is_apart.get(name, False))
        cells.append(f"{value} {interval(estimate, scale.unit).replace('*', DAGGER)}")
    return cells


def sizes_latex(scores: Sequence[SizeScores], scales: Mapping[str, Scale]) -> str:
    """The scores by number of training pairs as a tabular of booktabs."""
    rows = [
        [escaped(each.recipe), f"{each.size:,}", *(plus_minus(cell) for cell in size_cells(each, dict(scales)))]
        for each in scores
    ]
    parts = [[row for row in rows if row[0] == recipe] for recipe in dict.fromkeys(row[0] for row in rows)]
    return "\n".join(tabular("recipe", scales, parts, ["mean and standard deviation over the seeds"], ["pairs"]))


def tabular(
    first: str,
    scales: Mapping[str, Scale],
    parts: Sequence[Sequence[Sequence[str]]],
    notes: Sequence[str],
    more: Sequence[str] = (),
) -> Iterator[str]:
    """A table, with a rule between its parts; notes are comments."""
    yield from (f"% {note}" for note in notes)
    yield f"\\begin{{tabular}}{{l{'r' * (len(more) + len(scales))}}}  % needs \\usepackage{{booktabs}}"
    heads = [escaped(f"{scale.title}, %" if scale.unit == "share" else scale.title) for scale in scales.values()]
    yield "\\toprule"
    yield f"{' & '.join([first, *more, *heads])} \\\\"
    for rows in parts:
        yield "\\midrule"
        yield from (f"{' & '.join(row)} \\\\" for row in rows)
    yield "\\bottomrule"
    yield "\\end{tabular}"


def plain_number(value: float, unit: Unit) -> str:
    """A value without a percent sign, which is in the head of its column."""
    return number(value, unit).removesuffix(" %")


def plus_minus(text: str) -> str:
    """`86.10 ± 0.90 %` in LaTeX."""
    return text.removesuffix(" %").replace("±", "$\\pm$")


def starred(text: str, is_apart: bool) -> str:
    """The text, with a star if it differs from the first."""
    return f"{text}{STAR}" if is_apart else text


def escaped(text: str) -> str:
    """A text that LaTeX prints as it is."""
    return "".join(SPECIAL.get(character, character) for character in text)
