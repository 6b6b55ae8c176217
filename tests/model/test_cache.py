"""The cache of keys and values that a search's steps fill and rearrange, against one that is copied at every step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2see.blueprint import Sizes
from seq2see.data.batch import Padded
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ModelOptions, build, resolve
from seq2see.model.cache import INITIAL_CAPACITY, KeyValueCache
from seq2see.search import MinLength, beam_search

HEADS, WIDTH = 2, 3


def rows_of_a_beam(rng: np.random.Generator, sentences: int, hypotheses: int) -> torch.Tensor:
    """For each sentence hypotheses that continue some of its own, mostly the first ones."""
    own = np.minimum(rng.geometric(0.4, (sentences, hypotheses)) - 1, hypotheses - 1)
    return torch.from_numpy((own + hypotheses * np.arange(sentences)[:, None]).ravel())


@pytest.mark.parametrize("read", [0, 3, INITIAL_CAPACITY + 1])
@pytest.mark.parametrize("hypotheses", [1, 4])
def test_rows_moved_in_place_are_rows_copied(hypotheses: int, read: int) -> None:
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    sentences = 4
    keys, values = torch.randn(2, sentences, HEADS, read, WIDTH)
    cache = KeyValueCache.of(keys, values)
    rows = torch.arange(sentences).repeat_interleave(hypotheses)
    for position in range(2 * INITIAL_CAPACITY + 3):
        more = torch.randn(2, len(keys), HEADS, 1, WIDTH)
        keys, values = torch.cat([keys, more[0]], 2), torch.cat([values, more[1]], 2)
        found = cache.append(*more)
        assert torch.equal(found[0], keys)
        assert torch.equal(found[1], values)
        if position == 40:  # two sentences have ended: their rows are left out
            sentences, rows = 2, rows_of_a_beam(rng, 2, hypotheses) + hypotheses
            kept = cache
            cache = cache.select(rows)
            assert torch.equal(kept.entries[0, :, :, : kept.length], keys)
        else:
            cache = cache.moved(rows)
        keys, values = keys[rows], values[rows]
        rows = rows_of_a_beam(rng, sentences, hypotheses)


def test_only_what_hypotheses_do_not_share_is_moved() -> None:
    cache = KeyValueCache.of(*torch.empty(2, 1, HEADS, 0, WIDTH))
    cache.append(*torch.ones(2, 1, HEADS, 1, WIDTH))
    cache = cache.moved(torch.tensor([0, 0]))
    keys, _ = cache.append(*torch.tensor([2.0, 3.0])[None, :, None, None, None].expand(2, 2, HEADS, 1, WIDTH))
    keys[:, :, 0] = torch.tensor([5.0, 6.0])[:, None, None]  # marks that a move would carry along
    assert cache.moved(torch.tensor([1, 1])) is cache
    assert keys[:, 0, :, 0].tolist() == [[5.0, 3.0], [6.0, 3.0]]


@pytest.mark.parametrize("hypotheses", [1, 5])
def test_a_search_finds_the_same_as_with_copies(hypotheses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, and the rows are copied only where their number changes or the cache is full."""
    torch.manual_seed(0)
    network = build(resolve(ModelOptions(name="transformer", width=8, heads=2, layers=2)), Sizes(20, 20)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    engine, lengths = TorchEngine(network), np.array([70, 40, 70])
    enlarged = []
    enlarge = KeyValueCache._enlarge
    monkeypatch.setattr(
        KeyValueCache, "_enlarge", lambda cache, capacity: (enlarged.append(capacity), enlarge(cache, capacity))
    )

    def search() -> list[list[tuple[list[int], float]]]:
        source = np.random.default_rng(0).integers(4, 20, (3, 6))
        state = engine.start(Padded(source, np.array([6, 6, 6])), np.full((3, 2), 5))
        found = beam_search(
            engine.step,
            state,
            num_hypotheses=hypotheses,
            n_best=hypotheses,
            first=1,
            max_lengths=lengths,
            eos=2,
            filters=[MinLength(lengths, 2)],
        )
        return [[(each.ids, each.log_prob) for each in sentence] for sentence in found]

    in_place = search()
    # Of each layer: once made, enlarged twice, selected for the first beam, and when a sentence has ended.
    assert len(enlarged) <= 2 * (1 + 2 + 2)
    monkeypatch.setattr("torch.is_inference_mode_enabled", lambda: False)
    assert in_place == search()
