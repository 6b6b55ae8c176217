from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.data.shuffling import shuffled, splitmix64


@given(count=st.integers(1, 700), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 99))
def test_it_is_a_permutation(count: int, seed: int, epoch: int) -> None:
    order = shuffled(np.arange(count), count, (seed, epoch))
    assert sorted(order.tolist()) == list(range(count))
    some = np.arange(count)[:: max(1, count // 7)]
    assert shuffled(some, count, (seed, epoch)).tolist() == order[some].tolist()


@pytest.mark.parametrize("count", [2, 5, 11])
def test_every_number_is_equally_frequent_at_every_position(count: int) -> None:
    seen = np.zeros((count, count))
    for epoch in range(1000):
        seen[np.arange(count), shuffled(np.arange(count), count, (1, epoch))] += 1
    expected = 1000 / count
    freedom = (count - 1) ** 2
    assert ((seen - expected) ** 2 / expected).sum() < freedom + 4 * (2 * freedom) ** 0.5  # chi square


def test_adjacent_numbers_are_separated() -> None:
    count = 100_000
    order = shuffled(np.arange(count), count, (1, 0))
    assert abs(np.corrcoef(order, np.arange(count))[0, 1]) < 0.02
    assert (np.abs(np.diff(order)) < 100).mean() < 0.005  # 0.002 by chance


def test_billions_need_no_array() -> None:
    order = shuffled(np.array([0, 1, 2_999_999_999]), 3_000_000_000, (1, 0))
    assert len(set(order.tolist())) == 3
    assert order.max() < 3_000_000_000


def test_splitmix64_matches_the_reference() -> None:
    assert int(splitmix64(np.zeros(1, np.uint64))[0]) == 0xE220A8397B1DCDAF  # the first number of seed 0, as published
