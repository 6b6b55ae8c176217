"""Ensembles: the mean of the members' probabilities, and separate states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seq2see.search import States, beam_search, ensemble, generate

BOS, EOS = 0, 1

ONE = [[0.0, 0.1, 0.6, 0.3], [0.25, 0.25, 0.25, 0.25], [0.0, 0.4, 0.25, 0.35], [0.0, 0.9, 0.06, 0.04]]
OTHER = [[0.0, 0.1, 0.1, 0.8], [0.25, 0.25, 0.25, 0.25], [0.0, 0.4, 0.25, 0.35], [0.0, 0.1, 0.5, 0.4]]


def test_probabilities_are_the_mean(table_model: Any) -> None:
    models = [table_model(ONE), table_model(OTHER)]
    step = ensemble([model.step for model in models])
    log_probs, states, weights = step(np.array([BOS, 3]), States(tuple(model.start([0, 1]) for model in models)))
    assert np.exp(log_probs).ravel().tolist() == pytest.approx([0.0, 0.1, 0.35, 0.55, 0.0, 0.5, 0.28, 0.22])
    assert weights is None
    assert len(states.members) == 2


def test_greedy_follows_the_mean(table_model: Any) -> None:
    models = [table_model(ONE), table_model(OTHER)]
    (found,) = generate(
        ensemble([model.step for model in models]),
        States(tuple(model.start([0]) for model in models)),
        first=BOS,
        eos=EOS,
        max_lengths=np.array([5]),
    )
    assert found.ids == [3, EOS]
    assert found.log_prob == pytest.approx(np.log([0.55, 0.5]).sum(), abs=1e-6)


def run(models: list[Any], sentences: list[int], **options: Any) -> Any:
    return beam_search(
        ensemble([model.step for model in models]),
        States(tuple(model.start(sentences) for model in models)),
        num_hypotheses=4,
        n_best=4,
        first=BOS,
        eos=EOS,
        max_lengths=np.full(len(sentences), 8),
        **options,
    )


def test_one_member_or_the_same_twice_equals_the_model(history_model: Any) -> None:
    model = history_model(6)
    alone = run([model], list(range(8)))
    twice = run([model, model], list(range(8)))
    for one, two in zip(alone, twice, strict=True):
        assert [found.ids for found in one] == [found.ids for found in two]
        assert [found.score for found in one] == pytest.approx([found.score for found in two], abs=1e-5)


def test_the_score_equals_that_of_the_forced_ids(history_model: Any) -> None:
    models = [history_model(6, 1), history_model(6, 2)]
    step = ensemble([model.step for model in models])
    for sentence, hypotheses in enumerate(run(models, list(range(8)))):
        for found in hypotheses:
            states, total = States(tuple(model.start([sentence]) for model in models)), 0.0
            for last, following in zip([BOS, *found.ids], found.ids, strict=False):
                log_probs, states, _ = step(np.array([last]), states)
                total += float(log_probs[0, following])
            assert found.log_prob == pytest.approx(total, abs=1e-5)


def test_the_weights_are_those_of_the_first_member_that_has_any(table_model: Any, history_model: Any) -> None:
    table = [[0.0, 0.2, 0.4, 0.4]] * 4
    first, second = history_model(4, 1), history_model(4, 2)
    for sentence, hypotheses in enumerate(run([table_model(table), first, second], [0, 1, 2])):
        for found in hypotheses:
            assert np.array_equal(found.weights, first.rescore(sentence, found.ids)[1])


def test_an_id_impossible_for_all_members_stays_impossible(table_model: Any) -> None:
    ((*found,),) = run([table_model([[0.0, 0.5, 0.5]] * 3), table_model([[0.0, 0.3, 0.7]] * 3)], [0])
    assert not any(BOS in hypothesis.ids for hypothesis in found)
