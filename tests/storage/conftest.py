"""Models of a few kilobytes, to be written and read very often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest

from seq2see.blueprint import ARCHITECTURES, ModelOptions, Sizes, resolve, tensor_shapes
from seq2see.data.source_record import HashSet, SourceRecord
from seq2see.storage.saved_model import SavedModel
from seq2see.text import Codec, make_tokenizer


def small_saved_model(name: str = "plain") -> SavedModel:
    """An untrained model of that architecture."""
    codec = Codec.build(make_tokenizer("characters"), ["abcäö"])
    heads = 1 if ARCHITECTURES[name].has_blocks else None
    blueprint = resolve(ModelOptions(name=name, width=2, heads=heads))
    source = None if "language_model" in name else codec
    sizes = Sizes(len(codec.vocabulary) if source else 0, len(codec.vocabulary))
    chance = np.random.default_rng(1)
    tensors = {name: chance.normal(size=shape).astype(np.float32) for name, shape in tensor_shapes(blueprint, sizes)}
    config = {"format": 1, "model": asdict(blueprint), "max_length": 9}
    record = SourceRecord(HashSet.of_texts(["a", "b"]))
    return SavedModel(config, tensors, source, codec, "# A model\n", record=record)


@pytest.fixture(scope="session")
def small_model_of() -> Callable[..., SavedModel]:
    """Makes an untrained model of an architecture."""
    return small_saved_model


@pytest.fixture(scope="session")
def small() -> SavedModel:
    """An untrained model of a few kilobytes."""
    return small_saved_model()
