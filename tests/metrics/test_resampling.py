"""Intervals have the nominal coverage; p-values are uniform without a difference, and small with one."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from seq2see.metrics import (
    Measured,
    Scale,
    character_error_rate,
    differences,
    exact_match,
    intervals,
    ratio,
    seed_difference,
    spread,
)
from seq2see.metrics.measured import Numbers
from seq2see.metrics.resampling import bootstrap_sums, randomized_sums

RATE = Scale("rate", "rate", "share", higher_is_better=False, score=ratio)
SHARE = Scale("right", "right", "share", higher_is_better=True, score=ratio, is_proportion=True)


def edits_made_up(chance: np.random.Generator, num_items: int, *, rate: float = 0.2) -> Numbers:
    """Items of 3 to 12 tokens, some harder than others: each token is wrong with a probability that varies by item.

    The true rate of edits is `rate`: the probabilities of an item are independent of its length and have it as mean.
    """
    lengths = chance.integers(3, 13, num_items)
    hardness = chance.beta(4 * rate, 4 * (1 - rate), num_items)
    return np.stack([chance.binomial(lengths, hardness), lengths], 1).astype(np.float64)


def coverage(num_experiments: int, *, num_items: int = 200, samples: int = 300, narrowed: float = 1.0) -> float:
    """How often the 95 % interval of a synthetic test set contains the true rate; `narrowed` breaks it on purpose."""
    chance = np.random.default_rng(7)
    covered = 0
    for seed in range(num_experiments):
        measured = Measured(RATE, edits_made_up(chance, num_items))
        low, high = intervals([measured], samples=samples, seed=seed)[0]
        middle = (low + high) / 2
        covered += middle - narrowed * (middle - low) <= 0.2 <= middle + narrowed * (high - middle)
    return covered / num_experiments


def test_intervals_cover_the_truth_95_times_in_100() -> None:
    # 400 experiments: one standard error is 1.1 %.
    assert 0.92 <= coverage(400) <= 0.98


def test_intervals_that_are_too_narrow_are_noticed() -> None:
    assert coverage(400, narrowed=0.7) < 0.90


@pytest.mark.slow
def test_intervals_cover_the_truth_95_times_in_100_within_2() -> None:
    # 4,000 experiments: one standard error is 0.35 %.
    assert 0.93 <= coverage(4000, samples=1000) <= 0.97


def p_values(
    num_experiments: int, *, better: float = 0.0, num_items: int = 150, whole: bool = False
) -> tuple[Numbers, Numbers]:
    """Both p-values of two systems on the same synthetic items; the second errs less by `better`.

    Errors are any numbers, so that no two outcomes are equal, or `whole` ones, as edits are.
    """
    chance = np.random.default_rng(11)
    errors = chance.binomial if whole else chance.gamma
    found = []
    for seed in range(num_experiments):
        lengths = chance.integers(3, 13, num_items)
        hardness = chance.beta(0.8, 3.2, num_items)  # of the item, the same for both systems
        sides = [
            np.stack([errors(lengths, hardness * ease), lengths], 1).astype(np.float64) for ease in (1.0, 1.0 - better)
        ]
        one, two = (Measured(RATE, side) for side in sides)
        [difference] = differences([two], [one], samples=199, seed=seed)
        found.append((difference.bootstrap_p, difference.randomization_p))
    columns = np.array(found).T
    return columns[0], columns[1]


def farthest_from_uniform(values: Numbers) -> float:
    """Kolmogorov and Smirnov's distance between the values and a uniform distribution over 0..1."""
    ordered = np.sort(values)
    steps = np.arange(len(values) + 1) / len(values)
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def test_p_values_are_uniform_without_a_difference() -> None:
    # Of 500 uniform values the distance passes 1.63 / sqrt(500) = 0.073 once in a hundred; p has steps of 1 / 200.
    for values in p_values(500):
        assert farthest_from_uniform(values) < 0.073 + 0.005
        assert 0.02 <= (values <= 0.05).mean() <= 0.08


def test_integer_statistics_give_no_excess_of_small_p_values() -> None:
    # Equal outcomes count as large, so p-values near 1 are some more, and those that matter are as many as they say.
    for values in p_values(500, whole=True):
        assert 0.02 <= (values <= 0.05).mean() <= 0.08


def test_p_values_are_small_with_a_difference() -> None:
    for values in p_values(100, better=0.4):
        assert (values <= 0.05).mean() > 0.8
        assert farthest_from_uniform(values) > 0.5  # and so the check of uniformity can fail


def test_the_p_value_of_approximate_randomization_against_all_swaps() -> None:
    """Of 8 items all 256 swaps can be gone through."""
    ours = np.array([[1.0, 1]] * 7 + [[0.0, 1]])
    theirs = np.array([[0.0, 1]] * 6 + [[1.0, 1]] * 2)
    # Items 1-6 are right only with us, item 8 only with them: |difference| = 5/8. Of the 2^7 signs of these seven, the
    # sum is 5 or more, or -5 or less, with at most one sign against the others: 2·(1 + 7) = 16 of 128.
    [found] = differences([Measured(SHARE, ours)], [Measured(SHARE, theirs)], samples=20_000)
    assert found.value == pytest.approx(5 / 8)
    assert found.randomization_p == pytest.approx(16 / 128, abs=0.01)


def test_a_system_does_not_differ_from_itself() -> None:
    measured = Measured(RATE, edits_made_up(np.random.default_rng(1), 50))
    [found] = differences([measured], [measured], samples=99)
    assert found.value == 0
    assert found.bootstrap_p == found.randomization_p == 1.0
    assert found.interval == (0, 0)


