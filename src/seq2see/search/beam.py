"""Several hypotheses a sentence: beam search, many sentences side by side.

Letters: B sentences still searched, W hypotheses of each (1 at first, then up to the width of the beam), R = B·W rows,
C candidates of each sentence, S source positions. All bookkeeping is in small arrays of the few candidates of each
step. Ids are read off at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seq2see.errors import ConfigError
from seq2see.search.constraints import Progress, allocate
from seq2see.search.contract import IMPOSSIBLE, Array, Hypothesis, Ids, S, Step
from seq2see.search.emitted import Emitted
from seq2see.search.filters import Filter, restrict
from seq2see.search.finished import Coverage, Ranked, StepRecord, length_divisor, take_along, trace_back

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def beam_search(
    step: Step[S],
    state: S,
    *,
    num_hypotheses: int,
    first: int | Ids,
    eos: int,
    max_lengths: Int[Ids, " B"],
    length_penalty: float = 0.0,
    coverage_penalty: float = 0.0,
    source_lengths: Int[Ids, " B"] | None = None,
    filters: Sequence[Filter] = (),
    phrases: Sequence[Sequence[Sequence[int]]] | None = None,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The `n_best` best-scoring hypotheses found for each sentence, best first and all different.

    `state` has one row a sentence; `first` is what it reads first: BOS, or the last id [B] of a prompt that the state
    has already seen. `max_lengths` (at least 1, EOS counted) is each sentence's hard maximum.

    **What is kept.** Let k be `num_hypotheses`. Each step looks at the 2k most probable continuations of a sentence:
    those of the first k that end are finished, and the first k that don't end go on (2k hold as many, since a
    hypothesis can end in one way only). With k = 1 and no penalties this is greedy search, ties aside. Only log_probs
    decide here: all live hypotheses have the same length, and coverage is a matter of whole hypotheses. What `filters`
    rule out is no continuation; a hypothesis that has none dies.

    **How they are ranked.** By score = log_prob / `length_divisor` + `coverage_penalty` · `log_coverage` (Wu et al.
    2016, eq. 14); the latter needs a model with attention and, as the number of its real source positions,
    `source_lengths`. One cut off at the maximum is returned only where fewer than `n_best` have finished, and then
    behind those. Where all have died there may be none at all.

    **Phrases.** `phrases` are for each sentence the sequences of ids that its output has to contain, in any order. All
    hypotheses returned contain them; there are none where none was found in time. The 2k continuations of such a
    sentence are then not the most probable ones, but shared out by how much of the phrases they have met (`allocate`),
    and among them are those that take up a phrase or go on with it. A hypothesis with most met can always go on with a
    phrase, so unless filters forbid it all are met after as many steps as the phrases have ids. The sentences without
    phrases are searched as ever.

    **When a sentence stops.** At its maximum, or once no live hypothesis can still beat its `n_best`-th finished one. A
    continuation adds log-probabilities, none above 0, so its log_prob is at most the present log_prob p <= 0. Divided
    by a divisor that doesn't shrink with length (length_penalty >= 0), it is, as p <= 0, at most p / divisor(maximum
    length). Coverage adds coverage_penalty >= 0 times a sum of logarithms of numbers up to 1, so never more than 0, and
    filters and phrases only take continuations away. So if this bound of the most probable live hypothesis doesn't
    exceed the `n_best`-th finished score, going on could not change what is returned: stopping early loses nothing.
    """
    _check_options(num_hypotheses, n_best, length_penalty, coverage_penalty)
    assert bool((max_lengths >= 1).all()), "every sentence has to be allowed one id"
    live, limits = np.arange(len(max_lengths)), max_lengths
    largest_divisors = length_divisor(limits.astype(np.float64), length_penalty)
    ids = np.full_like(live, first) if isinstance(first, int) else first
    log_probs: Array = np.zeros((len(live), 1))
    emitted = Emitted.none(len(live))
    coverage = Coverage.start(coverage_penalty, source_lengths)
    progress = Progress.start(phrases, max_lengths, eos) if phrases and any(phrases) else None
    ranks = np.arange(2 * num_hypotheses)
    best = Ranked.none(len(live), n_best)
    records: list[StepRecord] = []
    done: list[tuple[Ids, Ranked]] = []
    while len(live):
        step_log_probs, state, weights = step(ids, state)
        if filters:
            step_log_probs = restrict(filters, step_log_probs, emitted.ids, live.repeat(log_probs.shape[1]))
        found = _best_candidates(log_probs, step_log_probs, 2 * num_hypotheses, progress, eos)
        length = len(records) + 1
        scores = found.log_probs / length_divisor(float(length), length_penalty)
        if coverage is not None:
            coverage = coverage.after(weights)
            scores = scores + coverage.penalties[found.rows]

        ended = found.ids == eos
        if ended[:, :num_hypotheses].any():
            in_front = ranks[: ended.shape[1]] < num_hypotheses
            best = best.with_more(Ranked.of_step(len(records), scores, found.log_probs).only(ended & in_front))
        # Those that don't end come first, in their order; where they are too few, the ends among them are impossible.
        grown = ended.argsort(1, kind="stable")[:, :num_hypotheses]
        log_probs = take_along(np.where(ended, IMPOSSIBLE, found.log_probs), grown)
        at_limit = limits == length
        stopped = at_limit | (log_probs.max(1) / largest_divisors <= best.scores[:, -1])
        if progress is not None:
            progress = progress.after(found.rows.ravel(), found.ids.ravel())

        going = (~stopped).nonzero()[0]
        if len(going) < len(live):
            cut_off = ~ended & at_limit[:, None]
            if progress is not None:
                cut_off &= progress.complete.reshape(cut_off.shape)
            best = best.backfilled(Ranked.of_step(len(records), scores, found.log_probs).only(cut_off))
            leaving = stopped.nonzero()[0]
            done.append((live[leaving], best.of_sentences(leaving)))
            live, limits, largest_divisors = live[going], limits[going], largest_divisors[going]
            best, log_probs = best.of_sentences(going), log_probs[going]
        grown = (going[:, None] * ended.shape[1] + grown[going]).ravel()
        records.append(StepRecord(found.ids.ravel(), found.rows.ravel(), found.log_probs.ravel(), weights, grown))
        if len(going):
            rows, ids = records[-1].rows[grown], records[-1].ids[grown]
            state = state.select(rows, None if len(going) == len(ended) else going)
            emitted = emitted.select(rows).followed_by(ids)
            coverage = None if coverage is None else coverage.select(rows)
            progress = None if progress is None else progress.select(grown)
    return trace_back(records, done, eos)


