"""Products in pieces and fast softmaxes against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import seq2see.runtime.arithmetic
from seq2see.runtime.arithmetic import Matrix, RowScalars, log_softmax_rows, softmax, softmax_rows


@pytest.mark.parametrize("small", [100, 2_000, 1_000_000])
def test_products_are_the_same_in_pieces(small: int, monkeypatch) -> None:
    monkeypatch.setattr(seq2see.runtime.arithmetic, "SMALL", small)
    weights = np.random.standard_normal((5, 50))
    matrix = Matrix(weights)
    for rows in range(1, 20):
        x = np.random.standard_normal((rows, 5))
        assert np.allclose(matrix(x), x @ weights, rtol=0, atol=1e-12)
        wide = np.zeros((rows, 8))
        wide[:, 3:] = x
        out = np.empty((rows, 50))
        assert matrix(wide[:, 3:], out) is out
        assert np.allclose(out, x @ weights, rtol=0, atol=1e-12)
    assert bool(matrix.pieces) == (small < 16 * 5 * 50)
    for rows, pieces in matrix.pieces.items():
        assert all(rows * piece.size <= max(small, 16 * 5 * rows) for _, piece in pieces)


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
