"""Epochs in which small groups have a larger share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seq2see.data import Examples, Pair
from seq2see.data.balance import Balance, balanced, chosen, quotas
from seq2see.data.distortion import Distortion, with_distorted_pictures
from seq2see.data.examples import Sequences
from seq2see.data.values import ValueColumn
from seq2see.text import Codec, Values, make_tokenizer

KEYS = ["big"] * 80 + ["small"] * 8 + ["one"]


def test_shares_follow_the_temperature() -> None:
    assert quotas([800, 80, 8], 1) == (800, 80, 8)
    assert quotas([800, 80, 8], 1e6) == (296, 296, 296)
    big, small = quotas([8_000, 800], 5)
    assert big + small == 8_800
    assert big / small == pytest.approx(10 ** (1 / 5), rel=0.01)
    assert quotas([5], 7) == (5,)
    for temperature in (1, 2.5, 100):
        found = quotas([1000, 3, 1, 1], temperature)
        assert sum(found) == 1005
        assert min(found) >= 1


def test_groups_come_by_turns_so_that_their_examples_come_equally_often() -> None:
    balance = Balance.of(KEYS, 3.0, seed=1)
    assert list(balance.groups) == ["big", "small", "one"]
    epochs = [balance.epoch(number) for number in range(12)]
    assert all(len(epoch) == len(KEYS) for epoch in epochs)
    counts = np.bincount(np.concatenate(epochs), minlength=len(KEYS))
    for group in balance.groups.values():
        assert np.ptp(counts[group]) <= 1
    assert not np.array_equal(epochs[0], epochs[1])
    assert np.array_equal(Balance.of(KEYS, 3.0, seed=1).epoch(5), epochs[5])  # whatever came before it
    assert not np.array_equal(Balance.of(KEYS, 3.0, seed=2).epoch(5), epochs[5])


def test_a_temperature_of_1_has_every_example_once_per_epoch() -> None:
    balance = Balance.of(KEYS, 1.0, seed=1)
    for number in range(3):
        assert sorted(balance.epoch(number)) == list(range(len(KEYS)))


def test_examples_are_chosen_whole() -> None:
    codec = Codec.build(make_tokenizer("characters"), ["abc"])
    pairs = [Pair("a" * (number % 3), "abc"[: number % 4]) for number in range(len(KEYS))]
    examples = Examples.encode(pairs, codec, codec)
    balance = Balance.of(KEYS, 4.0, seed=3)
    rows = balance.epoch(2)
    found = balanced(balance, examples, None)(2)
    again = balanced(balance, Examples(Sequences.empty(1), Sequences.empty(1)), lambda _: examples)(2)
    for place, row in enumerate(rows):
        for each in (found, again):
            assert each.source(place).tolist() == examples.source(row).tolist()
            assert each.target(place).tolist() == examples.target(row).tolist()
    assert len(chosen(examples.sources, np.zeros(0, np.int64))) == 0


def test_pictures_that_come_twice_are_distorted_in_two_ways() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (1, 20, 30)).astype(np.uint8)
    column = ValueColumn(Values("none", "picture", 1, (0.0,), (1.0,)), [picture, picture[:, :16]])
    sources = replace(Sequences.pack([[5] * 12 + [3], [5] * 8 + [3]]), values=(column,))
    examples = Examples(sources, Sequences.pack([[6, 3], [7, 3]]))
    epoch = with_distorted_pictures(examples, 1.0, seed=3)(4)
    [own] = chosen(epoch.sources, np.array([1, 0, 0])).values
    batch = own.batch([0, 1, 2])
    assert batch.sizes.tolist() == [[16, 30], [20, 30], [20, 30]]
    assert np.abs(batch.array[1] - batch.array[2]).mean() > 1
    np.testing.assert_array_equal(batch.array[1, :, :20], Distortion(1.0, 3, 4)(picture, 1))
