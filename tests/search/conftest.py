"""Models small enough to know everything about: a table of transitions, and one that depends on the whole history."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

BOS, EOS = 0, 1


@dataclass
class Counts:
    """What a search did with the model."""

    rows: list[int]
    """How many rows each step computed."""
    selections: int = 0


@dataclass
class History:
    """A number for each row that sums up its sentence and all ids so far."""

    number: Tensor
    counts: Counts

    def select(self, rows: Tensor, sentences: Tensor | None = None) -> History:
        self.counts.selections += 1
        return History(self.number[rows], self.counts)


class TableModel:
    """The next id depends on the last one alone: `probabilities[last][next]`."""

    def __init__(self, probabilities: Sequence[Sequence[float]]) -> None:
        self.log_probs = torch.tensor(probabilities).log()
        self.counts = Counts([])

    def start(self, sentences: Sequence[int]) -> History:
        return History(torch.tensor(sentences), self.counts)

    def step(self, ids: Tensor, state: History) -> tuple[Tensor, History, None]:
        self.counts.rows.append(len(ids))
        assert len(state.number) == len(ids)
        return self.log_probs[ids], state, None


class HistoryModel:
    """The next id depends on the sentence and on every id before, as if at random.

    The scores are whole hundredths computed in integers, so that a row gives the same numbers in any batch.
    """

    def __init__(self, num_tokens: int, seed: int = 0, num_source: int = 3) -> None:
        self.num_tokens, self.seed, self.num_source = num_tokens, seed, num_source
        self.counts = Counts([])

    def start(self, sentences: Sequence[int]) -> History:
        return History(torch.tensor(sentences) * 7919 + self.seed * 104729 + 1, self.counts)

    def step(self, ids: Tensor, state: History) -> tuple[Tensor, History, Tensor]:
        self.counts.rows.append(len(ids))
        number = (state.number * 31 + ids + 1) * 48271 % 2147483647
        log_probs = self._scores(number, self.num_tokens, 16807).log_softmax(-1)
        weights = self._scores(number, self.num_source, 69621).softmax(-1)
        return log_probs, History(number, state.counts), weights

    def _scores(self, number: Tensor, width: int, factor: int) -> Tensor:
        return (number[:, None] * (torch.arange(width) + 3) * factor % 2147483647 % 300).float() / 100

    def rescore(self, sentence: int, ids: Sequence[int]) -> tuple[float, Tensor]:
        """The log_prob and the weights of `ids`, forced one after the other."""
        state, total, looked = self.start([sentence]), 0.0, []
        for last, following in zip([BOS, *ids], ids, strict=False):
            log_probs, state, weights = self.step(torch.tensor([last]), state)
            total += float(log_probs[0, following].double())
            looked.append(weights[0])
        return total, torch.stack(looked)

    def all_finished(self, sentence: int, max_length: int, length_penalty: float) -> list[tuple[float, list[int]]]:
        """(score, ids) of every sequence that ends within `max_length`, best first."""
        tokens = [token for token in range(self.num_tokens) if token != EOS]
        found = []
        for length in range(1, max_length + 1):
            divisor = math.pow(5 + length, length_penalty) / math.pow(6, length_penalty)
            for start in itertools.product(tokens, repeat=length - 1):
                ids = [*start, EOS]
                found.append((self.rescore(sentence, ids)[0] / divisor, ids))
        return sorted(found, key=lambda pair: -pair[0])


@pytest.fixture(scope="session")
def table_model() -> type[TableModel]:
    return TableModel


@pytest.fixture(scope="session")
def history_model() -> type[HistoryModel]:
    return HistoryModel