def test_no_p_value_is_0() -> None:
    right, wrong = (exact_match(["a"] * 50, [[text]] * 50) for text in "ab")
    [found] = differences([right], [wrong], samples=99)
    assert found.randomization_p == found.bootstrap_p == pytest.approx(1 / 100)


def test_results_depend_on_the_seed() -> None:
    measured = [Measured(RATE, edits_made_up(np.random.default_rng(1), 50))]
    assert intervals(measured, seed=3) == intervals(measured, seed=3)
    assert intervals(measured, seed=3) != intervals(measured, seed=4)


def test_metrics_together_equal_metrics_alone() -> None:
    texts, references = ["ab", "x", "cd"] * 9, [["ab"], ["y"], ["cde"]] * 9
    both = [exact_match(texts, references), character_error_rate(texts, references)]
    assert intervals(both, seed=2) == [*intervals(both[:1], seed=2), *intervals(both[1:], seed=2)]


def test_sums_are_those_of_drawn_items() -> None:
    """Powers of 10 show which items were drawn, and how often."""
    statistics = np.array([[1.0], [10.0], [100.0]])
    counts = [list(map(int, f"{int(total):03}")) for [total] in bootstrap_sums(statistics, samples=500, seed=1)]
    assert all(sum(each) == 3 for each in counts)
    assert np.mean(counts, 0) == pytest.approx([1, 1, 1], abs=0.15)
    taken = {int(total) for [total] in randomized_sums(statistics, samples=500, seed=1)}
    assert taken == {0, 1, 10, 11, 100, 101, 110, 111}


def test_samples_are_drawn_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = edits_made_up(np.random.default_rng(1), 50)
    monkeypatch.setattr("seq2see.metrics.resampling._BLOCK_ITEMS", 120)
    assert bootstrap_sums(statistics, samples=7).shape == randomized_sums(statistics, samples=7).shape == (7, 2)


def test_all_correct_and_all_wrong_have_the_binomial_interval() -> None:
    # Clopper & Pearson 1934: none wrong of 100, and still up to 1 - 0.025^(1/100) = 3.6 % may be.
    right = exact_match(["a"] * 100, [["a"]] * 100)
    assert intervals([right])[0] == pytest.approx((1 - 0.036217, 1.0), abs=1e-6)
    wrong = exact_match(["a"] * 100, [["b"]] * 100)
    assert intervals([wrong])[0] == pytest.approx((0.0, 0.036217), abs=1e-6)


def test_many_samples_take_no_longer_than_drawing_them_one_by_one() -> None:
    """With the ten statistics of BLEU. The two take turns: whatever slows one slows both."""
    statistics, random = np.random.default_rng(1).random((1000, 10)), np.random.default_rng(2)

    def one_by_one() -> None:
        for _ in range(1000):
            statistics[random.integers(1000, size=1000)].sum(axis=0)

    def seconds(work: Callable[[], object]) -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    turns = [(seconds(lambda: bootstrap_sums(statistics, samples=1000)), seconds(one_by_one)) for _ in range(3)]
    ours, loop = (min(each) for each in zip(*turns, strict=True))
    assert ours < 3 * loop


def rejected(num_experiments: int, *, num_seeds: int, better: float = 0.0, over_items_only: bool = False) -> float:
    """How often p <= 0.05 for two recipes on synthetic items, whose runs differ by the luck of a seed.

    The second errs less by `better`; `over_items_only` compares one run of each, as if it were the recipe.
    """
    chance, count = np.random.default_rng(5), 0
    for seed in range(num_experiments):
        lengths = chance.integers(3, 13, 150)
        hardness = chance.beta(0.8, 3.2, 150)
        sides = []
        for ease in (1.0, 1.0 - better):
            lucks = chance.normal(1.0, 0.15, num_seeds)
            errors = [chance.gamma(lengths, hardness * ease * luck) for luck in lucks]
            sides.append([Measured(RATE, np.stack([each, lengths], 1).astype(np.float64)) for each in errors])
        if over_items_only:
            p = differences(sides[1][:1], sides[0][:1], samples=199, seed=seed)[0].bootstrap_p
        else:
            p = seed_difference(sides[1], sides[0], samples=199, seed=seed).p
        count += p <= 0.05
    return count / num_experiments


def test_over_seeds_and_items_equal_recipes_rarely_differ() -> None:
    # 300 experiments: one standard error is 1.3 %. Tails of few seeds are heavier than those that are drawn.
    assert rejected(300, num_seeds=5) <= 0.11
    assert rejected(300, num_seeds=3) <= 0.15
    assert rejected(300, num_seeds=3, over_items_only=True) > 0.3  # where one run is taken for the recipe


def test_over_seeds_and_items_a_large_difference_is_found() -> None:
    assert rejected(60, num_seeds=5, better=0.5) > 0.8


def test_the_difference_over_seeds_is_that_of_the_means() -> None:
    right = [exact_match(list(text), [["a"]] * 4) for text in ("aaab", "aabb", "abbb")]
    found = seed_difference(right[:2], [right[2], right[2]], samples=200)
    assert found.value == pytest.approx(0.625 - 0.25)
    assert found.interval.low <= found.value <= found.interval.high
    same = seed_difference(right[:2], right[:2], samples=200)
    assert same.value == 0.0
    assert same.interval.low < 0 < same.interval.high  # other seeds would differ
    assert same.p == 1.0


def test_mean_and_deviation_over_seeds() -> None:
    # 2, 4, 6: mean 4, squares 4 + 0 + 4 over n - 1 = 2.
    assert spread([2.0, 4.0, 6.0]) == pytest.approx((4.0, 2.0))
