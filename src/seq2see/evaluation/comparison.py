"""Several runs on the same items: how each differs from the first, and how far trainings of one kind scatter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seq2see.config import Config
from seq2see.evaluation.report import Report
from seq2see.metrics import Difference, Spread, differences, spread


@dataclass(frozen=True)
class Group:
    """Runs that were trained alike, from different seeds."""

    places: tuple[int, ...]
    """Which of the runs, from 0."""
    spreads: dict[str, Spread]
    """By metric, over these runs."""


def against_first(reports: Sequence[Report], *, samples: int, seed: int) -> list[dict[str, Difference]]:
    """For each report how it differs from the first, by metric; nothing for the first itself.

    Losses are compared only where both count the same number of tokens in every target.
    """
    found: list[dict[str, Difference]] = [{}]
    for report in reports[1:]:
        is_same = report.answers.num_tokens == reports[0].answers.num_tokens
        names = [name for name in report.measured if name != "loss" or is_same]
        sides = [[each.measured[name] for name in names] for each in (report, reports[0])]
        compared = differences(*sides, samples=samples, seed=seed) if names else []
        found.append(dict(zip(names, compared, strict=True)))
    return found


def groups_of_seeds(reports: Sequence[Report], configs: Sequence[Config | None]) -> list[Group]:
    """The runs whose configurations differ in the seed alone, where there are two or more of them.

    The precision may differ too: where nobody set it, a measurement of the machine did.
    """
    alike: dict[Config, list[int]] = {}
    for place, config in enumerate(configs):
        if config is not None:
            training = replace(config.training, seed=0, precision="auto")
            alike.setdefault(replace(config, training=training), []).append(place)
    groups = []
    for places in alike.values():
        seeds = {config.training.seed for place in places if (config := configs[place]) is not None}
        if len(seeds) == len(places) > 1:
            names = reports[places[0]].figures
            spreads = {name: spread([reports[place].figures[name].value for place in places]) for name in names}
            groups.append(Group(tuple(places), spreads))
    return groups
