"""Several hypotheses a sentence: beam search, many sentences side by side.

Letters: B sentences still searched, W hypotheses of each (1 at first, then up to the width of the beam), R = B·W rows,
C candidates of each sentence, N hypotheses asked for. The vocabulary stays on the model's device; the few candidates
of each step come to the CPU, where all bookkeeping is in small tensors. Ids are read off at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peeky.errors import ConfigError
from peeky.search.contract import Hypothesis, S, Step, without

_IMPOSSIBLE = float("-inf")
_Length = TypeVar("_Length", float, Tensor)


def length_divisor(length: _Length, length_penalty: float) -> _Length:
    """What a log-probability is divided by to give its score: ((5 + length) / 6) ** length_penalty.

    Wu et al. 2016, eq. 14. The length counts emitted ids, EOS among them.
    """
    divisor: _Length = ((5 + length) / 6) ** length_penalty
    return divisor


class _Candidates(NamedTuple):
    """The best continuations of each sentence at one step, best first."""

    log_probs: Float[Tensor, "B C"]
    ids: Int[Tensor, "B C"]
    rows: Int[Tensor, "B C"]
    """The row of the step that each continues."""


class _Best(NamedTuple):
    """The best finished hypotheses of each sentence so far, best first; a score of -inf marks an empty place.

    A hypothesis is known by the step that emitted its last id and by its number among that step's B·C candidates.
    """

    scores: Float[Tensor, "B N"]
    log_probs: Float[Tensor, "B N"]
    steps: Int[Tensor, "B N"]
    candidates: Int[Tensor, "B N"]

    def join(self, other: _Best) -> _Best:
        """These and those side by side, unsorted."""
        return _Best(*(torch.cat(pair, dim=1) for pair in zip(self, other, strict=True)))

    def take(self, order: Int[Tensor, "B K"]) -> _Best:
        """The places of each sentence in the given order."""
        return _Best(*(part.gather(1, order) for part in self))

    def only(self, wanted: Bool[Tensor, "B N"]) -> _Best:
        """The places of all others emptied."""
        return self._replace(scores=self.scores.masked_fill(~wanted, _IMPOSSIBLE))

    def select(self, sentences: Int[Tensor, " K"]) -> _Best:
        """Those of the chosen sentences."""
        return _Best(*(part[sentences] for part in self))


class _Past(NamedTuple):
    """What one step leaves behind for tracing hypotheses back."""

    ids: Int[Tensor, " B*C"]
    rows: Int[Tensor, " B*C"]
    weights: Float[Tensor, "R S"] | None
    grown: Int[Tensor, " R_next"]
    """For each row of the next step, the candidate it is."""


@torch.no_grad()
def beam_search(
    step: Step[S],
    state: S,
    *,
    num_hypotheses: int,
    first: int | Tensor,
    eos: int,
    max_lengths: Int[Tensor, " B"],
    length_penalty: float = 0.0,
    forbidden: Sequence[int] = (),
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The `n_best` best-scoring hypotheses found for each sentence, best first and all different.

    `state` has one row a sentence; `first` is what it reads first: BOS, or the last id [B] of a prompt that the state
    has already seen. `max_lengths` (at least 1, EOS counted) is each sentence's hard maximum, and its
    device is the search's. Let k be `num_hypotheses`. Each step looks at the 2k most probable continuations of a
    sentence: those of the first k that end are finished, and the first k that don't end go on (2k hold as many, since a
    hypothesis can end in one way only). With k = 1 and no length penalty this is greedy search, ties aside. Finished
    hypotheses are compared by score = log_prob / `length_divisor`. One cut off at the maximum is returned only where
    fewer than `n_best` have finished, and then behind those.

    **When a sentence stops.** At its maximum, or once no live hypothesis can still beat its `n_best`-th finished one. A
    continuation adds log-probabilities, none above 0, so its log_prob is at most the present log_prob p <= 0. Its score
    is that divided by a divisor that doesn't shrink with length (length_penalty >= 0), so, as p <= 0, it is at most
    p / divisor(maximum length). If this bound of the most probable live hypothesis doesn't exceed the `n_best`-th
    finished score, going on could not change what is returned: stopping early loses nothing.
    """
    _check_options(num_hypotheses, n_best, length_penalty)
    assert bool((max_lengths >= 1).all()), "every sentence has to be allowed one id"
    device, max_lengths = max_lengths.device, max_lengths.cpu()
    banned = torch.tensor(forbidden, dtype=torch.long, device=device)
    live = torch.arange(len(max_lengths))
    largest_divisors = length_divisor(max_lengths.double(), length_penalty)
    log_probs = torch.zeros(len(live), 1, dtype=torch.float64)
    ranks = torch.arange(2 * num_hypotheses)
    ids = torch.full_like(live, first) if isinstance(first, int) else first
    best = _no_hypotheses(live, n_best)
    past: list[_Past] = []
    done: list[tuple[Tensor, _Best]] = []
    while len(live):
        step_log_probs, state, weights = step(ids.to(device), state)
        found = _continue(log_probs, without(step_log_probs, banned), 2 * num_hypotheses)
        ended = found.ids == eos
        length = len(past) + 1
        as_best = _as_best(found, len(past), length_divisor(float(length), length_penalty))
        finished = as_best.only(ended & (ranks[: ended.size(1)] < num_hypotheses))
        best = _best_of(best.join(finished), n_best)

        # Those that don't end come first, in their order; where they are too few, the ends among them are impossible.
        grown = ended.byte().argsort(dim=1, stable=True)[:, :num_hypotheses]
        log_probs = found.log_probs.masked_fill(ended, _IMPOSSIBLE).gather(1, grown)
        at_limit = max_lengths[live] == length
        stopped = at_limit | (log_probs[:, 0] / largest_divisors[live] <= best.scores[:, -1])

        going = (~stopped).nonzero().squeeze(-1)
        if len(going) < len(live):
            cut_off = as_best.only(~ended & at_limit[:, None]).take(grown)
            leaving = stopped.nonzero().squeeze(-1)
            done.append((live[leaving], _fill_up(best, cut_off).select(leaving)))
            live, best, log_probs = live[going], best.select(going), log_probs[going]
        grown = (going[:, None] * ended.size(1) + grown[going]).flatten()
        past.append(_Past(found.ids.flatten(), found.rows.flatten(), weights, grown))
        ids = past[-1].ids[grown]
        if len(going):
            left = None if len(going) == len(ended) else going.to(device)
            state = state.select(past[-1].rows[grown].to(device), left)
    return _trace_back(past, done, eos)


