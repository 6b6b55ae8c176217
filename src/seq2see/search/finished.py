"""How a beam ranks the hypotheses that are complete, keeps the best few, and reads them off at the end.

Letters: B sentences, N places for hypotheses of each, C candidates of each sentence at a step, R rows of a step,
S source positions, T emitted ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from seq2see.errors import ConfigError
from seq2see.search.contract import IMPOSSIBLE, Array, Hypothesis, Ids, Mask

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

_Length = TypeVar("_Length", float, Array)


def length_divisor(length: _Length, length_penalty: float) -> _Length:
    """What a log-probability is divided by to give its score: ((5 + length) / 6) ** length_penalty.

    Wu et al. 2016, eq. 14. The length counts emitted ids, EOS among them.
    """
    divisor: _Length = ((5 + length) / 6) ** length_penalty
    return divisor


def log_coverage(looked: Float[Array, "R S"], source_lengths: Int[Ids, " R"]) -> Float[Array, " R"]:
    """Σ_i log(min(looked_i, 1)) over the real source positions: 0 where all has been looked at, else below.

    Wu et al. 2016, eq. 14. `looked` is the attention that each position has got, summed over all emitted ids. No
    position counts as less than the smallest float32 (log: -87), so that one never looked at forbids nothing.
    """
    real = np.arange(looked.shape[1]) < source_lengths[:, None]
    least = np.finfo(np.float32).tiny
    return np.asarray(np.where(real, np.log(np.clip(looked, least, 1)), 0).sum(-1))


class Coverage(NamedTuple):
    """What each row has looked at so far, and what it pays for the rest."""

    penalty: float
    source_lengths: Int[Ids, " R"]
    looked: Float[Array, "R S"]
    """Summed over the ids emitted, in float64."""

    @classmethod
    def start(cls, penalty: float, source_lengths: Int[Ids, " B"] | None) -> Coverage | None:
        """Nothing looked at yet; None where that costs nothing."""
        if penalty == 0:
            return None
        assert source_lengths is not None, "a coverage penalty needs the number of source positions"
        return cls(penalty, source_lengths, np.zeros((len(source_lengths), 1)))

    @property
    def penalties(self) -> Float[Array, " R"]:
        """What is added to the score of a hypothesis that is complete now, never more than 0."""
        return self.penalty * log_coverage(self.looked, self.source_lengths)

    def after(self, weights: Float[Array, "R S"] | None) -> Coverage:
        """The same when all rows have looked there too. Raises ConfigError where the model doesn't look."""
        if weights is None:
            raise ConfigError(
                "a model without attention covers nothing", where="coverage_penalty", fix="use 0, or another model"
            )
        return self._replace(looked=self.looked + weights)

    def select(self, rows: Int[Ids, " N"]) -> Coverage:
        """That of the chosen rows."""
        return self._replace(source_lengths=self.source_lengths[rows], looked=self.looked[rows])


class Ranked(NamedTuple):
    """Complete hypotheses of each sentence; a score of -inf marks an empty place.

    A hypothesis is known by the step that emitted its last id and by its number among that step's B·C candidates.
    """

    scores: Float[Array, "B N"]
    log_probs: Float[Array, "B N"]
    steps: Int[Ids, "B N"]
    candidates: Int[Ids, "B N"]

    @classmethod
    def none(cls, num_sentences: int, num: int) -> Ranked:
        """Empty places."""
        scores = np.full((num_sentences, num), IMPOSSIBLE)
        steps = np.zeros_like(scores, dtype=np.int64)
        return cls(scores, scores, steps, steps)

    @classmethod
    def of_step(cls, step: int, scores: Float[Array, "B C"], log_probs: Float[Array, "B C"]) -> Ranked:
        """The candidates of a step as hypotheses that it completed."""
        numbers = np.arange(scores.size).reshape(scores.shape)
        return cls(scores, log_probs, np.full_like(numbers, step), numbers)

    def only(self, wanted: Bool[Mask, "B N"]) -> Ranked:
        """The places of all others emptied."""
        return self._replace(scores=np.where(wanted, self.scores, IMPOSSIBLE))

    def of_sentences(self, sentences: Int[Ids, " K"]) -> Ranked:
        """Those of the chosen sentences."""
        parts: tuple[Any, ...] = self
        return Ranked(*(part[sentences] for part in parts))

    def best(self, num: int) -> Ranked:
        """The `num` of the highest score, best first, the earlier among equals."""
        return self._take((-self.scores).argsort(1, kind="stable")[:, :num])

    def with_more(self, others: Ranked) -> Ranked:
        """The best of these and the others, as many as these are."""
        return self._beside(others).best(self.scores.shape[1])

    def backfilled(self, others: Ranked) -> Ranked:
        """These and, in the places they leave empty, the best of the others; these are sorted already."""
        both = self._beside(others.best(self.scores.shape[1]))
        empty = both.scores == IMPOSSIBLE
        return both._take(empty.argsort(1, kind="stable")[:, : self.scores.shape[1]])

    def _beside(self, others: Ranked) -> Ranked:
        pairs: Any = zip(self, others, strict=True)
        return Ranked(*(np.concatenate(pair, 1) for pair in pairs))

    def _take(self, order: Int[Ids, "B K"]) -> Ranked:
        return Ranked(*(take_along(part, order) for part in self))


