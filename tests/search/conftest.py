"""Small models with known distributions: a table of transitions, and one that depends on the whole history."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

BOS, EOS = 0, 1


def logs(probabilities: np.ndarray) -> np.ndarray:
    """Logarithms; -inf for 0."""
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Normalizes each row."""
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


@dataclass
class Counts:
    """A log of the search's calls."""

    rows: list[int]
    """The number of rows of each step."""
    selections: int = 0


@dataclass
class History:
    """One number per row that encodes its sentence and all ids so far.

    It keeps the promise that a search makes to a state to be kept: see `select`.
    """

    number: np.ndarray
    counts: Counts
    shared: np.ndarray | None = None
    """The original index of each sentence, shared by its rows."""
    of_row: np.ndarray | None = None
    """The same per row, to check the contract."""

    def __post_init__(self) -> None:
        if self.shared is None or self.of_row is None:
            self.shared = self.of_row = np.arange(len(self.number))
        assert len(self.of_row) == len(self.number)

    def select(self, rows: np.ndarray, sentences: np.ndarray | None = None) -> History:
        """Checks that a sentence's rows are adjacent, sentences in order, each with equally many rows."""
        self.counts.selections += 1
        assert self.shared is not None and self.of_row is not None
        chosen = np.arange(len(self.shared)) if sentences is None else sentences
        assert (np.diff(chosen) >= 0).all(), "sentences out of order"
        shared, of_row = self.shared[chosen], self.of_row[rows]
        assert len(rows) > 0 and len(rows) % len(chosen) == 0, "sentences with unequally many rows"
        assert np.array_equal(of_row, shared.repeat(len(rows) // len(chosen))), "rows of other sentences"
        return History(self.number[rows], self.counts, shared, of_row)

    def after(self, number: np.ndarray) -> History:
        """The state after a step."""
        return History(number, self.counts, self.shared, self.of_row)


class TableModel:
    """The next id depends only on the last one: `probabilities[last][next]`."""

    def __init__(self, probabilities: Sequence[Sequence[float]]) -> None:
        self.log_probs = logs(np.array(probabilities, np.float32))
        self.counts = Counts([])

    def start(self, sentences: Sequence[int]) -> History:
        return History(np.array(sentences), self.counts)

    def step(self, ids: np.ndarray, state: History) -> tuple[np.ndarray, History, None]:
        self.counts.rows.append(len(ids))
        assert len(state.number) == len(ids)
        return self.log_probs[ids], state, None


class HistoryModel:
    """The next id depends pseudo-randomly on the sentence and all ids before.

    The scores are whole hundredths computed in integers, so that a row gives the same numbers in any batch.
    """

    def __init__(self, num_tokens: int, seed: int = 0, num_source: int = 3) -> None:
        self.num_tokens, self.seed, self.num_source = num_tokens, seed, num_source
        self.counts = Counts([])

    def start(self, sentences: Sequence[int]) -> History:
        return History(np.array(sentences) * 7919 + self.seed * 104729 + 1, self.counts)

    def step(self, ids: np.ndarray, state: History) -> tuple[np.ndarray, History, np.ndarray]:
        self.counts.rows.append(len(ids))
        number = (state.number * 31 + ids + 1) * 48271 % 2147483647
        log_probs = log_softmax(self._scores(number, self.num_tokens, 16807))
        weights = np.exp(log_softmax(self._scores(number, self.num_source, 69621)))
        return log_probs, state.after(number), weights

    def _scores(self, number: np.ndarray, width: int, factor: int) -> np.ndarray:
        return (number[:, None] * (np.arange(width) + 3) * factor % 2147483647 % 300).astype(np.float32) / np.float32(
            100
        )

    def rescore(self, sentence: int, ids: Sequence[int]) -> tuple[float, np.ndarray]:
        """The log_prob and the weights of `ids`, forced step by step."""
        ((log_prob, weights),) = self.rescore_all(sentence, [ids])
        return log_prob, weights

    def rescore_all(self, sentence: int, sequences: Sequence[Sequence[int]]) -> list[tuple[float, np.ndarray]]:
        """The log_prob and the weights of each sequence."""
        longest = max(map(len, sequences))
        forced = np.array([[*ids, *[EOS] * (longest - len(ids))] for ids in sequences])
        state, last, each, looked = self.start([sentence] * len(forced)), np.full(len(forced), BOS), [], []
        for following in forced.T:
            log_probs, state, weights = self.step(last, state)
            each.append(log_probs[np.arange(len(following)), following].astype(np.float64))
            looked.append(weights)
            last = following
        totals = np.stack(each, 1).cumsum(1)
        where = np.stack(looked, 1)
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


def wu_score(
    length: int, log_prob: float, weights: np.ndarray, length_penalty: float, coverage_penalty: float
) -> float:
    """Wu et al. 2016, eq. 14, for a single hypothesis."""
    divisor = math.pow(5 + length, length_penalty) / math.pow(6, length_penalty)
    looked = weights.astype(np.float64).sum(0).tolist()
    return log_prob / divisor + coverage_penalty * sum(math.log(min(total, 1.0)) for total in looked)


@pytest.fixture(scope="session")
def table_model() -> type[TableModel]:
    return TableModel


@pytest.fixture(scope="session")
def history_model() -> type[HistoryModel]:
    return HistoryModel
