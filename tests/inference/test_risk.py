"""Minimum Bayes risk: the answer that is most like the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

import pytest
from rapidfuzz.distance import Levenshtein
from sacrebleu.metrics import CHRF

from seq2see.inference.options import Risk
from seq2see.inference.results import Prediction
from seq2see.inference.risk import least_risk, utilities
from seq2see.metrics import METRICS


def answers(*given: tuple[str, float]) -> list[Prediction]:
    """Answers with these probabilities."""
    return [Prediction(text, [], list(text), math.log(p), 0.0, None, True) for text, p in given]


def texts(found: Sequence[Prediction]) -> list[str]:
    return [answer.text for answer in found]


def test_the_answer_like_most_others_beats_the_most_probable() -> None:
    given = answers(("zzzz", 0.4), ("abcd", 0.3), ("abce", 0.2), ("abcf", 0.1))
    for metric in ("cer", "chrf"):
        assert texts(least_risk(given, metric, are_samples=False))[0] == "abcd"


def test_the_score_is_the_expected_metric() -> None:
    given = answers(("ab", 0.5), ("abc", 0.25), ("x", 0.25))
    found = {answer.text: answer.score for answer in least_risk(given, "cer", are_samples=False)}
    assert found["ab"] == pytest.approx(-(0.25 * 1 / 3 + 0.25 * 2))
    assert found["abc"] == pytest.approx(-(0.5 * 1 / 2 + 0.25 * 3))
    assert found["x"] == pytest.approx(-(0.5 * 2 / 2 + 0.25 * 3 / 3))


def test_the_same_text_found_twice_has_the_sum_of_their_probabilities() -> None:
    given = answers(("aa", 0.3), ("bb", 0.25), ("bb", 0.2), ("cc", 0.1))
    found = least_risk(given, "cer", are_samples=False)
    assert texts(found) == ["bb", "aa", "cc"]
    assert found[0].log_prob == pytest.approx(math.log(0.25))  # of the more probable one
    assert found[0].score == pytest.approx(-0.4 / 0.85)


def test_samples_count_as_often_as_they_were_drawn() -> None:
    given = answers(("aa", 0.001), ("aa", 0.001), ("bb", 0.9))
    assert texts(least_risk(given, "cer", are_samples=True)) == ["aa", "bb"]
    assert texts(least_risk(given, "cer", are_samples=False)) == ["bb", "aa"]


def test_utilities_are_those_of_the_packages() -> None:
    given = ["the cat", "a cat sat", "dogs"]
    chrf, rates = utilities(given, "chrf"), utilities(given, "cer")
    for row, text in enumerate(given):
        for column, reference in enumerate(given):
            assert chrf[row, column] == pytest.approx(CHRF().sentence_score(text, [reference]).score, abs=0.05)
            assert rates[row, column] == pytest.approx(-Levenshtein.distance(text, reference) / len(reference))


def test_an_answer_that_is_impossible_or_alone_stays() -> None:
    none = Prediction("", [], [], -math.inf, -math.inf, None, False)
    assert least_risk([none], "cer", are_samples=False) == [none]
    (only,) = least_risk([*answers(("ab", 0.1)), none], "cer", are_samples=False)
    assert (only.text, only.score) == ("ab", 0.0)


def test_every_risk_is_a_metric_of_single_texts() -> None:
    for name in get_args(Risk):
        assert METRICS[name](["a"], [("a",)]).scale.ranks_items
