from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeky.data import LengthBucketSampler

LENGTHS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), max_size=200)
LIMIT = st.one_of(st.none(), st.integers(1, 100))


@given(lengths=LENGTHS, batch_size=LIMIT, batch_tokens=LIMIT, seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_batches(
    lengths: list[tuple[int, int]], batch_size: int | None, batch_tokens: int | None, seed: int, epoch: int
) -> None:
    if batch_size is None and batch_tokens is None:
        return
    source = np.array([pair[0] for pair in lengths], dtype=np.int64)
    target = np.array([pair[1] for pair in lengths], dtype=np.int64)

    def sampler() -> LengthBucketSampler:
        return LengthBucketSampler(source, target, batch_size=batch_size, batch_tokens=batch_tokens, seed=seed)

    used = sampler()
    used.batches(epoch + 1)
    batches = used.batches(epoch)
    again = sampler().batches(epoch)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]
    assert sorted(index for batch in batches for index in batch.tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= (batch_size or len(batch))
        if batch_tokens is not None:
            assert len(batch) == 1 or len(batch) * (source[batch].max() + target[batch].max()) <= batch_tokens


def lengths_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(1, 60, count), random.integers(1, 60, count)


@pytest.mark.parametrize(("batch_size", "batch_tokens"), [(32, None), (None, 2000)])
def test_epochs_and_seeds_differ(batch_size: int | None, batch_tokens: int | None) -> None:
    def batches(seed: int, epoch: int) -> set[tuple[int, ...]]:
        sampler = LengthBucketSampler(*lengths_of(10_000), batch_size=batch_size, batch_tokens=batch_tokens, seed=seed)
        return {tuple(sorted(batch.tolist())) for batch in sampler.batches(epoch)}

    first = batches(1, 0)
    for other in (batches(1, 1), batches(2, 0)):
        assert len(first & other) < len(first) / 20


def test_batches_come_in_no_order_of_length() -> None:
    source, target = lengths_of(10_000)
    batches = LengthBucketSampler(source, target, batch_size=50, batch_tokens=None, seed=1).batches(0)
    means = [float(target[batch].mean()) for batch in batches]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_little_padding() -> None:
    source = lengths_of(50_000)[0]
    target = source + np.arange(50_000) % 5
    batches = LengthBucketSampler(source, target, batch_size=None, batch_tokens=4000, seed=1).batches(0)
    padded = sum(len(batch) * int(source[batch].max() + target[batch].max()) for batch in batches)
    assert (source.sum() + target.sum()) / padded > 0.95


def test_a_limit_is_needed() -> None:
    source, target = lengths_of(10)
    for batch_size, batch_tokens in [(None, None), (0, None), (None, 0), (4, 0), (-1, None)]:
        with pytest.raises(ValueError, match="batch_size"):
            LengthBucketSampler(source, target, batch_size=batch_size, batch_tokens=batch_tokens, seed=1)


def test_an_epoch_costs_no_more_than_a_few_looks_at_each_pair() -> None:
    """Held to a plain loop over the pairs in the same process, the two taking turns: whatever slows one slows both."""
    source, target = lengths_of(45_000)
    sampler = LengthBucketSampler(source, target, batch_size=None, batch_tokens=4000, seed=1)

    def look_at_each_pair() -> int:
        longest = 0
        for place in range(len(source)):
            longest = max(longest, int(source[place]) + int(target[place]))
        return longest

    def seconds(work: Callable[[], object]) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    turns = [(seconds(lambda epoch=epoch: sampler.batches(epoch)), seconds(look_at_each_pair)) for epoch in range(7)]  # type: ignore[misc]
    ours, loop = (min(each) for each in zip(*turns, strict=True))
    assert ours < 3 * loop  # measured: about the same
