"""Law: a beam wide enough for all hypotheses finds what exhaustive search finds."""

from __future__ import annotations

import itertools

import pytest
import torch

from peeky.model import Padded
from peeky.search import beam_search, length_divisor
from peeky.text import BOS, EOS, PAD, SPECIALS, UNK

NEVER = (PAD, UNK, BOS)
NUM_LETTERS = 4  # with EOS five ids that may be emitted
LONGEST = 4
WIDE = NUM_LETTERS ** (LONGEST - 1) * (NUM_LETTERS + 1)
"""All candidates of the last step."""


def all_finished():
    letters = range(len(SPECIALS), len(SPECIALS) + NUM_LETTERS)
    return [(*letters_of, EOS) for length in range(LONGEST) for letters_of in itertools.product(letters, repeat=length)]


def exhaustive(model, source, row, length_penalty):
    """All finished hypotheses of one source as (score, log_prob, ids), best first."""
    hypotheses = all_finished()
    tokens = torch.full((len(hypotheses), LONGEST), EOS)
    for number, ids in enumerate(hypotheses):
        tokens[number, : len(ids)] = torch.tensor(ids)
    read = torch.cat([torch.full((len(hypotheses), 1), BOS), tokens[:, :-1]], 1)
    state = model.decoder.start(model.encode(source)).select(torch.full((len(hypotheses),), row), torch.tensor([row]))
    logits, _, _ = model.decoder(read, state)
    each = logits.log_softmax(-1).gather(-1, tokens[..., None]).squeeze(-1)
    scored = []
    for ids, log_probs in zip(hypotheses, each, strict=True):
        log_prob = log_probs[: len(ids)].sum().item()
        scored.append((log_prob / length_divisor(float(len(ids)), length_penalty), log_prob, list(ids)))
    return sorted(scored, reverse=True)


def check_wide_beam(model, source, *, width=WIDE, length_penalty=0.0, n_best=10):
    def step(ids, state):
        logits, state, _ = model.decoder(ids[:, None], state)
        return logits[:, 0].log_softmax(-1), state, None

    found = beam_search(
        step,
        model.decoder.start(model.encode(source)),
        num_hypotheses=width,
        n_best=n_best,
        first=BOS,
        eos=EOS,
        max_lengths=torch.full_like(source.lengths, LONGEST),
        length_penalty=length_penalty,
        forbidden=NEVER,
    )
    for row, hypotheses in enumerate(found):
        expected = exhaustive(model, source, row, length_penalty)[:n_best]
        assert [hypothesis.ids for hypothesis in hypotheses] == [ids for _, _, ids in expected]
        for hypothesis, (_, log_prob, _) in zip(hypotheses, expected, strict=True):
            assert hypothesis.finished
            assert abs(hypothesis.log_prob - log_prob) <= 1e-9


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
def test_wide_beam(architecture, seed, new_model, new_batch):
    model = new_model(architecture, seed=seed, sharpen=4.0, vocabulary=len(SPECIALS) + NUM_LETTERS)
    source = new_batch(model, source_lengths=(3, 5, 2), target_lengths=(1, 1, 1), seed=seed).source
    check_wide_beam(model, source)
    check_wide_beam(model, source, length_penalty=0.8)


@torch.no_grad()
def test_wide_beam_through_predict(architecture, new_model, new_predictor):
    """The same by way of texts: the best one."""
    network = new_model(architecture, sharpen=4.0, dtype=torch.float32)
    network.decoder.output.bias[len(SPECIALS) + NUM_LETTERS :] = -1e4  # the codec's other letters never come
    model = new_predictor(architecture, network=network)
    texts = ["abc", "gfedc", "b"] if model.source_codec else [""]  # to a language model a text is a prompt
    for text, prediction in zip(texts, model.predict(texts, beam=WIDE, max_length=LONGEST), strict=True):
        source = [] if model.source_codec is None else model.source_codec.encode(text)
        padded = Padded(torch.tensor([source], dtype=torch.long), torch.tensor([len(source)]))
        best = exhaustive(network, padded, 0, 0.0)[0]
        assert prediction.target_tokens == model.target_codec.tokens(best[2])
        assert abs(prediction.log_prob - best[1]) <= 1e-4


@torch.no_grad()
@pytest.mark.parametrize(("width", "n_best"), [(1, 1), (2, 2), (10, 10)])
def test_it_notices_a_narrow_beam(width, n_best, blueprint, new_model, new_batch):
    model = new_model(blueprint("attention"), sharpen=4.0, vocabulary=len(SPECIALS) + NUM_LETTERS)
    model.decoder.output.bias[EOS] -= 4  # long ones win, and greedy paths lead astray
    source = new_batch(model, source_lengths=range(1, 13), target_lengths=[1] * 12).source
    check_wide_beam(model, source)
    with pytest.raises(AssertionError):
        check_wide_beam(model, source, width=width, n_best=n_best)


@torch.no_grad()
def test_it_notices_scores_that_ignore_the_length(blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint("attention"), sharpen=4.0, vocabulary=len(SPECIALS) + NUM_LETTERS)
    source = new_batch(model, source_lengths=range(1, 13), target_lengths=[1] * 12).source
    check_wide_beam(model, source, length_penalty=1.5)
    monkeypatch.setattr("peeky.search.beam.length_divisor", lambda length, penalty: length**0 * 1.0)
    with pytest.raises(AssertionError):
        check_wide_beam(model, source, length_penalty=1.5)
