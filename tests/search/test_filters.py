"""Filters, alone and in the searches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2see.errors import ConfigError
from seq2see.inference.spelling import spelling_table
from seq2see.search import (
    Forbid,
    ForbidPhrases,
    ForbidSpelled,
    ForcePrefix,
    Hypothesis,
    MinLength,
    NoRepeat,
    Sampler,
    beam_search,
    generate,
    greedy,
)

BOS, EOS = 0, 1
NUM_TOKENS = 6


def ruled_out(filter_: Any, emitted: list[list[int]], sentences: list[int] | None = None) -> list[list[int]]:
    """The ids ruled out in each row; the others must be unchanged."""
    history = np.array(emitted, dtype=np.int64).reshape(len(emitted), -1)
    log_probs = -np.random.rand(len(emitted), NUM_TOKENS)
    rows = np.arange(len(emitted)) if sentences is None else np.array(sentences)
    filtered = filter_(log_probs.copy(), history, rows)
    gone = filtered == float("-inf")
    assert np.array_equal(filtered[~gone], log_probs[~gone])
    return [row.nonzero()[0].tolist() for row in gone]


def search(model: Any, way: str, sentences: list[int], max_length: int = 8, **options: Any) -> list[list[Hypothesis]]:
    """Some hypotheses of each sentence."""
    lengths = np.full(len(sentences), max_length)
    given: dict[str, Any] = {"first": BOS, "eos": EOS, "max_lengths": lengths} | options
    state = model.start(sentences)
    if way == "beam":
        return beam_search(model.step, state, num_hypotheses=4, n_best=4, **given)
    choose = greedy if way == "greedy" else Sampler(1.5, seed=2)
    return [[found] for found in generate(model.step, state, choose=choose, **given)]


WAYS = ["greedy", "sampling", "beam"]


def test_forbid() -> None:
    assert ruled_out(Forbid([4, 0]), [[], []]) == [[0, 4], [0, 4]]
    assert ruled_out(Forbid([]), [[2]]) == [[]]


def test_phrases_that_only_some_sentences_forbid() -> None:
    applies = np.array([[True, False, True], [False, False, False], [False, True, True]])
    emitted, sentences = [[4, 2], [4, 2], [4, 2], [2, 3], [2, 3]], [0, 1, 2, 2, 0]
    phrases = ForbidPhrases([[2, 3], [3, 5], [4]], applies)
    assert ruled_out(phrases, emitted, sentences) == [[3, 4], [], [4], [4, 5], [4]]
    # The ids of "aba" (2 is a, 3 is b, 4 is ab) and of "b".
    tables = [spelling_table(text, ("", "", "a", "b", "ab", "c")) for text in ("aba", "b")]
    spelled = ForbidSpelled(tables, np.array([[True, False], [False, False], [False, True]]))
    assert ruled_out(spelled, [[5, 4], [5, 4], [5, 4], [2, 3]], [0, 1, 2, 0]) == [[2, 4], [], [3, 4], [2, 4]]
    assert ruled_out(ForbidSpelled(tables[:1]), [[5, 4], [5, 3]]) == [[2, 4], []]


def test_forbid_phrases() -> None:
    phrases = [[2, 3], [3, 2, 4], [5], [2, 4], [3, 4], [4, 2, 4]]
    assert ruled_out(ForbidPhrases(phrases), [[]]) == [[5]]
    assert ruled_out(ForbidPhrases(phrases), [[2], [3], [4]]) == [[3, 4, 5], [4, 5], [5]]
    assert ruled_out(ForbidPhrases(phrases), [[0, 3, 2], [0, 0, 2], [2, 3, 0]]) == [[3, 4, 5], [3, 4, 5], [5]]
    assert ruled_out(ForbidPhrases([]), [[2, 3]]) == [[]]


def test_no_repeat() -> None:
    assert ruled_out(NoRepeat(1), [[2, 4, 2], [3, 3, 3]]) == [[2, 4], [3]]
    assert ruled_out(NoRepeat(2), [[2, 4, 2], [2, 4, 4], [2, 3, 4]]) == [[4], [4], []]
    assert ruled_out(NoRepeat(2), [[2, 4, 2, 5, 2]]) == [[4, 5]]
    assert ruled_out(NoRepeat(3), [[2, 4, 5, 2, 4], [2, 2, 2, 2, 2], [2, 4, 5, 4, 2]]) == [[5], [2], []]
    assert ruled_out(NoRepeat(3), [[2, 2]]) == [[]]
    assert ruled_out(NoRepeat(3), [[2]]) == [[]]
    assert ruled_out(NoRepeat(1), [[]]) == [[]]


def test_min_length_is_per_sentence() -> None:
    least = MinLength(np.array([1, 2, 3]), EOS)
    assert ruled_out(least, [[], [], [], []], [0, 1, 2, 2]) == [[], [EOS], [EOS], [EOS]]
    assert ruled_out(least, [[2], [2], [2]], [0, 1, 2]) == [[], [], [EOS]]
    assert ruled_out(least, [[2, 2]], [2]) == [[]]


@pytest.mark.parametrize("pad", [0, -1, 10**6])
def test_force_prefix_is_per_sentence(pad: int) -> None:
    force = ForcePrefix(np.array([[2, 4, 3], [5, pad, pad], [pad, pad, pad]]), np.array([3, 1, 0]))
    assert ruled_out(force, [[], [], [], []], [0, 0, 1, 2]) == [[0, 1, 3, 4, 5], [0, 1, 3, 4, 5], [0, 1, 2, 3, 4], []]
    assert ruled_out(force, [[2], [5], [5]], [0, 1, 2]) == [[0, 1, 2, 3, 5], [], []]
    assert ruled_out(force, [[2, 4, 3], [5, 5, 5]], [0, 1]) == [[], []]


def times(ids: list[int], phrase: list[int]) -> int:
    return sum(ids[start : start + len(phrase)] == phrase for start in range(len(ids)))


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 3), data=st.data())
def test_ruled_out_ids_never_occur_and_log_prob_is_not_renormalized(
    history_model: Any, way: str, seed: int, size: int, data: st.DataObject
) -> None:
    model = history_model(NUM_TOKENS, seed)
    ids = st.integers(2, NUM_TOKENS - 1)
    phrases = data.draw(st.lists(st.lists(ids, min_size=2, max_size=3), max_size=4))
    prefixes = data.draw(st.lists(st.lists(ids, max_size=3), min_size=3, max_size=3))
    least = data.draw(st.lists(st.integers(1, 8), min_size=3, max_size=3))
    padded = np.array([[*prefix, *[BOS] * (3 - len(prefix))] for prefix in prefixes])
    filters = [
        Forbid([BOS]),
        ForbidPhrases(phrases),
        NoRepeat(size),
        MinLength(np.array(least), EOS),
        ForcePrefix(padded, np.array([len(prefix) for prefix in prefixes])),
    ]
    for sentence, hypotheses in enumerate(search(model, way, [0, 1, 2], filters=filters)):
        for found in hypotheses:
            assert BOS not in found.ids
            assert not any(times(found.ids, phrase) for phrase in phrases)
            assert all(
                times(found.ids, found.ids[start : start + size]) == 1 for start in range(len(found.ids) - size + 1)
            )
            assert not found.finished or len(found.ids) >= least[sentence]
            prefix = prefixes[sentence][: len(found.ids)]
            assert found.ids[: len(prefix)] == prefix
            assert EOS not in found.ids[:-1]
            assert found.log_prob == pytest.approx(model.rescore(sentence, found.ids)[0] if found.ids else 0, abs=1e-9)


@given(seed=st.integers(0, 10**6), length_penalty=st.sampled_from([0.0, 1.0]), min_length=st.integers(1, 4))
def test_a_wide_beam_finds_the_best_allowed(
    history_model: Any, seed: int, length_penalty: float, min_length: int
) -> None:
    model = history_model(4, seed)
    filters = [NoRepeat(1), ForbidPhrases([[2, 3], [3, BOS]]), MinLength(np.array([min_length] * 2), EOS)]
    found = beam_search(
        model.step,
        model.start([0, 1]),
        first=BOS,
        eos=EOS,
        max_lengths=np.array([4, 4]),
        num_hypotheses=100,
        n_best=5,
        filters=filters,
        length_penalty=length_penalty,
    )
    for sentence, hypotheses in enumerate(found):
        expected = [
            score
            for score, ids in model.all_finished(sentence, 4, length_penalty)
            if len(set(ids)) == len(ids) >= min_length and not times(ids, [2, 3]) and not times(ids, [3, BOS])
        ]
        finished = [hypothesis.score for hypothesis in hypotheses if hypothesis.finished]
        assert finished == pytest.approx(expected[:5], abs=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_a_row_without_ids_left_ends_and_the_others_continue(history_model: Any, way: str) -> None:
    model = history_model(NUM_TOKENS)

    def dead_end(log_probs: np.ndarray, emitted: np.ndarray, sentences: np.ndarray) -> np.ndarray:
        """Sentence 1 has no ids left from the start, sentence 3 after two ids."""
        closed = (sentences == 1) | ((sentences == 3) & (emitted.shape[1] == 2))
        return np.where(closed[:, None], float("-inf"), log_probs)

    filters = [Forbid([EOS]), dead_end]
    free, nothing, other, short = search(model, way, [0, 1, 2, 3], filters=filters)
    assert all(len(found.ids) == 8 and not found.finished for found in [*free, *other])
    alone = search(model, way, [0], filters=filters)[0]
    assert [found.ids for found in alone] == [found.ids for found in free]
    if way == "beam":  # a beam drops such hypotheses
        assert nothing == short == []
    else:
        assert [(found.ids, found.log_prob, found.finished) for found in nothing] == [([], 0.0, False)]
        assert nothing[0].weights is not None and nothing[0].weights.shape == (0, 3)
        assert [(len(found.ids), found.finished) for found in short] == [(2, False)]
        assert short[0].log_prob == pytest.approx(model.rescore(3, short[0].ids)[0], abs=1e-9)


def test_a_dropped_hypothesis_leaves_the_others_in_the_beam(history_model: Any) -> None:
    model = history_model(NUM_TOKENS)

    def dead_end(log_probs: np.ndarray, emitted: np.ndarray, sentences: np.ndarray) -> np.ndarray:
        """No id may follow an even one."""
        if not emitted.shape[1]:
            return log_probs
        return np.where(emitted[:, -1:] % 2 == 0, float("-inf"), log_probs)

    found = search(model, "beam", list(range(10)), filters=[dead_end])
    assert all(hypotheses for hypotheses in found)
    for hypotheses in found:
        for hypothesis in hypotheses:
            assert all(id_ % 2 for id_ in hypothesis.ids[:-1])


@pytest.mark.parametrize("way", ["greedy", "sampling"])
def test_if_all_rows_are_dropped_at_once_there_is_no_result(history_model: Any, way: str) -> None:
    model = history_model(NUM_TOKENS)
    found = search(model, way, [0, 1], filters=[Forbid(range(NUM_TOKENS))])
    assert [(one.ids, one.finished) for (one,) in found] == [([], False)] * 2
    assert search(model, "beam", [0, 1], filters=[Forbid(range(NUM_TOKENS))]) == [[], []]


@pytest.mark.parametrize("way", WAYS)
def test_filters_get_sentence_indices_and_all_emitted_ids(history_model: Any, way: str) -> None:
    model = history_model(NUM_TOKENS)
    seen: list[tuple[int, list[int]]] = []

    def watch(log_probs: np.ndarray, emitted: np.ndarray, sentences: np.ndarray) -> np.ndarray:
        assert len(log_probs) == len(emitted) == len(sentences)
        seen.extend(zip(sentences.tolist(), emitted.tolist(), strict=True))
        return log_probs

    for sentence, hypotheses in enumerate(search(model, way, list(range(10)), filters=[watch])):
        for found in hypotheses:
            for end in range(len(found.ids)):
                assert (sentence, found.ids[:end]) in seen
    assert not any(EOS in emitted for _, emitted in seen)


@pytest.mark.parametrize(
    "make", [lambda: NoRepeat(0), lambda: ForbidPhrases([[2], []])], ids=["no_repeat", "empty phrase"]
)
def test_an_invalid_filter_is_an_error(make: Any) -> None:
    with pytest.raises(ConfigError, match="fix"):
        make()
