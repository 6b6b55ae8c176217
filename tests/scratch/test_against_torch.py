"""With the same weights, torch and scratch have the same logits, loss and gradient of every parameter."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest
import torch

from seq2see import scratch
from seq2see.errors import CheckpointError
from seq2see.inference.predictor import Predictor
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ModelOptions, Padded, Sizes, build, resolve
from seq2see.text import Codec, make_tokenizer
from seq2see.training import TensorBatch, batch_loss

BOUND = 1e-9
VOCABULARY = 9
TRANSFORMERS = [name for name in scratch.ARCHITECTURES if "transformer" in name]
LEFT_OUT = ("name", "dropout", "positions", "max_positions", "diagonal", "copy")
"""Fields of a blueprint that `scratch.build` doesn't take as keywords."""


def variants() -> dict[str, dict]:
    found = {name: {"name": name} for name in scratch.ARCHITECTURES}
    found |= {f"{name}, 2 layers": {"name": name, "layers": 2} for name in scratch.ARCHITECTURES}
    for name in ("plain", "residual", "gnmt", "transformer", "lstm_transformer"):
        found[f"{name}, 3 and 2 layers"] = {"name": name, "encoder_layers": 3, "decoder_layers": 2}
        found[f"{name}, 1 and 3 layers"] = {"name": name, "encoder_layers": 1, "decoder_layers": 3}
    for name in ("plain", "reverse", "peeky", "attention", "residual", "gnmt", "input_feeding", "language_model"):
        found[f"{name}, GRU"] = {"name": name, "cell": "gru"}
    found["gnmt, current query"] = {"name": "gnmt", "query": "current", "score": "dot", "layers": 3}
    for name in ("attention", "stacked", "residual"):
        found[f"{name}, direct"] = {"name": name, "output": "direct"}
    found["attention, direct and tied"] = {"name": "attention", "output": "direct", "tie": "target", "embedding": 16}
    found["bidirectional, mean of GRUs"] = {"name": "bidirectional", "merge": "mean", "cell": "gru"}
    for score in ("dot", "general", "additive"):
        found[f"attention, {score}"] = {"name": "attention", "score": score}
        found[f"input_feeding, {score}"] = {"name": "input_feeding", "score": score}
    for merge in ("sum", "mean"):
        found[f"bidirectional, {merge}"] = {"name": "bidirectional", "merge": merge}
    found["peeky, bidirectional"] = {"name": "peeky", "direction": "both", "layers": 3}
    found["plain, bidirectional"] = {"name": "plain", "direction": "both"}
    for name in TRANSFORMERS:
        found[f"{name}, post-norm"] = {"name": name, "norm": "post", "activation": "gelu", "heads": 2, "tie": "none"}
    found["transformer, one table"] = {"name": "transformer", "layers": 1, "tie": "all"}
    found["peeky, tied"] = {"name": "peeky", "tie": "target", "embedding": 16}
    found["attention, one table"] = {"name": "attention", "tie": "all", "embedding": 8}
    found["attention, backward"] = {"name": "attention", "direction": "backward"}
    return found


VARIANTS = variants()


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def pair(request):
    """A torch model with large random weights in float64, and the same in scratch."""
    return both(**request.param)


def both(dtype=torch.float64, sharpen=4.0, **options):
    sizes = {"width": 8, "embedding": None if options["name"] in TRANSFORMERS else 5, "dropout": 0.0}
    blueprint = resolve(ModelOptions(**sizes | options))
    source = 0 if "language_model" in blueprint.name else VOCABULARY
    theirs = build(blueprint, Sizes(source, VOCABULARY)).to(dtype)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter)).mul_(1.5)
        theirs.decoder.output.weight.mul_(sharpen)
    chosen = {key: value for key, value in asdict(blueprint).items() if key not in LEFT_OUT}
    ours = scratch.build(blueprint.name, source, VOCABULARY, **chosen)
    ours.load({name: parameter.detach().numpy() for name, parameter in theirs.named_parameters()})
    return theirs, ours


def sentences(model, padded):
    source = padded([5, 1, 7, 3]) if isinstance(model.encoder, scratch.Encoder) else padded([0, 0, 0, 0])
    return source, padded([4, 6, 1, 3], seed=1)


def to_torch(padded):
    return Padded(torch.from_numpy(padded.ids), torch.from_numpy(padded.lengths))


def test_logits_loss_and_all_gradients_are_the_same(pair, padded):
    theirs, ours = pair
    source, target = sentences(ours, padded)
    batch = TensorBatch(to_torch(source), to_torch(target))
    expected = batch_loss(theirs, batch) / batch.target.lengths.sum()
    expected.backward()
    loss, cache = ours.forward(source, target)
    ours.backward(cache)

    with torch.no_grad():
        logits = theirs(batch.source, batch.decoder_input).numpy()
    real = target.mask
    np.testing.assert_allclose(ours.logits(source, target)[real], logits[real], rtol=0, atol=BOUND)
    assert loss == pytest.approx(expected.item(), abs=BOUND)
    parameters = ours.parameters()
    assert parameters.keys() == dict(theirs.named_parameters()).keys()
    for name, parameter in theirs.named_parameters():
        assert parameter.grad.abs().max() > 1e-6, f"{name} is not tested"
        np.testing.assert_allclose(parameters[name].gradient, parameter.grad, rtol=0, atol=BOUND, err_msg=name)