def _check_options(num_hypotheses: int, n_best: int, length_penalty: float, coverage_penalty: float) -> None:
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
    if not 0 <= coverage_penalty < float("inf"):
        raise ConfigError(
            f"a coverage penalty of {coverage_penalty} is out of range",
            where="coverage_penalty",
            fix="use 0 for none, or a number up to about 1 to favour output that looks at all of the source",
        )


class _Candidates(NamedTuple):
    """Continuations of each sentence at one step."""

    log_probs: Float[Array, "B C"]
    ids: Int[Ids, "B C"]
    rows: Int[Ids, "B C"]
    """The row of the step that each continues."""

    def take(self, order: Int[Ids, "B K"]) -> _Candidates:
        """Those of each sentence in the given order."""
        return _Candidates(*(take_along(part, order) for part in self))


def _best_candidates(
    log_probs: Float[Array, "B W"],
    next_log_probs: Float[Array, "R V"],
    num: int,
    progress: Progress | None,
    eos: int,
) -> _Candidates:
    """The `num` best continuations of each sentence (fewer where there are fewer), best first.

    They are among the `num` best of each row, so only those are added up, in float64.
    """
    if progress is None:
        candidates = _continue(log_probs, *_best_of_rows(next_log_probs, num))
        order = (-candidates.log_probs).argsort(1, kind="stable")
        return candidates.take(order[:, :num])
    next_log_probs[~progress.complete, eos] = IMPOSSIBLE
    candidates = _continue(
        log_probs, *_with_ids(next_log_probs, *_best_of_rows(next_log_probs, num), progress.next_ids)
    )
    after = progress.after(candidates.rows.ravel(), candidates.ids.ravel())
    order = allocate(candidates.log_probs, after.num_met.reshape(candidates.ids.shape))
    return candidates.take(order[:, :num])


