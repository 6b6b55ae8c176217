"""The output layer and its loss in one are what they are apart: values, gradients, at any size of the pieces."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from seq2see.training.cross_entropy import linear_cross_entropy

module = importlib.import_module("seq2see.training.cross_entropy")


def parameters(rows: int, width: int, vocabulary: int) -> tuple[torch.Tensor, ...]:
    sizes = ((rows, width), (vocabulary, width), (vocabulary,))
    return tuple(torch.randn(size, dtype=torch.float64, requires_grad=True) for size in sizes)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("min_rows", [1, 10])
@pytest.mark.parametrize("logits_at_a_time", [1, 7 * 11, 3 * 7 * 11 + 5, 1 << 21])
def test_it_is_the_cross_entropy_of_the_logits(smoothing, logits_at_a_time, min_rows, monkeypatch):
    monkeypatch.setattr(module, "MAX_LOGITS", logits_at_a_time)
    monkeypatch.setattr(module, "MIN_ROWS", min_rows)
    x, weight, bias = parameters(23, 5, 11)
    targets = torch.randint(0, 11, (23,))
    ours = linear_cross_entropy(x, weight, bias, targets, smoothing)
    plain = cross_entropy(linear(x, weight, bias), targets, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    gradients = (torch.autograd.grad(loss / 3, (x, weight, bias)) for loss in (ours, plain))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_model_that_is_sure_and_wrong_pays_in_finite_numbers(dtype, smoothing):
    """Logits 200 apart: the probability of the target is far too small for float32, its logarithm is not."""
    weight = torch.zeros(6, 4, dtype=dtype)
    weight[0], weight[1] = 25, -25
    x = torch.tensor([[1.0, 1, 1, 1], [-1, -1, -1, -1], [0, 0, 0, 0]], dtype=dtype)
    bias = torch.linspace(-1, 1, 6, dtype=dtype)
    targets = torch.tensor([1, 0, 3])
    leaves = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    twins = [tensor.detach().double().requires_grad_() for tensor in leaves]
    ours = linear_cross_entropy(*leaves, targets, smoothing)
    plain = cross_entropy(linear(*twins), targets, reduction="sum", label_smoothing=smoothing)
    assert plain > 300
    bound = 1e-10 if dtype == torch.float64 else 1e-6
    torch.testing.assert_close(ours.double(), plain, rtol=bound, atol=0)
    for one, other in zip(torch.autograd.grad(ours, leaves), torch.autograd.grad(plain, twins), strict=True):
        assert torch.isfinite(one).all()
        torch.testing.assert_close(one.double(), other, rtol=bound, atol=100 * bound)


def test_one_that_is_sure_and_right_pays_nothing():
    x, weight = 100 * torch.eye(3), torch.eye(3)
    assert linear_cross_entropy(x, weight, torch.zeros(3), torch.arange(3)).item() == 0


def test_a_table_that_is_the_embedding_too_gets_both_gradients():
    """As in a model with tied tables: what the loss gives the output's weights joins what comes through x."""
    ids, targets = torch.tensor([1, 4, 4, 0]), torch.tensor([2, 0, 5, 1])
    _, table, bias = parameters(0, 3, 6)
    ours = linear_cross_entropy(table[ids].tanh(), table, bias, targets, 0.1)
    plain = cross_entropy(linear(table[ids].tanh(), table, bias), targets, reduction="sum", label_smoothing=0.1)
    one, other = (torch.autograd.grad(loss, table)[0] for loss in (ours, plain))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_no_gradient_is_made_where_none_is_wanted():
    x, weight, bias = parameters(4, 3, 6)
    with torch.no_grad():
        assert linear_cross_entropy(x, weight, bias, torch.tensor([0, 1, 2, 5])).grad_fn is None


def test_no_rows_are_no_loss():
    x, weight, bias = parameters(0, 3, 6)
    loss = linear_cross_entropy(x, weight, bias, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert not weight.grad.any()


def test_bfloat16_is_near():
    x, weight, bias = (tensor.detach().float().requires_grad_() for tensor in parameters(40, 32, 50))
    targets = torch.randint(0, 50, (40,))
    exact = linear_cross_entropy(x, weight, bias, targets, 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        rough = linear_cross_entropy(x, weight, bias, targets, 0.1)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=0.02)
    for one, other in zip(*(torch.autograd.grad(loss, (x, weight, bias)) for loss in (exact, rough)), strict=True):
        assert other.dtype == torch.float32
        assert (one - other).norm() < 0.02 * one.norm()


def test_evaluation_makes_no_gradient(monkeypatch):
    x, weight, bias = parameters(4, 3, 6)
    monkeypatch.setattr(torch.Tensor, "scatter_add_", None)  # the step in which the gradient is made
    targets = torch.tensor([0, 1, 2, 5])
    with torch.inference_mode():
        linear_cross_entropy(x, weight, bias, targets)
    with pytest.raises(TypeError):
        linear_cross_entropy(x, weight, bias, targets)


@pytest.mark.parametrize(("vocabulary", "calls"), [(100, 1), (1 << 15, 3)])
def test_a_large_vocabulary_is_computed_128_rows_at_a_time(vocabulary, calls, monkeypatch):
    """Fewer rows would be fewer than the reading of the weights is worth."""
    called = []
    monkeypatch.setattr(module, "linear", lambda x, *others: called.append(len(x)) or linear(x, *others))
    x, weight, bias = parameters(300, 2, vocabulary)
    linear_cross_entropy(x, weight, bias, torch.zeros(300, dtype=torch.long))
    assert len(called) == calls
