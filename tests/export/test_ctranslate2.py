"""An exported folder in CTranslate2 answers as the NumPy engine does, for every Transformer that it can represent."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from seq2see.blueprint import ModelOptions, resolve
from seq2see.data import Pair
from seq2see.errors import ConfigError
from seq2see.export import export_run
from seq2see.export.bundle import bundle_of
from seq2see.export.ctranslate2 import check, files, network
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.storage.files import write_folder
from seq2see.storage.saved_model import write_packed
from seq2see.text import EOS, Codec, make_tokenizer

pytest.importorskip("ctranslate2")

BLOCKS = ModelOptions(name="transformer", width=16, heads=2, layers=2, feed_forward=24)
OPTIONS = {
    "pre": {},
    "post": {"norm": "post"},
    "learned": {"positions": "learned", "max_positions": 64},
    "rotary": {"positions": "rotary"},
    "gelu": {"activation": "gelu"},
    "swiglu": {"activation": "swiglu"},
    "untied": {"tie": "none"},
    "tied": {"tie": "all"},
    "one layer, one head": {"layers": 1, "heads": 1},
    "3 and 1 layers": {"layers": None, "encoder_layers": 3, "decoder_layers": 1},
    "post, rotary, swiglu": {"norm": "post", "positions": "rotary", "activation": "swiglu"},
}
REFUSED = {
    "attention": "the architecture attention",
    "transformer_lstm": "the architecture transformer_lstm",
    "lstm_transformer": "the architecture lstm_transformer",
    "language_model": "the architecture language_model",
    "diagonal": "model.diagonal",
    "copy": "model.copy",
}


@pytest.fixture
def learned(saved):
    """Makes a model in NumPy, and its bundle; as a trained one, it hardly ever expects PAD, UNK or BOS."""

    def make(o, *codecs):
        content = saved(o, *codecs)
        content.tensors["decoder.output.bias"][:EOS] = -30
        model = model_of(content, make_numpy_engine)
        return model, bundle_of(content, model, "float32", name="a model")

    return make


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_answers_are_those_of_the_numpy_engine(options, learned, texts) -> None:
    model, bundle = learned(resolve(replace(BLOCKS, **options)))
    require_same(model, bundle, texts(model))


def require_same(model, bundle, asked) -> None:
    """A beam of CTranslate2 may end with an answer that was cut, where ours prefers one that ended."""
    found = check(bundle, model, asked)
    assert found.same[0] == found.count
    assert found.largest_difference < 1e-4
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder) / "model", files(bundle))
        own = network(bundle, str(Path(folder) / "model"))
        cut = sum(len(own.answer(text, 5)) == model.max_length for text in asked)
    assert found.same[1] + cut >= found.count


@pytest.mark.parametrize("options", [{}, {"norm": "post"}, {"positions": "rotary"}, {"positions": "learned"}])
def test_a_language_model_continues_as_the_numpy_engine_does(options, learned, texts) -> None:
    o = resolve(replace(BLOCKS, name="transformer_language_model", **options))
    model, bundle = learned(o)
    require_same(model, bundle, texts(model))


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_represent_is_refused_with_the_reason(name, exported) -> None:
    o = resolve(replace(BLOCKS, **{name: True}) if name in ("diagonal", "copy") else ModelOptions(name=name))
    with pytest.raises(ConfigError, match=REFUSED[name]) as caught:
        files(exported(o)[1])
    assert ".onnx" in str(caught.value.fix)


def test_sources_of_several_fields_are_refused(exported, two_fields) -> None:
    with pytest.raises(ConfigError, match="several fields"):
        files(exported(two_fields(resolve(BLOCKS)))[1])


def test_a_token_that_is_called_as_a_special_one_is_refused(exported) -> None:
    codec = Codec.build(make_tokenizer("symbols"), ["a b <eos>"])
    with pytest.raises(ConfigError, match="special token"):
        files(exported(resolve(BLOCKS), (codec, codec))[1])


def test_texts_are_cut_and_joined_with_what_the_folder_has(learned, tmp_path) -> None:
    """As docs/shipping.md shows it."""
    import ctranslate2

    model, bundle = learned(resolve(BLOCKS))
    write_folder(tmp_path / "model.ctranslate2", files(bundle))
    values = json.loads((tmp_path / "model.ctranslate2" / "model.json").read_text("utf-8"))
    source, target = Codec.from_dict(values["source"]), Codec.from_dict(values["target"])
    translator = ctranslate2.Translator(str(tmp_path / "model.ctranslate2"))
    (found,) = translator.translate_batch(
        [source.split("abc")], disable_unk=True, beam_size=1, max_decoding_length=values["maxLength"]
    )
    assert target.tokenizer.join(found.hypotheses[0]) == model.predict("abc")[0].text


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_smaller_weights_make_smaller_files(weights, exported) -> None:
    o = resolve(replace(BLOCKS, width=64, feed_forward=256))
    sizes = [len(files(exported(o, weights=each)[1])["model.bin"]) for each in ("float32", weights)]
    assert sizes[1] < 0.65 * sizes[0]


def test_the_folder_is_written_and_checked(saved, tmp_path) -> None:
    write_packed(tmp_path / "model.seq2see", saved(resolve(BLOCKS)))
    pairs = [Pair("abc", "bca"), Pair("hgfedcba", "a"), Pair("d", "dd")]
    found = export_run(tmp_path / "model.seq2see", tmp_path / "model.ctranslate2", data=pairs)
    assert found.check is not None
    assert found.check.same == (3, 3)
    assert any(line.startswith("checked in CTranslate2 on 3 texts") for line in found.lines())
    names = {path.name for path in found.path.iterdir()}
    assert {"model.bin", "config.json", "source_vocabulary.json", "target_vocabulary.json", "model.json"} <= names
    assert json.loads((found.path / "model.json").read_text("utf-8"))["checked"][-2:] == found.check.lines()


def test_the_check_finds_another_model(exported, texts) -> None:
    """The negative control."""
    one, _ = exported(resolve(BLOCKS))
    _, other = exported(resolve(replace(BLOCKS, norm="post")))
    assert check(other, one, texts(one)).same[0] < len(texts(one))
