"""Scores by the number of training pairs: the figure of papers on few resources, as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seq2see.evaluation.format import aligned, number, spread_of
from seq2see.evaluation.report import EvaluationReport
from seq2see.metrics import Scale, Spread, spread


@dataclass(frozen=True)
class SizeScores:
    """The scores of one recipe trained on one number of pairs, from one or several seeds."""

    recipe: str
    size: int
    """Training pairs."""
    values: dict[str, tuple[float, ...]]
    """One per seed, by metric."""

    def mean(self, metric: str) -> float:
        """Of the seeds."""
        return sum(self.values[metric]) / len(self.values[metric])

    def spread(self, metric: str) -> Spread | None:
        """Mean and standard deviation over the seeds; None for a single one."""
        return spread(self.values[metric]) if len(self.values[metric]) > 1 else None

    def band(self, metric: str) -> tuple[float, float]:
        """Mean - sd and mean + sd."""
        found = self.spread(metric) or Spread(self.mean(metric), 0.0)
        return found.mean - found.deviation, found.mean + found.deviation


def scores_by_size(
    recipes: Sequence[str], sizes: Sequence[int], reports: Sequence[EvaluationReport]
) -> list[SizeScores]:
    """The scores of runs, of which these are the recipes and the numbers of training pairs, by recipe and size."""
    members: dict[tuple[str, int], list[EvaluationReport]] = {}
    for recipe, size, report in zip(recipes, sizes, reports, strict=True):
        members.setdefault((recipe, size), []).append(report)
    order = list(dict.fromkeys(recipes))
    return [
        SizeScores(
            recipe,
            size,
            {name: tuple(report.scores[name].value for report in found) for name in found[0].scores},
        )
        for (recipe, size), found in sorted(members.items(), key=lambda each: (order.index(each[0][0]), each[0][1]))
    ]


def size_cells(each: SizeScores, scales: dict[str, Scale]) -> Iterator[str]:
    """The score in each metric, with its deviation over several seeds."""
    for name, scale in scales.items():
        found = each.spread(name)
        yield spread_of(found, scale.unit) if found else number(each.mean(name), scale.unit)


def size_lines(scores: Sequence[SizeScores], scales: dict[str, Scale]) -> Iterator[str]:
    """A table with one row per recipe and size."""
    rows = [["recipe", "pairs", *(scale.title for scale in scales.values())]]
    rows += [[each.recipe, f"{each.size:,}", *size_cells(each, scales)] for each in scores]
    yield from aligned(rows, right=(1,))
    if any(len(values) > 1 for each in scores for values in each.values.values()):
        yield "mean ± sd over the seeds"


def size_dicts(scores: Sequence[SizeScores]) -> list[dict[str, Any]]:
    """One flat dict per recipe, size and metric, for `pandas.DataFrame`."""
    return [
        {
            "recipe": each.recipe,
            "pairs": each.size,
            "metric": name,
            "mean": each.mean(name),
            "deviation": found.deviation if (found := each.spread(name)) else None,
            "seeds": len(values),
        }
        for each in scores
        for name, values in each.values.items()
    ]
