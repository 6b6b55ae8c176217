"""Learning rate schedules: warm-up, decay and last update."""

from __future__ import annotations

import math

import pytest

from seq2see.training import TrainingOptions, rate_share

SCHEDULES = ("linear", "constant", "inverse_sqrt", "cosine", "plateau")


def share(schedule, update, *, warmup=0.1, updates=100):
    return rate_share(TrainingOptions(schedule=schedule, warmup=warmup, max_updates=updates), update)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_all_climb_alike(schedule):
    assert [share(schedule, update) for update in (1, 2, 5, 9, 10)] == pytest.approx([0.1, 0.2, 0.5, 0.9, 1.0])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", {11: 90 / 91, 55: 46 / 91, 99: 2 / 91, 100: 1 / 91}),
        ("cosine", {update: (1 + math.cos(math.pi * (update - 10) / 91)) / 2 for update in (10, 40, 55, 70, 100)}),
        ("inverse_sqrt", {40: 0.5, 90: 1 / 3, 100: math.sqrt(0.1)}),
        ("constant", {11: 1.0, 100: 1.0}),
        ("plateau", {11: 1.0, 100: 1.0}),
    ],
)
def test_after_the_climb(schedule, expected):
    assert {update: share(schedule, update) for update in expected} == pytest.approx(expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.004, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("updates", [1, 2, 7, 100])
def test_always_between_nothing_and_all_and_once_at_its_highest(schedule, warmup, updates):
    shares = [share(schedule, update, warmup=warmup, updates=updates) for update in range(1, updates + 1)]
    assert all(0 <= value <= 1 for value in shares)
    assert max(shares) == pytest.approx(1)
    highest = shares.index(max(shares))
    assert shares[: highest + 1] == sorted(shares[: highest + 1])
    assert shares[highest:] == sorted(shares[highest:], reverse=True)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("updates", [1, 2, 3, 100])
def test_every_update_learns(schedule, warmup, updates):
    assert all(share(schedule, update, warmup=warmup, updates=updates) > 0 for update in range(1, updates + 1))


def test_without_warm_up_the_first_update_is_the_highest():
    assert share("linear", 1, warmup=0.0) == 1.0
    assert share("inverse_sqrt", 4, warmup=0.0) == 0.5


def test_a_whole_run_of_warm_up_ends_at_the_highest():
    assert [share("linear", update, warmup=1.0, updates=4) for update in range(1, 5)] == [0.25, 0.5, 0.75, 1.0]
