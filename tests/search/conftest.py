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
    """A number for each row that sums up its sentence and all ids so far.

    It keeps the promise that a search makes to a state to be kept: see `select`.
    """

    number: Tensor
    counts: Counts
    shared: Tensor | None = None
    """For each sentence what its rows share: which one it was at the start."""
    of_row: Tensor | None = None
    """The same for each row. A search that keeps its promise has no need of it."""

    def __post_init__(self) -> None:
        if self.shared is None or self.of_row is None:
            self.shared = self.of_row = torch.arange(len(self.number))
        assert len(self.of_row) == len(self.number)

    def select(self, rows: Tensor, sentences: Tensor | None = None) -> History:
        """Rows of a sentence are neighbours, sentences keep their order, and each has equally many rows."""
        self.counts.selections += 1
        assert self.shared is not None and self.of_row is not None
        chosen = torch.arange(len(self.shared)) if sentences is None else sentences
        assert bool((chosen.diff() >= 0).all()), "sentences out of order"
        shared, of_row = self.shared[chosen], self.of_row[rows]
        assert len(rows) > 0 and len(rows) % len(chosen) == 0, "sentences with unequally many rows"
        assert torch.equal(of_row, shared.repeat_interleave(len(rows) // len(chosen))), "rows of other sentences"
        return History(self.number[rows], self.counts, shared, of_row)

    def after(self, number: Tensor) -> History:
        """The state after a step."""
        return History(number, self.counts, self.shared, self.of_row)


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
        return log_probs, state.after(number), weights

    def _scores(self, number: Tensor, width: int, factor: int) -> Tensor:
        return (number[:, None] * (torch.arange(width) + 3) * factor % 2147483647 % 300).float() / 100

    def rescore(self, sentence: int, ids: Sequence[int]) -> tuple[float, Tensor]:
        """The log_prob and the weights of `ids`, forced one after the other."""
        ((log_prob, weights),) = self.rescore_all(sentence, [ids])
        return log_prob, weights

    def rescore_all(self, sentence: int, sequences: Sequence[Sequence[int]]) -> list[tuple[float, Tensor]]:
        """The log_prob and the weights of each sequence."""
        longest = max(map(len, sequences))
        forced = torch.tensor([[*ids, *[EOS] * (longest - len(ids))] for ids in sequences])
        state, last, each, looked = self.start([sentence] * len(forced)), torch.full((len(forced),), BOS), [], []
        for following in forced.unbind(1):
            log_probs, state, weights = self.step(last, state)
            each.append(log_probs.gather(1, following[:, None]).squeeze(1).double())
            looked.append(weights)
            last = following
        totals = torch.stack(each, 1).cumsum(1)
        where = torch.stack(looked, 1)
        return [(float(totals[row, len(ids) - 1]), where[row, : len(ids)]) for row, ids in enumerate(sequences)]

    def all_finished(
        self, sentence: int, max_length: int, length_penalty: float, coverage_penalty: float = 0.0
    ) -> list[tuple[float, list[int]]]:
        """(score, ids) of every sequence that ends within `max_length`, best first."""
        tokens = [token for token in range(self.num_tokens) if token != EOS]
        sequences = [
            [*start, EOS] for length in range(max_length) for start in itertools.product(tokens, repeat=length)
        ]
        rescored = self.rescore_all(sentence, sequences)
        found = [
            (wu_score(len(ids), *of_ids, length_penalty, coverage_penalty), ids)
            for ids, of_ids in zip(sequences, rescored, strict=True)
        ]
        return sorted(found, key=lambda pair: -pair[0])

    def score(
        self,
        sentence: int,
        ids: Sequence[int],
        length_penalty: float = 0.0,
        coverage_penalty: float = 0.0,
        source_length: int | None = None,
    ) -> float:
        """The score of `ids`."""
        log_prob, weights = self.rescore(sentence, ids)
        return wu_score(len(ids), log_prob, weights[:, :source_length], length_penalty, coverage_penalty)


def wu_score(length: int, log_prob: float, weights: Tensor, length_penalty: float, coverage_penalty: float) -> float:
    """Wu et al. 2016, eq. 14, in plain numbers."""
    divisor = math.pow(5 + length, length_penalty) / math.pow(6, length_penalty)
    looked = weights.double().sum(0).tolist()
    return log_prob / divisor + coverage_penalty * sum(math.log(min(total, 1.0)) for total in looked)


@pytest.fixture(scope="session")
def table_model() -> type[TableModel]:
    return TableModel


@pytest.fixture(scope="session")
def history_model() -> type[HistoryModel]:
    return HistoryModel
