"""Epochs in which small groups of pairs, such as those of a language, have a larger share than their own.

A group of n pairs has a share in proportion to n^(1/T), with a temperature T (Arivazhagan et al. 2019, section 4.2): 1
keeps the shares of the data, and a high one makes them equal. An epoch has as many pairs as the data.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from seq2see.data.examples import EpochExamples, Examples, Sequences

Indices = npt.NDArray[np.int64]

MOST_SHOWN = 6
"""Groups that a message names."""


@dataclass(frozen=True)
class Balance:
    """The groups of the examples, and how many of each an epoch has."""

    groups: dict[str, Indices]
    """The examples of each group, the largest group first."""
    quotas: tuple[int, ...]
    """By group, the examples of an epoch; they sum to the number of all examples."""
    seed: int

    @classmethod
    def of(cls, keys: Sequence[Hashable], temperature: float, seed: int) -> Balance:
        """The balance of examples whose groups have these keys."""
        members: dict[str, list[int]] = {}
        for number, key in enumerate(keys):
            members.setdefault(str(key), []).append(number)
        ranked = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
        groups = {key: np.array(own, np.int64) for key, own in ranked}
        return cls(groups, quotas([len(own) for own in groups.values()], temperature), seed)

    def epoch(self, number: int) -> Indices:
        """The examples of an epoch: those of each group by turns, in a new order each turn.

        A pure function of seed and number of the epoch.
        """
        return np.concatenate([self._turns(group, number) for group in range(len(self.groups))])

    def _turns(self, group: int, epoch: int) -> Indices:
        own = list(self.groups.values())[group]
        first, last = self.quotas[group] * epoch, self.quotas[group] * (epoch + 1)
        turns = range(first // len(own), -(-last // len(own)))
        drawn = [np.random.default_rng((self.seed, group, turn)).permutation(own) for turn in turns]
        start = turns.start * len(own)
        return np.concatenate([np.zeros(0, np.int64), *drawn])[first - start : last - start]

    def line(self, name: str) -> str:
        """For the terminal."""
        total = sum(self.quotas)
        parts = [
            f"{key or '(empty)'} {100 * quota / total:.0f} % (of the data {100 * len(own) / total:.0f} %)"
            for (key, own), quota in zip(self.groups.items(), self.quotas, strict=True)
        ]
        more = f", … ({len(parts):,} in all)" if len(parts) > MOST_SHOWN else ""
        return f"balance: of each epoch, by {name}: {', '.join(parts[:MOST_SHOWN])}{more}"


def quotas(sizes: Sequence[int], temperature: float) -> tuple[int, ...]:
    """The number of examples of each group per epoch, at least 1 and in all as many as there are, rounded fairly."""
    total = sum(sizes)
    weights = np.array(sizes, np.float64) ** (1 / temperature)
    exact = weights / weights.sum() * total
    rounded = np.maximum(np.floor(exact).astype(int), 1)
    order = np.argsort(rounded - exact, kind="stable")
    rounded[order[: max(0, total - rounded.sum())]] += 1
    rounded[0] -= rounded.sum() - total  # the largest
    return tuple(rounded.tolist())


def balanced(balance: Balance, examples: Examples, epoch_examples: EpochExamples | None) -> EpochExamples:
    """The examples of each epoch in balance, taken from `epoch_examples` if those differ by epoch."""

    def epoch(number: int) -> Examples:
        given = examples if epoch_examples is None else epoch_examples(number)
        rows = balance.epoch(number)
        return Examples(chosen(given.sources, rows), chosen(given.targets, rows))

    return epoch


def chosen(sequences: Sequences, rows: Indices) -> Sequences:
    """These sequences, in this order."""
    lengths = sequences.lengths[rows]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(offsets[-1]) + np.repeat(sequences.offsets[rows] - offsets[:-1], lengths)
    columns = (replace(own, arrays=[own.arrays[row] for row in rows]) for own in sequences.values)
    return Sequences(sequences.ids[places], offsets, tuple(columns))
