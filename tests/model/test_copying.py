"""Copying: a mixture that sums to 1, of what is attended to and what is written; and the loss of coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from seq2see import runtime
from seq2see.blueprint import FIELD_BREAK, Field
from seq2see.model import ModelOptions, Padded, Sizes, build, resolve
from seq2see.training import TensorBatch, batch_loss, target_log_probs
from seq2see.training.objective import coverage_loss, guided_attention_loss

COPIES = (0, 0, 0, 0, 6, 0, 5, 6)
"""Source tokens 4 and 7 are both target token 6, 6 is 5, and 5 is none."""
SIZES = Sizes(len(COPIES), 9, copies=COPIES)
SOURCE = Padded(torch.tensor([[4, 5, 6, 7, 3], [6, 3, 0, 0, 0]]), torch.tensor([5, 2]))
READ = torch.tensor([[2, 5, 6], [2, 8, 4]])


def new_model(name="bidirectional", sizes=SIZES, **options):
    torch.manual_seed(3)
    blueprint = resolve(ModelOptions(name=name, width=8, embedding=None, dropout=0.0, copy=True, **options))
    model = build(blueprint, sizes).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return model


@torch.no_grad()
@pytest.mark.parametrize("name", ["bidirectional", "gnmt", "transducer"])
def test_what_is_attended_to_is_copied_and_the_rest_is_written(name):
    model = new_model(name)
    decoder = model.decoder
    stream, _ = decoder.states(READ, decoder.start(model.encode(SOURCE)))
    gate = torch.sigmoid(decoder.mixture.gate(stream.x))
    written = decoder.output(stream.x).softmax(-1)
    expected = torch.zeros_like(written)
    for row, ids in enumerate(SOURCE.ids.tolist()):
        for place, token in enumerate(ids):
            if COPIES[token]:
                expected[row, :, COPIES[token]] += (1 - gate[row, :, 0]) * stream.weights[row, :, place]
    expected = expected + (1 - expected.sum(-1, keepdim=True)) * written
    found = model(SOURCE, READ).exp()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 3).double(), rtol=0, atol=1e-9)


@torch.no_grad()
def test_without_common_tokens_everything_is_written():
    model = new_model(sizes=Sizes(8, 9))
    stream = model.stream(SOURCE, READ)
    torch.testing.assert_close(model(SOURCE, READ), model.decoder.output(stream.x).log_softmax(-1))


@torch.no_grad()
@pytest.mark.parametrize("bias", [-14.0, -9.0, 18.0])
def test_both_engines_agree_on_what_is_hardly_ever_copied_or_written(bias):
    """In float32, 1 - c has no digits left where nearly everything is copied, nor has 1 - g where nearly nothing is."""
    sizes = SIZES._replace(copies=(0, 0, 0, 7, 6, 4, 5, 6))  # of whatever is in the source
    model = new_model(sizes=sizes)
    model.decoder.mixture.gate.bias.fill_(bias)
    model.decoder.output.bias[6] = -60  # hardly written, so that p is what is copied
    expected = model(SOURCE, READ)[:, 0]
    close = model.float()(SOURCE, READ)[:, 0]
    tensors = {name: tensor.numpy() for name, tensor in model.tensors().items()}
    blueprint = resolve(ModelOptions(name="bidirectional", width=8, dropout=0.0, copy=True, embedding=128))
    network = runtime.build(blueprint, tensors, copies=sizes.copies)
    found, _, _ = network.step(READ[:, 0].numpy(), network.start(SOURCE.ids.numpy(), SOURCE.lengths.numpy()))
    torch.testing.assert_close(close.double(), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(torch.from_numpy(found).double(), expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_certain_and_impossible_copies_stay_finite_in_both_engines():
    model = new_model("transducer").float()
    for bias in (-200.0, 200.0):
        model.decoder.mixture.gate.bias.fill_(bias)
        log_probs = model(SOURCE, READ)
        assert torch.isfinite(log_probs).all()
        tensors = {name: tensor.numpy() for name, tensor in model.tensors().items()}
        blueprint = resolve(ModelOptions(name="transducer", width=8, dropout=0.0, copy=True))
        network = runtime.build(blueprint, tensors, copies=COPIES)
        state = network.start(SOURCE.ids.numpy(), SOURCE.lengths.numpy())
        found, _, _ = network.step(READ[:, 0].numpy(), state)
        assert np.abs(found - log_probs[:, 0].numpy()).max() < 1e-4


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_cross_entropy_of_the_mixture(smoothing):
    model = new_model()
    target = Padded(torch.tensor([[5, 6, 3], [8, 3, 0]]), torch.tensor([3, 2]))
    batch = TensorBatch(SOURCE, target)
    log_probs = model(SOURCE, batch.decoder_input)[target.mask]
    expected = -(1 - smoothing) * log_probs.gather(1, target.ids[target.mask][:, None]).sum()
    expected = expected - smoothing * log_probs.mean(1).sum()
    assert batch_loss(model, batch, smoothing).item() == pytest.approx(expected.item(), rel=1e-9)
    assert target_log_probs(model, batch).sum().item() == pytest.approx(-batch_loss(model, batch).item(), rel=1e-9)


def test_coverage_is_what_is_attended_to_again():
    weights = torch.tensor([[[0.5, 0.5, 0.0], [0.2, 0.2, 0.6], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    real = torch.tensor([[True, True, True, False]])
    assert coverage_loss(weights, real).item() == pytest.approx(0.4 + 0.7)


def test_tags_have_no_place_for_guided_attention():
    sizes = Sizes(9, 9, fields=(Field("text"), Field("tags")))
    encoder = build(resolve(ModelOptions(name="bidirectional", width=8)), sizes).encoder
    letter, tag, unknown = 6, 7, 1
    ids = torch.tensor([[letter, letter, FIELD_BREAK, tag, unknown, 3], [letter, FIELD_BREAK, tag, 3, 0, 0]])
    in_order = encoder.in_order(Padded(ids, torch.tensor([6, 4])))
    assert in_order.tolist() == [[True, True, True, False, False, False], [True, True, False, False, False, False]]
    plain = build(resolve(ModelOptions(name="bidirectional", width=8)), Sizes(9, 9)).encoder
    assert plain.in_order(Padded(ids, torch.tensor([6, 4]))).sum(1).tolist() == [6, 4]


def test_guided_attention_costs_more_the_farther_from_the_diagonal():
    in_order = torch.tensor([[True, True, True, True], [True, False, True, False]])  # the last is padding, one a tag
    target = Padded(torch.zeros(2, 2, dtype=torch.long), torch.tensor([2, 1]))
    on, off = 1 - math.exp(-(0.125**2) / 0.08), 1 - math.exp(-(0.375**2) / 0.08)
    weights = torch.tensor([[[0.5, 0.5, 0, 0], [0, 1.0, 0, 0]], [[0.25, 0.25, 0.5, 0], [9.0, 9.0, 9.0, 9.0]]])
    second = 1 - math.exp(-(0.25**2) / 0.08)
    expected = on + off + 0.75 * second
    assert guided_attention_loss(weights, in_order, target).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["bidirectional", "transformer"])
@pytest.mark.parametrize("weight", [{"coverage": 1.0}, {"guided_attention": 1.0}])
def test_losses_of_attention_are_learned(name, weight):
    model = new_model(name).train()
    batch = TensorBatch(SOURCE, Padded(torch.tensor([[5, 6, 3], [8, 3, 0]]), torch.tensor([3, 2])))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        extra = batch_loss(model, batch, **weight) - batch_loss(model, batch)
        extra.backward()
        optimizer.step()
        losses.append(extra.item())
    assert losses[-1] < losses[0]