def test_every_weight_changes_the_loss(padded):
    """So no tensor can be mixed up with another unnoticed."""
    _, ours = both(name="gnmt", layers=3)
    source, target = sentences(ours, padded)
    loss, _ = ours.forward(source, target)
    rng = np.random.default_rng(0)
    tensors = ours.tensors()
    for name, tensor in tensors.items():
        ours.load(tensors | {name: tensor + 1e-3 * rng.standard_normal(tensor.shape)})
        assert abs(ours.forward(source, target)[0] - loss) > 1e-9, name


CODEC = Codec.build(make_tokenizer("characters"), ["abcde"])
TEXTS = ["abcd", "e", "edbaca", "cc", "bde", "aa", "deadbe", "ace", "b", "cabde"]


def encoded(texts, model):
    """The scratch model's input for these texts."""
    ids = [CODEC.encode(text) if isinstance(model.encoder, scratch.Encoder) else [] for text in texts]
    lengths = np.array([len(row) for row in ids])
    table = np.zeros((len(ids), lengths.max()), np.int64)
    for row, numbers in enumerate(ids):
        table[row, : len(numbers)] = numbers
    return scratch.Padded(table, lengths)


def predictor(theirs, ours, max_length=8):
    source = CODEC if isinstance(ours.encoder, scratch.Encoder) else None
    return Predictor(TorchEngine(theirs), source, CODEC, max_length=max_length)


def test_greedy_answers_are_the_same(pair):
    theirs, ours = pair
    texts = TEXTS if isinstance(ours.encoder, scratch.Encoder) else [""]
    expected = predictor(theirs, ours).predict(texts, min_length=1)
    for answer, prediction in zip(ours.generate(encoded(texts, ours), max_length=8), expected, strict=True):
        assert CODEC.tokens(answer.ids) == prediction.target_tokens
        assert answer.log_prob == pytest.approx(prediction.log_prob, abs=BOUND)
        assert (answer.weights is None) == (prediction.weights is None)
        if answer.weights is not None:
            width = len(prediction.source_tokens)
            np.testing.assert_allclose(answer.weights[:, :width], prediction.weights, atol=1e-6)


def test_answers_differ_in_tokens_and_length():
    """So the comparison above is not trivial."""
    _, ours = both(name="bidirectional")
    answers = ours.generate(encoded(TEXTS, ours), max_length=8)
    assert len({len(answer.ids) for answer in answers}) > 2
    assert len({tuple(answer.ids) for answer in answers}) > 5


def test_samples_of_both_have_the_same_frequencies():
    theirs, ours = both(name="peeky", sharpen=0.5)
    texts = ["badc"] * 1500
    answers = ours.generate(encoded(texts, ours), max_length=1, choose=scratch.Sampler(0.8, seed=5))
    drawn = {"sample": True, "temperature": 0.8, "seed": 6, "min_length": 1}
    predictions = predictor(theirs, ours, max_length=1).predict(texts, **drawn)
    by_hand = Counter(CODEC.tokens(answer.ids)[0] for answer in answers)
    by_torch = Counter(prediction.target_tokens[0] for prediction in predictions)
    assert sum(count > 30 for count in by_torch.values()) > 2
    for token in by_hand | by_torch:
        assert by_hand[token] / 1500 == pytest.approx(by_torch[token] / 1500, abs=0.07)


def test_tensors_can_be_loaded_into_torch():
    theirs, ours = both(name="residual")
    tensors = ours.tensors()
    theirs.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()
    }


def test_tensors_of_another_model_are_errors():
    _, ours = both(name="attention")
    tensors = ours.tensors()
    with pytest.raises(CheckpointError, match="missing tensor"):
        ours.load({name: tensor for name, tensor in tensors.items() if "bias" not in name})
    with pytest.raises(CheckpointError, match="unknown tensor"):
        ours.load(tensors | {"decoder.more": np.zeros(1)})
    with pytest.raises(CheckpointError, match="has shape"):
        ours.load(tensors | {"decoder.output.bias": np.zeros(3)})


def test_adam_and_clipping_are_the_same_as_in_torch():
    rng = np.random.default_rng(0)
    affine = scratch.Affine(3, 4)
    affine.load({"weight": rng.standard_normal((4, 3)), "bias": rng.standard_normal(4)})
    linear = torch.nn.Linear(3, 4).double()
    linear.load_state_dict({name: torch.from_numpy(value) for name, value in affine.tensors().items()})
    adam, theirs = scratch.Adam(affine), torch.optim.Adam(linear.parameters(), 0.1)
    for step in range(5):
        for name, parameter in affine.parameters().items():
            parameter.gradient[...] = 10.0 ** (1 - step) * rng.standard_normal(parameter.value.shape)
            linear.get_parameter(name).grad = torch.from_numpy(parameter.gradient.copy())
        norm = scratch.clip_by_norm(affine, 2.0)
        expected = torch.nn.utils.clip_grad_norm_(linear.parameters(), 2.0)
        assert norm == pytest.approx(expected.item(), abs=1e-12)
        adam.update(0.1)
        theirs.step()
        for name, parameter in affine.parameters().items():
            np.testing.assert_allclose(parameter.value, linear.get_parameter(name).detach(), atol=1e-6)
