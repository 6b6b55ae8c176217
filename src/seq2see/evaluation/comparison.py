"""Comparison of several runs on the same items: differences from the first run, spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from seq2see.config import Config
from seq2see.evaluation.report import EvaluationReport
from seq2see.metrics import Difference, SeedDifference, Spread, differences, seed_difference, spread


@dataclass(frozen=True)
class SeedGroup:
    """Runs with the same configuration except for the seed."""

    runs: tuple[int, ...]
    """Indices of the runs."""
    spreads: dict[str, Spread]
    """Mean and standard deviation over these runs, by metric."""
    against_first: dict[str, SeedDifference] = field(default_factory=dict)
    """The difference of the mean from that of the first group, by metric; empty for the first."""


def against_first(reports: Sequence[EvaluationReport], *, samples: int, seed: int) -> list[dict[str, Difference]]:
    """For each report its difference from the first, by metric; an empty dict for the first.

    Losses are compared only if the same number of tokens of every target count in both.
    """
    found: list[dict[str, Difference]] = [{}]
    for report in reports[1:]:
        names = common_metrics(report, reports[0])
        sides = [[each.measured[name] for name in names] for each in (report, reports[0])]
        compared = differences(*sides, samples=samples, seed=seed) if names else []
        found.append(dict(zip(names, compared, strict=True)))
    return found


def common_metrics(report: EvaluationReport, first: EvaluationReport) -> list[str]:
    """The metrics in which two runs can be compared."""
    own, other = report.outputs, first.outputs
    is_same = (own.num_tokens, own.unknown) == (other.num_tokens, other.unknown)
    return [name for name in report.measured if name != "loss" or is_same]


def seed_groups(
    reports: Sequence[EvaluationReport], configs: Sequence[Config | None], *, samples: int, seed: int
) -> list[SeedGroup]:
    """The groups of two or more runs whose configurations differ only in the seed, compared with the first of them.

    The precision may differ too, since `auto` is resolved per machine.
    """
    alike: dict[Config, list[int]] = {}
    for run, config in enumerate(configs):
        if config is not None:
            training = replace(config.training, seed=0, precision="auto")
            alike.setdefault(replace(config, training=training), []).append(run)
    groups = []
    for runs in alike.values():
        seeds = {config.training.seed for run in runs if (config := configs[run]) is not None}
        if len(seeds) == len(runs) > 1:
            names = reports[runs[0]].scores
            spreads = {name: spread([reports[run].scores[name].value for run in runs]) for name in names}
            groups.append(SeedGroup(tuple(runs), spreads))
    return [*groups[:1], *(against(groups[0], group, reports, samples=samples, seed=seed) for group in groups[1:])]


def against(
    first: SeedGroup, group: SeedGroup, reports: Sequence[EvaluationReport], *, samples: int, seed: int
) -> SeedGroup:
    """The group with its difference from the first one."""
    found = {}
    for name in common_metrics(reports[group.runs[0]], reports[first.runs[0]]):
        ours, theirs = ([reports[run].measured[name] for run in side.runs] for side in (group, first))
        found[name] = seed_difference(ours, theirs, samples=samples, seed=seed)
    return replace(group, against_first=found)
