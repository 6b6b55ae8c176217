"""Greedy search and sampling: chosen ids, removal of ended rows, and independence of rows."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from seq2see.errors import ConfigError
from seq2see.search import Forbid, Hypothesis, Sampler, generate, greedy

BOS, EOS = 0, 1

# From a row's last id (BOS, EOS, a = 2, b = 3) to the next.
BY_HAND = [
    [0.0, 0.0, 0.6, 0.4],
    [0.25, 0.25, 0.25, 0.25],
    [0.0, 0.4, 0.25, 0.35],
    [0.0, 0.9, 0.06, 0.04],
]


def run(model: Any, sentences: list[int], max_lengths: list[int] | int, **options: Any) -> list[Hypothesis]:
    lengths = [max_lengths] * len(sentences) if isinstance(max_lengths, int) else max_lengths
    return generate(
        model.step, model.start(sentences), first=BOS, eos=EOS, max_lengths=np.array(lengths, dtype=np.int64), **options
    )


def same(one: Hypothesis, other: Hypothesis) -> bool:
    """Equal to the last bit."""
    assert one.weights is not None
    assert other.weights is not None
    return one[:4] == other[:4] and np.array_equal(one.weights, other.weights)


def test_greedy_follows_the_table(table_model: Any) -> None:
    (found,) = run(table_model(BY_HAND), [0], 10)
    assert found.ids == [2, EOS]
    assert found.log_prob == pytest.approx(np.log(0.6 * 0.4), abs=1e-6)
    assert found.finished
    assert found.weights is None


def test_greedy_breaks_ties_by_lower_id(table_model: Any) -> None:
    (found,) = run(table_model([[0.0, 0.0, 0.2, 0.4, 0.4]] + [[0.0, 1.0, 0.0, 0.0, 0.0]] * 4), [0], 10)
    assert found.ids == [3, EOS]


def test_each_row_has_its_own_maximum_length_including_eos(table_model: Any) -> None:
    cut, ended = run(table_model(BY_HAND), [0, 0], [1, 2])
    assert (cut.ids, cut.finished) == ([2], False)
    assert (ended.ids, ended.finished) == ([2, EOS], True)


def test_no_rows_give_no_hypotheses(history_model: Any) -> None:
    model = history_model(5)
    assert run(model, [], 10) == []
    assert model.counts.rows == []


@pytest.mark.parametrize("choose", [greedy, Sampler(1.0, seed=3)])
def test_log_prob_and_weights_equal_those_of_the_forced_ids(history_model: Any, choose: Any) -> None:
    model = history_model(6)
    lengths = set()
    for sentence, found in enumerate(run(model, list(range(20)), 15, choose=choose)):
        log_prob, weights = model.rescore(sentence, found.ids)
        assert found.log_prob == pytest.approx(log_prob, abs=1e-12)
        assert found.weights is not None
        assert found.weights.dtype == np.float32
        assert np.array_equal(found.weights, weights)
        assert found.finished == (found.ids[-1] == EOS)
        assert EOS not in found.ids[:-1]
        lengths.add(len(found.ids))
    assert len(lengths) > 3, "rows of one length would show little"


def test_log_prob_is_summed_in_float64(table_model: Any) -> None:
    model = table_model([[0.0, 0.1, 0.9], [0.0, 0.1, 0.9], [0.0, 0.1, 0.9]])
    (found,) = run(model, [0], 5000)
    assert found.log_prob == pytest.approx(5000 * float(model.log_probs[2, 2]), rel=1e-12)


@pytest.mark.parametrize("choose", [greedy, Sampler(1.0, seed=3)])
def test_a_row_is_computed_only_until_it_ends(history_model: Any, choose: Any) -> None:
    model = history_model(6)
    found = run(model, list(range(20)), [5 + row for row in range(20)], choose=choose)
    counts = list(model.counts.rows)
    expected = [sum(len(hypothesis.ids) > step for hypothesis in found) for step in range(len(counts))]
    assert counts == expected
    assert sum(counts) == sum(len(hypothesis.ids) for hypothesis in found)


def test_rows_are_selected_only_when_one_has_ended(table_model: Any) -> None:
    model = table_model([[0.0, 0.1, 0.9], [0.0, 0.1, 0.9], [0.0, 0.1, 0.9]])
    run(model, [0, 0, 0], [10, 10, 10])
    assert model.counts.selections == 0
    run(model, [0, 0, 0], [10, 4, 10])
    assert model.counts.selections == 1


@pytest.mark.parametrize("choose", [greedy, Sampler(0.8, seed=5)])
def test_a_row_gives_the_same_result_alone_and_in_a_batch(history_model: Any, choose: Any) -> None:
    model = history_model(6)
    together = run(model, list(range(16)), 12, choose=choose)
    order = [11, 3, 15, 0, 7, 8]
    reordered = run(model, order, 12, choose=choose, row_numbers=np.array(order))
    for row, found in zip(order, reordered, strict=True):
        (alone,) = run(model, [row], 12, choose=choose, row_numbers=np.array([row]))
        assert same(found, together[row])
        assert same(alone, together[row])


@pytest.mark.parametrize("choose", [greedy, Sampler(1.0, seed=3)])
def test_forbidden_ids_are_never_chosen_and_log_prob_is_not_renormalized(history_model: Any, choose: Any) -> None:
    model = history_model(6)
    free = run(model, list(range(20)), 8, choose=choose)
    bound = run(model, list(range(20)), 8, choose=choose, filters=[Forbid((BOS, 4))])
    assert any({BOS, 4} & set(found.ids) for found in free)
    assert not any({BOS, 4} & set(found.ids) for found in bound)
    for sentence, found in enumerate(bound):
        assert found.log_prob == pytest.approx(model.rescore(sentence, found.ids)[0], abs=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_sample_frequencies_follow_the_temperature(table_model: Any, temperature: float) -> None:
    probabilities = [0.05, 0.1, 0.4, 0.25, 0.2]
    num = 5000
    found = run(table_model([probabilities] * 5), [0] * num, 1, choose=Sampler(temperature, seed=11))
    seen = np.bincount([hypothesis.ids[0] for hypothesis in found], minlength=5)
    sharpened = np.array(probabilities) ** (1 / temperature)
    expected = num * sharpened / sharpened.sum()
    # Chi-square with 4 degrees of freedom: above 18.47 once in a thousand seeds.
    assert ((seen - expected) ** 2 / expected).sum() < 18.47


def test_later_positions_and_blocks_are_drawn_independently(table_model: Any) -> None:
    # Ids 2 and 3 are always equally likely, so each row is 200 coin tosses.
    found = run(table_model([[0.0, 0.0, 0.5, 0.5]] * 4), [0] * 50, 200, choose=Sampler(1.0, seed=2))
    throws = np.array([hypothesis.ids for hypothesis in found]) - 2
    assert abs(throws.mean() - 0.5) < 4 * 0.5 / np.sqrt(throws.size)
    signs = 2.0 * throws - 1
    for lag in (1, 16, 48, 64, 128):
        agreement = (signs[:, lag:] * signs[:, :-lag]).mean()
        assert abs(agreement) < 4 / np.sqrt(signs[:, lag:].size), f"positions {lag} apart go together"
    between_rows = (signs[1:] * signs[:-1]).mean()
    assert abs(between_rows) < 4 / np.sqrt(signs[1:].size)


def test_draws_come_from_the_rows_philox_stream(table_model: Any) -> None:
    num_positions = 150
    found = run(
        table_model([[0.0, 0.0, 0.5, 0.5]] * 4),
        [0],
        num_positions,
        choose=Sampler(1.0, seed=9),
        row_numbers=np.array([123456]),
    )
    stream = np.random.Generator(np.random.Philox(key=np.array([9, 123456], dtype=np.uint64))).random(num_positions)
    assert found[0].ids == [2 + int(number >= 0.5) for number in stream]


def test_different_seeds_give_different_samples(history_model: Any) -> None:
    model = history_model(6)

    def ids(seed: int) -> list[list[int]]:
        return [found.ids for found in run(model, list(range(10)), 12, choose=Sampler(1.0, seed))]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_impossible_ids_are_never_sampled(table_model: Any) -> None:
    found = run(table_model([[0.0, 0.3, 0.0, 0.7, 0.0]] * 5), [0] * 2000, 1, choose=Sampler(5.0, seed=1))
    assert {hypothesis.ids[0] for hypothesis in found} == {1, 3}


@pytest.mark.parametrize(("uniform", "drawn"), [(0.0, 1), (1 - 2**-53, 3)])
def test_extreme_uniform_numbers_give_the_first_and_last_possible_id(
    table_model: Any, monkeypatch: pytest.MonkeyPatch, uniform: float, drawn: int
) -> None:
    # by name, since the package's attribute `generate` is the function
    module = importlib.import_module("seq2see.search.sampling")
    monkeypatch.setattr(module, "_uniform", lambda seed, row_number, position: uniform)
    (found,) = run(table_model([[0.0, 0.3, 0.0, 0.7, 0.0]] * 5), [0], 1, choose=Sampler(1.0))
    assert found.ids == [drawn]


@pytest.mark.parametrize("temperature", [1e-3, 1e-310])
def test_a_small_temperature_is_greedy(history_model: Any, temperature: float) -> None:
    model = history_model(50)
    cold = run(model, list(range(20)), 12, choose=Sampler(temperature, seed=4))
    best = run(model, list(range(20)), 12)
    hot = run(model, list(range(20)), 12, choose=Sampler(1.0, seed=4))
    # Only rows without ties are compared, which greedy search and sampling break differently.
    no_ties = [row for row in range(20) if not has_ties(model, row, best[row].ids)]
    assert len(no_ties) >= 5
    assert all(same(cold[row], best[row]) for row in no_ties)
    assert not all(same(hot[row], best[row]) for row in no_ties)


def has_ties(model: Any, sentence: int, ids: list[int]) -> bool:
    state = model.start([sentence])
    for last in [BOS, *ids[:-1]]:
        log_probs, state, _ = model.step(np.array([last]), state)
        second, first = np.sort(log_probs[0])[-2:].tolist()
        if first == second:
            return True
    return False


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_must_be_above_zero(temperature: float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        Sampler(temperature)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_must_be_in_range(seed: int) -> None:
    with pytest.raises(ConfigError, match="seed"):
        Sampler(1.0, seed)
