"""Beam search: results, stopping, and independence of sentences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.errors import ConfigError
from seq2see.search import Forbid, Hypothesis, beam_search, generate, length_divisor, log_coverage
from seq2see.search.candidates import _best_of_rows
from seq2see.search.finished import take_along

BOS, EOS = 0, 1

# From the last id (BOS, EOS, a = 2, b = 3) to the next. All sequences that end within three ids:
#   b EOS    .4 · .9       = .36      a EOS    .6 · .4       = .24       a b EOS  .6 · .35 · .9 = .189
#   a a EOS  .6 · .25 · .4 = .06      b b EOS  .4 · .04 · .9 = .0144     b a EOS  .4 · .06 · .4 = .0096
BY_HAND = [
    [0.0, 0.0, 0.6, 0.4],
    [0.25, 0.25, 0.25, 0.25],
    [0.0, 0.4, 0.25, 0.35],
    [0.0, 0.9, 0.06, 0.04],
]


def run(
    model: Any, sentences: list[int], max_lengths: list[int] | int, *, num_hypotheses: int, **options: Any
) -> list[list[Hypothesis]]:
    lengths = [max_lengths] * len(sentences) if isinstance(max_lengths, int) else max_lengths
    return beam_search(
        model.step,
        model.start(sentences),
        num_hypotheses=num_hypotheses,
        first=BOS,
        eos=EOS,
        max_lengths=np.array(lengths, dtype=np.int64),
        **options,
    )


def same(one: list[Hypothesis], other: list[Hypothesis]) -> bool:
    """Equal to the last bit."""
    return [found[:4] for found in one] == [found[:4] for found in other] and all(
        np.array_equal(first.weights, second.weights) for first, second in zip(one, other, strict=True)
    )


def test_a_beam_of_two_finds_what_greedy_misses(table_model: Any) -> None:
    ((greedy,),) = run(table_model(BY_HAND), [0], 10, num_hypotheses=1)
    ((found,),) = run(table_model(BY_HAND), [0], 10, num_hypotheses=2)
    assert greedy.ids == [2, EOS]
    assert found.ids == [3, EOS]
    assert found.log_prob == pytest.approx(math.log(0.36), abs=1e-6)
    assert found.finished
    assert found.weights is None


def test_n_best_are_in_order(table_model: Any) -> None:
    (found,) = run(table_model(BY_HAND), [0], 3, num_hypotheses=12, n_best=6)
    assert [hypothesis.ids for hypothesis in found] == [
        [3, EOS],
        [2, EOS],
        [2, 3, EOS],
        [2, 2, EOS],
        [3, 3, EOS],
        [3, 2, EOS],
    ]
    products = [0.36, 0.24, 0.189, 0.06, 0.0144, 0.0096]
    assert [hypothesis.log_prob for hypothesis in found] == pytest.approx([math.log(p) for p in products], abs=1e-6)


def test_the_length_penalty_changes_the_ranking(table_model: Any) -> None:
    # EOS: log .5 = -.693, divided by 1.   a EOS: log .45 = -.799, divided by 7/6 = -.684.
    table = [[0.0, 0.5, 0.5], [0.0, 1.0, 0.0], [0.0, 0.9, 0.1]]
    ((plain,),) = run(table_model(table), [0], 10, num_hypotheses=2)
    ((longer,),) = run(table_model(table), [0], 10, num_hypotheses=2, length_penalty=1.0)
    assert plain.score == plain.log_prob
    assert longer.score == pytest.approx(math.log(0.45) / (7 / 6), abs=1e-6)
    assert plain.ids == [EOS]
    assert longer.ids == [2, EOS]
    assert longer.log_prob == pytest.approx(math.log(0.45), abs=1e-6), "the log_prob itself is not divided"


def test_length_divisor_is_as_published() -> None:
    assert length_divisor(1.0, 0.6) == 1.0
    assert length_divisor(7.0, 0.0) == 1.0
    assert length_divisor(7.0, 1.0) == pytest.approx(2.0)
    assert length_divisor(19.0, 0.5) == pytest.approx(2.0)
    assert length_divisor(np.array([1.0, 7.0]), 1.0).tolist() == pytest.approx([1.0, 2.0])


@given(
    seed=st.integers(0, 10**6),
    max_length=st.integers(1, 4),
    length_penalty=st.sampled_from([0.0, 0.6, 1.0, 3.0]),
    coverage_penalty=st.sampled_from([0.0, 0.2, 1.0, 5.0]),
    n_best=st.sampled_from([1, 2, 7]),
)
def test_a_beam_that_drops_nothing_equals_exhaustive_search(
    history_model: Any, seed: int, max_length: int, length_penalty: float, coverage_penalty: float, n_best: int
) -> None:
    model = history_model(3, seed)
    found = run(
        model,
        [0, 1],
        max_length,
        num_hypotheses=100,
        n_best=n_best,
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
        source_lengths=np.array([3, 3]),
    )
    for sentence, hypotheses in enumerate(found):
        everything = model.all_finished(sentence, max_length, length_penalty, coverage_penalty)
        finished = [hypothesis for hypothesis in hypotheses if hypothesis.finished]
        scores = [hypothesis.score for hypothesis in finished]
        assert scores == pytest.approx([score for score, _ in everything[:n_best]], abs=1e-5)
        by_ids = {tuple(ids): score for score, ids in everything}
        assert scores == pytest.approx([by_ids[tuple(hypothesis.ids)] for hypothesis in finished], abs=1e-5)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("coverage_penalty", [0.0, 1.0])
def test_hypotheses_are_distinct_sorted_and_scored_as_forced(
    history_model: Any, length_penalty: float, coverage_penalty: float
) -> None:
    model = history_model(7)
    source_lengths = [1 + sentence % 3 for sentence in range(12)]
    found_of_each = run(
        model,
        list(range(12)),
        9,
        num_hypotheses=5,
        n_best=5,
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
        source_lengths=np.array(source_lengths),
    )
    for sentence, hypotheses in enumerate(found_of_each):
        assert len(hypotheses) == 5
        assert len({tuple(found.ids) for found in hypotheses}) == 5
        ranks = [(not found.finished, -found.score) for found in hypotheses]
        assert ranks == sorted(ranks)
        for found in hypotheses:
            log_prob, weights = model.rescore(sentence, found.ids)
            assert found.log_prob == pytest.approx(log_prob, abs=1e-12)
            score = model.score(sentence, found.ids, length_penalty, coverage_penalty, source_lengths[sentence])
            assert found.score == pytest.approx(score, abs=1e-6)
            assert found.weights is not None
            assert found.weights.dtype == np.float32
            assert np.array_equal(found.weights, weights)
            assert found.finished == (found.ids[-1] == EOS)
            assert EOS not in found.ids[:-1]


def test_a_smaller_n_best_is_a_prefix_of_a_larger_one(history_model: Any) -> None:
    model = history_model(7)
    sentences = list(range(12))
    many = run(model, sentences, 9, num_hypotheses=5, n_best=5, length_penalty=0.8)
    few = run(model, sentences, 9, num_hypotheses=5, n_best=2, length_penalty=0.8)
    assert all(same(short, long[:2]) for short, long in zip(few, many, strict=True))


def test_a_beam_of_one_is_greedy(history_model: Any) -> None:
    # Only rows without ties are compared.
    model = history_model(6)
    sentences, max_lengths = list(range(40)), [1 + number % 12 for number in range(40)]
    searched = run(model, sentences, max_lengths, num_hypotheses=1)
    followed = generate(model.step, model.start(sentences), first=BOS, eos=EOS, max_lengths=np.array(max_lengths))
    assert {found.finished for found in followed} == {True, False}
    differing = [
        sentence for sentence, (one, other) in enumerate(zip(searched, followed, strict=True)) if not same(one, [other])
    ]
    assert all(has_ties(model, sentence, followed[sentence].ids) for sentence in differing)
    assert len(differing) < 4


def has_ties(model: Any, sentence: int, ids: list[int]) -> bool:
    state = model.start([sentence])
    for last in [BOS, *ids[:-1]]:
        log_probs, state, _ = model.step(np.array([last]), state)
        first, second = np.sort(log_probs[0])[:-3:-1].tolist()
        if first == second:
            return True
    return False


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_sentence_gives_the_same_result_alone_and_in_a_batch(history_model: Any, penalty: float) -> None:
    model = history_model(7)

    def search(sentences: list[int]) -> list[list[Hypothesis]]:
        return run(
            model,
            sentences,
            [3 + sentence for sentence in sentences],
            num_hypotheses=4,
            n_best=3,
            length_penalty=penalty,
            coverage_penalty=penalty,
            source_lengths=np.array([1 + sentence % 3 for sentence in sentences]),
        )

    together = search(list(range(16)))
    order = [11, 3, 15, 0, 7]
    for sentence, found in zip(order, search(order), strict=True):
        (alone,) = search([sentence])
        assert same(found, together[sentence])
        assert same(alone, together[sentence])


def test_a_stopped_sentence_is_no_longer_computed(history_model: Any) -> None:
    sentences = list(range(10))
    alone = []
    for sentence in sentences:
        model = history_model(7)
        run(model, [sentence], 30, num_hypotheses=4)
        alone.append(model.counts.rows)
    model = history_model(7)
    run(model, sentences, 30, num_hypotheses=4)
    longest = max(len(rows) for rows in alone)
    assert len({len(rows) for rows in alone}) > 2, "sentences of one length would show little"
    assert model.counts.rows == [sum(rows[step] for rows in alone if len(rows) > step) for step in range(longest)]
    assert model.counts.rows[0] == len(sentences), "the first step has one hypothesis a sentence"


def test_the_search_stops_when_nothing_can_beat_the_best(table_model: Any) -> None:
    # After two steps b EOS has .36, and the best live hypothesis .6 · .35 = .21.
    model = table_model(BY_HAND)
    run(model, [0], 50, num_hypotheses=2)
    assert len(model.counts.rows) == 2
    # The second best, a EOS with .24, can't be beaten either; a third is found at the third step: a b EOS with .189.
    model = table_model(BY_HAND)
    run(model, [0], 50, num_hypotheses=3, n_best=2)
    assert len(model.counts.rows) == 2
    model = table_model(BY_HAND)
    run(model, [0], 50, num_hypotheses=3, n_best=3)
    assert len(model.counts.rows) == 3


def test_the_search_continues_while_a_longer_hypothesis_can_still_win(table_model: Any) -> None:
    # EOS at once scores log .5 = -.693. The other path has .5 · .99**n and ends after five more ids: its bound at the
    # first step is no better with the divisor of its current length, but better with that of the maximum length.
    stay = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]

    def then(token: int) -> list[float]:
        row = list(stay)
        row[token], row[BOS] = 0.99, 0.01
        return row

    table = [[0.0, 0.51, 0.49, 0.0, 0.0, 0.0, 0.0], then(1), then(3), then(4), then(5), then(6), then(1)]
    ((found,),) = run(table_model(table), [0], 8, num_hypotheses=1, length_penalty=1.0)
    assert found.ids == [2, 3, 4, 5, 6, EOS]


def test_each_step_considers_2k_candidates(table_model: Any) -> None:
    """Both of the two best continuations end: the third and fourth continue.

    a EOS .28, b EOS .26, b y .24, a x .22: with three candidates a x would be lost, and a x EOS is the best under a
    length penalty of 2: log .22 / (8/6)² = -.852, against log .28 / (7/6)² = -.935 for a EOS.
    """
    table = [
        [0.0, 0.0, 0.5, 0.5, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.56, 0.0, 0.0, 0.44, 0.0],
        [0.0, 0.52, 0.0, 0.0, 0.0, 0.48],
        [0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        [0.7, 0.3, 0.0, 0.0, 0.0, 0.0],
    ]
    (found,) = run(table_model(table), [0], 3, num_hypotheses=2, n_best=2, length_penalty=2.0)
    assert [hypothesis.ids for hypothesis in found] == [[2, 4, EOS], [2, EOS]]
    assert found[0].score == pytest.approx(math.log(0.22) / (8 / 6) ** 2, abs=1e-6)


def test_an_end_beyond_the_first_k_candidates_is_not_finished(table_model: Any) -> None:
    """With k = 1, a continues, though EOS ranks second. With k = 2 EOS is among the first k."""
    table = [[0.0, 0.4, 0.6], [1.0, 0.0, 0.0], [0.0, 0.3, 0.7]]
    ((greedy,),) = run(table_model(table), [0], 2, num_hypotheses=1)
    assert (greedy.ids, greedy.finished) == ([2, 2], False)
    ((found,),) = run(table_model(table), [0], 2, num_hypotheses=2)
    assert (found.ids, found.finished) == ([EOS], True)


class LookingModel:
    """Two sentences of two positions: `EOS` attends mostly to the first, `2 EOS` to both."""

    def step(self, ids: np.ndarray, state: Any) -> tuple[np.ndarray, Any, np.ndarray]:
        start = (ids == BOS)[:, None]
        log_probs = np.where(start, [-math.inf, math.log(0.6), math.log(0.4)], [-math.inf, 0.0, -math.inf])
        return log_probs, state, np.where(start, np.array([0.75, 0.25, 0.0]), np.array([0.25, 0.75, 0.0]))


def test_coverage_changes_the_ranking(table_model: Any) -> None:
    # EOS: log .6 = -.511, with attention .75 and .25: log .75 + log .25 = -1.674.
    # 2 EOS: log .4 = -.916, with attention 1 and 1: log 1 + log 1 = 0. So it wins when β > .242.
    # A third position is padding in the first sentence and real in the second; it gets no attention in either.
    looking = LookingModel()
    for penalty, ids in [(0.24, [EOS]), (0.245, [2, EOS])]:
        (real, never), (with_padding, _) = beam_search(
            looking.step,
            table_model([]).start([0, 1]),
            num_hypotheses=2,
            n_best=2,
            first=BOS,
            eos=EOS,
            max_lengths=np.array([9, 9]),
            coverage_penalty=penalty,
            source_lengths=np.array([3, 2]),
        )
        assert real.ids == with_padding.ids == ids
        shorter = next(found for found in (real, never) if found.ids == [EOS])
        unseen = math.log(np.finfo(np.float32).tiny)
        assert shorter.score == pytest.approx(math.log(0.6) + penalty * (math.log(0.75 * 0.25) + unseen), abs=1e-5)
        best = {(EOS,): math.log(0.6) + penalty * math.log(0.75 * 0.25), (2, EOS): math.log(0.4)}[tuple(ids)]
        assert with_padding.score == pytest.approx(best, abs=1e-6)


def test_coverage_needs_attention(table_model: Any) -> None:
    with pytest.raises(ConfigError, match="coverage_penalty"):
        run(table_model(BY_HAND), [0], 9, num_hypotheses=2, coverage_penalty=0.1, source_lengths=np.array([3]))


def test_coverage_is_as_published() -> None:
    looked = np.array([[0.5, 2.0, 0.25, 0.0], [1.0, 1.0, 0.0, 0.0]])
    assert log_coverage(looked, np.array([3, 2])).tolist() == pytest.approx([math.log(0.125), 0.0])


def test_forbidden_ids_never_occur_and_log_prob_is_not_renormalized(history_model: Any) -> None:
    model = history_model(6)
    sentences = list(range(12))
    free = run(model, sentences, 8, num_hypotheses=4, n_best=4)
    bound = run(model, sentences, 8, num_hypotheses=4, n_best=4, filters=[Forbid((BOS, 4))])
    assert any({BOS, 4} & set(found.ids) for hypotheses in free for found in hypotheses)
    assert not any({BOS, 4} & set(found.ids) for hypotheses in bound for found in hypotheses)
    for sentence, hypotheses in enumerate(bound):
        for found in hypotheses:
            assert found.log_prob == pytest.approx(model.rescore(sentence, found.ids)[0], abs=1e-12)


def test_hypotheses_cut_off_at_the_maximum_rank_behind_finished_ones(table_model: Any) -> None:
    (found,) = run(table_model(BY_HAND), [0], 2, num_hypotheses=4, n_best=4)
    assert [(hypothesis.ids, hypothesis.finished) for hypothesis in found] == [
        ([3, EOS], True),
        ([2, EOS], True),
        ([2, 3], False),
        ([2, 2], False),
    ]
    (enough,) = run(table_model(BY_HAND), [0], 2, num_hypotheses=4, n_best=2)
    assert all(hypothesis.finished for hypothesis in enough)


def test_each_sentence_has_its_own_maximum_length(history_model: Any) -> None:
    model = history_model(9)
    max_lengths = [1, 2, 3, 4, 5, 6]
    found = run(model, list(range(6)), max_lengths, num_hypotheses=3, n_best=3)
    for hypotheses, max_length in zip(found, max_lengths, strict=True):
        assert max(len(hypothesis.ids) for hypothesis in hypotheses) <= max_length
        assert all(len(hypothesis.ids) == max_length for hypothesis in hypotheses if not hypothesis.finished)


def test_fewer_are_returned_if_fewer_are_possible(table_model: Any) -> None:
    (found,) = run(table_model([[0.0, 0.5, 0.5], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]), [0], 9, num_hypotheses=5, n_best=5)
    assert [hypothesis.ids for hypothesis in found] == [[EOS], [2, EOS]]


def test_the_test_models_detect_a_broken_contract(history_model: Any) -> None:
    state = history_model(5).start([0, 1, 2]).select(np.array([0, 0, 1, 1, 2, 2]))
    state.select(np.array([1, 0, 5, 4]), np.array([0, 2]))
    for rows, sentences in [
        ([0, 2, 1, 3], [0, 1]),  # rows of a sentence not adjacent
        ([4, 5, 0, 1], [2, 0]),  # sentences out of order
        ([0, 1, 2], [0, 1]),  # different numbers of rows
        ([0, 1, 2, 3], None),  # a sentence without rows
    ]:
        with pytest.raises(AssertionError):
            state.select(np.array(rows), None if sentences is None else np.array(sentences))


@pytest.mark.parametrize("num_ids", [2048, 2100])
def test_the_best_of_a_large_vocabulary_are_found_anywhere(num_ids: int) -> None:
    log_probs = -np.random.rand(60, num_ids)
    log_probs[:20, :30] += 9  # in one block
    log_probs[20:40, -3:] += 9  # at the end
    log_probs[40:, np.random.permutation(num_ids)[:2000]] = float("-inf")
    best, ids = _best_of_rows(log_probs, 4)
    assert np.array_equal(best, -np.sort(-log_probs, 1)[:, :4])
    assert np.array_equal(np.take_along_axis(log_probs, ids, 1), best)
    assert all(len(set(row)) == 4 for row in ids.tolist())


def test_no_sentences_give_no_hypotheses(history_model: Any) -> None:
    model = history_model(5)
    assert run(model, [], 10, num_hypotheses=3) == []
    assert model.counts.rows == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"num_hypotheses": 0}, "num_hypotheses"),
        ({"num_hypotheses": 3, "n_best": 4}, "n_best"),
        ({"num_hypotheses": 3, "n_best": 0}, "n_best"),
        ({"num_hypotheses": 3, "length_penalty": -0.1}, "length_penalty"),
        ({"num_hypotheses": 3, "length_penalty": float("nan")}, "length_penalty"),
        ({"num_hypotheses": 3, "coverage_penalty": -0.1}, "coverage_penalty"),
        ({"num_hypotheses": 3, "coverage_penalty": float("inf")}, "coverage_penalty"),
    ],
)
def test_options_out_of_range_are_named(history_model: Any, options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        run(history_model(5), [0], 10, **options)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_values_are_taken_along_as_numpy_does(dtype):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 100, (4, 7)).astype(dtype)
    for order in (
        rng.integers(0, 7, (4, 3)),
        np.zeros((4, 0), int),
        rng.permuted(np.tile(np.arange(7), (4, 1)), axis=1),
    ):
        assert np.array_equal(take_along(values, order), np.take_along_axis(values, order, 1))
