"""Initial values: each matrix scaled by its own fan-in, an LSTM's two by the input's width and by the state's."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from peeky.model import ARCHITECTURES, ModelOptions, Sizes, build, find, resolve
from peeky.model.initialize import initialize
from peeky.model.recurrent import LSTM

EMBEDDING, WIDTH, TOKENS = 36, 64, 300
GATES = ("input", "forget", "cell", "output")


@pytest.fixture(params=ARCHITECTURES)
def model(request):
    options = ModelOptions(name=request.param, width=WIDTH, embedding=EMBEDDING)
    if find(request.param).looks:
        options = replace(options, score="additive")
    return build(resolve(options), Sizes(TOKENS, TOKENS + 50))


def check_scale(weight, what):
    """Uniform in ±1/√fan-in: the bound is kept and nearly reached, the variance a third of its square."""
    fan_in = weight.size(1)
    bound = 1 / math.sqrt(fan_in)
    largest = weight.abs().max().item()
    sure = 1 - 12 / weight.numel()  # that all draws lie below this share of the bound happens once in e^12 times
    assert sure * bound <= largest <= bound * (1 + 1e-6), f"{what}: {largest} for a bound of {bound}"
    deviation = weight.std().item() * math.sqrt(3) / bound
    assert abs(deviation - 1) < 6 / math.sqrt(weight.numel()), f"{what}: {deviation} of the expected deviation"
    assert abs(weight.mean().item()) < 4 * bound / math.sqrt(weight.numel()), what


def modules(model, kind):
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, kind)]
    assert found
    return found


@torch.no_grad()
def test_every_gate_is_scaled_by_what_it_reads(model):
    """The input matrix by the width of the input, the recurrent matrix by that of the state, each gate alike."""
    widths = set()
    for name, lstm in modules(model, LSTM):
        assert lstm.weight_hidden.size(1) == lstm.width
        widths.add(lstm.weight_input.size(1) == lstm.width)
        for kind in ("weight_input", "weight_hidden"):
            for gate, weight in zip(GATES, getattr(lstm, kind).chunk(4), strict=True):
                check_scale(weight, f"{name}.{kind}, {gate} gate")
    assert False in widths, "an input as wide as the state would hide a wrong fan-in"


@torch.no_grad()
def test_biases_are_zero(model):
    for name, module in modules(model, LSTM | nn.Linear):
        assert module.bias is None or (module.bias == 0).all(), name


@torch.no_grad()
def test_linear_layers_are_scaled_by_what_they_read(model):
    for name, linear in modules(model, nn.Linear):
        check_scale(linear.weight, name)


@torch.no_grad()
def test_embeddings_have_unit_variance(model):
    for _, embedding in modules(model, nn.Embedding):
        assert abs(embedding.weight.std().item() - 1) < 0.03
        assert abs(embedding.weight.mean().item()) < 0.04


@torch.no_grad()
def test_nothing_is_left_as_it_was(model):
    for parameter in model.parameters():
        parameter.fill_(math.nan)
    initialize(model)
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter).all(), name


def test_the_same_seed_gives_the_same_model():
    def new(seed):
        torch.manual_seed(seed)
        return build(resolve(ModelOptions(name="gnmt", width=8, embedding=6)), Sizes(9, 9)).tensors()

    one, same, other = new(1), new(1), new(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["decoder.output.weight"], other["decoder.output.weight"])


@torch.no_grad()
def test_the_check_bites():
    """The fan-out for the fan-in, the state's width for the input's, four gates for one matrix."""
    for wrong in (WIDTH, 4 * WIDTH, EMBEDDING + WIDTH, EMBEDDING // 4, EMBEDDING + 4):
        weight = torch.empty(WIDTH, EMBEDDING).uniform_(-1, 1) / math.sqrt(wrong)
        with pytest.raises(AssertionError):
            check_scale(weight, "gate")
    with pytest.raises(AssertionError):
        check_scale(nn.init.xavier_uniform_(torch.empty(WIDTH, EMBEDDING)), "gate")
    with pytest.raises(AssertionError):
        check_scale(torch.randn(WIDTH, EMBEDDING) / math.sqrt(3 * EMBEDDING), "gate")
    check_scale(torch.empty(WIDTH, EMBEDDING).uniform_(-1, 1) / math.sqrt(EMBEDDING), "gate")
