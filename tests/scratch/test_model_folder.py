"""A model trained with scratch is saved, loaded and used like any other."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

import seq2see
from seq2see import scratch
from seq2see.data import Examples, reversals
from seq2see.model import ModelOptions, resolve
from seq2see.storage.saved_model import FORMAT, save_model
from seq2see.text import Codec, make_tokenizer


@pytest.mark.parametrize("name", ["attention", "peeky"])
def test_a_model_trained_by_hand_is_a_model_folder(name, tmp_path):
    pairs = reversals(40, seed=2)
    codec = Codec.build(make_tokenizer("characters"), [pair.source for pair in pairs])
    examples = Examples.encode(pairs, codec, codec)
    size = len(codec.vocabulary)
    model = scratch.build(name, size, size, width=16, embedding=8)
    scratch.train(model, examples, examples, scratch.ScratchTrainingOptions(updates=30, batch_size=8))
    blueprint = resolve(ModelOptions(name=name, width=16, embedding=8, dropout=0.0))
    save_model(
        tmp_path / "model",
        config={"format": FORMAT, "seq2see": seq2see.__version__, "model": asdict(blueprint), "max_length": 12},
        tensors=model.tensors(),
        source_codec=codec,
        target_codec=codec,
        card="",
    )
    loaded = seq2see.load(tmp_path, device="cpu")
    predictions = loaded.predict([pair.source for pair in pairs[:10]], min_length=1)
    batch = scratch.collate(examples, np.arange(10))
    for prediction, answer in zip(predictions, model.generate(batch.source, max_length=12), strict=True):
        assert prediction.target_tokens == codec.tokens(answer.ids)
        assert prediction.log_prob == pytest.approx(answer.log_prob, abs=1e-4)
    assert loaded.loss(pairs) == pytest.approx(scratch.evaluate(model, examples).loss, abs=1e-5)
