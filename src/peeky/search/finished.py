"""How a beam ranks the hypotheses that are complete, keeps the best few, and reads them off at the end.

Letters: B sentences, N places for hypotheses of each, C candidates of each sentence at a step, R rows of a step,
S source positions, T emitted ids.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peeky.errors import ConfigError
from peeky.search.contract import IMPOSSIBLE, Hypothesis

_Length = TypeVar("_Length", float, Tensor)


def length_divisor(length: _Length, length_penalty: float) -> _Length:
    """What a log-probability is divided by to give its score: ((5 + length) / 6) ** length_penalty.

    Wu et al. 2016, eq. 14. The length counts emitted ids, EOS among them.
    """
    divisor: _Length = ((5 + length) / 6) ** length_penalty
    return divisor


def log_coverage(looked: Float[Tensor, "R S"], source_lengths: Int[Tensor, " R"]) -> Float[Tensor, " R"]:
    """Σ_i log(min(looked_i, 1)) over the real source positions: 0 where all has been looked at, else below.

    Wu et al. 2016, eq. 14. `looked` is the attention that each position has got, summed over all emitted ids. No
    position counts as less than the smallest float32 (log: -87), so that one never looked at forbids nothing.
    """
    real = torch.arange(looked.size(1), device=looked.device) < source_lengths[:, None]
    least = torch.finfo(torch.float32).tiny
    return looked.clamp(least, 1).log().masked_fill(~real, 0).sum(-1)


class Coverage(NamedTuple):
    """What each row has looked at so far, and what it pays for the rest."""

    penalty: float
    source_lengths: Int[Tensor, " R"]
    looked: Float[Tensor, "R S"]
    """Summed over the ids emitted, in float64 on the CPU."""

    @classmethod
    def start(cls, penalty: float, source_lengths: Int[Tensor, " B"] | None) -> Coverage | None:
        """Nothing looked at yet; None where that costs nothing."""
        if penalty == 0:
            return None
        assert source_lengths is not None, "a coverage penalty needs the number of source positions"
        return cls(penalty, source_lengths.cpu(), torch.zeros(len(source_lengths), 1, dtype=torch.float64))

    @property
    def penalties(self) -> Float[Tensor, " R"]:
        """What is added to the score of a hypothesis that is complete now, never more than 0."""
        return self.penalty * log_coverage(self.looked, self.source_lengths)

    def after(self, weights: Float[Tensor, "R S"] | None) -> Coverage:
        """The same when all rows have looked there too. Raises ConfigError where the model doesn't look."""
        if weights is None:
            raise ConfigError(
                "a model without attention covers nothing", where="coverage_penalty", fix="use 0, or another model"
            )
        return self._replace(looked=self.looked + weights.cpu().double())

    def select(self, rows: Int[Tensor, " N"]) -> Coverage:
        """That of the chosen rows."""
        return self._replace(source_lengths=self.source_lengths[rows], looked=self.looked[rows])


