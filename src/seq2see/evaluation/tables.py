"""Evaluation results as tables for papers and spreadsheets: LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seq2see.console import counted
from seq2see.evaluation.format import interval, number, spread_of
from seq2see.evaluation.runs import RunsReport
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


def csv_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Flat dicts with the same keys as CSV, with a header; None is empty."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def latex_text(runs: RunsReport) -> str:
    """One row per run and per group of seeds, one column per metric, as a tabular of booktabs.

    A star marks runs that differ from the first with p <= 0.05 by approximate randomization, and recipes by the
    multi-bootstrap over seeds and items.
    """
    scales = {name: each.scale for name, each in runs.reports[0].measured.items()}
    rows = []
    for run, report, compared in zip(runs.runs, runs.reports, runs.against_first, strict=True):
        cells = []
        for name, scale in scales.items():
            is_apart = name in compared and compared[name].randomization_p <= SMALL_P
            value = starred(plain_number(report.scores[name].value, scale.unit), is_apart)
            cells.append(f"{value} {interval(report.scores[name], scale.unit).rstrip('*')}")
        rows.append([escaped(run), *cells])
    of_seeds = []
    for group in runs.seed_groups:
        cells = []
        for name, scale in scales.items():
            is_apart = name in group.against_first and group.against_first[name].p <= SMALL_P
            cells.append(starred(plus_minus(spread_of(group.spreads[name], scale.unit)), is_apart))
        of_seeds.append([f"mean of {', '.join(escaped(runs.runs[run]) for run in group.runs)}", *cells])
    has_stars = any("^{*}" in cell for row in (*rows, *of_seeds) for cell in row)
    notes = [f"95\\,\\% intervals in brackets: bootstrap over {counted(runs.reports[0].count, 'item')}"]
    notes += ["* differs from the first, p <= 0.05"] if has_stars else []
    return "\n".join(tabular("run", scales, [rows, *([of_seeds] if of_seeds else [])], notes))


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
    return f"{text}$^{{*}}$" if is_apart else text


def escaped(text: str) -> str:
    """A text that LaTeX prints as it is."""
    return "".join(SPECIAL.get(character, character) for character in text)