def _check_options(num_hypotheses: int, n_best: int, length_penalty: float) -> None:
    if num_hypotheses < 1:
        raise ConfigError(f"a beam of {num_hypotheses} holds nothing", where="num_hypotheses", fix="use at least 1")
    if not 1 <= n_best <= num_hypotheses:
        raise ConfigError(
            f"{n_best} hypotheses can't come out of a beam of {num_hypotheses}",
            where="n_best",
            fix=f"ask for 1 to {num_hypotheses}, or use a wider beam",
        )
    if not 0 <= length_penalty < float("inf"):
        raise ConfigError(
            f"a length penalty of {length_penalty} is out of range",
            where="length_penalty",
            fix="use 0 for none, or a number up to about 1 to favour longer output",
        )


def _no_hypotheses(sentences: Int[Tensor, " B"], n_best: int) -> _Best:
    """Empty places for each sentence."""
    scores = torch.full((len(sentences), n_best), _IMPOSSIBLE, dtype=torch.float64)
    steps = torch.zeros_like(scores, dtype=torch.long)
    return _Best(scores, scores, steps, steps)


def _continue(log_probs: Float[Tensor, "B W"], next_log_probs: Float[Tensor, "R V"], num: int) -> _Candidates:
    """The `num` most probable continuations of each sentence (fewer where there are fewer).

    They are among the `num` best of each row, so only those leave the device, and are added up in float64.
    """
    num_sentences, width = log_probs.shape
    of_row, ids = (best.cpu() for best in next_log_probs.topk(min(num, next_log_probs.size(-1))))
    per_row = ids.size(1)
    totals = (log_probs[:, :, None] + of_row.double().view(num_sentences, width, per_row)).flatten(1)
    totals, order = totals.sort(dim=1, descending=True, stable=True)
    totals, order = totals[:, :num], order[:, :num]
    first_rows = torch.arange(num_sentences)[:, None] * width
    return _Candidates(totals, ids.view(num_sentences, -1).gather(1, order), first_rows + order // per_row)


def _as_best(found: _Candidates, step: int, divisor: float) -> _Best:
    """The candidates as hypotheses that the step completed."""
    numbers = torch.arange(found.ids.numel()).view_as(found.ids)
    return _Best(found.log_probs / divisor, found.log_probs, torch.full_like(numbers, step), numbers)


def _best_of(hypotheses: _Best, num: int) -> _Best:
    """The `num` of the highest score, the earlier among equals."""
    return hypotheses.take(hypotheses.scores.argsort(dim=1, descending=True, stable=True)[:, :num])


def _fill_up(best: _Best, cut_off: _Best) -> _Best:
    """The finished hypotheses and, in the places they leave empty, those cut off; both are sorted already."""
    both = best.join(cut_off)
    empty = both.scores == _IMPOSSIBLE
    return both.take(empty.byte().argsort(dim=1, stable=True)[:, : best.scores.size(1)])


def _trace_back(past: list[_Past], done: list[tuple[Tensor, _Best]], eos: int) -> list[list[Hypothesis]]:
    """Read every hypothesis off the steps, last id first, and put the sentences back in order."""
    if not done:
        return []
    order = torch.cat([sentences for sentences, _ in done]).argsort()
    best = _Best(*(torch.cat(parts)[order] for parts in zip(*(best for _, best in done), strict=True)))
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
    log_probs, lengths = best.log_probs.tolist(), (steps + 1).tolist()
    found = (best.scores > _IMPOSSIBLE).tolist()

    def hypothesis(sentence: int, place: int) -> Hypothesis:
        length = lengths[sentence][place]
        own = ids[sentence][place][:length]
        looked = None if weights is None else weights[sentence, place, :length]
        return Hypothesis(own, log_probs[sentence][place], own[-1] == eos, looked)

    return [
        [hypothesis(sentence, place) for place, there in enumerate(places) if there]
        for sentence, places in enumerate(found)
    ]


def _weights_of(past: list[_Past], origins: Int[Tensor, "B N T"]) -> Float[Tensor, "B N T S"] | None:
    """Where each hypothesis looked: the weights of the rows it came from, step by step."""
    looked = [step.weights for step in past if step.weights is not None]
    if not looked:
        return None
    num_rows = torch.tensor([len(rows) for rows in looked])
    return torch.cat(looked).float().cpu()[num_rows.cumsum(0) - num_rows + origins]
