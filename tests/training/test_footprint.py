"""The memory of a batch, estimated from short sentences, against what longer ones really keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2see.blueprint import ARCHITECTURES, ModelOptions, Sizes, find, resolve
from seq2see.data import Examples, Sequences
from seq2see.model import build
from seq2see.training.footprint import (
    ROWS,
    WEIGHT_COPIES,
    BatchLimits,
    Footprint,
    footprint_of,
    largest_batch_of,
    saved_bytes,
)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_long_sentences_keep_is_estimated_from_short_ones(name: str) -> None:
    has_source = find(name).has_source
    torch.manual_seed(0)
    model = build(resolve(ModelOptions(name=name, width=16)), Sizes(50 if has_source else 0, 60)).eval()
    footprint = footprint_of(model, longest=1000, has_source=has_source)
    assert not model.training
    number = sum(parameter.numel() for parameter in model.parameters())
    assert footprint.weights == WEIGHT_COPIES * 4 * number
    source, target = (150 if has_source else 0), 120
    estimate = footprint.batch(np.array([ROWS]), np.array([source]), np.array([target]))[0] - footprint.weights
    model.train()
    assert estimate == pytest.approx(saved_bytes(model, source, target), rel=0.05)


@pytest.mark.parametrize("name", ["attention", "bidirectional", "input_feeding", "transformer"])
def test_what_weights_take_in_another_form_does_not_grow_with_the_rows(name: str) -> None:
    torch.manual_seed(0)
    model = build(
        resolve(ModelOptions(name=name, width=128, heads=4 if name == "transformer" else None)), Sizes(50, 60)
    )
    footprint = footprint_of(model, longest=1000)
    rows, source, target = 40, 12, 9
    estimate = footprint.batch(np.array([rows]), np.array([source]), np.array([target]))[0] - footprint.weights
    assert estimate == pytest.approx(saved_bytes(model.train(), source, target, rows=rows), rel=0.05)


@pytest.mark.parametrize("losses", [{"coverage": 1.0}, {"guided_attention": 1.0}])
@pytest.mark.parametrize("name", ["bidirectional", "transformer"])
def test_losses_of_attention_keep_its_weights(name: str, losses: dict[str, float]) -> None:
    torch.manual_seed(0)
    model = build(resolve(ModelOptions(name=name, width=16)), Sizes(50, 60))
    footprint = footprint_of(model, longest=1000, attention_losses=losses)
    assert footprint.cell > footprint_of(model, longest=1000).cell
    estimate = footprint.batch(np.array([ROWS]), np.array([150]), np.array([120]))[0] - footprint.weights
    assert estimate == pytest.approx(saved_bytes(model.train(), 150, 120, losses), rel=0.05)


def test_measuring_leaves_the_random_numbers_as_they_were() -> None:
    model = build(resolve(ModelOptions(width=16)), Sizes(20, 20))
    state = torch.random.get_rng_state()
    footprint_of(model, longest=3)
    assert torch.equal(torch.random.get_rng_state(), state)


def examples_of(*lengths: tuple[int, int]) -> Examples:
    sides = [
        Sequences(np.full(sum(side), 5, np.int32), np.concatenate([[0], np.cumsum(side)]))
        for side in zip(*lengths, strict=True)
    ]
    return Examples(*sides)


@pytest.mark.parametrize("block", [1, 2, 100])
def test_the_largest_batch_is_that_of_the_largest_product_or_sum(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.training.footprint.BLOCK_OFFSETS", block)
    examples = examples_of((3, 3), (60, 1), (20, 20), (4, 4))
    by_sum = largest_batch_of(examples, Footprint(0, 0, 1, 1, 0), BatchLimits(1, None))
    assert (by_sum.example, by_sum.rows, by_sum.bytes) == (1, 1, 61)
    by_cells = largest_batch_of(examples, Footprint(7, 0, 0, 0, 1), BatchLimits(2, None))
    assert (by_cells.example, by_cells.source, by_cells.target, by_cells.rows) == (2, 20, 20, 2)
    assert by_cells.bytes == 7 + 3 * 2 * 400  # the weights of attention, their gradient, and that of the scores


@pytest.mark.parametrize(
    ("limits", "rows"),
    [
        (BatchLimits(32, None), [10, 10]),
        (BatchLimits(8, None), [8, 8]),
        (BatchLimits(None, 40), [4, 1]),
        (BatchLimits(8, 40, passes=3), [2, 1]),
    ],
)
def test_the_rows_of_a_pass(limits: BatchLimits, rows: list[int]) -> None:
    assert limits.rows(np.array([10, 100]), 10).tolist() == rows
