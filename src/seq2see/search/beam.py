"""Beam search over many sentences in parallel.

Letters: B sentences still searched, K hypotheses of each (1 at first, then up to the beam width), R = B·K rows, V
vocabulary, C candidates of each sentence, S source positions. A step keeps only small arrays of its candidates;
the hypotheses are traced back at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2see.errors import ConfigError
from seq2see.search.candidates import best_candidates
from seq2see.search.constraints import Progress
from seq2see.search.contract import IMPOSSIBLE, Array, Hypothesis, Ids, S, Step
from seq2see.search.diversity import Groups, merged
from seq2see.search.emitted import Emitted
from seq2see.search.filters import Filter, restrict
from seq2see.search.finished import Coverage, Ranked, StepRecord, length_divisor, take_along, trace_back
from seq2see.search.recording import Recorder

if TYPE_CHECKING:
    from jaxtyping import Int


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
    transducer_step: int | None = None,
    num_steps: Ids | None = None,
    n_best: int = 1,
    groups: Groups | None = None,
    recorder: Recorder | None = None,
) -> list[list[Hypothesis]]:
    """The `n_best` best-scoring hypotheses found for each sentence, best first and all different.

    `state` has one row per sentence; `first` is its first input: BOS, or the last id [B] of a prompt that the state has
    already read. `max_lengths` (at least 1, including EOS) is the hard maximum of each sentence.

    **Candidates.** Let k be `num_hypotheses`. Each step considers the 2k most probable continuations of a sentence:
    those among the first k that end with EOS are finished, and the first k that don't end continue (2k contain enough,
    since each hypothesis can end in only one way). With k = 1 and no penalties this is greedy search, except for ties.
    Only log_probs matter here: all live hypotheses have the same length, and coverage applies to finished ones.
    `filters` remove continuations; a hypothesis without any is dropped.

    **Ranking.** By score = log_prob / `length_divisor` + `coverage_penalty` · `log_coverage` (Wu et al. 2016, eq. 14).
    Coverage needs a model with attention, and `source_lengths`, the numbers of real source positions. Hypotheses cut
    off at the maximum length are returned only if fewer than `n_best` have finished, and rank behind those. If all
    hypotheses were dropped the result is empty.

    **Phrases.** `phrases` are, for each sentence, the sequences of ids that its output must contain, in any order. All
    hypotheses returned contain them; if none was found within the maximum length the result is empty. The 2k
    continuations of such a sentence are allocated by how much of the phrases they have met (`allocate`), and they
    include those that begin or continue a phrase. The hypothesis with most met can always continue a phrase, so unless
    filters forbid it, all phrases are met after as many steps as they have ids. Sentences without phrases are searched
    as usual.

    **Transducers.** Of one, `transducer_step` is the id of STEP, which phrases may contain anywhere, and `num_steps`
    [B] the number of STEPs in each finished hypothesis, which don't count as length.

    **Groups.** If the rows of `state` are groups of sentences, `groups` lets them choose different ids: see
    `diverse_beam_search`.

    **Recording.** A `recorder` is told what each step considers; it changes nothing.

    **Stopping.** A sentence stops at its maximum length, or when no live hypothesis can beat its `n_best`-th finished
    one. A continuation adds log-probabilities, which are at most 0, so its log_prob is at most the current log_prob
    p <= 0. The divisor doesn't decrease with length (length_penalty >= 0), so the quotient is at most p divided by the
    divisor of the maximum length. Coverage adds coverage_penalty >= 0 times a sum of logarithms of numbers up to 1, so
    at most 0, and filters and phrases only remove continuations. So if this bound of the most probable live hypothesis
    is not above the `n_best`-th finished score, continuing could not change the result: stopping early is exact.
    """
    _check_options(num_hypotheses, n_best, length_penalty, coverage_penalty)
    assert bool((max_lengths >= 1).all()), "every maximum length must be at least 1"
    live, limits = np.arange(len(max_lengths)), max_lengths  # [B], [B]
    steps = np.zeros_like(limits) if num_steps is None else num_steps  # [B]
    largest_divisors = length_divisor((limits - steps).astype(np.float64), length_penalty)  # [B]
    ids = np.full_like(live, first) if isinstance(first, int) else first  # [R], at first R = B
    log_probs: Array = np.zeros((len(live), 1))  # [B K], at first K = 1
    emitted = Emitted.none(len(live))
    coverage = Coverage.start(coverage_penalty, source_lengths)
    progress = Progress.start(phrases, max_lengths - steps, eos, transducer_step) if phrases and any(phrases) else None
    ranks = np.arange(2 * num_hypotheses)
    best = Ranked.none(len(live), n_best)  # [B n_best]
    records: list[StepRecord] = []
    done: list[tuple[Ids, Ranked]] = []
    while len(live):
        step_log_probs, state, weights = step(ids, state)  # [R V], _, [R S]
        if filters:
            sentences = live if groups is None else groups.sentences_of(live)
            step_log_probs = restrict(filters, step_log_probs, emitted.ids, sentences.repeat(log_probs.shape[1]))
        choose = best_candidates if groups is None else groups.best_candidates(live)
        found = choose(log_probs, step_log_probs, 2 * num_hypotheses, progress, eos)  # [B C]
        length = len(records) + 1
        lengths = np.maximum(length - steps, 1).astype(np.float64)  # [B]
        scores = found.log_probs / length_divisor(lengths, length_penalty)[:, None]  # [B C]
        if coverage is not None:
            coverage = coverage.after(weights)
            scores = scores + coverage.penalties[found.rows]

        ended = found.ids == eos  # [B C]
        if ended[:, :num_hypotheses].any():
            in_front = ranks[: ended.shape[1]] < num_hypotheses  # [C]
            best = best.with_more(Ranked.of_step(len(records), scores, found.log_probs).only(ended & in_front))
        # Those that don't end come first, in order; if there are fewer than K, the ended ones become impossible.
        grown = ended.argsort(1, kind="stable")[:, :num_hypotheses]  # [B K]
        log_probs = take_along(np.where(ended, IMPOSSIBLE, found.log_probs), grown)  # [B K]
        at_limit = limits == length  # [B]
        stopped = at_limit | (log_probs.max(1) / largest_divisors <= best.scores[:, -1])  # [B]
        if progress is not None:
            progress = progress.after(found.rows.ravel(), found.ids.ravel())  # [B·C]

        if recorder is not None:
            recorder.add(live, found, scores, ended, grown, stopped)
        going = (~stopped).nonzero()[0]  # [B_next]
        if len(going) < len(live):
            cut_off = ~ended & at_limit[:, None]  # [B C]
            if progress is not None:
                cut_off &= progress.complete.reshape(cut_off.shape)
            best = best.backfilled(Ranked.of_step(len(records), scores, found.log_probs).only(cut_off))
            leaving = stopped.nonzero()[0]
            done.append((live[leaving], best.of_sentences(leaving)))
            live, limits, steps, largest_divisors = live[going], limits[going], steps[going], largest_divisors[going]
            best, log_probs = best.of_sentences(going), log_probs[going]
        grown = (going[:, None] * ended.shape[1] + grown[going]).ravel()  # [R_next], indices into B·C
        records.append(StepRecord(found.ids.ravel(), found.rows.ravel(), found.log_probs.ravel(), weights, grown))
        if len(going):
            rows, ids = records[-1].rows[grown], records[-1].ids[grown]  # [R_next], [R_next]
            state = state.select(rows, None if len(going) == len(ended) else going)
            emitted = emitted.select(rows).followed_by(ids)
            coverage = None if coverage is None else coverage.select(rows)
            progress = None if progress is None else progress.select(grown)
    return trace_back(records, done, eos)


def diverse_beam_search(
    step: Step[S],
    state: S,
    *,
    groups: int,
    diversity: float,
    num_hypotheses: int,
    first: int | Ids,
    max_lengths: Int[Ids, " B"],
    eos: int,
    source_lengths: Int[Ids, " B"] | None = None,
    phrases: Sequence[Sequence[Sequence[int]]] | None = None,
    transducer_step: int | None = None,
    num_steps: Ids | None = None,
    n_best: int = 1,
    **options: Any,
) -> list[list[Hypothesis]]:
    """As `beam_search`, by `groups` of hypotheses that choose different ids (Vijayakumar et al. 2016).

    Each sentence has as many beam searches, of `num_hypotheses` / `groups` hypotheses each; their best are merged. At
    each step the groups choose one after another: an id costs `diversity` nats for each hypothesis of the groups before
    that has just chosen it; EOS and STEP cost nothing. This decides which hypotheses are kept, and no more:
    log_probs and scores are without it. ConfigError unless `groups` divides `num_hypotheses`.
    """
    if groups < 1 or num_hypotheses % groups:
        what = f"must divide num_hypotheses ({num_hypotheses}), which {groups} doesn't"
        raise ConfigError(what, where="groups", fix="use 1, or a wider beam")
    if not 0 <= diversity < float("inf"):
        what = f"must be a finite number of at least 0, not {diversity}"
        raise ConfigError(what, where="diversity", fix="use 0 for none, or 0.2 to 0.8")
    if groups == 1:
        return beam_search(
            step, state, num_hypotheses=num_hypotheses, n_best=n_best, first=first, max_lengths=max_lengths, eos=eos,
            source_lengths=source_lengths, phrases=phrases, transducer_step=transducer_step, num_steps=num_steps,
            **options,
        )  # fmt: skip
    _check_options(num_hypotheses, n_best)
    own = np.arange(len(max_lengths)).repeat(groups)  # [B·groups]: the sentence of each group
    width = num_hypotheses // groups
    found = beam_search(
        step,
        state.select(own, own) if len(own) else state,
        num_hypotheses=width,
        n_best=min(n_best, width),
        first=first if isinstance(first, int) else first[own],
        max_lengths=max_lengths[own],
        eos=eos,
        source_lengths=None if source_lengths is None else source_lengths[own],
        phrases=None if phrases is None else [phrases[sentence] for sentence in own.tolist()],
        transducer_step=transducer_step,
        num_steps=None if num_steps is None else num_steps[own],
        groups=Groups(groups, diversity, tuple(each for each in (eos, transducer_step) if each is not None)),
        **options,
    )
    return [merged(found[start : start + groups])[:n_best] for start in range(0, len(found), groups)]


def _check_options(
    num_hypotheses: int, n_best: int, length_penalty: float = 0.0, coverage_penalty: float = 0.0
) -> None:
    if num_hypotheses < 1:
        raise ConfigError(
            f"must be at least 1, not {num_hypotheses}", where="num_hypotheses", fix="set it to 1 or more"
        )
    if not 1 <= n_best <= num_hypotheses:
        raise ConfigError(
            f"must be between 1 and num_hypotheses ({num_hypotheses}), not {n_best}",
            where="n_best",
            fix=f"ask for 1 to {num_hypotheses}, or use a wider beam",
        )
    if not 0 <= length_penalty < float("inf"):
        raise ConfigError(
            f"must be a finite number of at least 0, not {length_penalty}",
            where="length_penalty",
            fix="use 0 for none, or a number up to about 1 to favor longer output",
        )
    if not 0 <= coverage_penalty < float("inf"):
        raise ConfigError(
            f"must be a finite number of at least 0, not {coverage_penalty}",
            where="coverage_penalty",
            fix="use 0 for none, or a number up to about 1 to favor output that attends to all of the source",
        )
