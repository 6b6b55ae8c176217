"""The loss of a tiny batch, calculated in NumPy from the weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from seq2see.data import Examples, Pair, collate
from seq2see.model import ModelOptions, Padded, Sizes, Stream, build, resolve
from seq2see.text import BOS, EOS, Codec, make_tokenizer
from seq2see.training import TensorBatch, batch_loss, target_log_probs, to_tensors

SOURCES = [[4, 6, EOS], [5, EOS], [8, 7, 6, 5, EOS]]
TARGETS = [[7, 4, 4, 8, EOS], [EOS], [6, 5, EOS]]
TOKENS = 9


def pad(sequences):
    lengths = torch.tensor([len(ids) for ids in sequences])
    ids = torch.zeros(len(sequences), int(lengths.max()), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
    return Padded(ids, lengths)


BATCH = TensorBatch(pad(SOURCES), pad(TARGETS))


@pytest.fixture
def model():
    model = build(resolve(ModelOptions(name="plain", width=5, embedding=4)), Sizes(TOKENS, TOKENS)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return model


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def log_probs_by_hand(model, source, target):
    """[T V]: the log-probability of every token after BOS and each target token but the last."""
    w = {name: parameter.detach().double().numpy() for name, parameter in model.named_parameters()}

    def run(ids, side, layer, h, c):
        outputs = []
        for number in ids:
            gates = (
                w[f"{layer}.weight_input"] @ w[f"{side}.embedding.weight"][number]
                + w[f"{layer}.weight_hidden"] @ h
                + w[f"{layer}.bias"]
            )
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        return np.array(outputs), h, c

    _, h, c = run(source, "encoder", "encoder.layers.0.reader.lstm", np.zeros(5), np.zeros(5))
    outputs, _, _ = run([BOS, *target[:-1]], "decoder", "decoder.layers.layers.0.lstm", h, c)
    logits = outputs @ w["decoder.output.weight"].T + w["decoder.output.bias"]
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def loss_by_hand(model, smoothing=0.0):
    total = 0.0
    for source, target in zip(SOURCES, TARGETS, strict=True):
        log_probs = log_probs_by_hand(model, source, target)
        for position, token in enumerate(target):
            total -= (1 - smoothing) * log_probs[position, token] + smoothing * log_probs[position].mean()
    return total


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_each_position_predicts_the_next_token(model, smoothing):
    """The loss is the summed nats of the target, including EOS, without padding."""
    assert batch_loss(model, BATCH, smoothing).item() == pytest.approx(loss_by_hand(model, smoothing), rel=1e-5)


def test_logits_equal_the_calculated_ones(model):
    with torch.no_grad():
        log_probs = model(BATCH.source, BATCH.decoder_input).log_softmax(-1)
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        expected = log_probs_by_hand(model, source, target)
        np.testing.assert_allclose(log_probs[row, : len(target)], expected, atol=1e-5)


def test_the_decoder_reads_bos_and_the_target_without_its_last_token():
    assert BATCH.decoder_input.tolist() == [[BOS, 7, 4, 4, 8], [BOS, EOS, 0, 0, 0], [BOS, 6, 5, EOS, 0]]


def test_a_uniform_model_has_a_loss_of_log_v_per_token(model):
    with torch.no_grad():
        model.decoder.output.weight.zero_()
        model.decoder.output.bias.zero_()
    assert batch_loss(model, BATCH).item() == pytest.approx(9 * math.log(TOKENS), rel=1e-6)
    assert batch_loss(model, BATCH, 0.3).item() == pytest.approx(9 * math.log(TOKENS), rel=1e-6)


def test_a_model_that_repeats_its_input_has_a_high_loss(model):
    """Each position predicts its own input, which is right only if the target repeats a token."""
    one_hot = torch.nn.functional.one_hot
    model.stream = lambda source, decoder_input, **options: Stream(one_hot(decoder_input, TOKENS).float())
    model.decoder.output = torch.nn.Linear(TOKENS, TOKENS)
    with torch.no_grad():
        model.decoder.output.weight.copy_(40 * torch.eye(TOKENS))
        model.decoder.output.bias.fill_(-20.0)
    repeats = sum(a == b for target in TARGETS for a, b in zip([BOS, *target], target, strict=False))
    assert repeats == 1
    assert batch_loss(model, BATCH).item() == pytest.approx(40 * (9 - repeats), rel=1e-4)


def test_padding_does_not_count(model):
    wide = TensorBatch(
        Padded(torch.nn.functional.pad(BATCH.source.ids, (0, 3), value=5), BATCH.source.lengths),
        Padded(torch.nn.functional.pad(BATCH.target.ids, (0, 4), value=7), BATCH.target.lengths),
    )
    assert batch_loss(model, wide).item() == pytest.approx(loss_by_hand(model), rel=1e-5)


def test_log_probs_of_the_targets_sum_to_the_loss(model):
    """One per real token, row by row, in any batches."""
    rows = [TensorBatch(pad([s]), pad([t])) for s, t in zip(SOURCES, TARGETS, strict=True)]
    alone = torch.cat([target_log_probs(model, row) for row in rows])
    together = target_log_probs(model, BATCH)
    assert len(together) == 9
    torch.testing.assert_close(alone, together)
    assert -together.sum().item() == pytest.approx(loss_by_hand(model), rel=1e-5)


def test_the_same_from_texts(model):
    """From pairs of texts to the batch: both sides end with EOS, the decoder starts with BOS."""
    codec = Codec.build(make_tokenizer("characters"), ["abcde"])
    examples = Examples.encode([Pair("ac", "daae", ""), Pair("b", "", "")], codec, codec)
    batch = to_tensors(collate(examples, np.array([1, 0])))
    assert batch.source.ids.tolist() == [[5, EOS, 0], [4, 6, EOS]]
    assert batch.target.ids.tolist() == [[EOS, 0, 0, 0, 0], [7, 4, 4, 8, EOS]]
    assert batch.decoder_input[1].tolist() == [BOS, 7, 4, 4, 8]
    one = batch_loss(model, batch).item()
    expected = 0.0
    for source, target in (([4, 6, EOS], [7, 4, 4, 8, EOS]), ([5, EOS], [EOS])):
        log_probs = log_probs_by_hand(model, source, target)
        expected -= sum(log_probs[position, token] for position, token in enumerate(target))
    assert one == pytest.approx(expected, rel=1e-5)
