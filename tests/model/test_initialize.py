"""Initial values: each matrix is scaled by its own fan-in, the two of an LSTM separately."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, build, resolve
from seq2see.model.embedding import Embedding
from seq2see.model.initialize import initialize
from seq2see.model.recurrent import LSTM

EMBEDDING, WIDTH, TOKENS = 36, 64, 300
GATES = ("input", "forget", "cell", "output")


TRANSFORMERS = [name for name, architecture in ARCHITECTURES.items() if architecture.has_blocks]


@pytest.fixture(params=ARCHITECTURES)
def model(request):
    name = request.param
    options = ModelOptions(name=name, width=WIDTH, embedding=None if name in TRANSFORMERS else EMBEDDING)
    if "score" in ARCHITECTURES[name].uses:
        options = replace(options, score="additive")
    return build(resolve(options), Sizes(TOKENS, TOKENS + 50))


def check_scale(weight, what):
    """Uniform in ±1/√fan-in: values within the bound, nearly reaching it; their variance is a third of its square."""
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
def test_every_gate_is_scaled_by_its_fan_in(request, model):
    """The input matrix by the width of the input, the recurrent matrix by that of the state."""
    if "transformer" in (rung := request.node.callspec.params["model"]):
        pytest.skip(f"{rung} has no LSTM, or one whose input is as wide as its state")
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
def test_linear_layers_are_scaled_by_their_fan_in(model):
    for name, linear in modules(model, nn.Linear):
        if linear.weight is not model.decoder.embedding.weight:
            check_scale(linear.weight, name)


@torch.no_grad()
def test_embeddings_have_unit_variance(model):
    """After scaling: a tied table is stored smaller."""
    for _, embedding in modules(model, Embedding):
        read = embedding(torch.arange(embedding.num_embeddings)[None])
        assert abs(read.std().item() - 1) < 0.03
        assert abs(read.mean().item()) < 0.04


@torch.no_grad()
@pytest.mark.parametrize("tie", ["target", "all"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_tied_table_is_small_enough_for_an_output_layer(name, tie):
    """Unit variance as an input, and logits of unit variance for states of unit variance."""
    if tie == "all" and not ARCHITECTURES[name].has_source:
        pytest.skip("it has no table to tie the output to but one")
    model = build(resolve(ModelOptions(name=name, width=WIDTH, tie=tie)), Sizes(TOKENS, TOKENS))
    table = model.decoder.output.weight
    assert table is model.decoder.embedding.weight
    assert abs(table.std().item() * math.sqrt(table.size(1)) - 1) < 0.03
    for _, embedding in modules(model, Embedding):
        assert abs(embedding(torch.arange(TOKENS)[None]).std().item() - 1) < 0.03


@torch.no_grad()
def test_learned_positions_are_as_large_as_token_embeddings():
    model = build(resolve(ModelOptions(name="transformer", width=WIDTH, positions="learned")), Sizes(TOKENS, TOKENS))
    tables = [module for module in model.modules() if type(module) is nn.Embedding]
    assert len(tables) == 2
    for table in tables:
        assert abs(table.weight.std().item() - 1) < 0.03


@torch.no_grad()
def test_norms_start_as_the_identity():
    model = build(resolve(ModelOptions(name="transformer", width=WIDTH)), Sizes(TOKENS, TOKENS))
    for name, norm in modules(model, nn.LayerNorm):
        assert (norm.weight == 1).all(), name
        assert (norm.bias == 0).all(), name


@torch.no_grad()
def test_every_parameter_is_initialized(model):
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
def test_the_check_fails_for_wrong_scales():
    """Fan-out instead of fan-in, the state's width instead of the input's, four gates as one matrix."""
    for wrong in (WIDTH, 4 * WIDTH, EMBEDDING + WIDTH, EMBEDDING // 4, EMBEDDING + 4):
        weight = torch.empty(WIDTH, EMBEDDING).uniform_(-1, 1) / math.sqrt(wrong)
        with pytest.raises(AssertionError):
            check_scale(weight, "gate")
    with pytest.raises(AssertionError):
        check_scale(nn.init.xavier_uniform_(torch.empty(WIDTH, EMBEDDING)), "gate")
    with pytest.raises(AssertionError):
        check_scale(torch.randn(WIDTH, EMBEDDING) / math.sqrt(3 * EMBEDDING), "gate")
    check_scale(torch.empty(WIDTH, EMBEDDING).uniform_(-1, 1) / math.sqrt(EMBEDDING), "gate")