class Ranked(NamedTuple):
    """Complete hypotheses of each sentence; a score of -inf marks an empty place.

    A hypothesis is known by the step that emitted its last id and by its number among that step's B·C candidates.
    """

    scores: Float[Tensor, "B N"]
    log_probs: Float[Tensor, "B N"]
    steps: Int[Tensor, "B N"]
    candidates: Int[Tensor, "B N"]

    @classmethod
    def none(cls, num_sentences: int, num: int) -> Ranked:
        """Empty places."""
        scores = torch.full((num_sentences, num), IMPOSSIBLE, dtype=torch.float64)
        steps = torch.zeros_like(scores, dtype=torch.long)
        return cls(scores, scores, steps, steps)

    @classmethod
    def of_step(cls, step: int, scores: Float[Tensor, "B C"], log_probs: Float[Tensor, "B C"]) -> Ranked:
        """The candidates of a step as hypotheses that it completed."""
        numbers = torch.arange(scores.numel()).view_as(scores)
        return cls(scores, log_probs, torch.full_like(numbers, step), numbers)

    def only(self, wanted: Bool[Tensor, "B N"]) -> Ranked:
        """The places of all others emptied."""
        return self._replace(scores=self.scores.masked_fill(~wanted, IMPOSSIBLE))

    def of_sentences(self, sentences: Int[Tensor, " K"]) -> Ranked:
        """Those of the chosen sentences."""
        return Ranked(*(part[sentences] for part in self))

    def best(self, num: int) -> Ranked:
        """The `num` of the highest score, best first, the earlier among equals."""
        return self._take(self.scores.argsort(dim=1, descending=True, stable=True)[:, :num])

    def with_more(self, others: Ranked) -> Ranked:
        """The best of these and the others, as many as these are."""
        return self._beside(others).best(self.scores.size(1))

    def filled_up(self, others: Ranked) -> Ranked:
        """These and, in the places they leave empty, the best of the others; these are sorted already."""
        both = self._beside(others.best(self.scores.size(1)))
        empty = both.scores == IMPOSSIBLE
        return both._take(empty.byte().argsort(dim=1, stable=True)[:, : self.scores.size(1)])

    def _beside(self, others: Ranked) -> Ranked:
        return Ranked(*(torch.cat(pair, dim=1) for pair in zip(self, others, strict=True)))

    def _take(self, order: Int[Tensor, "B K"]) -> Ranked:
        return Ranked(*(part.gather(1, order) for part in self))


class Past(NamedTuple):
    """What one step leaves behind for tracing hypotheses back."""

    ids: Int[Tensor, " B*C"]
    """The last id of each candidate."""
    rows: Int[Tensor, " B*C"]
    """The row of the step that each continues."""
    weights: Float[Tensor, "R S"] | None
    grown: Int[Tensor, " R_next"]
    """For each row of the next step, the candidate it is."""


def trace_back(past: list[Past], done: list[tuple[Tensor, Ranked]], eos: int) -> list[list[Hypothesis]]:
    """Read every hypothesis off the steps, last id first, and put the sentences back in order."""
    if not done:
        return []
    order = torch.cat([sentences for sentences, _ in done]).argsort()
    best = Ranked(*(torch.cat(parts)[order] for parts in zip(*(ranked for _, ranked in done), strict=True)))
    steps, candidates = best.steps, best.candidates
    emitted, origins = [], []
    for position in reversed(range(len(past))):
        reached = steps >= position
        here = torch.where(reached, candidates, 0)  # Any candidate will do where the hypothesis is shorter.
        emitted.append(past[position].ids[here])
        origins.append(past[position].rows[here])
        if position:
            candidates = torch.where(reached, past[position - 1].grown[origins[-1]], candidates)
    ids = torch.stack(emitted[::-1], dim=-1).tolist()
    weights = _weights_of(past, torch.stack(origins[::-1], dim=-1))
    log_probs, scores, lengths = best.log_probs.tolist(), best.scores.tolist(), (steps + 1).tolist()

    def hypothesis(sentence: int, place: int) -> Hypothesis:
        length = lengths[sentence][place]
        own = ids[sentence][place][:length]
        looked = None if weights is None else weights[sentence, place, :length]
        return Hypothesis(own, log_probs[sentence][place], scores[sentence][place], own[-1] == eos, looked)

    return [
        [hypothesis(sentence, place) for place, score in enumerate(places) if score > IMPOSSIBLE]
        for sentence, places in enumerate(scores)
    ]


def _weights_of(past: list[Past], origins: Int[Tensor, "B N T"]) -> Float[Tensor, "B N T S"] | None:
    """Where each hypothesis looked: the weights of the rows it came from, step by step."""
    looked = [step.weights for step in past if step.weights is not None]
    if not looked:
        return None
    num_rows = torch.tensor([len(rows) for rows in looked])
    return torch.cat(looked).float().cpu()[num_rows.cumsum(0) - num_rows + origins]