def take_along(values: Any, order: Int[Ids, "B K"]) -> Any:
    """Those of each sentence [B N] at the given places."""
    return np.take_along_axis(values, order, 1)


class StepRecord(NamedTuple):
    """What one step leaves behind for tracing hypotheses back."""

    ids: Int[Ids, " B*C"]
    """The last id of each candidate."""
    rows: Int[Ids, " B*C"]
    """The row of the step that each continues."""
    log_probs: Float[Array, " B*C"]
    """Of each candidate up to here, summed."""
    weights: Float[Array, "R S"] | None
    grown: Int[Ids, " R_next"]
    """For each row of the next step, the candidate it is."""


def trace_back(records: list[StepRecord], done: list[tuple[Ids, Ranked]], eos: int) -> list[list[Hypothesis]]:
    """Read every hypothesis off the steps, last id first, and put the sentences back in order."""
    if not done:
        return []
    order = np.concatenate([sentences for sentences, _ in done]).argsort()
    parts: Any = zip(*(ranked for _, ranked in done), strict=True)
    best = Ranked(*(np.concatenate(part)[order] for part in parts))
    steps, candidates = best.steps, best.candidates
    emitted, origins, sums = [], [], []
    for position in reversed(range(len(records))):
        reached = steps >= position
        here = np.where(reached, candidates, 0)  # Any candidate will do where the hypothesis is shorter.
        emitted.append(records[position].ids[here])
        origins.append(records[position].rows[here])
        sums.append(np.where(reached, records[position].log_probs[here], 0.0))
        if position:
            candidates = np.where(reached, records[position - 1].grown[origins[-1]], candidates)
    ids = np.stack(emitted[::-1], -1).tolist()
    weights = _weights_of(records, np.stack(origins[::-1], -1))
    token_log_probs = np.diff(np.stack(sums[::-1], -1), axis=-1, prepend=0.0).tolist()  # [B N T]
    log_probs, scores, lengths = best.log_probs.tolist(), best.scores.tolist(), (steps + 1).tolist()

    def hypothesis(sentence: int, place: int) -> Hypothesis:
        length = lengths[sentence][place]
        own = ids[sentence][place][:length]
        looked = None if weights is None else weights[sentence, place, :length]
        each = tuple(token_log_probs[sentence][place][:length])
        return Hypothesis(own, log_probs[sentence][place], scores[sentence][place], own[-1] == eos, looked, each)

    return [
        [hypothesis(sentence, place) for place, score in enumerate(places) if score > IMPOSSIBLE]
        for sentence, places in enumerate(scores)
    ]


def _weights_of(records: list[StepRecord], origins: Int[Ids, "B N T"]) -> Float[Array, "B N T S"] | None:
    """Where each hypothesis looked: the weights of the rows it came from, step by step."""
    looked = [step.weights for step in records if step.weights is not None]
    if not looked:
        return None
    num_rows = np.array([len(rows) for rows in looked])
    return np.asarray(np.concatenate(looked)[num_rows.cumsum() - num_rows + origins])
