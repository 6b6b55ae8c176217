"""Attend against NumPy: scores, weights, contexts; and Peek."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from seq2see.blueprint import DIAGONAL_REACH
from seq2see.model import Memory, Stream
from seq2see.model.readers import SCORES, Attend, Diagonal, Peek, masked_softmax

ROWS, TARGETS, SOURCES, WIDTH = 3, 4, 5, 6
LENGTHS = torch.tensor([5, 1, 3])
MASK = torch.arange(SOURCES) < LENGTHS[:, None]


def new_memory():
    states = torch.randn(ROWS, SOURCES, WIDTH).double()
    finals = tuple((torch.randn(ROWS, WIDTH).double(), torch.randn(ROWS, WIDTH).double()) for _ in range(2))
    return Memory(states, MASK, finals)


def new_attend(name):
    attend = Attend(SCORES[name](WIDTH, WIDTH)).double()
    with torch.no_grad():
        for parameter in attend.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return attend


def score_by_hand(name, score, q, k):
    parameters = {key: value.detach().numpy() for key, value in score.named_parameters()}
    match name:
        case "dot":
            return q @ k
        case "scaled_dot":
            return q @ k / math.sqrt(WIDTH)
        case "general":
            return k @ parameters["projection.weight"] @ q
        case "additive":
            inner = parameters["query.weight"] @ q + parameters["query.bias"] + parameters["key.weight"] @ k
            return parameters["v.weight"][0] @ np.tanh(inner)


@torch.no_grad()
@pytest.mark.parametrize("name", SCORES)
def test_attention_is_as_in_the_papers(name):
    attend, memory = new_attend(name), new_memory()
    queries = torch.randn(ROWS, TARGETS, WIDTH).double()
    stream, carry = attend(Stream(queries), (), attend.read(memory))
    assert carry == ()
    assert torch.equal(stream.x, queries)
    for row in range(ROWS):
        states = memory.states[row, : LENGTHS[row]].numpy()
        for position in range(TARGETS):
            scores = np.array([score_by_hand(name, attend.score, queries[row, position].numpy(), k) for k in states])
            weights = np.exp(scores - scores.max())
            weights /= weights.sum()
            np.testing.assert_allclose(stream.weights[row, position, : LENGTHS[row]], weights, rtol=0, atol=1e-12)
            np.testing.assert_allclose(stream.context[row, position], weights @ states, rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_padding_gets_no_attention(name, dtype):
    attend, memory = new_attend(name).to(dtype), new_memory()
    loud = torch.where(MASK[..., None], memory.states, 1e3).to(dtype)  # padding with the highest scores
    stream, _ = attend(
        Stream(torch.ones(ROWS, TARGETS, WIDTH, dtype=dtype)), (), attend.read(memory._replace(states=loud))
    )
    assert (stream.weights.masked_select(~MASK[:, None].expand_as(stream.weights)) == 0).all()
    torch.testing.assert_close(stream.weights.sum(-1), torch.ones(ROWS, TARGETS, dtype=dtype))
    assert (stream.weights >= 0).all()


@torch.no_grad()
def test_the_softmax_is_in_float32_under_bfloat16():
    weights = masked_softmax(torch.randn(ROWS, TARGETS, SOURCES).bfloat16(), MASK[:, None])
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(-1), torch.ones(ROWS, TARGETS))
    assert masked_softmax(torch.randn(1, 1, 2).double(), torch.ones(1, 1, 2, dtype=torch.bool)).dtype == torch.float64


@torch.no_grad()
def test_extreme_scores_stay_finite():
    weights = masked_softmax(torch.tensor([[[1e30, -1e30, 1e30]]]), torch.tensor([[[True, True, False]]]))
    assert weights.tolist() == [[[1.0, 0.0, 0.0]]]


@torch.no_grad()
def test_the_diagonal_bias_starts_along_the_diagonal_and_is_the_same_beyond_its_reach():
    diagonal = Diagonal(2)
    diagonal.reset_parameters()
    bias = diagonal(torch.zeros(1, dtype=torch.long), 30, 40)
    assert bias.shape == (2, 30, 40)
    for position, place in ((0, 0), (5, 5), (5, 7), (7, 5), (0, 16), (0, 39), (29, 2)):
        assert bias[1, position, place] == -min(abs(place - position), DIAGONAL_REACH) / 2
    assert torch.equal(diagonal(torch.full((3,), 7), 2, 40), bias[:, 7:9])


@torch.no_grad()
def test_the_diagonal_bias_is_added_to_the_scores_of_every_hypothesis():
    score, diagonal = SCORES["dot"](WIDTH, WIDTH), Diagonal().double()
    diagonal.weight.copy_(torch.randn_like(diagonal.weight))
    memory, attend = new_memory(), Attend(score, diagonal)
    x = torch.randn(2 * ROWS, TARGETS, WIDTH).double()
    stream, carry = attend(Stream(x), attend.start(memory, iter(())).repeat_interleave(2), attend.read(memory))
    assert carry.tolist() == [TARGETS] * 2 * ROWS
    for row in range(2 * ROWS):
        scores = x[row] @ memory.states[row // 2].T
        for t in range(TARGETS):
            for s in range(SOURCES):
                scores[t, s] += diagonal.weight[0, s - t + DIAGONAL_REACH]
        expected = masked_softmax(scores[None], MASK[row // 2][None, None])
        torch.testing.assert_close(stream.weights[row], expected[0], rtol=0, atol=1e-12)


@torch.no_grad()
def test_peek_is_the_top_layers_last_h_at_every_position():
    memory, peek = new_memory(), Peek()
    x = torch.randn(ROWS, TARGETS, WIDTH).double()
    stream, carry = peek(Stream(x), (), peek.read(memory))
    assert carry == ()
    assert torch.equal(stream.x, x)
    assert stream.weights is None
    for position in range(TARGETS):
        assert torch.equal(stream.context[:, position], memory.finals[-1][0])
