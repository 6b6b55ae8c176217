"""Law: padding changes nothing — outputs, loss, gradients — with any amount and content."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from seq2see.model import ARCHITECTURES, Padded
from seq2see.model.readers import Attend
from seq2see.model.transformer import CrossAttention
from seq2see.training import TensorBatch, batch_loss

BOUND = 1e-12


def row_of(padded, row):
    length = padded.lengths[row : row + 1]
    return Padded(padded.ids[row : row + 1, : int(length)], length)


def rows_alone(batch):
    """Each row as a batch without any padding."""
    return [
        TensorBatch(row_of(batch.source, row), row_of(batch.target, row)) for row in range(len(batch.target.lengths))
    ]


def with_junk(padded, extra, vocabulary):
    """`extra` more columns of padding, all padding filled with random ids."""
    num_rows, length = padded.ids.shape
    if not length:
        return padded  # no source
    junk = torch.randint(0, vocabulary, (num_rows, length + extra))
    mask = torch.zeros_like(junk, dtype=torch.bool)
    mask[:, :length] = padded.mask
    junk[mask] = padded.ids[padded.mask]
    return Padded(junk, padded.lengths)


def outcome(model, batches, loss):
    """Logits of the real positions, summed loss and gradients of these batches together."""
    model.zero_grad()
    total, logits = 0.0, []
    for batch in batches:
        value = loss(model, batch)
        value.backward()
        total += value.item()
        with torch.no_grad():
            logits.append(model(batch.source, batch.decoder_input)[batch.target.mask])
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return torch.cat(logits), total, gradients


PADDING = ((0, 0), (1, 0), (0, 1), (17, 9))
"""Extra columns of source and target."""


def check_padding_changes_nothing(model, batch, loss=batch_loss, bound=BOUND):
    vocabulary = model.decoder.output.out_features
    logits, total, gradients = outcome(model, rows_alone(batch), loss)
    for source_extra, target_extra in PADDING:
        padded = TensorBatch(
            with_junk(batch.source, source_extra, vocabulary),
            with_junk(batch.target, target_extra, vocabulary),
        )
        padded_logits, padded_total, padded_gradients = outcome(model, [padded], loss)
        at = f"{source_extra} and {target_extra} columns"
        assert (padded_logits - logits).abs().max() <= bound * logits.abs().max().clamp(1), at
        assert abs(padded_total - total) <= bound * max(1, abs(total)), at
        for name, gradient in gradients.items():
            scale = max(1.0, gradient.abs().max().item())
            assert (padded_gradients[name] - gradient).abs().max() <= bound * scale, f"{at}: {name}"


@torch.no_grad()
def check_padding_changes_no_weights(model, batch, bound=BOUND):
    """Requests for weights take another path through attention: checks logits and weights, row by row."""
    vocabulary = model.decoder.output.out_features

    def with_weights(batch):
        logits, _, weights = model.decoder(batch.decoder_input, model.decoder.start(model.encode(batch.source)))
        return logits, weights

    alone = [with_weights(one) for one in rows_alone(batch)]
    for source_extra, target_extra in PADDING:
        padded = TensorBatch(
            with_junk(batch.source, source_extra, vocabulary), with_junk(batch.target, target_extra, vocabulary)
        )
        all_logits, all_weights = with_weights(padded)
        for row, (logits, weights) in enumerate(alone):
            at, length = f"{source_extra} and {target_extra} columns: row {row}", logits.size(1)
            assert (all_logits[row, :length] - logits[0]).abs().max() <= bound * logits.abs().max().clamp(1), at
            assert (weights is None) == (all_weights is None), at
            if weights is not None:
                size = weights.size(2)
                assert (all_weights[row, :length, :size] - weights[0]).abs().max() <= bound, at
                assert not all_weights[row, :length, size:].any(), f"{at}: looks at padding"
                assert (all_weights[row, :length].sum(-1) - 1).abs().max() <= bound, at


def test_padding_changes_no_weights(variant, new_model, new_batch):
    model = new_model(variant)
    check_padding_changes_no_weights(model, new_batch(model))
    model = new_model(variant, dtype=torch.float32)
    check_padding_changes_no_weights(model, new_batch(model), bound=1e-5)


def test_padding_changes_nothing(variant, new_model, new_batch):
    model = new_model(variant)
    check_padding_changes_nothing(model, new_batch(model))


def test_padding_changes_nothing_in_float32(variant, new_model, new_batch):
    model = new_model(variant, dtype=torch.float32)
    check_padding_changes_nothing(model, new_batch(model), bound=1e-5)


def test_padding_changes_nothing_with_label_smoothing(blueprint, new_model, new_batch):
    model = new_model(blueprint("bidirectional"))
    check_padding_changes_nothing(model, new_batch(model), loss=lambda *args: batch_loss(*args, 0.1))


def test_it_notices_an_encoder_that_reads_padding(variant, new_model, new_batch):
    """For every architecture: with all positions treated as real, the law must fail."""
    if not ARCHITECTURES[variant.name].has_source:
        pytest.skip("has no encoder")
    model = new_model(variant)
    read = model.encoder.forward
    model.encoder.forward = lambda source: read(Padded(source.ids, torch.full_like(source.lengths, source.ids.size(1))))
    with pytest.raises(AssertionError):
        check_padding_changes_nothing(model, new_batch(model))


def test_it_notices_attention_to_padding(blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint("attention"))
    monkeypatch.setattr(
        Attend,
        "read",
        lambda self, memory: (self.score.keys(memory.states), memory.states, torch.ones_like(memory.mask)),
    )
    with pytest.raises(AssertionError):
        check_padding_changes_nothing(model, new_batch(model))


def test_it_notices_a_backward_lstm_whose_state_depends_on_padding(blueprint, new_model, new_batch):
    model = new_model(blueprint("reverse"))
    inner = model.encoder.layers[0].reader.lstm
    run = inner.forward
    inner.forward = lambda x, state, mask=None: run(x, state)
    with pytest.raises(AssertionError):
        check_padding_changes_nothing(model, new_batch(model))


def test_it_notices_a_loss_that_counts_padding(blueprint, new_model, new_batch):
    def broken(model, batch):
        logits = model(batch.source, batch.decoder_input)
        return cross_entropy(logits.flatten(0, 1), batch.target.ids.flatten(), reduction="sum")

    model = new_model(blueprint("plain"))
    with pytest.raises(AssertionError):
        check_padding_changes_nothing(model, new_batch(model), loss=broken)


def test_it_notices_a_loss_divided_by_all_positions(blueprint, new_model, new_batch):
    model = new_model(blueprint("plain"))
    with pytest.raises(AssertionError):
        check_padding_changes_nothing(
            model, new_batch(model), loss=lambda model, batch: batch_loss(model, batch) / batch.target.ids.numel()
        )


def test_it_notices_padding_that_changes_only_a_gradient(blueprint, new_model, new_batch):
    """Same outputs, same loss; only the gradient depends on the amount of padding."""
    model = new_model(blueprint("attention"))
    read = model.encoder.forward

    def broken(source):
        memory = read(source)
        ghost = model.encoder.embedding(source.ids).sum((1, 2))[:, None, None]
        return memory._replace(states=memory.states + (ghost - ghost.detach()))

    model.encoder.forward = broken
    with pytest.raises(AssertionError):
        check_padding_changes_nothing(model, new_batch(model))


@pytest.mark.parametrize("name", ["transformer", "transformer-rotary", "lstm_transformer"])
def test_it_notices_blocks_that_attend_to_padding(name, blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint(name))
    batch = new_batch(model)
    check_padding_changes_nothing(model, batch)
    read = CrossAttention.read
    monkeypatch.setattr(
        CrossAttention, "read", lambda self, memory: read(self, memory._replace(mask=torch.ones_like(memory.mask)))
    )
    for check in (check_padding_changes_nothing, check_padding_changes_no_weights):
        with pytest.raises(AssertionError):
            check(model, batch)


@pytest.mark.parametrize("name", ["transformer", "transformer-1-layer", "lstm_transformer"])
def test_it_notices_attention_to_padding_only_if_weights_are_needed(name, blueprint, new_model, new_batch, monkeypatch):
    model = new_model(blueprint(name))
    batch = new_batch(model)
    check_padding_changes_no_weights(model, batch)
    monkeypatch.setattr("seq2see.model.transformer.masked_softmax", lambda scores, mask: scores.softmax(-1))
    check_padding_changes_nothing(model, batch)  # training takes the other path
    with pytest.raises(AssertionError):
        check_padding_changes_no_weights(model, batch)


def test_it_notices_padding_that_changes_only_the_weights(blueprint, new_model, new_batch):
    """Same logits; only the reported weights depend on the padding."""
    model = new_model(blueprint("attention"))
    decode = model.decoder.forward

    def broken(tokens, state):
        logits, state, weights = decode(tokens, state)
        return logits, state, (weights + 1e-3) / (1 + 1e-3 * weights.size(-1))

    model.decoder.forward = broken
    with pytest.raises(AssertionError):
        check_padding_changes_no_weights(model, new_batch(model))
