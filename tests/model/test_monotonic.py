"""Hard monotonic attention against the sum over all alignments, written out."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from seq2see import runtime
from seq2see.blueprint import ARCHITECTURES
from seq2see.errors import ConfigError
from seq2see.model import DecoderState, ModelOptions, Padded, Sizes, build, resolve
from seq2see.text import BOS, EOS
from seq2see.training import TensorBatch, batch_loss

TOKENS, WIDTH = 7, 6
SOURCE = Padded(torch.tensor([[4, 5, 6, EOS], [6, EOS, 0, 0]]), torch.tensor([4, 2]))
TARGET = Padded(torch.tensor([[5, 6, EOS], [4, 4, EOS]]), torch.tensor([3, 3]))


def new_model(seed=0, **options):
    torch.manual_seed(seed)
    o = resolve(ModelOptions(**{"name": "monotonic", "width": WIDTH, "embedding": 5, "dropout": 0.0} | options))
    model = build(o, Sizes(TOKENS, TOKENS)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2).add_(0.5 * torch.randn_like(parameter))
    return model


def enumerated(model, source, target):
    """log p(target | source), the sum over all alignments that never go back; and the sum over the first token's."""
    mixture = model.decoder.mixture
    memory = model.encode(Padded(source[None], torch.tensor([len(source)])))
    read = torch.cat([torch.tensor([BOS]), target[:-1]])
    stream, _ = model.decoder.layers(
        model.decoder.states(read[None], model.decoder.start(memory))[0]._replace(
            x=model.decoder.embedding(read[None])
        ),
        model.decoder.start(memory).carry[0],
        model.decoder.start(memory).reading[0],
    )
    scores = mixture.score(stream.x, mixture.score.keys(memory.states))[0]
    states = memory.states[0]
    total = 0.0
    for places in product(range(len(source)), repeat=len(target)):
        probability, before = 1.0, 0
        for t, place in enumerate(places):
            if place < before:
                probability = 0.0
                break
            move = torch.exp(scores[t, place]) / torch.exp(scores[t, before:]).sum()
            hidden = torch.tanh(mixture.state(stream.x[0, t]) + mixture.source(states[place]))
            emission = model.decoder.output(hidden).softmax(-1)[target[t]]
            probability = probability * move * emission
            before = place
        total = total + probability
    return torch.log(total)


@pytest.mark.parametrize("score", ["general", "additive", "scaled_dot"])
def test_the_loss_is_the_sum_over_all_alignments(score):
    model = new_model(score=score)
    expected = sum(
        enumerated(model, source[:length], target)
        for source, length, target in zip(SOURCE.ids, SOURCE.lengths, TARGET.ids, strict=True)
    )
    loss = batch_loss(model, TensorBatch(SOURCE, TARGET))
    assert loss.item() == pytest.approx(-expected.item(), rel=1e-9)
    ours = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    theirs = torch.autograd.grad(-expected, list(model.parameters()), allow_unused=True)
    names = [name for name, _ in model.named_parameters()]
    for name, own, other in zip(names, ours, theirs, strict=True):
        assert own is not None, name
        torch.testing.assert_close(own, other, rtol=0, atol=1e-9, msg=name)


@torch.no_grad()
def test_all_targets_of_two_tokens_and_their_continuations_have_a_probability_of_one():
    model = new_model()
    read = torch.tensor([[BOS, first, second] for first in range(TOKENS) for second in range(TOKENS)])
    one = Padded(SOURCE.ids[:1].expand(len(read), -1), SOURCE.lengths[:1].expand(len(read)))
    log_probs = model(one, read)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(len(read), 3).double())


@torch.no_grad()
def test_attention_never_goes_back():
    """Once the second place is certain, the first has no weight any more, nor has padding."""
    model = new_model()
    state = model.decoder.start(model.encode(SOURCE))
    layers, (prior, emitted) = state.carry
    there = DecoderState(state.reading, (layers, (prior.roll(1, 1), emitted)))
    weights = model.decoder(torch.tensor([[BOS, 4, 5, 6, 4]] * 2), there)[2]
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5).double())
    assert not weights[..., 0].any()
    assert (weights[0, :, 1:] > 0).all()
    assert weights[1].tolist() == [[0, 1, 0, 0]] * 5


@torch.no_grad()
def test_long_targets_stay_finite_in_both_engines():
    model = new_model().float()
    source = Padded(torch.randint(4, TOKENS, (2, 60)), torch.tensor([60, 7]))
    read = torch.randint(4, TOKENS, (2, 80))
    expected = model(source, read)
    assert torch.isfinite(expected).all()
    network = runtime.build(
        resolve(ModelOptions(name="monotonic", width=WIDTH, embedding=5, dropout=0.0)),
        {name: tensor.numpy() for name, tensor in model.tensors().items()},
    )
    state = network.start(source.ids.numpy(), source.lengths.numpy())
    for t in range(read.size(1)):
        found, state, _ = network.step(np.ascontiguousarray(read[:, t].numpy()), state)
        assert np.abs(found - expected[:, t].numpy()).max() < 1e-3


def test_large_vocabularies_are_refused():
    limit = ARCHITECTURES["monotonic"].max_tokens
    with pytest.raises(ConfigError, match="at most 2,000 target tokens"):
        build(resolve(ModelOptions(name="monotonic", width=8)), Sizes(9, limit + 1))
