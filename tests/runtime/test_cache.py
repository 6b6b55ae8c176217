"""The cache of keys and values, whose rows are moved in place, against one that is copied whole at every step."""

from __future__ import annotations

import numpy as np
import pytest

from seq2see.model import ModelOptions, resolve
from seq2see.runtime.transformer import INITIAL_CAPACITY, KeyValueCache
from seq2see.search import MinLength, beam_search
from seq2see.text import BOS, EOS

HEADS, WIDTH = 2, 3


class CopiedCache:
    """The plain version: a list of positions, each [R 2 H E], all of them selected at every step."""

    def __init__(self):
        self.positions = []

    def append(self, new):
        self.positions.append(new)
        return np.stack(self.positions, 3).swapaxes(0, 1).swapaxes(2, 3).swapaxes(2, 3)

    def moved(self, rows):
        self.positions = [each[rows] for each in self.positions]
        return self


def rows_of_a_beam(rng, sentences, hypotheses):
    """For each sentence hypotheses that continue some of its own, mostly the first ones."""
    own = np.minimum(rng.geometric(0.4, (sentences, hypotheses)) - 1, hypotheses - 1)
    return (own + hypotheses * np.arange(sentences)[:, None]).ravel()


@pytest.mark.parametrize("hypotheses", [1, 2, 5])
def test_moving_rows_in_place_equals_copying_all_of_them(hypotheses):
    rng = np.random.default_rng(1)
    sentences = 4
    cache, copied = KeyValueCache.start(sentences, HEADS, WIDTH, np.zeros(0)), CopiedCache()
    rows = np.arange(sentences).repeat(hypotheses)
    for position in range(2 * INITIAL_CAPACITY + 3):
        new = rng.normal(size=(cache.entries.shape[1], 2, HEADS, WIDTH))
        assert np.array_equal(cache.append(new), copied.append(new))
        if position == 40:  # two sentences have ended: their rows are left out
            sentences, rows = 2, rows_of_a_beam(rng, 2, hypotheses) + hypotheses
            cache, copied = cache.select(rows), copied.moved(rows)
        else:
            cache, copied = cache.moved(rows), copied.moved(rows)
        rows = rows_of_a_beam(rng, sentences, hypotheses)


def test_only_what_hypotheses_do_not_share_is_moved():
    """Rows with the same past hold the same, however they are exchanged."""
    cache = KeyValueCache.start(1, HEADS, WIDTH, np.zeros(0))
    cache.append(np.ones((1, 2, HEADS, WIDTH)))
    cache = cache.moved(np.array([0, 0]))
    known = cache.append(np.stack([np.full((2, HEADS, WIDTH), value) for value in (2.0, 3.0)]))
    known[:, :, :, 0] = [[[[5.0]], [[6.0]]]]  # marks that a move would carry along
    cache.moved(np.array([1, 1]))
    assert known[0, :, 0, :, 0].tolist() == [[5.0, 3.0], [6.0, 3.0]]
    entries, origins = cache.entries.copy(), cache.origins.copy()
    assert cache.moved(np.array([1, 0])) is cache
    assert np.array_equal(cache.entries, entries, equal_nan=True)
    assert np.array_equal(cache.origins, origins)


@pytest.mark.parametrize("hypotheses", [1, 5])
def test_a_search_copies_the_cache_only_to_enlarge_it(hypotheses, monkeypatch, new_model, network_of):
    """A copy at every step takes longer than the attention that reads it."""
    blueprint = resolve(ModelOptions(name="transformer", width=8, heads=2, layers=1))
    network = network_of(blueprint, new_model(blueprint))
    capacities = []
    copied = KeyValueCache._copied

    def noted(cache, rows, capacity):
        capacities.append(capacity)
        return copied(cache, rows, capacity)

    monkeypatch.setattr(KeyValueCache, "_copied", noted)
    length = np.array([5 * INITIAL_CAPACITY])
    beam_search(
        network.step,
        network.start(np.full((1, 3), 6), np.array([3])),
        num_hypotheses=hypotheses,
        first=BOS,
        eos=EOS,
        max_lengths=length,
        filters=[MinLength(length, EOS)],
    )
    enlarged = [INITIAL_CAPACITY * factor for factor in (2, 4, 8)]
    assert [each for each in capacities if each > INITIAL_CAPACITY] == enlarged
    assert capacities.count(INITIAL_CAPACITY) <= 2  # the rows of a beam, at its beginning
