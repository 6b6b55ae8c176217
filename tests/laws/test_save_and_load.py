"""Law: a saved and loaded model gives the same logits, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import seq2see
from seq2see.blueprint import ARCHITECTURES
from seq2see.run.state import to_numpy
from seq2see.run.train import model_config
from seq2see.storage.saved_model import copies_of, save_model
from seq2see.text import Codec, Vocabulary
from seq2see.text.alignment import STEP_TOKEN, Aligner
from seq2see.training import TrainingProgress


def check_save_and_load(model, blueprint, batch, folder, texts=("abc", "gfedcba", "d")):
    save_model(
        folder,
        config=model_config(blueprint, model.max_length, TrainingProgress(), 7),
        tensors=to_numpy(model.engine.network.tensors()),
        source_codec=model.source_codec,
        target_codec=model.target_codec,
        card="",
    )
    loaded = seq2see.load(folder, engine="torch", device="cpu")
    assert not loaded.engine.network.training
    assert (loaded.name, loaded.max_length) == (model.name, model.max_length)
    assert (loaded.source_codec is None) == (model.source_codec is None)
    with torch.no_grad():
        logits = model.engine.network.eval()(batch.source, batch.decoder_input)
        assert torch.equal(loaded.engine.network(batch.source, batch.decoder_input), logits)
    assert loaded.predict(texts)[1].text == model.predict(texts)[1].text


def test_save_and_load(variant, new_predictor, new_batch, as_sources, tmp_path):
    model = new_predictor(variant)
    if ARCHITECTURES[variant.name].is_transducer:
        tokens = (STEP_TOKEN, *model.target_codec.vocabulary.tokens[:-1])
        model.target_codec = Codec(model.target_codec.tokenizer, Vocabulary(tokens), Aligner.learn([([4], [5])]))
    if variant.copy:
        copies = copies_of(model.source_codec, model.target_codec)
        model.engine.network.decoder.mixture.targets = torch.tensor(copies)
    texts = as_sources(model, ["abc", "gfedcba", "d"])
    check_save_and_load(model, variant, new_batch(model.engine.network), tmp_path / "model", texts)


def test_a_run_folder_loads_like_its_model(blueprint, new_predictor, new_batch, tmp_path):
    model = new_predictor(blueprint("attention"))
    check_save_and_load(model, blueprint("attention"), new_batch(model.engine.network), tmp_path / "model")
    loaded = seq2see.load(tmp_path, engine="torch", device="cpu")
    for name, tensor in model.engine.network.tensors().items():
        assert torch.equal(loaded.engine.network.tensors()[name], tensor)


class HiddenScale(nn.Linear):
    """Broken: it computes with values that are not saved."""

    scale = 1.0 + 2**-20

    def forward(self, x):
        return self.scale * super().forward(x)


def test_it_notices_state_that_is_not_saved(blueprint, new_predictor, new_batch, tmp_path):
    model = new_predictor(blueprint("plain"))
    broken = HiddenScale(16, 11)
    broken.load_state_dict(model.engine.network.decoder.output.state_dict())
    model.engine.network.decoder.output = broken
    with pytest.raises(AssertionError):
        check_save_and_load(model, blueprint("plain"), new_batch(model.engine.network), tmp_path / "model")


def test_it_notices_a_lossy_format(blueprint, new_predictor, new_batch, tmp_path, monkeypatch):
    def lossy(tensors):
        return {name: tensor.bfloat16().float().numpy() for name, tensor in tensors.items()}

    monkeypatch.setitem(check_save_and_load.__globals__, "to_numpy", lossy)
    model = new_predictor(blueprint("plain"))
    with pytest.raises(AssertionError):
        check_save_and_load(model, blueprint("plain"), new_batch(model.engine.network), tmp_path / "model")


def test_it_notices_another_architecture(blueprint, new_predictor, new_batch, tmp_path):
    """`reverse` saved as `plain` has the same parameters: only the saved blueprint distinguishes them."""
    model = new_predictor(blueprint("reverse"))
    model.name = "plain"
    with pytest.raises(AssertionError):
        check_save_and_load(model, blueprint("plain"), new_batch(model.engine.network), tmp_path / "model")
