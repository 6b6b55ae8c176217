"""The attention of each head: equal in both engines, and its mean is the weights of a prediction."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch

from seq2see import Pair
from seq2see.data import Batch, Examples, collate
from seq2see.errors import ConfigError
from seq2see.inference.engine import Engine, make_numpy_engine
from seq2see.inference.predictor import Predictor
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, build, resolve
from seq2see.pictures import attend
from seq2see.run.state import to_numpy
from seq2see.storage.saved_model import SavedModel
from seq2see.text import Codec, make_tokenizer

CODEC = Codec.build(make_tokenizer("characters"), ["abcdefg"])
SIZE = len(CODEC.vocabulary)
WITH_ATTENTION = [
    name for name, each in ARCHITECTURES.items() if each.has_source and name not in ("plain", "reverse", "peeky")
]


def engines(name: str, **options: Any) -> tuple[Engine, Engine]:
    """The same random weights on torch and on NumPy."""
    torch.manual_seed(7)
    blueprint = resolve(ModelOptions(name=name, width=16, **options))
    network = build(blueprint, Sizes(SIZE, SIZE)).eval()
    saved = SavedModel({"model": asdict(blueprint)}, to_numpy(network.tensors()), CODEC, CODEC)
    return TorchEngine(network), make_numpy_engine(saved)


def batch(*pairs: tuple[str, str]) -> Batch:
    examples = Examples.encode([Pair(*pair, "") for pair in pairs], CODEC, CODEC)
    return collate(examples, np.arange(len(pairs)))


@pytest.mark.parametrize("name", WITH_ATTENTION)
def test_both_engines_give_the_same_heads(name: str) -> None:
    theirs, ours = engines(name)
    given = batch(("abcdefg", "ab"), ("ba", "gfedc"), ("c", ""))
    expected, found = theirs.heads(given), ours.heads(given)
    layers = len(theirs.readers)  # type: ignore[attr-defined]
    assert found.shape == expected.shape == (layers, 3, expected.shape[2], 6, 8)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    assert not found[:, 1, :, :, 3:].any(), "padding has weight 0"
    assert ours.shown_layer == theirs.shown_layer


@pytest.mark.parametrize("score", ["dot", "general", "additive"])
def test_every_attention_score(score: str) -> None:
    theirs, ours = engines("attention", score=score)
    for given in (batch(("abc", "ab")), batch(("abc", "ab"), ("a", "b"))):
        np.testing.assert_allclose(ours.heads(given), theirs.heads(given), atol=1e-5)


@pytest.mark.parametrize(("layers", "shown"), [(1, 0), (2, 0), (3, 1)])
def test_a_transformer_shows_the_last_layer_but_one(layers: int, shown: int) -> None:
    for engine in engines("transformer", layers=layers, heads=2):
        assert engine.heads(batch(("abc", "ab"))).shape == (layers, 1, 2, 3, 4)
        assert engine.shown_layer == shown


@pytest.mark.parametrize("name", WITH_ATTENTION)
def test_the_mean_of_the_shown_layer_is_the_weights_of_a_prediction(name: str) -> None:
    for engine in engines(name):
        model = Predictor(engine, CODEC, CODEC, max_length=9)
        for found in attend(model, ["abcdef", "gg"], heads=True, beam=3):
            assert found.heads is not None
            assert found.heads.shape[2:] == found.weights.shape
            np.testing.assert_allclose(found.heads[found.shown_layer].mean(0), found.weights, atol=1e-5)
            assert len(list(found.each_head())) == found.heads.shape[0] * found.heads.shape[1]


def test_an_ensemble_has_no_heads_of_its_own() -> None:
    theirs, ours = engines("attention")
    together = Predictor(theirs, CODEC, CODEC, max_length=9, others=[ours])
    assert attend(together, "abc")[0].heads is None
    with pytest.raises(ConfigError, match="no heads of its own"):
        attend(together, "abc", heads=True)


def test_hypotheses_of_one_sentence_each_have_their_own_heads() -> None:
    """Rows of one sentence are computed side by side, and their heads are separated again."""
    theirs, _ = engines("transformer")
    network = theirs.network  # type: ignore[attr-defined]
    given = batch(("abc", "abcd"), ("abc", "gfed"))
    together = theirs.heads(given)
    one = given.source._replace(ids=given.source.ids[:1], lengths=given.source.lengths[:1])
    with torch.inference_mode():
        from seq2see.model import Padded

        state = network.decoder.start(network.encode(Padded(*map(torch.from_numpy, one))))
        state = state.select(torch.tensor([0, 0]))
        stream, _ = network.decoder.states(torch.from_numpy(given.decoder_input), state, by_head=True)
    np.testing.assert_allclose(np.stack([each.numpy() for each in stream.heads]), together, atol=1e-5)
