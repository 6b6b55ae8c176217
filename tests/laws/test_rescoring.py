"""Law: scores and attention weights of a search's hypotheses equal those of teacher forcing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2see.data import Padded
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import DecoderState
from seq2see.search import Forbid, Sampler, beam_search, generate
from seq2see.text import BOS, EOS, PAD, UNK

NEVER = (PAD, UNK, BOS)


def teacher_forced(model, memory, row, ids):
    """The log-probability and attention weights of `ids` given one source."""
    tokens = torch.tensor([[BOS, *ids[:-1]]])
    state = model.decoder.start(memory).select(torch.tensor([row]), torch.tensor([row]))
    logits, _, weights = model.decoder(tokens, state)
    log_probs = logits[0].log_softmax(-1)
    return log_probs[torch.arange(len(ids)), torch.tensor(ids)].sum().item(), None if weights is None else weights[0]


def search(model, source, way, max_lengths):
    """One list of hypotheses per row."""
    engine = TorchEngine(model)
    arrays = Padded(source.ids.numpy(), source.lengths.numpy())
    step, state = engine.step, engine.start(arrays, np.zeros((len(source.lengths), 0), np.int64))
    options = {"first": BOS, "eos": EOS, "max_lengths": max_lengths, "filters": [Forbid(NEVER)]}
    match way:
        case "beam":
            return beam_search(step, state, num_hypotheses=4, n_best=4, **options)
        case "beam with length penalty":
            return beam_search(step, state, num_hypotheses=3, n_best=3, length_penalty=0.7, **options)
        case "greedy":
            return [[hypothesis] for hypothesis in generate(step, state, **options)]
        case "sampling":
            return [[h] for h in generate(step, state, choose=Sampler(1.5, 3), **options)]
    raise ValueError(way)


def check_rescoring(model, source, way, bound=1e-9):
    max_lengths = np.array([6, 7, 2, 5])[: len(source.lengths)]
    found = search(model, source, way, max_lengths)
    assert sum(map(len, found)) >= len(source.lengths)
    memory = model.encode(source)
    for row, hypotheses in enumerate(found):
        assert len({tuple(hypothesis.ids) for hypothesis in hypotheses}) == len(hypotheses)
        for hypothesis in hypotheses:
            log_prob, weights = teacher_forced(model, memory, row, hypothesis.ids)
            assert abs(hypothesis.log_prob - log_prob) <= bound
            assert (hypothesis.weights is None) == (weights is None)
            if weights is not None:
                assert abs(hypothesis.weights - weights.numpy()).max() <= 1e-6


@torch.no_grad()
@pytest.mark.parametrize("way", ["greedy", "sampling", "beam", "beam with length penalty"])
def test_rescoring(variant, way, new_model, new_batch):
    model = new_model(variant, sharpen=5.0)
    check_rescoring(model, new_batch(model).source, way)


@torch.no_grad()
def test_rescoring_in_float32(variant, new_model, new_batch):
    model = new_model(variant, sharpen=5.0, dtype=torch.float32)
    check_rescoring(model, new_batch(model).source, "beam", bound=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("way", ["greedy", "sampling", "beam"])
def test_it_notices_states_left_in_their_old_order(way, blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint("plain"), sharpen=5.0)
    source = new_batch(model).source
    select = DecoderState.select

    def broken(self, rows, sentences=None):
        old = rows if len(rows) == 1 else torch.arange(len(rows)) % self.carry[0][0].size(0)
        return select(self, old, sentences)

    monkeypatch.setattr(DecoderState, "select", broken)
    with pytest.raises(AssertionError):
        check_rescoring(model, source, way)


@torch.no_grad()
@pytest.mark.parametrize("way", ["greedy", "sampling", "beam"])
def test_it_notices_a_state_lost_between_steps(way, blueprint, new_model, new_batch):
    model = new_model(blueprint("plain"), sharpen=5.0)
    run = model.decoder.forward

    def broken(tokens, state):
        logits, after, weights = run(tokens, state)
        return logits, state if tokens.size(1) == 1 else after, weights

    model.decoder.forward = broken
    with pytest.raises(AssertionError):
        check_rescoring(model, new_batch(model).source, way)


@torch.no_grad()
@pytest.mark.parametrize("way", ["greedy", "sampling", "beam"])
def test_it_notices_scores_without_the_last_token(way, blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint("attention"), sharpen=5.0)
    whole = search

    def broken(model, source, way, max_lengths):
        found = whole(model, source, way, max_lengths)
        return [[h._replace(log_prob=h.log_prob + 1e-6) for h in hypotheses] for hypotheses in found]

    monkeypatch.setitem(check_rescoring.__globals__, "search", broken)
    with pytest.raises(AssertionError):
        check_rescoring(model, new_batch(model).source, way)
