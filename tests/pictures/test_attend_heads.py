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
from seq2see.training import to_tensors

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
    expected, found = theirs.heads(given).cross, ours.heads(given).cross
    layers = len(theirs.readers)  # type: ignore[attr-defined]
    assert found.shape == expected.shape == (layers, 3, expected.shape[2], 6, 8)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    assert not found[:, 1, :, :, 3:].any(), "padding has weight 0"
    assert ours.shown_layer == theirs.shown_layer


@pytest.mark.parametrize("name", WITH_ATTENTION)
@pytest.mark.parametrize("options", [{}, {"positions": "rotary", "norm": "post"}])
def test_both_engines_give_the_same_self_attention(name: str, options: dict[str, Any]) -> None:
    has_blocks = "transformer" in name
    theirs, ours = engines(name, **(options if has_blocks else {}))
    given = batch(("abcdefg", "ab"), ("ba", "gfedc"), ("c", ""))
    expected, found = theirs.heads(given), ours.heads(given)
    assert (found.encoder is not None) == (name in ("transformer", "transformer_lstm"))
    assert (found.decoder is not None) == (name in ("transformer", "lstm_transformer"))
    for one, other, length in ((found.encoder, expected.encoder, 8), (found.decoder, expected.decoder, 6)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.shape[3:] == (length, length)
            np.testing.assert_allclose(one, other, atol=1e-5)
            np.testing.assert_allclose(one.sum(-1), 1, atol=1e-5)
    if found.encoder is not None:
        assert not found.encoder[:, 1, :, :, 3:].any(), "padding has weight 0"
        assert found.encoder[:, 0, :, 0, 1:].any(), "the encoder reads ahead"
    if found.decoder is not None:
        assert not np.triu(found.decoder, 1).any(), "no token attends to a later one"


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_self_attention_is_what_the_network_computes_with(norm: str) -> None:
    """The states with and without its weights are the same: they come from the same attention."""
    theirs, _ = engines("transformer", norm=norm)
    network = theirs.network  # type: ignore[attr-defined]
    given = to_tensors(batch(("abcdefg", "ab"), ("ba", "gfedc")), torch.device("cpu"))
    with torch.inference_mode():
        memory = network.encode(given.source)
        states = network.encoder.dropout(network.encoder.embedding(given.source.ids))
        [layer] = network.encoder.layers
        torch.testing.assert_close(layer.by_head(states, given.source.mask)[0], memory.states, atol=1e-5, rtol=0)
        plain, with_heads = (
            network.decoder.states(given.decoder_input, network.decoder.start(memory), by_head=by_head)[0].x
            for by_head in (False, True)
        )
        torch.testing.assert_close(with_heads, plain, atol=1e-5, rtol=0)
        # In pieces, with the cache of the first, the weights are those of the whole.
        whole = network.decoder.states(given.decoder_input, network.decoder.start(memory), by_head=True)[0].self_heads
        _, state = network.decoder.states(given.decoder_input[:, :2], network.decoder.start(memory))
        rest = network.decoder.states(given.decoder_input[:, 2:], state, by_head=True)[0].self_heads
    for one, other in zip(whole, rest, strict=True):
        torch.testing.assert_close(other, one[:, :, 2:], atol=1e-5, rtol=0)


def test_the_rows_and_columns_of_self_attention_have_their_tokens() -> None:
    for engine in engines("transformer", heads=2):
        [found] = attend(Predictor(engine, CODEC, CODEC, max_length=9), ["abc"], heads=True)
        assert found.encoder_heads is not None
        assert found.decoder_heads is not None
        assert found.decoder_input == ["<bos>", *found.prediction.target_tokens[:-1]]
        for kind, weights in (("encoder", found.encoder_heads), ("decoder", found.decoder_heads)):
            rows, columns = found.tokens_of(kind)
            assert weights.shape == (4, 2, len(rows), len(columns))
        assert [head.kind for head in found.each_head()] == ["cross"] * 8 + ["encoder"] * 8 + ["decoder"] * 8
    [found] = attend(Predictor(engines("attention")[1], CODEC, CODEC, max_length=9), ["abc"], heads=True)
    assert found.encoder_heads is None
    assert found.decoder_heads is None


@pytest.mark.parametrize("score", ["dot", "general", "additive"])
def test_every_attention_score(score: str) -> None:
    theirs, ours = engines("attention", score=score)
    for given in (batch(("abc", "ab")), batch(("abc", "ab"), ("a", "b"))):
        np.testing.assert_allclose(ours.heads(given).cross, theirs.heads(given).cross, atol=1e-5)


@pytest.mark.parametrize(("layers", "shown"), [(1, 0), (2, 0), (3, 1)])
def test_a_transformer_shows_the_last_layer_but_one(layers: int, shown: int) -> None:
    for engine in engines("transformer", layers=layers, heads=2):
        assert engine.heads(batch(("abc", "ab"))).cross.shape == (layers, 1, 2, 3, 4)
        assert engine.shown_layer == shown


@pytest.mark.parametrize("name", WITH_ATTENTION)
def test_the_mean_of_the_shown_layer_is_the_weights_of_a_prediction(name: str) -> None:
    for engine in engines(name):
        model = Predictor(engine, CODEC, CODEC, max_length=9)
        for found in attend(model, ["abcdef", "gg"], heads=True, beam=3):
            assert found.heads is not None
            assert found.heads.shape[2:] == found.weights.shape
            np.testing.assert_allclose(found.heads[found.shown_layer].mean(0), found.weights, atol=1e-5)
            assert len(list(found.each_head("cross"))) == found.heads.shape[0] * found.heads.shape[1]


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
    together = theirs.heads(given).cross
    one = given.source._replace(ids=given.source.ids[:1], lengths=given.source.lengths[:1])
    with torch.inference_mode():
        from seq2see.model import Padded

        state = network.decoder.start(network.encode(Padded(torch.from_numpy(one.ids), torch.from_numpy(one.lengths))))
        state = state.select(torch.tensor([0, 0]))
        stream, _ = network.decoder.states(torch.from_numpy(given.decoder_input), state, by_head=True)
    np.testing.assert_allclose(np.stack([each.numpy() for each in stream.heads]), together, atol=1e-5)
