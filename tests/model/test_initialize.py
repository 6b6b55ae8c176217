"""Initial values: each matrix scaled by its own fan-in and fan-out, an LSTM's gate by gate."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from peeky.model import ARCHITECTURES, ModelOptions, Sizes, build, resolve
from peeky.model.initialize import initialize
from peeky.model.recurrent import LSTM

EMBEDDING, WIDTH, TOKENS = 36, 64, 300
GATES = ("input", "forget", "cell", "output")


@pytest.fixture(params=ARCHITECTURES)
def model(request):
    options = ModelOptions(name=request.param, width=WIDTH, embedding=EMBEDDING, score="additive")
    return build(resolve(options), Sizes(TOKENS, TOKENS + 50))


def check_xavier(weight, what):
    """Uniform between ± √(6 / (fan-in + fan-out)): the bound is kept and nearly reached, the variance a third of it²."""
    fan_out, fan_in = weight.shape
    bound = math.sqrt(6 / (fan_in + fan_out))
    largest = weight.abs().max().item()
    sure = 1 - 12 / weight.numel() - 1e-6  # all of n draws lie below this share of the bound once in e^12 times
    assert sure * bound <= largest <= bound, f"{what}: {largest} for a bound of {bound}"
    deviation = weight.std().item() * math.sqrt(3) / bound
    assert abs(deviation - 1) < 6 / math.sqrt(weight.numel()), f"{what}: {deviation} of the expected deviation"
    assert abs(weight.mean().item()) < 4 * bound / math.sqrt(weight.numel())


def modules(model, kind):
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, kind)]
    assert found
    return found


@torch.no_grad()
def test_every_gate_reads_its_input_by_its_own_fans(model):
    widths = set()
    for name, lstm in modules(model, LSTM):
        widths.add(lstm.weight_input.size(1) == lstm.width)
        for gate, weight in zip(GATES, lstm.weight_input.chunk(4), strict=True):
            check_xavier(weight, f"{name}, {gate} gate")
    assert False in widths, "an input as wide as the state would hide a wrong fan-in"


@torch.no_grad()
def test_recurrent_matrices_are_orthogonal_gate_by_gate(model):
    for name, lstm in modules(model, LSTM):
        gates = lstm.weight_hidden.chunk(4)
        for gate, weight in zip(GATES, gates, strict=True):
            difference = (weight @ weight.T - torch.eye(lstm.width)).abs().max()
            assert difference < 1e-5, f"{name}, {gate} gate"
        assert not torch.allclose(gates[0], gates[1])


@torch.no_grad()
def test_biases_are_zero_but_for_the_forget_gate(model):
    for name, lstm in modules(model, LSTM):
        for gate, bias in zip(GATES, lstm.bias.chunk(4), strict=True):
            assert (bias == (1.0 if gate == "forget" else 0.0)).all(), f"{name}, {gate} gate"
    for name, linear in modules(model, nn.Linear):
        assert linear.bias is None or (linear.bias == 0).all(), name


@torch.no_grad()
def test_linear_layers_are_scaled_by_their_own_fans(model):
    for name, linear in modules(model, nn.Linear):
        check_xavier(linear.weight, name)


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
        return build(resolve(ModelOptions(name="gnmt", width=8, embedding=6)), Sizes(9, 9)).state_dict()

    one, same, other = new(1), new(1), new(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["decoder.output.weight"], other["decoder.output.weight"])


@torch.no_grad()
def test_the_check_bites():
    """All four gates taken for one matrix: a bound too small. Fan-in alone: one too large."""
    whole = nn.init.xavier_uniform_(torch.empty(4 * WIDTH, EMBEDDING))
    with pytest.raises(AssertionError):
        check_xavier(whole[:WIDTH], "gate")
    with pytest.raises(AssertionError):
        check_xavier(nn.init.kaiming_uniform_(torch.empty(WIDTH, EMBEDDING), nonlinearity="linear"), "gate")
    with pytest.raises(AssertionError):
        check_xavier(nn.init.xavier_uniform_(torch.empty(WIDTH, WIDTH)).repeat(1, 1)[:, :EMBEDDING], "square")
    check_xavier(nn.init.xavier_uniform_(torch.empty(WIDTH, EMBEDDING)), "gate")
