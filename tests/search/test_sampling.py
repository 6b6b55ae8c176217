"""Truncated sampling: kept ids, frequencies, and several draws per row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.errors import ConfigError
from seq2see.search import Hypothesis, Sampler, beam_search, generate
from seq2see.search import greedy as greedily

BOS, EOS = 0, 1
PROBABILITIES = [0.05, 0.1, 0.37, 0.26, 0.19, 0.03]


def draw(probabilities: list[float], num: int, sampler: Sampler) -> np.ndarray:
    """The count of each id."""
    log_probs = np.log([probabilities]).repeat(num, 0)
    return np.bincount(sampler(log_probs, np.arange(num), 0), minlength=len(probabilities))


def chi_square(seen: np.ndarray, probabilities: np.ndarray) -> float:
    """The chi-square statistic of the counts; ids of probability 0 must not occur."""
    possible = probabilities > 0
    assert not seen[~possible].any()
    expected = seen.sum() * probabilities[possible] / probabilities.sum()
    return float(((seen[possible] - expected) ** 2 / expected).sum())


OPTIONS: list[dict[str, Any]] = [
    {},
    {"temperature": 2.0},
    {"top_k": 3},
    {"top_p": 0.7},
    {"min_p": 0.3},
    {"temperature": 0.5, "top_k": 3},
    {"temperature": 2.5, "top_p": 0.7},
    {"temperature": 0.6, "min_p": 0.3},
    {"top_k": 4, "top_p": 0.85},
    {"temperature": 6.0, "top_k": 5, "top_p": 0.9, "min_p": 0.6},
]


def by_hand(options: dict[str, Any]) -> np.ndarray:
    """A straightforward implementation of the truncation, one id at a time."""
    sharpened = np.array(PROBABILITIES) ** (1 / options.get("temperature", 1.0))
    sharpened /= sharpened.sum()
    order = sorted(range(len(sharpened)), key=lambda id_: -sharpened[id_])[: options.get("top_k")]
    left = sum(sharpened[id_] for id_ in order)
    kept, together = [], 0.0
    for id_ in order:
        if together < options.get("top_p", 1.0) * left:
            kept.append(id_)
        together += sharpened[id_]
    kept = [id_ for id_ in kept if sharpened[id_] >= options.get("min_p", 0.0) * sharpened.max()]
    result = np.zeros(len(sharpened))
    result[kept] = sharpened[kept] / sharpened[kept].sum()
    return result


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sample_frequencies_follow_the_truncated_distribution(options: dict[str, Any]) -> None:
    # Chi-square with at most 5 degrees of freedom: above 20.5 once in a thousand seeds.
    assert chi_square(draw(PROBABILITIES, 20000, Sampler(seed=11, **options)), by_hand(options)) < 20.5


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_frequencies_distinguish_these_distributions(options: dict[str, Any]) -> None:
    seen = draw(PROBABILITIES, 20000, Sampler(seed=11, **options))
    for other in OPTIONS:
        expected = by_hand(other)
        if not np.allclose(expected, by_hand(options)):
            assert seen[expected == 0].any() or chi_square(seen, expected) > 20.5


@given(
    values=st.lists(st.integers(0, 5), min_size=2, max_size=12),
    top_k=st.integers(1, 12) | st.none(),
    top_p=st.floats(0.01, 1.0),
    min_p=st.floats(0.0, 1.0),
)
def test_at_least_one_id_is_kept_and_ties_are_broken_by_lower_id(
    values: list[int], top_k: int | None, top_p: float, min_p: float
) -> None:
    """If one of several equally probable ids is cut off, all later ones are."""
    log_probs = np.array([values], np.float32)
    kept = Sampler(top_k=top_k, top_p=top_p, min_p=min_p)._truncate(np.exp(log_probs.astype(np.float64)))[0] > 0
    assert kept[log_probs[0].argmax()]
    assert int(kept.sum()) <= (top_k or 12)
    for id_ in range(1, len(values)):
        before = [earlier for earlier in range(id_) if values[earlier] == values[id_]]
        assert not kept[id_] or all(kept[earlier] for earlier in before)


def test_top_k_of_one_is_greedy_even_in_ties() -> None:
    log_probs = np.log([[0.1, 0.4, 0.4, 0.1]]).repeat(500, 0)
    assert Sampler(5.0, top_k=1)(log_probs, np.arange(500), 0).tolist() == [1] * 500


def test_ids_ruled_out_by_filters_do_not_count_for_top_k() -> None:
    log_probs = np.log([[0.5, 0.2, 0.2, 0.1]]).repeat(2000, 0)
    log_probs[:, 0] = float("-inf")
    for sampler in (Sampler(top_k=2), Sampler(top_p=0.7)):
        assert set(sampler(log_probs, np.arange(2000), 0).tolist()) == {1, 2}


@pytest.mark.parametrize(("share", "kept"), [(0.49, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.76, 3), (0.875, 3)])
def test_top_p_ends_where_the_share_is_reached_exactly(share: float, kept: int) -> None:
    """The sums of these powers of two are exact."""
    weights = np.array([[0.5, 0.25, 0.125, 0.125]])
    assert (Sampler(top_p=share)._truncate(weights) > 0).tolist() == [[True] * kept + [False] * (4 - kept)]


@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.5}], ids=str)
def test_a_row_without_possible_ids_gets_a_valid_id_and_affects_no_other_row(options: dict[str, Any]) -> None:
    log_probs = np.log([[0.5, 0.2, 0.2, 0.1]]).repeat(3, 0)
    log_probs[1] = float("-inf")
    one, impossible, other = Sampler(seed=3, **options)(log_probs, np.arange(3), 0).tolist()
    assert 0 <= impossible < 4
    assert [one, other] == Sampler(seed=3, **options)(log_probs[::2], np.arange(0, 3, 2), 0).tolist()


def run(model: Any, sentences: list[int], **options: Any) -> list[Hypothesis]:
    return generate(
        model.step,
        model.start(sentences),
        first=BOS,
        eos=EOS,
        max_lengths=np.full(len(sentences), 8),
        **options,
    )


def same(one: Hypothesis, other: Hypothesis) -> bool:
    return one[:4] == other[:4] and np.array_equal(one.weights, other.weights)


def test_draws_of_a_row_are_adjacent_and_more_draws_change_none(history_model: Any) -> None:
    model = history_model(6)
    sampler = Sampler(1.2, seed=4)
    one, five = run(model, [0, 1, 2], choose=sampler), run(model, [0, 1, 2], choose=sampler, count=5)
    nine = run(model, [0, 1, 2], choose=sampler, count=9)
    assert len(five) == 15
    for row in range(3):
        draws = five[5 * row : 5 * row + 5]
        assert same(draws[0], one[row])
        assert all(map(same, draws, nine[9 * row :]))
        assert len({tuple(found.ids) for found in draws}) > 2
        for found in draws:
            assert found.log_prob == pytest.approx(model.rescore(row, found.ids)[0], abs=1e-12)


def test_draws_do_not_depend_on_the_batch(history_model: Any) -> None:
    model = history_model(6)
    sampler = Sampler(1.2, seed=4)
    together = run(model, [0, 1, 2], choose=sampler, count=5)
    alone = run(model, [2], choose=sampler, count=5, row_numbers=np.array([2]))
    assert all(map(same, alone, together[10:]))


def test_draws_are_independent(table_model: Any) -> None:
    table = table_model([[0.0, 0.0, 0.5, 0.5]] * 4)
    found = generate(
        table.step,
        table.start(list(range(20))),
        first=BOS,
        eos=EOS,
        max_lengths=np.full(20, 100),
        choose=Sampler(seed=8),
        count=20,
    )
    signs = 2.0 * np.array([hypothesis.ids for hypothesis in found]) - 5
    agreement = signs @ signs.T / 100
    others = agreement[~np.eye(len(signs), dtype=bool)]
    assert abs(others).max() < 0.6, "two draws go together"
    assert others.std() == pytest.approx(0.1, rel=0.05)


def test_draws_have_the_filters_and_maximum_of_their_row(history_model: Any) -> None:
    model = history_model(6)
    numbers: list[int] = []

    def watch(log_probs: np.ndarray, emitted: np.ndarray, sentences: np.ndarray) -> np.ndarray:
        numbers.extend(sentences.tolist())
        log_probs[:, EOS] = float("-inf")
        return log_probs

    found = generate(
        model.step,
        model.start([0, 1, 2]),
        first=np.array([BOS, 3, 4]),
        eos=EOS,
        max_lengths=np.array([2, 5, 3]),
        choose=Sampler(),
        count=4,
        filters=[watch],
    )
    assert [len(hypothesis.ids) for hypothesis in found] == [2] * 4 + [5] * 4 + [3] * 4
    assert numbers == [0] * 4 + [1] * 4 + [2] * 4 + [0] * 4 + [1] * 4 + [2] * 4 + [1] * 4 + [2] * 4 + [1] * 8


def test_a_single_draw_does_not_copy_the_state(history_model: Any) -> None:
    model = history_model(6)
    run(model, [], choose=Sampler(), count=3)
    assert model.counts.rows == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_p": float("nan")}, "top_p"),
        ({"min_p": -0.1}, "min_p"),
        ({"min_p": 1.1}, "min_p"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Sampler(**options)


def test_temperature_near_zero_or_top_k_of_one_equals_a_beam_of_one(history_model: Any) -> None:
    model = history_model(50)
    greedy = run(model, list(range(10)), choose=greedily)
    for sampler in (Sampler(top_k=1), Sampler(top_p=1e-9)):
        drawn = run(model, list(range(10)), choose=sampler)
        assert all(map(same, drawn, greedy))
    options = {"first": BOS, "eos": EOS, "max_lengths": np.full(10, 8)}
    searched = beam_search(model.step, model.start(list(range(10))), num_hypotheses=1, **options)
    assert sum(one.ids == other.ids for (one,), other in zip(searched, greedy, strict=True)) >= 7, "ties aside"
