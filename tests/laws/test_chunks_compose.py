"""Law: a decoder fed a sequence in chunks, with the state passed on, gives the same result as at once."""

from __future__ import annotations

import random

import pytest
import torch

from seq2see.model import Layer, transformer
from seq2see.model.recurrent import Recurrent
from seq2see.model.tensors import map_carry

BOUND = 1e-12


def tensors_of(carry):
    found = []
    map_carry(lambda tensor: found.append(tensor) or tensor, carry)
    return found


def random_splits(length):
    yield [1] * length
    for _ in range(3):
        cuts = sorted(random.sample(range(1, length), random.randint(1, length - 1)))
        yield [end - start for start, end in zip([0, *cuts], [*cuts, length], strict=True)]


def check_chunks_compose(model, batch, bound=BOUND):
    tokens = batch.decoder_input
    start = model.decoder.start(model.encode(batch.source))
    at_once, state_at_once, weights_at_once = model.decoder(tokens, start)
    for split in random_splits(tokens.size(1)):
        state, logits, weights = start, [], []
        for chunk in tokens.split(split, dim=1):
            chunk_logits, state, chunk_weights = model.decoder(chunk, state)
            logits.append(chunk_logits)
            weights.append(chunk_weights)
        assert (torch.cat(logits, 1) - at_once).abs().max() <= bound * at_once.abs().max().clamp(1), split
        for one, other in zip(tensors_of(state.carry), tensors_of(state_at_once.carry), strict=True):
            assert (one - other).abs().max() <= bound * max(1, one.abs().max()), split
        if weights_at_once is not None:
            assert (torch.cat(weights, 1) - weights_at_once).abs().max() <= bound, split


@torch.no_grad()
def test_chunks_compose(variant, new_model, new_batch):
    model = new_model(variant)
    check_chunks_compose(model, new_batch(model, target_lengths=(4, 9, 1, 3)))


@torch.no_grad()
def test_chunks_compose_in_float32(variant, new_model, new_batch):
    model = new_model(variant, dtype=torch.float32)
    check_chunks_compose(model, new_batch(model, target_lengths=(4, 9, 1, 3)), bound=1e-5)


class Forgetful(Recurrent):
    """Broken: the next chunk starts from the same state as this one."""

    def forward(self, stream, carry, reading):
        stream, _ = super().forward(stream, carry, reading)
        return stream, carry


class Smoothing(Layer):
    """Broken: reads the previous position, but not beyond the chunk."""

    def forward(self, stream, carry, reading):
        before = torch.cat([torch.zeros_like(stream.x[:, :1]), stream.x[:, :-1]], 1)
        return stream._replace(x=stream.x + before), carry


@torch.no_grad()
def test_it_notices_a_layer_that_forgets_its_state(blueprint, new_model, new_batch):
    model = new_model(blueprint("plain"))
    whole = model.decoder.layers.layers[0]
    broken = Forgetful(8, 16).double()
    broken.load_state_dict(whole.state_dict())
    model.decoder.layers.layers[0] = broken
    with pytest.raises(AssertionError):
        check_chunks_compose(model, new_batch(model))


@torch.no_grad()
def test_it_notices_a_layer_that_sees_its_chunk_only(blueprint, new_model, new_batch):
    model = new_model(blueprint("attention"))
    model.decoder.layers.layers.insert(0, Smoothing())
    with pytest.raises(AssertionError):
        check_chunks_compose(model, new_batch(model))


ANGLES, ATTEND, ADD_POSITIONS = transformer.angles_at, transformer.attend, transformer.AddPositions.forward


def sees_all_of_its_chunk(queries, keys, values, mask=None, *, causal=False):
    """Correct at the beginning of a sequence; later chunks also see later positions of the chunk."""
    is_triangle = mask is not None and mask.ndim == 2
    return ATTEND(queries, keys, values, None if is_triangle else mask, causal=causal)


BREAKAGES = {
    "rotary angles that ignore the past": (
        "angles_at",
        lambda past, length, width, like: ANGLES(0, length, width, like),
        ["transformer-rotary", "transformer_language_model-rotary", "lstm_transformer-rotary-post"],
    ),
    "a position that is not carried": (
        "AddPositions.forward",
        lambda self, stream, carry, reading: (ADD_POSITIONS(self, stream, carry, reading)[0], carry),
        ["transformer", "transformer-learned", "transformer_language_model"],
    ),
    "a position that counts chunks": (
        "AddPositions.forward",
        lambda self, stream, carry, reading: (ADD_POSITIONS(self, stream, carry, reading)[0], carry + 1),
        ["transformer", "transformer-learned"],
    ),
    "a chunk that sees all of itself": ("attend", sees_all_of_its_chunk, ["transformer", "transformer-rotary"]),
}


@torch.no_grad()
@pytest.mark.parametrize(
    ("breakage", "name"), [(breakage, name) for breakage, (_, _, names) in BREAKAGES.items() for name in names]
)
def test_it_notices_a_broken_transformer(breakage, name, blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint(name))
    batch = new_batch(model, target_lengths=(4, 9, 1, 3))
    check_chunks_compose(model, batch)
    target, broken, _ = BREAKAGES[breakage]
    monkeypatch.setattr(f"seq2see.model.transformer.{target}", broken)
    with pytest.raises(AssertionError):
        check_chunks_compose(model, batch)
