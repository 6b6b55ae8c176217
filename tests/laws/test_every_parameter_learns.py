"""Law: every parameter gets a gradient — each gate of an LSTM, each embedding that was used."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seq2see.model import Padded
from seq2see.model.embedding import Embedding
from seq2see.model.readers import Attend
from seq2see.model.recurrent import LSTM
from seq2see.text import UNK
from seq2see.training import batch_loss


def check_every_parameter_learns(model, batch):
    model.zero_grad()
    batch_loss(model, batch).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part"
        assert torch.isfinite(parameter.grad).all(), name
    for name, module in model.named_modules():
        match module:
            case LSTM():
                for own in ("weight_input", "weight_hidden", "bias"):
                    for gate, part in zip("ifgo", getattr(module, own).grad.chunk(4), strict=True):
                        assert part.abs().max() > 0, f"{name}.{own}, gate {gate}"
            case Embedding() if module.weight is model.decoder.output.weight:
                assert (module.weight.grad.abs().amax(1) > 0).all(), name
            case nn.Embedding():
                padded = batch.source if "encoder" in name else Padded(batch.decoder_input, batch.target.lengths)
                used = torch.zeros(module.num_embeddings, dtype=torch.bool)
                if isinstance(module, Embedding):
                    used[padded.ids[padded.mask]] = True
                    used[UNK] |= getattr(model.encoder, "tag_states", None) is not None and "encoder" in name
                elif (fields := getattr(model.encoder, "fields", None)) is not None and "encoder" in name:
                    numbers = fields.numbers if module is fields else fields.positions
                    used[numbers(padded.ids)[padded.mask]] = True
                else:  # one row per position
                    used[: padded.ids.size(1)] = True
                moved = module.weight.grad.abs().amax(1) > 0
                assert torch.equal(moved, used), f"{name}: {moved} instead of {used}"
            case _:
                for own, parameter in module.named_parameters(recurse=False):
                    assert parameter.grad.abs().max() > 0, f"{name}.{own}"


def test_every_parameter_learns(variant, new_model, new_batch):
    model = new_model(variant)
    check_every_parameter_learns(model, new_batch(model))


def test_every_parameter_learns_under_dropout(architecture, new_model, new_batch):
    """With dropout and many rows: what one row drops, another keeps."""
    model = new_model(architecture).train()
    for module in model.modules():
        if hasattr(module, "rate"):
            module.rate = 0.3
    check_every_parameter_learns(
        model, new_batch(model, source_lengths=(5, 1, 7, 3) * 8, target_lengths=(4, 6, 1, 3) * 8)
    )


def test_it_notices_an_unused_parameter(blueprint, new_model, new_batch):
    model = new_model(blueprint("plain"))
    model.decoder.unused = nn.Parameter(torch.zeros(3))
    with pytest.raises(AssertionError, match="unused"):
        check_every_parameter_learns(model, new_batch(model))


def test_it_notices_an_encoder_cut_off(blueprint, new_model, new_batch):
    model = new_model(blueprint("plain"))
    read = model.encoder.forward

    def broken(source):
        memory = read(source)
        return memory._replace(finals=tuple((h.detach(), c.detach()) for h, c in memory.finals))

    model.encoder.forward = broken
    with pytest.raises(AssertionError, match="encoder"):
        check_every_parameter_learns(model, new_batch(model))


def test_it_notices_scores_cut_off(blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint("attention", score="additive"))
    score = next(module for module in model.modules() if isinstance(module, Attend)).score
    run = score.forward
    score.forward = lambda *given: run(*given).detach()
    with pytest.raises(AssertionError, match="score"):
        check_every_parameter_learns(model, new_batch(model))


def test_it_notices_a_context_of_zeros(blueprint, new_model, new_batch, monkeypatch):
    """Parameters that read zeros are used, but never learn."""
    model = new_model(blueprint("attention"))
    monkeypatch.setattr(nn.Embedding, "forward", lambda self, ids: 0 * nn.functional.embedding(ids, self.weight))
    with pytest.raises(AssertionError):
        check_every_parameter_learns(model, new_batch(model))
