"""The most probable tokens at each place of an answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.inference.test_engines import CODEC, TEXTS, new_models

from seq2see import Pair, Prediction

WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beam": {"beam": 5, "n_best": 3, "length_penalty": 0.7},
    "sampling": {"sample": True, "n_best": 3, "temperature": 2.0, "seed": 4},
    "constraints": {"beam": 3, "contain": ["ab"], "forbid": ["gg"], "prefix": "c"},
}


def answers(predictions: list[Prediction]) -> list[Prediction]:
    return [each for prediction in predictions for each in prediction.all]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_they_change_no_answer_and_have_the_chosen_token_among_them(name: str, way: str) -> None:
    model = new_models(name)[1]
    plain = answers(model.predict(TEXTS, **WAYS[way]))
    listed = answers(model.predict(TEXTS, top_tokens=100, **WAYS[way]))
    assert [str(each) for each in plain] == [str(each) for each in listed]
    assert not any(each.top_tokens for each in plain)
    for answer in listed:
        assert len(answer.top_tokens) == len(answer.target_tokens)
        for position, choices in enumerate(answer.top_tokens):
            found = {choice.token: choice for choice in choices}
            chosen = found[answer.target_tokens[position]]
            assert chosen.log_prob == pytest.approx(answer.token_log_probs[position], abs=1e-5)
            assert chosen.text == "".join(answer.target_tokens[: position + 1]).replace("<eos>", "")
            log_probs = [choice.log_prob for choice in choices]
            assert log_probs == sorted(log_probs, reverse=True)


def test_all_tokens_together_have_the_probability_that_is_not_hidden() -> None:
    model = new_models("attention")[1]
    for choices in model.predict("abc", top_tokens=100)[0].top_tokens:
        assert len(choices) == len(CODEC.vocabulary) - 3
        assert 0.5 < np.exp([choice.log_prob for choice in choices]).sum() <= 1 + 1e-6


def test_engines_batches_and_numbers_agree() -> None:
    models = new_models("bidirectional")
    alone = [models[1].predict(text, top_tokens=3)[0] for text in TEXTS]
    for model in models:
        for one, other in zip(alone, model.predict(TEXTS, top_tokens=3), strict=True):
            for mine, its in zip(one.top_tokens, other.top_tokens, strict=True):
                assert [each.token for each in mine] == [each.token for each in its]
                assert [each.log_prob for each in mine] == pytest.approx([each.log_prob for each in its], abs=1e-5)
    more = models[1].predict(TEXTS, top_tokens=6)
    assert [[own[:3] for own in each.top_tokens] for each in more] == [
        list(each.top_tokens) for each in models[1].predict(TEXTS, top_tokens=3)
    ]


def test_an_answer_continues_from_another_token() -> None:
    model = new_models("attention")[1]
    (answer,) = model.predict("fedcba", top_tokens=2)
    other = answer.top_tokens[1][1]
    (continued,) = model.predict("fedcba", prefix=other.text)
    assert continued.text.startswith(other.text)
    assert continued.target_tokens[1] == other.token
    (score,) = model.score([Pair("fedcba", continued.text)])
    assert continued.log_prob == pytest.approx(score.log_prob, abs=1e-4)


def test_a_language_model_has_them() -> None:
    writer = new_models("language_model")[1]
    (answer,) = writer.predict("ab", top_tokens=4)
    assert all(choice.text.startswith("ab") for choices in answer.top_tokens for choice in choices)
    assert all(len(choices) == 4 for choices in answer.top_tokens)
