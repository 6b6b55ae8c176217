"""The output layer and its loss in one are what they are apart: values, gradients, at any size of the pieces."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from peeky.training.cross_entropy import linear_cross_entropy

module = importlib.import_module("peeky.training.cross_entropy")


def parameters(rows: int, width: int, vocabulary: int) -> tuple[torch.Tensor, ...]:
    sizes = ((rows, width), (vocabulary, width), (vocabulary,))
    return tuple(torch.randn(size, dtype=torch.float64, requires_grad=True) for size in sizes)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("logits_at_a_time", [1, 7 * 11, 3 * 7 * 11 + 5, 1 << 21])
def test_it_is_the_cross_entropy_of_the_logits(smoothing, logits_at_a_time, monkeypatch):
    monkeypatch.setattr(module, "LOGITS", logits_at_a_time)
    x, weight, bias = parameters(23, 5, 11)
    targets = torch.randint(0, 11, (23,))
    ours = linear_cross_entropy(x, weight, bias, targets, smoothing)
    plain = cross_entropy(linear(x, weight, bias), targets, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    gradients = (torch.autograd.grad(loss / 3, (x, weight, bias)) for loss in (ours, plain))
    for one, other in zip(*gradients, strict=True):
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
    one, other = (torch.autograd.grad(loss, weight)[0] for loss in (exact, rough))
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