_BLOCK = 64


def _best_of_rows(log_probs: Float[Array, "R V"], num: int) -> tuple[Float[Array, "R K"], Int[Ids, "R K"]]:
    """The log_probs and ids of the best of each row, best first, the lower id among equals.

    Those of a large vocabulary are all in the `num` blocks of ids with the largest maxima (or in what the last whole
    block leaves over): maxima are fast and sorting isn't, so it pays to look only there.
    """
    num_ids = log_probs.shape[1]
    num_blocks = num_ids // _BLOCK
    if num_blocks < 8 * num:
        return _sorted_best(log_probs, num)
    whole = num_blocks * _BLOCK
    blocks = _largest(log_probs[:, :whole].reshape(-1, num_blocks, _BLOCK).max(2), num)
    within = (blocks[:, :, None] * _BLOCK + np.arange(_BLOCK)).reshape(len(blocks), -1)
    rest = np.broadcast_to(np.arange(whole, num_ids), (len(blocks), num_ids - whole))
    ids = np.concatenate([within, rest], 1)
    best, places = _sorted_best(np.take_along_axis(log_probs, ids, 1), num)
    return best, np.take_along_axis(ids, places, 1)


def _sorted_best(values: Float[Array, "R X"], num: int) -> tuple[Float[Array, "R K"], Int[Ids, "R K"]]:
    """The `num` largest of each row (or all there are), largest first, and their places."""
    places = _largest(values, num)
    best = np.take_along_axis(values, places, 1)
    order = (-best).argsort(1, kind="stable")
    return np.take_along_axis(best, order, 1), np.take_along_axis(places, order, 1)


def _largest(values: Float[Array, "R X"], num: int) -> Int[Ids, "R K"]:
    """The places of the `num` largest of each row, in their order."""
    size = values.shape[1]
    if num >= size:
        return np.broadcast_to(np.arange(size), values.shape)
    places = values.argpartition(size - num, 1)[:, size - num :]
    places.sort(1)
    return places


def _with_ids(
    log_probs: Float[Array, "R V"],
    best: Float[Array, "R K"],
    ids: Int[Ids, "R K"],
    more: Int[Ids, "R P"],
) -> tuple[Float[Array, "R K+P"], Int[Ids, "R K+P"]]:
    """These ids and more; what is no id (below 0) and what is there already is made impossible."""
    all_ids = np.concatenate([ids, more], 1)
    twice = np.tril(all_ids[:, :, None] == all_ids[:, None], -1).any(-1)[:, ids.shape[1] :]
    nothing = twice | (more < 0)
    more = np.maximum(more, 0)
    others = np.where(nothing, IMPOSSIBLE, np.take_along_axis(log_probs, more, 1))
    return np.concatenate([best, others], 1), np.concatenate([ids, more], 1)


def _continue(log_probs: Float[Array, "B W"], next_log_probs: Float[Array, "R C"], ids: Int[Ids, "R C"]) -> _Candidates:
    """Each row continued with each of its ids."""
    num_sentences, width = log_probs.shape
    totals = log_probs[:, :, None] + next_log_probs.reshape(num_sentences, width, -1).astype(np.float64)
    rows = np.broadcast_to(np.arange(num_sentences * width)[:, None], ids.shape)
    parts: Any = (totals, ids, rows)
    return _Candidates(*(part.reshape(num_sentences, -1) for part in parts))
