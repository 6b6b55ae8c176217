"""What must not become slow: ratios to other work in the same process, by turns, so that other load slows both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from seq2see.data import Examples
from seq2see.data.examples import Sequences
from seq2see.model import ModelOptions, Sizes, build, resolve
from seq2see.runtime import Network
from seq2see.runtime import build as build_network
from seq2see.search import beam_search, generate
from seq2see.search.filters import MinLength
from seq2see.text import BOS, EOS
from seq2see.training.bare import UNENDING, updates

pytestmark = pytest.mark.slow
SIZES = Sizes(40, 40)


def ratio(one: Callable[[], object], other: Callable[[], object], turns: int = 7) -> float:
    """The CPU time of one, relative to that of the other: the least of each, in which others disturbed it least."""

    def seconds(work: Callable[[], object]) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    times = [(seconds(one), seconds(other)) for _ in range(turns)]
    ours, theirs = (min(each) for each in zip(*times, strict=True))
    return ours / theirs


def network(name: str, **options: object) -> Network:
    torch.manual_seed(1)
    blueprint = resolve(ModelOptions(name=name, **options))  # type: ignore[arg-type]
    tensors = build(blueprint, SIZES).tensors()
    return build_network(blueprint, {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()})


@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_a_beam_of_5_costs_at_most_its_rows_and_some(name: str) -> None:
    """Beside greedy search: five times the rows, and the choice among them; measured: 4 to 5 times."""
    model = network(name, width=256, layers=1)
    begun = model.start(np.full((32, 8), 6), np.full(32, 8))
    alone, limits = np.arange(32), np.full(32, 12)
    options = {"first": BOS, "eos": EOS, "max_lengths": limits, "filters": [MinLength(np.full(32, 12), EOS)]}
    step = model.step

    def beam() -> None:
        beam_search(step, begun.select(alone, alone), num_hypotheses=5, **options)  # type: ignore[arg-type]

    def greedy() -> None:
        generate(step, begun.select(alone, alone), **options)  # type: ignore[arg-type]

    assert ratio(beam, greedy) < 8


def updates_on(num_pairs: int) -> Iterator[object]:
    """Updates on this many pairs of 4 tokens each."""
    ids = np.random.default_rng(1).integers(5, 40, (num_pairs, 5), np.int32)
    ids[:, -1] = EOS
    sequences = Sequences(ids.ravel(), np.arange(0, ids.size + 1, 5))
    network = build(resolve(ModelOptions(name="attention", width=16, embedding=8, dropout=0.0)), SIZES)
    return updates(network, Examples(sequences, sequences), replace(UNENDING, batch_size=8))


def test_an_update_takes_as_long_in_a_large_corpus_as_in_a_small_one() -> None:
    large, small = updates_on(4_000_000), updates_on(2_000)
    for each in (large, small):
        list(islice(each, 5))
    assert ratio(lambda: list(islice(large, 10)), lambda: list(islice(small, 10))) < 1.4
