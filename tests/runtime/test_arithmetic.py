"""Products in blocks and fast softmaxes against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import seq2see.runtime.arithmetic
from seq2see.runtime.arithmetic import Matrix, RowScalars, in_blocks, log_softmax_rows, softmax, softmax_rows


@pytest.mark.parametrize("outputs", [16, 48, 50, 7, 512])
@pytest.mark.parametrize(("small", "large"), [(100, 10**9), (2_000, 10**9), (10**6, 10**9), (10**6, 10), (20_000, 10)])
def test_products_are_the_same_in_blocks(small: int, large: int, outputs: int, monkeypatch) -> None:
    monkeypatch.setattr(seq2see.runtime.arithmetic, "SMALL", small)
    monkeypatch.setattr(seq2see.runtime.arithmetic, "LARGE", large)
    weights = np.random.standard_normal((5, outputs))
    matrix = Matrix(weights)
    for rows in range(1, 20):
        x = np.random.standard_normal((rows, 5))
        assert np.allclose(matrix(x), x @ weights, rtol=0, atol=1e-12)
        wide = np.zeros((rows, 8))
        wide[:, 3:] = x
        out = np.empty((rows, outputs))
        assert matrix(wide[:, 3:], out) is out
        assert np.allclose(out, x @ weights, rtol=0, atol=1e-12)
    is_aligned = weights.size >= large and outputs == 512
    assert (matrix.blocks is not None) == (is_aligned or 16 * weights.size > small)
    if matrix.blocks is not None:
        _, inputs, width = matrix.blocks[0].shape
        assert 16 * inputs * width <= max(small, 16 * 5 * 16)


@pytest.mark.parametrize(
    ("inputs", "outputs", "width", "left"),
    [(256, 1024, 128, 0), (1024, 256, 32, 0), (256, 768, 192, 0), (256, 5000, 208, 8), (8192, 100, 16, 4)],
)
def test_blocks_hold_every_column_once(inputs: int, outputs: int, width: int, left: int) -> None:
    weights = np.arange(inputs * outputs, dtype=np.float32).reshape(inputs, outputs)
    blocks, rest = in_blocks(weights)
    assert blocks.shape == (outputs // width, inputs, width)
    assert rest.shape == (inputs, left)
    assert np.array_equal(np.concatenate([*blocks, rest], 1), weights)
    assert blocks.flags.c_contiguous


@pytest.mark.parametrize("rows", [1, 4])
def test_softmaxes(rows: int) -> None:
    scores = 50 * np.random.standard_normal((rows, 7))
    scores[0, 3] = -np.inf
    expected = np.exp(scores - scores.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    scalars, ones = RowScalars(rows, scores), np.ones((7, 1))
    one, other, logs = scores.copy(), scores.copy(), scores.copy()
    softmax(one)
    softmax_rows(other, scalars, ones)
    log_softmax_rows(logs, scalars, ones, np.empty_like(scores))
    for found in (one, other, np.exp(logs)):
        assert np.allclose(found, expected, rtol=0, atol=1e-12)
        assert found[0, 3] == 0
