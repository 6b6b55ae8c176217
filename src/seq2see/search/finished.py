"""Complete hypotheses of a beam: their ranking, the n best of each sentence, and tracing them back at the end.

Letters: B sentences, N slots for hypotheses of each, C candidates of each sentence at a step, R rows of a step,
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
    """The divisor of the log-probability in the score: ((5 + length) / 6) ** length_penalty.

    Wu et al. 2016, eq. 14. The length is the number of emitted ids, including EOS.
    """
    divisor: _Length = ((5 + length) / 6) ** length_penalty
    return divisor


def log_coverage(attention: Float[Array, "R S"], source_lengths: Int[Ids, " R"]) -> Float[Array, " R"]:
    """Σ_i log(min(attention_i, 1)) over the real source positions: 0 if all are covered, else negative.

    Wu et al. 2016, eq. 14. `attention` is the weight of each position, summed over all emitted ids. It is clipped at
    the smallest float32 (log: -87), so that a position without attention doesn't make the score -inf.
    """
    real = np.arange(attention.shape[1]) < source_lengths[:, None]
    least = np.finfo(np.float32).tiny
    return np.asarray(np.where(real, np.log(np.clip(attention, least, 1)), 0).sum(-1))


class Coverage(NamedTuple):
    """The attention that each source position of each row has received so far, and its penalty."""

    penalty: float
    source_lengths: Int[Ids, " R"]
    attention: Float[Array, "R S"]
    """Summed over the emitted ids, in float64."""

    @classmethod
    def start(cls, penalty: float, source_lengths: Int[Ids, " B"] | None) -> Coverage | None:
        """No attention yet; None if the penalty is 0."""
        if penalty == 0:
            return None
        assert source_lengths is not None, "a coverage penalty needs source_lengths"
        return cls(penalty, source_lengths, np.zeros((len(source_lengths), 1)))

    @property
    def penalties(self) -> Float[Array, " R"]:
        """The term of the score if a hypothesis were complete now; at most 0."""
        return self.penalty * log_coverage(self.attention, self.source_lengths)

    def after(self, weights: Float[Array, "R S"] | None) -> Coverage:
        """The coverage after a step with these weights. ConfigError if the model has no attention."""
        if weights is None:
            raise ConfigError(
                "needs a model with attention", where="coverage_penalty", fix="set it to 0, or use another model"
            )
        return self._replace(attention=self.attention + weights)

    def select(self, rows: Int[Ids, " N"]) -> Coverage:
        """The coverage of the selected rows."""
        return self._replace(source_lengths=self.source_lengths[rows], attention=self.attention[rows])


class Ranked(NamedTuple):
    """Complete hypotheses of each sentence; a score of -inf marks an empty slot.

    A hypothesis is identified by the step of its last id and its index among that step's B·C candidates.
    """

    scores: Float[Array, "B N"]
    log_probs: Float[Array, "B N"]
    steps: Int[Ids, "B N"]
    candidates: Int[Ids, "B N"]

    @classmethod
    def none(cls, num_sentences: int, num: int) -> Ranked:
        """Empty slots."""
        scores = np.full((num_sentences, num), IMPOSSIBLE)
        steps = np.zeros_like(scores, dtype=np.int64)
        return cls(scores, scores, steps, steps)

    @classmethod
    def of_step(cls, step: int, scores: Float[Array, "B C"], log_probs: Float[Array, "B C"]) -> Ranked:
        """The candidates of a step as complete hypotheses."""
        numbers = np.arange(scores.size).reshape(scores.shape)
        return cls(scores, log_probs, np.full_like(numbers, step), numbers)

    def only(self, wanted: Bool[Mask, "B N"]) -> Ranked:
        """Only the wanted ones; the slots of the others are emptied."""
        return self._replace(scores=np.where(wanted, self.scores, IMPOSSIBLE))

    def of_sentences(self, sentences: Int[Ids, " K"]) -> Ranked:
        """Those of the selected sentences."""
        parts: tuple[Any, ...] = self
        return Ranked(*(part[sentences] for part in parts))

    def best(self, num: int) -> Ranked:
        """The `num` with the highest scores, best first, ties in their order."""
        return self._take((-self.scores).argsort(1, kind="stable")[:, :num])

    def with_more(self, others: Ranked) -> Ranked:
        """The best of these and the others, as many as these are."""
        return self._beside(others).best(self.scores.shape[1])

    def backfilled(self, others: Ranked) -> Ranked:
        """These, which are sorted, with the best of the others in their empty slots."""
        both = self._beside(others.best(self.scores.shape[1]))
        empty = both.scores == IMPOSSIBLE
        return both._take(empty.argsort(1, kind="stable")[:, : self.scores.shape[1]])

    def _beside(self, others: Ranked) -> Ranked:
        pairs: Any = zip(self, others, strict=True)
        return Ranked(*(np.concatenate(pair, 1) for pair in pairs))

    def _take(self, order: Int[Ids, "B N"]) -> Ranked:
        return Ranked(*(take_along(part, order) for part in self))


def take_along(values: Any, order: Int[Ids, "B N"]) -> Any:
    """`np.take_along_axis(values, order, 1)`, without the time that it spends in Python: at each step of a beam."""
    return values[np.arange(len(order))[:, None], order]


class StepRecord(NamedTuple):
    """What one step records for tracing hypotheses back."""

    ids: Int[Ids, " B*C"]
    """The last id of each candidate."""
    rows: Int[Ids, " B*C"]
    """The row of the step that each one continues."""
    log_probs: Float[Array, " B*C"]
    """The log-probability of each candidate, summed over its ids."""
    weights: Float[Array, "R S"] | None
    grown: Int[Ids, " R_next"]
    """The candidate that each row of the next step continues."""


def trace_back(records: list[StepRecord], done: list[tuple[Ids, Ranked]], eos: int) -> list[list[Hypothesis]]:
    """The hypotheses of all sentences in their original order, traced back from their last ids."""
    if not done:
        return []
    order = np.concatenate([sentences for sentences, _ in done]).argsort()
    parts: Any = zip(*(ranked for _, ranked in done), strict=True)
    best = Ranked(*(np.concatenate(part)[order] for part in parts))
    steps, candidates = best.steps, best.candidates
    emitted, origins, sums = [], [], []
    for position in reversed(range(len(records))):
        reached = steps >= position
        current = np.where(reached, candidates, 0)  # any candidate, if the hypothesis is shorter
        emitted.append(records[position].ids[current])
        origins.append(records[position].rows[current])
        sums.append(np.where(reached, records[position].log_probs[current], 0.0))
        if position:
            candidates = np.where(reached, records[position - 1].grown[origins[-1]], candidates)
    ids = np.stack(emitted[::-1], -1).tolist()
    weights = _weights_of(records, np.stack(origins[::-1], -1))
    with np.errstate(invalid="ignore"):  # the empty slots of a sentence may hold -inf throughout
        token_log_probs = np.diff(np.stack(sums[::-1], -1), axis=-1, prepend=0.0).tolist()  # [B N T]
    log_probs, scores, lengths = best.log_probs.tolist(), best.scores.tolist(), (steps + 1).tolist()

    def hypothesis(sentence: int, slot: int) -> Hypothesis:
        length = lengths[sentence][slot]
        own = ids[sentence][slot][:length]
        own_weights = None if weights is None else weights[sentence, slot, :length]
        each = tuple(token_log_probs[sentence][slot][:length])
        return Hypothesis(own, log_probs[sentence][slot], scores[sentence][slot], own[-1] == eos, own_weights, each)

    return [
        [hypothesis(sentence, slot) for slot, score in enumerate(slots) if score > IMPOSSIBLE]
        for sentence, slots in enumerate(scores)
    ]


def _weights_of(records: list[StepRecord], origins: Int[Ids, "B N T"]) -> Float[Array, "B N T S"] | None:
    """The attention weights of each hypothesis: those of its row at each step."""
    weights = [step.weights for step in records if step.weights is not None]
    if not weights:
        return None
    num_rows = np.array([len(rows) for rows in weights])
    return np.asarray(np.concatenate(weights)[num_rows.cumsum() - num_rows + origins])
