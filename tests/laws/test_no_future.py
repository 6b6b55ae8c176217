"""Law: no token changes the logits of an earlier position."""

from __future__ import annotations

import pytest
import torch

from seq2see.model import Layer, transformer

BOUND = 1e-12


def check_no_future(model, batch):
    tokens = batch.decoder_input
    logits = model(batch.source, tokens)
    vocabulary = logits.size(-1)
    for position in range(tokens.size(1)):
        changed = tokens.clone()
        later = changed[:, position:]
        later += torch.randint_like(later, 1, vocabulary)  # never the same id
        later %= vocabulary
        other = model(batch.source, changed)
        if position:
            assert (other[:, :position] - logits[:, :position]).abs().max() <= BOUND, position
        assert (other[:, position] - logits[:, position]).abs().amax(-1).min() > 1e-6, "its own logits must change"


@torch.no_grad()
def test_no_future(variant, new_model, new_batch):
    model = new_model(variant)
    check_no_future(model, new_batch(model))


class LookAhead(Layer):
    """Broken: every position sees the next one too."""

    def forward(self, stream, carry, reading):
        after = torch.cat([stream.x[:, 1:], torch.zeros_like(stream.x[:, :1])], 1)
        return stream._replace(x=stream.x + 1e-3 * after), carry


class Centered(Layer):
    """Broken: subtracts the mean over all positions."""

    def forward(self, stream, carry, reading):
        return stream._replace(x=stream.x - 1e-3 * stream.x.mean(1, keepdim=True)), carry


@torch.no_grad()
@pytest.mark.parametrize("broken", [LookAhead, Centered])
@pytest.mark.parametrize("place", [0, 1])
def test_it_notices_a_layer_that_sees_the_future(broken, place, blueprint, new_model, new_batch):
    model = new_model(blueprint("plain"))
    model.decoder.layers.layers.insert(place, broken())
    with pytest.raises(AssertionError):
        check_no_future(model, new_batch(model))


@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["transformer", "transformer-rotary", "transformer-post", "transformer_language_model"]
)
def test_it_notices_self_attention_that_is_not_causal(name, blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint(name))
    batch = new_batch(model)
    check_no_future(model, batch)
    attend = transformer.attend
    monkeypatch.setattr(transformer, "attend", lambda *args, causal=False: attend(*args))
    with pytest.raises(AssertionError):
        check_no_future(model, batch)
