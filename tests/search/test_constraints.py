"""Required phrases: when they are met, allocation of the beam, and results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2see.errors import ConfigError
from seq2see.search import Forbid, Hypothesis, NoRepeat, beam_search
from seq2see.search.constraints import Progress, allocate

BOS, EOS = 0, 1
LETTERS = st.integers(2, 4)
PHRASES = st.lists(st.lists(LETTERS, min_size=1, max_size=3), max_size=3)


def contains(ids: list[int], phrase: list[int]) -> bool:
    return any(ids[start : start + len(phrase)] == phrase for start in range(len(ids)))


def run(model: Any, sentences: list[int], max_length: int, **options: Any) -> list[list[Hypothesis]]:
    return beam_search(
        model.step,
        model.start(sentences),
        first=BOS,
        eos=EOS,
        max_lengths=np.full(len(sentences), max_length),
        **options,
    )


def same(one: list[Hypothesis], other: list[Hypothesis]) -> bool:
    """Equal to the last bit."""
    return [found[:4] for found in one] == [found[:4] for found in other] and all(
        np.array_equal(first.weights, second.weights) for first, second in zip(one, other, strict=True)
    )


@given(phrases=st.lists(PHRASES, min_size=2, max_size=2), ids=st.lists(LETTERS, max_size=10))
def test_a_phrase_is_met_when_the_output_contains_it(phrases: list[list[list[int]]], ids: list[int]) -> None:
    progress = Progress.start(phrases, np.array([20, 20]), EOS)
    for end in range(len(ids) + 1):
        if end:
            progress = progress.after(np.arange(2), np.array([ids[end - 1]] * 2))
        for row, of_sentence in enumerate(phrases):
            assert progress.complete[row] == all(contains(ids[:end], phrase) for phrase in of_sentence)


@given(phrases=PHRASES.filter(bool), ids=st.lists(LETTERS, max_size=8))
def test_each_next_id_of_the_longest_match_increases_num_met(phrases: list[list[int]], ids: list[int]) -> None:
    progress = Progress.start([phrases], np.array([20]), EOS)
    for id_ in ids:
        progress = progress.after(np.array([0]), np.array([id_]))
    in_all = sum(map(len, set(map(tuple, phrases))))
    assert bool(progress.complete[0]) == (int(progress.num_met[0]) == in_all)
    for _ in range(in_all):
        if progress.complete:
            break
        following = [id_ for id_ in progress.next_ids[0].tolist() if id_ >= 0]
        afterwards = [progress.after(np.array([0]), np.array([id_])) for id_ in following]
        best = max(afterwards, key=lambda after: int(after.num_met[0]))
        assert best.num_met > progress.num_met
        progress = best
    assert progress.complete


def test_next_ids_follow_the_matched_part() -> None:
    progress = Progress.start([[[2, 3, 2, 4], [3], [4, 4]], [[5]]], np.array([9, 9]), EOS)
    assert progress.next_ids.tolist() == [[2, 3, 4], [5, -1, -1]]
    assert progress.num_met.tolist() == [0, 0]
    for id_ in (2, 3, 2):
        progress = progress.after(np.array([0, 1]), np.array([id_, id_]))
    assert progress.next_ids.tolist() == [[4, -1, 4], [5, -1, -1]]
    assert progress.num_met.tolist() == [4, 0]
    back = progress.after(np.array([0]), np.array([3]))
    assert back.next_ids.tolist() == [[2, -1, 4]], "… 2 3 begins the phrase again"
    assert back.num_met.tolist() == [3]


def test_the_beam_is_allocated_to_the_banks_in_turn() -> None:
    log_probs = np.array([[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, float("-inf")]])
    num_met = np.array([[0, 0, 0, 2, 0, 2, 3]])
    assert allocate(log_probs, num_met).tolist() == [[3, 0, 5, 1, 2, 4, 6]]


@given(values=st.lists(st.integers(-5, 0), min_size=1, max_size=10), bank=st.integers(0, 3))
def test_a_single_bank_is_in_order_of_probability(values: list[int], bank: int) -> None:
    log_probs = np.array([values], dtype=np.float64)
    log_probs[log_probs == -5] = float("-inf")
    order = allocate(log_probs, np.full(log_probs.shape, bank))
    assert np.array_equal(order, (-log_probs).argsort(1, kind="stable"))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    phrases=st.lists(st.lists(st.lists(st.integers(2, 3), min_size=1, max_size=2), max_size=3), min_size=2, max_size=2),
    penalty=st.sampled_from([0.0, 1.0]),
)
def test_a_wide_beam_finds_the_best_that_contains_the_phrases(
    history_model: Any, seed: int, phrases: list[list[list[int]]], penalty: float
) -> None:
    model = history_model(4, seed)
    found = run(
        model,
        [0, 1],
        5,
        num_hypotheses=250,
        n_best=6,
        phrases=phrases,
        length_penalty=penalty,
        coverage_penalty=penalty,
        source_lengths=np.array([3, 3]),
    )
    for sentence, hypotheses in enumerate(found):
        expected = [
            (score, ids)
            for score, ids in model.all_finished(sentence, 5, penalty, penalty)
            if all(contains(ids, phrase) for phrase in phrases[sentence])
        ][:6]
        finished = [hypothesis for hypothesis in hypotheses if hypothesis.finished]
        assert [hypothesis.score for hypothesis in finished] == pytest.approx(
            [score for score, _ in expected], abs=1e-5
        )
        assert all(contains(found.ids, phrase) for found in hypotheses for phrase in phrases[sentence])
        assert len({tuple(hypothesis.ids) for hypothesis in hypotheses}) == len(hypotheses)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    phrases=st.lists(PHRASES, min_size=4, max_size=4),
    width=st.integers(1, 6),
)
def test_a_narrow_beam_meets_all_phrases_in_as_many_steps_as_they_have_ids(
    history_model: Any, seed: int, phrases: list[list[list[int]]], width: int
) -> None:
    model = history_model(30, seed)
    for max_length in (9, 14):
        found = run(model, [0, 1, 2, 3], max_length, num_hypotheses=width, n_best=width, phrases=phrases)
        for sentence, hypotheses in enumerate(found):
            assert hypotheses
            assert len({tuple(hypothesis.ids) for hypothesis in hypotheses}) == len(hypotheses)
            ranks = [(not hypothesis.finished, -hypothesis.score) for hypothesis in hypotheses]
            assert ranks == sorted(ranks)
            for hypothesis in hypotheses:
                assert all(contains(hypothesis.ids, phrase) for phrase in phrases[sentence])
                assert hypothesis.log_prob == pytest.approx(model.rescore(sentence, hypothesis.ids)[0], abs=1e-9)


def test_sentences_without_phrases_are_not_affected_by_others(history_model: Any) -> None:
    model = history_model(9)
    sentences = list(range(12))
    phrases: list[list[list[int]]] = [[[5, 6], [7]] if sentence % 3 == 0 else [] for sentence in sentences]
    options = {"num_hypotheses": 4, "n_best": 4, "length_penalty": 0.7}
    free, bound = run(model, sentences, 9, **options), run(model, sentences, 9, phrases=phrases, **options)
    for sentence in sentences:
        (alone,) = run(model, [sentence], 9, phrases=[phrases[sentence]], **options)
        assert same(alone, bound[sentence])
        assert same(free[sentence], bound[sentence]) == (not phrases[sentence])
    assert all(map(same, free, run(model, sentences, 9, phrases=[[]] * 12, **options)))


def test_without_allocation_improbable_phrases_are_lost(history_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = history_model(30)
    phrases = [[[5, 6, 7], [8, 9]]] * 6
    assert all(run(model, list(range(6)), 9, num_hypotheses=3, phrases=phrases))
    monkeypatch.setattr(
        "seq2see.search.candidates.allocate", lambda log_probs, _: (-log_probs).argsort(1, kind="stable")
    )
    assert not any(run(model, list(range(6)), 9, num_hypotheses=3, phrases=phrases))


def test_a_wider_beam_finds_a_better_sentence(history_model: Any) -> None:
    model = history_model(30)
    phrases = [[[5, 6, 7], [8, 9]]] * 20
    means = []
    for width in (1, 4, 16, 64):
        best = [found[0] for found in run(model, list(range(20)), 12, num_hypotheses=width, phrases=phrases)]
        means.append(sum(found.log_prob for found in best) / len(best))
    assert means == sorted(means) and means[-1] - means[0] > 2


def test_filters_apply_inside_phrases_too(history_model: Any) -> None:
    model = history_model(9)
    phrases = [[[5, 6], [6, 7]]] * 3
    for hypotheses in run(model, [0, 1, 2], 9, num_hypotheses=5, n_best=5, phrases=phrases, filters=[NoRepeat(1)]):
        assert hypotheses
        assert all(contains(found.ids, [5, 6, 7]) for found in hypotheses)
    assert run(model, [0, 1, 2], 9, num_hypotheses=5, phrases=phrases, filters=[Forbid([7])]) == [[], [], []]


def test_phrases_that_exceed_the_maximum_together_give_no_result(history_model: Any) -> None:
    assert run(history_model(6), [0], 4, num_hypotheses=5, phrases=[[[2, 3, 4], [5, 5]]]) == [[]]
    ((found,),) = run(history_model(6), [0], 4, num_hypotheses=12, phrases=[[[2, 3], [3, 4]]])
    assert contains(found.ids, [2, 3, 4]), "overlapping, they do"


@pytest.mark.parametrize("phrase", [[], [2, EOS], [2, 3, 4, 5, 2]])
def test_an_impossible_phrase_is_an_error(history_model: Any, phrase: list[int]) -> None:
    run(history_model(6), [0, 1], 5, num_hypotheses=2, phrases=[[], [[2, 3, 4, 5]]])
    with pytest.raises(ConfigError, match="sentence 2"):
        run(history_model(6), [0, 1], 5, num_hypotheses=2, phrases=[[], [phrase]])
