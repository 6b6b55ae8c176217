"""Gradients after a loop over time: those of a loop whose products autograd adds up one by one."""

from __future__ import annotations

import gc

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from seq2see.model import ModelOptions, Padded, Sizes, build, resolve
from seq2see.model.products import DeferredGradients
from seq2see.model.tensors import at_least_float32

TOKENS = 11
SOURCE = Padded(torch.tensor([[4, 5, 6, 3], [7, 3, 0, 0], [8, 9, 3, 0]]), torch.tensor([4, 2, 3]))
READ = torch.tensor([[2, 4, 5, 8, 7], [2, 9, 7, 4, 4], [2, 6, 6, 5, 9]])


def new_model(**options):
    torch.manual_seed(0)
    options = {"name": "input_feeding", "width": 8, "embedding": 6, "dropout": 0.0} | options
    return build(resolve(ModelOptions(**options)), Sizes(TOKENS, TOKENS))


def loss_of(logits):
    return at_least_float32(logits).logsumexp(-1).square().mean()


def gradients(model, tokens, chunks):
    """The logits of the tokens, read in these chunks, and the gradients of a loss on them."""
    model.zero_grad()
    state = model.decoder.start(model.encode(SOURCE))
    found = []
    for chunk in tokens.split(chunks, 1):
        logits, state, _ = model.decoder(chunk, state)
        found.append(logits)
    whole = torch.cat(found, 1)
    loss_of(whole).backward()
    return whole.detach(), {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


CHOICES = [
    {},
    {"cell": "gru"},
    {"layers": 2},
    {"score": "general"},
    {"score": "additive"},
    {"score": "scaled_dot"},
    {"diagonal": True},
    {"direction": "both"},
]


@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_gradients_after_the_loop_are_those_of_single_steps(options):
    # A chunk of one position has no loop, so its products are plain ones.
    model = new_model(**options).double()
    expected_logits, expected = gradients(model, READ, 1)
    logits, found = gradients(model, READ, READ.size(1))
    torch.testing.assert_close(logits, expected_logits, rtol=0, atol=1e-12)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-12, msg=name)
        assert gradient.any(), name


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_two_chunks_have_the_gradients_of_one(cell):
    model = new_model(cell=cell).double()
    _, expected = gradients(model, READ, READ.size(1))
    _, found = gradients(model, READ, 3)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_bfloat16_products_have_about_the_gradients_of_float32(cell):
    model = new_model(cell=cell, width=32)
    _, expected = gradients(model, READ, READ.size(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, found = gradients(model, READ, READ.size(1))
    for name, gradient in expected.items():
        assert found[name].dtype == torch.float32
        error = (found[name] - gradient).norm() / gradient.norm()
        assert error < 0.05, name


def test_without_gradients_answers_are_the_same():
    model = new_model()
    expected, _ = gradients(model, READ, READ.size(1))
    with torch.no_grad():
        found, _, _ = model.decoder(READ, model.decoder.start(model.encode(SOURCE)))
    torch.testing.assert_close(found, expected)


def test_backward_again_gives_the_same_gradients():
    model = new_model().double()
    logits, _, _ = model.decoder(READ, model.decoder.start(model.encode(SOURCE)))
    loss = logits.square().mean()
    loss.backward(retain_graph=True)
    once = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    loss.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, 2 * once[name])


class CountsProducts(TorchDispatchMode):
    """The number of products whose result has each shape."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **keywords or {})
        if function in (torch.ops.aten.mm.default, torch.ops.aten.bmm.default, torch.ops.aten.addmm.default):
            self.shapes.append(tuple(result.shape))
        return result


@pytest.mark.parametrize("length", [3, 30])
def test_each_weight_gets_its_gradient_by_one_product_at_any_length(length):
    model = new_model(width=14, embedding=7)
    tokens = torch.randint(4, TOKENS, (3, length))
    state = model.decoder.start(model.encode(SOURCE))
    logits, _, _ = model.decoder(tokens, state)
    loss = logits.square().mean()
    with CountsProducts() as counts:
        loss.backward()
    # Of the LSTM: [4H, embedding + H + H]; of the attentional layer: [H, 2H].
    for shape in [(4 * 14, 7 + 14 + 14), (14, 2 * 14)]:
        assert counts.shapes.count(shape) == 1, shape


def test_one_weight_of_a_loop_is_converted_once():
    products, weight = DeferredGradients(), torch.randn(3, 4, requires_grad=True)
    results = [products.linear(torch.randn(2, 4), weight, None) for _ in range(3)]
    (node,) = {result.grad_fn.next_functions[1][0] for result in results}
    assert node.name() == "_DeferredBackward"


def test_a_weight_may_have_two_biases():
    products, weight = DeferredGradients(), torch.ones(1, 4)
    found = [products.linear(torch.ones(1, 4), weight, torch.full((1,), each)).item() for each in (0.0, 1.0)]
    assert found == [4, 5]


PARTS = ["encoder", "decoder.embedding", "decoder.layers", "bias", "weight_hidden", "weight_input"]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("frozen", PARTS)
def test_frozen_parts_have_no_gradients_and_others_theirs(frozen, cell):
    model = new_model(cell=cell).double()
    _, expected = gradients(model, READ, 1)
    model.zero_grad()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(frozen not in name)
    logits, _, _ = model.decoder(READ, model.decoder.start(model.encode(SOURCE)))
    loss_of(logits).backward()
    for name, parameter in model.named_parameters():
        if frozen in name:
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("steps", [slice(0, 1), slice(2, 3), slice(4, 5)])
def test_a_loss_on_some_steps_has_their_gradients(steps):
    model = new_model().double()

    def found(chunk):
        model.zero_grad()
        state, logits = model.decoder.start(model.encode(SOURCE)), []
        for part in READ.split(chunk, 1):
            each, state, _ = model.decoder(part, state)
            logits.append(each)
        torch.cat(logits, 1)[:, steps].square().sum().backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    for own, expected in zip(found(READ.size(1)), found(1), strict=True):
        torch.testing.assert_close(own, expected, rtol=0, atol=1e-12)


def test_gradients_of_inputs_alone_change_no_later_ones():
    model = new_model().double()
    _, expected = gradients(model, READ, 1)
    model.zero_grad()
    logits, _, _ = model.decoder(READ, model.decoder.start(model.encode(SOURCE)))
    loss = loss_of(logits)
    (alone,) = torch.autograd.grad(loss, model.decoder.embedding.weight, retain_graph=True)
    torch.testing.assert_close(alone, expected["decoder.embedding.weight"])
    loss.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_model_of_16_bits_has_gradients(cell):
    model = new_model(cell=cell).bfloat16()
    logits, found = gradients(model, READ, READ.size(1))
    assert logits.dtype == torch.bfloat16
    assert {gradient.dtype for gradient in found.values()} == {torch.bfloat16}


@pytest.mark.parametrize("frozen", ["nothing", "encoder", "weight_hidden", "everything but the embedding"])
def test_nothing_is_kept_once_a_graph_is_gone(frozen):
    model = new_model()
    for name, parameter in model.named_parameters():
        wanted = name == "decoder.embedding.weight" if "but" in frozen else frozen not in name
        parameter.requires_grad_(wanted)
    for _ in range(3):
        logits = model.decoder(READ, model.decoder.start(model.encode(SOURCE)))[0]
        loss_of(logits).backward()
        assert steps_in_memory()
        del logits
    assert not steps_in_memory()


def steps_in_memory():
    """What autograd keeps of each product in a loop."""
    gc.collect()
    return [each for each in gc.get_objects() if type(each).__name__ == "_StepBackward"]


def test_nothing_is_kept_after_gradients_of_inputs_alone():
    model = new_model()
    loss = loss_of(model.decoder(READ, model.decoder.start(model.encode(SOURCE)))[0])
    torch.autograd.grad(loss, model.decoder.embedding.weight)
    del loss
    assert not steps_in_memory()
