"""Models of every architecture as a saved model has them: random weights, sharpened so that answers differ."""

from __future__ import annotations

import importlib.util
import string
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2see.blueprint import Blueprint
from seq2see.export.bundle import Bundle, bundle_of
from seq2see.export.c_checking import find_compiler
from seq2see.export.c_wasm import missing
from seq2see.export.checking import find_node
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.inference.predictor import Predictor
from seq2see.model import build
from seq2see.storage.saved_model import FORMAT, SavedModel, sizes_of
from seq2see.text import Codec, Fields, Vocabulary, make_tokenizer

_laws = importlib.util.spec_from_file_location("laws", Path(__file__).parent.parent / "laws" / "conftest.py")
assert _laws is not None and _laws.loader is not None
laws = importlib.util.module_from_spec(_laws)
_laws.loader.exec_module(laws)
variant, architecture, blueprint = laws.variant, laws.architecture, laws.blueprint

TAGS = ("<PL>", "<V>", "<N>")


@pytest.fixture(scope="session")
def node() -> str:
    """The command of Node.js; without it, the test is skipped."""
    found = find_node()
    if found is None:
        pytest.skip("there is no Node.js: apt-get install nodejs")
    return found


@pytest.fixture
def two_fields() -> Callable[[Blueprint], Blueprint]:
    """Gives a model sources of two fields."""
    return lambda o: laws.TwoFields(**asdict(o))


@pytest.fixture(scope="session")
def blueprints() -> dict[str, Blueprint]:
    """By name, what `variant` is one after the other."""
    found: dict[str, Blueprint] = laws._BLUEPRINTS
    return found


@pytest.fixture(scope="session")
def compiler() -> list[str]:
    """The command of a C compiler; without it, the test is skipped."""
    found = find_compiler()
    if found is None:
        pytest.skip("there is no C compiler: apt-get install gcc")
    return found


@pytest.fixture(scope="session")
def clang() -> None:
    """Skips the test without what builds WebAssembly."""
    if missing():
        pytest.skip(f"there is no {missing()} for WebAssembly: apt-get install clang lld")


def codecs_of(o: Blueprint) -> tuple[Codec | None, Codec]:
    """Letters on both sides, more of them in sources; with fields, tags behind them; STEP of a transducer."""
    target = string.ascii_lowercase[:8]
    if not laws.source_vocabulary(o):
        return None, Codec.build(make_tokenizer("characters"), [target])
    source = Codec.build(make_tokenizer("characters"), [target if o.tie == "all" else string.ascii_lowercase[:10]])
    if laws.fields_of(o):
        tokens = ("\t", *string.ascii_lowercase[:10], *TAGS)
        tokenizer = Fields("NFC", (make_tokenizer("characters"), make_tokenizer("tags"))).ordered_by(tokens)
        source = Codec(tokenizer, Vocabulary(tokens))
    return source, Codec.build(make_tokenizer("characters"), [target])


def random_model(o: Blueprint, codecs: tuple[Codec | None, Codec] | None = None, **config: Any) -> SavedModel:
    """A saved model of an architecture, or with these codecs."""
    source, target = codecs or codecs_of(o)
    torch.manual_seed(1)
    model = build(o, sizes_of((source, target))).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        model.decoder.output.weight.mul_(2)
    tensors = {name: tensor.numpy().copy() for name, tensor in model.tensors().items()}
    options = {field.name: asdict(o)[field.name] for field in fields(Blueprint)}
    return SavedModel({"format": FORMAT, "model": options, "max_length": 9, **config}, tensors, source, target)


@pytest.fixture
def saved() -> Callable[..., SavedModel]:
    """Makes a saved model of an architecture, or with these codecs."""
    return random_model


@pytest.fixture
def exported(saved: Callable[..., SavedModel]) -> Callable[..., tuple[Predictor, Bundle]]:
    """Makes a model in NumPy, and its bundle with the same weights."""

    def make(o: Blueprint, *arguments: Any, weights: Any = "float32", **config: Any) -> tuple[Predictor, Bundle]:
        content = saved(o, *arguments, **config)
        model = model_of(content, make_numpy_engine)
        return model, bundle_of(content, model, weights, name="a model")

    return make


@pytest.fixture
def texts() -> Callable[[Predictor], list[str]]:
    """Gives sources of all lengths, with unknown letters; of two fields, with tags."""

    def make(model: Predictor) -> list[str]:
        words = ["a", "abc", "hgfedcba", "cab?", "ddddddddddddd", "aé", "bad", "a b"]
        if model.source_codec is None:
            return ["", "ab", "hgf", "d?"]
        if isinstance(model.source_codec.tokenizer, Fields):
            tags = ("PL;V", "", "V", "N", "X;N", "V;PL", "PL", "N,V")
            return [f"{word}\t{each}" for word, each in zip(words, tags, strict=True)]
        return words

    return make
