from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2see.data import LengthBucketSampler
from seq2see.data.sampler import BatchPosition

LENGTHS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), max_size=200)
LIMIT = st.one_of(st.none(), st.integers(1, 100))


def sampler_of(source: np.ndarray, target: np.ndarray, **options: Any) -> LengthBucketSampler:
    offsets = [np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64) for lengths in (source, target)]
    return LengthBucketSampler(*offsets, **options)


@given(lengths=LENGTHS, batch_size=LIMIT, batch_tokens=LIMIT, seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_batches(
    lengths: list[tuple[int, int]], batch_size: int | None, batch_tokens: int | None, seed: int, epoch: int
) -> None:
    if batch_size is None and batch_tokens is None:
        return
    source = np.array([pair[0] for pair in lengths], dtype=np.int64)
    target = np.array([pair[1] for pair in lengths], dtype=np.int64)
    check_batches(source, target, batch_size, batch_tokens, seed, epoch)


@settings(max_examples=25)
@given(
    count=st.integers(1, 3000),
    batch_size=st.integers(1, 100_000),
    batch_tokens=st.integers(1, 9000),
    seed=st.integers(0, 9),
)
@example(count=3000, batch_size=100_000, batch_tokens=2000, seed=1)
@example(count=3000, batch_size=1000, batch_tokens=20, seed=1)
@example(count=3000, batch_size=8192, batch_tokens=2048, seed=1)
@example(count=3000, batch_size=10_000, batch_tokens=4096, seed=1)
def test_any_two_limits(count: int, batch_size: int, batch_tokens: int, seed: int) -> None:
    source, target = lengths_of(count)
    sampler = check_batches(source, target, batch_size, batch_tokens, seed, 0)
    sizes = [sum(map(len, sampler.pool(0, number))) for number in range(sampler.num_pools)]
    rows = min(batch_size, max(1, batch_tokens * count // int(source.sum() + target.sum())))
    assert 0 < min(sizes) <= max(sizes) <= 200 * rows  # a hundred batches each, rounded


def check_batches(
    source: np.ndarray, target: np.ndarray, batch_size: int | None, batch_tokens: int | None, seed: int, epoch: int
) -> LengthBucketSampler:
    """Every example once, no batch too large, and the same again."""

    def sampler() -> LengthBucketSampler:
        return sampler_of(source, target, batch_size=batch_size, batch_tokens=batch_tokens, seed=seed)

    used = sampler()
    list(used.batches(epoch + 1))
    batches = list(used.batches(epoch))
    again = sampler().batches(epoch)
    assert used.num_batches(epoch) == len(batches)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]
    assert sorted(index for batch in batches for index in batch.tolist()) == list(range(len(source)))
    for batch in batches:
        assert len(batch) <= (batch_size or len(batch))
        if batch_tokens is not None:
            assert len(batch) == 1 or len(batch) * (source[batch].max() + target[batch].max()) <= batch_tokens
    return used


def lengths_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(1, 60, count), random.integers(1, 60, count)


@pytest.mark.parametrize(("batch_size", "batch_tokens"), [(32, None), (None, 2000)])
def test_epochs_and_seeds_differ(batch_size: int | None, batch_tokens: int | None) -> None:
    def batches(seed: int, epoch: int) -> set[tuple[int, ...]]:
        sampler = sampler_of(*lengths_of(10_000), batch_size=batch_size, batch_tokens=batch_tokens, seed=seed)
        return {tuple(sorted(batch.tolist())) for batch in sampler.batches(epoch)}

    first = batches(1, 0)
    for other in (batches(1, 1), batches(2, 0)):
        assert len(first & other) < len(first) / 20


def test_batches_are_not_ordered_by_length() -> None:
    source, target = lengths_of(10_000)
    batches = list(sampler_of(source, target, batch_size=50, batch_tokens=None, seed=1).batches(0))
    means = [float(target[batch].mean()) for batch in batches]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_little_padding() -> None:
    source = lengths_of(50_000)[0]
    target = source + np.arange(50_000) % 5
    batches = sampler_of(source, target, batch_size=None, batch_tokens=4000, seed=1).batches(0)
    padded = sum(len(batch) * int(source[batch].max() + target[batch].max()) for batch in batches)
    assert (source.sum() + target.sum()) / padded > 0.95


def test_a_limit_is_required() -> None:
    source, target = lengths_of(10)
    for batch_size, batch_tokens in [(None, None), (0, None), (None, 0), (4, 0), (-1, None)]:
        with pytest.raises(ValueError, match="batch_size"):
            sampler_of(source, target, batch_size=batch_size, batch_tokens=batch_tokens, seed=1)


def test_an_epoch_takes_linear_time() -> None:
    """Held to a plain loop over the pairs in the same process, the two taking turns: whatever slows one slows both."""
    source, target = lengths_of(45_000)
    sampler = sampler_of(source, target, batch_size=None, batch_tokens=4000, seed=1)

    def look_at_each_pair() -> int:
        longest = 0
        for place in range(len(source)):
            longest = max(longest, int(source[place]) + int(target[place]))
        return longest

    def seconds(work: Callable[[], object]) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    turns = [
        (seconds(lambda epoch=epoch: list(sampler.batches(epoch))), seconds(look_at_each_pair)) for epoch in range(7)
    ]  # type: ignore[misc]
    ours, loop = (min(each) for each in zip(*turns, strict=True))
    assert ours < 3 * loop  # measured: about the same


@pytest.mark.parametrize(("batch_size", "batch_tokens"), [(7, None), (None, 900), (16, 600)])
def test_many_pools_contain_every_example_once_and_resume_anywhere(
    batch_size: int | None, batch_tokens: int | None
) -> None:
    sampler = sampler_of(*lengths_of(8_003), batch_size=batch_size, batch_tokens=batch_tokens, seed=3)
    assert sampler.num_pools > 3
    found = list(sampler.batches_from(BatchPosition(5, 0, 0)))
    assert sorted(np.concatenate([batch for _, batch in found]).tolist()) == list(range(8_003))
    assert sampler.num_batches(5) == len(found)
    assert sampler.num_batches(5, stop_above=10) > 10
    sizes = [sum(map(len, sampler.pool(5, number))) for number in range(sampler.num_pools)]
    assert max(sizes) - min(sizes) <= 2 * (batch_size or 1)  # no small pool at the end
    for at in (0, 1, 150, len(found) - 1):
        place, batch = next(sampler.batches_from(found[at][0]))
        assert place == found[at][0]
        assert batch.tolist() == found[at][1].tolist()
    if batch_tokens is None:
        assert len(found) == -(-8_003 // 7)  # one small batch an epoch, not one a pool


def test_a_pool_reads_only_its_own_offsets() -> None:
    read: list[int] = []

    class Offsets(np.ndarray):
        def __getitem__(self, key: Any) -> Any:
            found = np.asarray(self)[key]
            read.append(np.size(found))
            return found

    offsets = np.arange(0, 40_001 * 9, 9, dtype=np.int64).view(Offsets)
    sampler = LengthBucketSampler(offsets, offsets, batch_size=8, batch_tokens=4000, seed=1)
    sampler.pool(2, sampler.num_pools - 1)
    assert 0 < sum(read) < 12 * 800
