"""Texts that are given up leave the search at its next step; those in their company are answered as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2see.data import Pair
from seq2see.inference.apart import answers_to, as_searched, pairs_apart, questions_of, scores_of
from seq2see.inference.loading import load
from seq2see.inference.options import BatchOptions
from seq2see.inference.predictor import Predictor

TEXTS = ["abcab", "deab", "ccccc", "eabcd"]
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": {"sample": True, "seed": 3},
    "draws": {"sample": True, "n_best": 3},
    "beam": {"beam": 4},
    "n-best": {"beam": 4, "n_best": 3, "length_penalty": 0.6},
    "phrases": {"contain": ["ab"]},
    "groups": {"beam": 4, "beam_groups": 2, "diversity": 1.0},
    "least risk": {"beam": 4, "mbr": "cer"},
    "least risk of samples": {"sample": True, "mbr": "chrf", "mbr_samples": 9},
}


class GivingUp:
    """Gives up some rows from a step on, and counts those that are left at each step."""

    def __init__(self, rows: set[int], step: int) -> None:
        self.rows = np.array(sorted(rows))
        self.step = step
        self.live: list[list[int]] = []
        self.tokens: dict[int, list[int]] = {}
        self.log_probs: dict[int, float] = {}

    def given_up(self, rows: np.ndarray) -> np.ndarray | None:
        self.live.append(sorted(set(rows.tolist())))
        return np.isin(rows, self.rows) if len(self.live) > self.step else None

    def chosen(self, rows: np.ndarray, ids: np.ndarray, log_probs: np.ndarray) -> None:
        for row, number, log_prob in zip(rows.tolist(), ids.tolist(), log_probs.tolist(), strict=True):
            self.tokens.setdefault(row, []).append(number)
            self.log_probs[row] = self.log_probs.get(row, 0.0) + log_prob


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Predictor:
    return load(tiny_run)


def answered(model: Predictor, watch: GivingUp, way: dict[str, Any]) -> dict[int, Any]:
    options, each, _ = questions_of(model, TEXTS, {**way, "min_length": 6})
    batches = answers_to(model, each, as_searched(options), with_attention=True, watch=watch)
    return {row: prediction for batch in batches for row, prediction in batch}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_they_leave_the_search_at_its_next_step(model: Predictor, way: dict[str, Any]) -> None:
    watch = GivingUp({1, 3}, step=2)
    answers = answered(model, watch, way)
    assert watch.live[:4] == [[0, 1, 2, 3]] * 3 + [[0, 2]]
    for row, expected in enumerate(model.predict(TEXTS, **way, min_length=6)):
        if row not in (1, 3):
            assert [each.text for each in answers[row].all] == [each.text for each in expected.all]
            assert answers[row].log_prob == pytest.approx(expected.log_prob, rel=1e-5)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_search_that_nobody_waits_for_ends(model: Predictor, way: dict[str, Any]) -> None:
    watch = GivingUp({0, 1, 2, 3}, step=1)
    answered(model, watch, way)
    assert len(watch.live) == 2


@pytest.mark.parametrize("name", ["greedy", "sampling"])
def test_tokens_are_seen_as_they_are_chosen(model: Predictor, name: str) -> None:
    watch = GivingUp(set(), step=0)
    answers = answered(model, watch, WAYS[name])
    for row, answer in answers.items():
        assert model.target_codec.tokens(watch.tokens[row]) == answer.target_tokens
        assert watch.log_probs[row] == pytest.approx(answer.log_prob)


def test_texts_of_different_calls_are_answered_together_as_each_alone(model: Predictor) -> None:
    calls: list[tuple[list[str], dict[str, Any]]] = [
        (["abc", "", "deab"], {"prefix": ["c", None, "de"]}),
        (["eeee"], {"forbid": ["ee"], "max_length": 4}),
        (["abc", "ab"], {"min_length": 5, "batch_size": 1}),
        (["x" * 99], {"max_input_length": 9}),
    ]
    for way in ({}, {"beam": 3, "n_best": 2}, {"sample": True, "seed": 7}):
        asked = [questions_of(model, texts, {**own, **way}) for texts, own in calls]
        assert len({as_searched(each.options) for each in asked}) == 1
        together = [question for each in asked for question in each.each]
        watch = GivingUp(set(), 0)
        batches = answers_to(model, together, as_searched(asked[0].options), with_attention=True, watch=watch)
        found = [prediction for _, prediction in sorted(pair for batch in batches for pair in batch)]
        with pytest.warns(UserWarning, match="texts"):
            alone = [prediction for texts, own in calls for prediction in model.predict(texts, **own, **way)]
        assert [(each.text, each.target_tokens, each.error) for each in found] == [
            (each.text, each.target_tokens, each.error) for each in alone
        ]
        assert [len(each.all) for each in found] == [len(each.all) for each in alone]
        np.testing.assert_allclose([each.log_prob for each in found], [each.log_prob for each in alone], rtol=1e-5)


def test_options_that_a_search_sees_keep_texts_apart(model: Predictor) -> None:
    ways: list[dict[str, Any]] = [{}, {"beam": 2}, {"sample": True}, {"sample": True, "seed": 1}, {"no_repeat": 2}]
    assert len({as_searched(questions_of(model, ["a"], way).options) for way in ways}) == len(ways)


def test_notes_name_what_is_unlike_the_training_data(model: Predictor) -> None:
    assert questions_of(model, ["abc"], {}).notes == []
    [note] = questions_of(model, ["abc", "xyz"], {}).notes
    assert "symbols that were not in the training data" in note and note.endswith("whose answers mean little")
    [note] = pairs_apart(model, [Pair("abc", "cba"), Pair("xyz", "cba")], BatchOptions())[1]
    assert note.endswith("whose scores mean little")


def test_pairs_are_scored_together_as_each_alone(model: Predictor) -> None:
    pairs = [Pair("abc", "cba", ""), Pair("ab", "zz", ""), Pair("abcde", "e" * 99, ""), Pair("d", "dd", "")]
    each, notes = pairs_apart(model, pairs, BatchOptions(max_input_length=50))
    found = scores_of(model, each)
    with pytest.warns(UserWarning, match="pairs|targets"):
        alone = [model.score([pair], max_input_length=50)[0] for pair in pairs]
    np.testing.assert_allclose([s.log_prob for s in found], [s.log_prob for s in alone], rtol=1e-5)
    assert [(s.num_tokens, s.unknown, s.error) for s in found] == [(s.num_tokens, s.unknown, s.error) for s in alone]
    assert notes == []


def test_placeholders_that_take_exponential_time_are_given_up(
    model: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2see.inference.rules.MAX_SECONDS", 0.05)
    with pytest.warns(UserWarning, match="placeholders"):
        (answer,) = model.predict(["a" * 60 + "c"], placeholders=r"(a|a)+b")
    assert answer.error.startswith("placeholders: took more than 0.05 seconds")
