"""Diverse beam search: groups that choose different ids."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from seq2see.errors import ConfigError
from seq2see.search import Forbid, Hypothesis, beam_search, diverse_beam_search

BOS, EOS = 0, 1

# From the last id (BOS, EOS, a = 2, b = 3, c = 4) to the next.
TABLE = [
    [0.0, 0.0, 0.6, 0.3, 0.1],
    [0.2, 0.2, 0.2, 0.2, 0.2],
    [0.0, 0.5, 0.3, 0.1, 0.1],
    [0.0, 0.6, 0.1, 0.2, 0.1],
    [0.0, 0.7, 0.1, 0.1, 0.1],
]


def run(model: Any, sentences: list[int], most: int = 4, **options: Any) -> list[list[Hypothesis]]:
    search = diverse_beam_search if "groups" in options else beam_search
    lengths = np.full(len(sentences), most)
    return search(model.step, model.start(sentences), first=BOS, eos=EOS, max_lengths=lengths, **options)


def ids_of(found: list[Hypothesis]) -> list[list[int]]:
    return [each.ids for each in found]


def test_each_group_avoids_what_those_before_have_chosen(table_model: Any) -> None:
    asked: dict[str, Any] = {"num_hypotheses": 3, "groups": 3, "n_best": 3}
    (alike,) = run(table_model(TABLE), [0], diversity=0.0, **asked)
    assert ids_of(alike) == [[2, EOS]]  # three greedy searches, merged
    (found,) = run(table_model(TABLE), [0], diversity=1.5, **asked)
    # a .6; then b .3 against a .6 / e^1.5 = .134; then c .1 against a .134 and b .3 / e^1.5 = .067
    # Then each takes EOS, which costs nothing; the first and the third are merged.
    assert ids_of(found) == [[2, EOS], [3, EOS]]
    (strong,) = run(table_model(TABLE), [0], diversity=9.0, **asked)
    assert ids_of(strong) == [[2, EOS], [3, EOS], [4, EOS]]


def test_what_continues_in_the_place_of_an_end_has_been_chosen_too(table_model: Any) -> None:
    table = [[0.0, 0.3, 0.25, 0.2, 0.15, 0.1]] + [[0.0, 0.9, 0.025, 0.025, 0.025, 0.025]] * 5
    (found,) = run(table_model(table), [0], num_hypotheses=4, groups=2, n_best=4, diversity=9.0)
    # The first group ends, and continues with a and b; the second ends, and continues with c and d.
    assert ids_of(found) == [[EOS], [2, EOS], [4, EOS]]


def test_log_probs_are_those_of_the_model(table_model: Any) -> None:
    (found,) = run(table_model(TABLE), [0], num_hypotheses=3, groups=3, n_best=3, diversity=9.0)
    assert [each.log_prob for each in found] == pytest.approx([math.log(p) for p in (0.3, 0.18, 0.07)], abs=1e-6)
    assert all(each.score == each.log_prob == pytest.approx(sum(each.token_log_probs)) for each in found)


def test_one_group_is_a_beam_search(history_model: Any) -> None:
    for width in (1, 2, 4):
        plain = run(history_model(5), [3, 1, 4, 1], num_hypotheses=width, n_best=width)
        grouped = run(history_model(5), [3, 1, 4, 1], num_hypotheses=width, n_best=width, groups=1, diversity=5.0)
        assert [ids_of(each) for each in plain] == [ids_of(each) for each in grouped]


def test_without_strength_every_group_finds_what_a_beam_of_its_width_finds(history_model: Any) -> None:
    plain = run(history_model(5), [3, 1, 4], num_hypotheses=2, n_best=2)
    grouped = run(history_model(5), [3, 1, 4], num_hypotheses=6, n_best=6, groups=3, diversity=0.0)
    assert [ids_of(each) for each in plain] == [ids_of(each) for each in grouped]


def test_a_sentence_alone_is_answered_as_among_others(history_model: Any) -> None:
    asked: dict[str, Any] = {"num_hypotheses": 6, "n_best": 6, "groups": 3, "diversity": 0.7, "length_penalty": 0.4}
    sentences = [3, 1, 4, 1, 5]
    together = run(history_model(5), sentences, **asked)
    for sentence, found in zip(sentences, together, strict=True):
        (alone,) = run(history_model(5), [sentence], **asked)
        assert ids_of(alone) == ids_of(found)
        assert [each.score for each in alone] == pytest.approx([each.score for each in found])
    assert run(history_model(5), [], **asked) == []


def test_results_are_distinct_sorted_and_more_different_than_those_of_a_beam(history_model: Any) -> None:
    kinds = []
    for options in ({}, {"groups": 4, "diversity": 2.0}):
        answers = run(history_model(6), list(range(20)), num_hypotheses=8, n_best=8, **options)
        for found in answers:
            assert len({tuple(each.ids) for each in found}) == len(found)
            keys = [(not each.finished, -each.score) for each in found]
            assert keys == sorted(keys)
        kinds.append(sum(len({each.ids[0] for each in found}) / len(found) for found in answers))
    assert kinds[1] > kinds[0]


def test_filters_and_phrases_hold_in_every_group(history_model: Any) -> None:
    sentences = [0, 1, 2]
    phrases = [[[3, 2]], [], [[2, 2]]]
    seen: list[int] = []

    def forbid_by_sentence(log_probs: np.ndarray, emitted: np.ndarray, of_row: np.ndarray) -> np.ndarray:
        seen.extend(of_row.tolist())
        log_probs[of_row == 1, 3] = -math.inf
        return log_probs

    found = run(
        history_model(5), sentences, 5, num_hypotheses=6, n_best=6, groups=2, diversity=1.0,
        filters=[Forbid([4]), forbid_by_sentence], phrases=phrases,
    )  # fmt: skip
    assert set(seen) == {0, 1, 2}
    for sentence, answers in enumerate(found):
        assert answers
        for each in answers:
            text = "".join(map(str, each.ids))
            assert "4" not in text
            assert sentence != 1 or "3" not in text
            assert all("".join(map(str, phrase)) in text for phrase in phrases[sentence])


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"num_hypotheses": 6, "groups": 4, "diversity": 1.0}, "groups"),
        ({"num_hypotheses": 6, "groups": 0, "diversity": 1.0}, "groups"),
        ({"num_hypotheses": 6, "groups": 2, "diversity": -1.0}, "diversity"),
        ({"num_hypotheses": 6, "groups": 2, "diversity": math.inf}, "diversity"),
        ({"num_hypotheses": 6, "groups": 2, "diversity": 1.0, "n_best": 7}, "n_best"),
    ],
)
def test_what_is_refused(table_model: Any, options: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as error:
        run(table_model(TABLE), [0], **options)
    assert error.value.where == where
