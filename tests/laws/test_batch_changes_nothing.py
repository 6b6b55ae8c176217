"""Law: a sentence gets the same tokens alone and in any batch and order, and scores within 1e-5 (relative)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2see.data import Pair
from seq2see.model import DecoderState
from seq2see.search import Sampler

BOUND = 1e-5
TEXTS = ["abcabca", "g", "", "ddefg", "ba", "fedc"]
WAYS = {
    "greedy": {},
    "beam": {"beam": 3},
    "sampling": {"sample": True, "temperature": 1.3, "seed": 5},
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


def same(one, other):
    assert one.target_tokens == other.target_tokens
    assert one.text == other.text
    assert one.finished == other.finished
    for ours, theirs in ((one.log_prob, other.log_prob), (one.score, other.score)):
        assert ours == theirs or abs(ours - theirs) <= BOUND * max(1, abs(ours))  # no answer: -inf
    assert (one.weights is None) == (other.weights is None)
    if one.weights is not None:
        np.testing.assert_allclose(one.weights, other.weights, rtol=0, atol=BOUND)


def check_batch_changes_nothing(model, texts, **way):
    together = model.predict(texts, **way)
    scores = {round(prediction.log_prob, 3) for prediction in together if prediction.target_tokens}
    assert len(scores) > 1, "all answers are alike: this would show nothing"
    for batch_size in (1, 3):
        for one, other in zip(model.predict(texts, batch_size=batch_size, **way), together, strict=True):
            same(one, other)
    if "sample" in way:  # a sample depends on the index of the text, and not on the other texts
        place = len(texts) - 1
        same(model.predict([""] * place + [texts[place]], **way)[place], together[place])
    else:
        for one, other in zip(model.predict(texts[::-1], **way), together[::-1], strict=True):
            same(one, other)
        same(model.predict(texts[0], **way)[0], together[0])


@pytest.mark.filterwarnings("ignore::seq2see.inference.reading.UnansweredTextWarning")  # of two empty fields
def test_batch_changes_nothing(variant, way, new_predictor, as_sources):
    model = new_predictor(variant)
    check_batch_changes_nothing(model, as_sources(model, TEXTS), **way)


def test_the_loss_is_the_same_in_any_batch(variant, new_predictor, as_sources):
    model = new_predictor(variant)
    sources = as_sources(model, [text or "c" for text in TEXTS])
    pairs = [Pair(source, "gfedcba"[: 1 + place], "") for place, source in enumerate(sources)]
    if model.source_codec is None:
        pairs = [pair._replace(source="") for pair in pairs]
    losses = [model.loss(pairs, batch_size=size) for size in (1, 2, 3, 6)] + [model.loss(pairs[::-1])]
    assert max(losses) - min(losses) <= BOUND


def test_it_notices_rows_that_see_each_other(blueprint, way, new_predictor):
    model = new_predictor(blueprint("attention"))
    encode = model.engine.network.encoder.forward

    def broken(source):
        memory = encode(source)
        return memory._replace(states=memory.states - memory.states.mean(0, keepdim=True))

    model.engine.network.encoder.forward = broken
    with pytest.raises(AssertionError):
        check_batch_changes_nothing(model, TEXTS, **way)


def test_it_notices_padding_in_the_state(blueprint, way, new_predictor):
    model = new_predictor(blueprint("plain"))
    inner = model.engine.network.encoder.layers[0].reader.lstm
    run = inner.forward

    def broken(x, state, mask=None):
        outputs, state = run(x, state)
        return outputs, state

    inner.forward = broken
    with pytest.raises(AssertionError):
        check_batch_changes_nothing(model, TEXTS, **way)


def test_it_notices_rows_that_swap_states(blueprint, way, new_predictor, monkeypatch):
    many = ["abcdefg"[start:end] for start in range(6) for end in range(start + 1, 8)]  # of different lengths
    select = DecoderState.select
    monkeypatch.setattr(
        DecoderState, "select", lambda self, rows, sentences=None: select(self, rows.flip(0), sentences)
    )
    with pytest.raises(AssertionError):
        check_batch_changes_nothing(new_predictor(blueprint("stacked")), many, min_length=1, **way)


def test_it_notices_draws_from_one_generator(blueprint, new_predictor, monkeypatch):
    monkeypatch.setattr(
        Sampler,
        "__call__",
        lambda self, log_probs, row_numbers, position: (
            torch.multinomial(torch.from_numpy(log_probs).exp(), 1).squeeze(-1).numpy()
        ),
    )
    with pytest.raises(AssertionError):
        check_batch_changes_nothing(new_predictor(blueprint("attention")), TEXTS, **WAYS["sampling"])
