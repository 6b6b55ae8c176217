"""Answers end at EOS or at the maximum length, and are independent of the other rows."""

from __future__ import annotations

import numpy as np
import pytest

from seq2see import scratch
from seq2see.errors import ConfigError
from seq2see.scratch.generate import NEVER_GENERATED, log_softmax
from seq2see.text import EOS

LENGTHS = [5, 1, 7, 3, 2, 6]


def random_model(name, random_module, **options):
    source = 0 if "language_model" in name else 9
    embedding = None if "transformer" in name else 5
    model = random_module(scratch.build(name, source, 9, width=8, embedding=embedding, **options), seed=4)
    model.decoder.output.bias.value[EOS] = 0.5
    return model


@pytest.mark.parametrize("name", scratch.ARCHITECTURES)
@pytest.mark.parametrize("choose", [scratch.greedy, scratch.Sampler(1.3, seed=7)], ids=["greedy", "sampled"])
def test_a_row_alone_gets_the_same_answer_as_in_a_batch(name, choose, random_module, padded):
    model = random_model(name, random_module)
    source = padded(LENGTHS if "language_model" not in name else [0] * 6)
    together = model.generate(source, max_length=9, choose=choose)
    for row, length in enumerate(source.lengths):
        alone = scratch.Padded(source.ids[row : row + 1, :length], source.lengths[row : row + 1])
        (answer,) = model.generate(alone, max_length=9, choose=choose, first_row=row)
        assert answer.ids == together[row].ids
        assert answer.log_prob == pytest.approx(together[row].log_prob, abs=1e-12)
        if answer.weights is not None:
            np.testing.assert_allclose(answer.weights, together[row].weights[:, :length], atol=1e-12)
            assert not together[row].weights[:, length:].any()


@pytest.mark.parametrize("name", ["plain", "attention", "input_feeding"])
def test_answers_end_at_eos_or_at_the_maximum_length(name, random_module, padded):
    model = random_model(name, random_module)
    ended = 0
    for answer in model.generate(padded(LENGTHS * 5), max_length=3, choose=scratch.Sampler(2.0, seed=1)):
        assert EOS not in answer.ids[:-1]
        assert answer.ids[-1] == EOS or len(answer.ids) == 3
        assert not set(answer.ids) & set(NEVER_GENERATED)
        ended += answer.ids[-1] == EOS
    assert 0 < ended < 30


def test_log_prob_equals_teacher_forcing(random_module, padded):
    model = random_model("bidirectional", random_module)
    source = padded(LENGTHS)
    answers = model.generate(source, max_length=6)
    for row, answer in enumerate(answers):
        alone = scratch.Padded(source.ids[row : row + 1], source.lengths[row : row + 1])
        loss, _ = model.forward(alone, scratch.Padded(np.array([answer.ids]), np.array([len(answer.ids)])))
        assert answer.log_prob == pytest.approx(-loss * len(answer.ids), abs=1e-10)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_sample_frequencies_follow_the_softmax(temperature):
    logits = np.array([0.3, -1.0, 2.0, 0.9])
    log_probs = np.tile(log_softmax(logits), (20_000, 1))
    drawn = scratch.Sampler(temperature, seed=3)(log_probs, np.arange(20_000), 0)
    expected = np.exp(log_softmax(logits / temperature))
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 20_000, expected, atol=0.012)


def test_impossible_tokens_are_never_sampled():
    log_probs = np.tile(np.array([-np.inf, -0.1, -np.inf, -2.0]), (2_000, 1))
    assert set(scratch.Sampler(5.0)(log_probs, np.arange(2_000), 1).tolist()) == {1, 3}


def test_invalid_options_are_errors(random_module, padded):
    model = random_model("plain", random_module)
    for make in (
        lambda: scratch.Sampler(0.0),
        lambda: scratch.Sampler(seed=-1),
        lambda: model.generate(padded([2]), max_length=0),
    ):
        with pytest.raises(ConfigError) as caught:
            make()
        assert caught.value.fix
