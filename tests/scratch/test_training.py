"""The training loop learns, keeps the best weights, reports errors, and works without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from seq2see import scratch
from seq2see.data import Examples, Pair, reversals
from seq2see.data.batch import collate
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.scratch.train import batches
from seq2see.text import Codec, make_tokenizer


def make_examples(pairs, *, has_source=True):
    source, target = (
        Codec.build(make_tokenizer("characters"), [getattr(pair, side) for pair in pairs])
        for side in ("source", "target")
    )
    examples = Examples.encode(pairs, source if has_source else None, target)
    return examples, len(source.vocabulary) if has_source else 0, len(target.vocabulary)


PAIRS = [Pair(a + b, b + a, "") for a in "abcdef" for b in "abcdef"]


@pytest.mark.parametrize("name", ["peeky", "attention"])
def test_a_small_task_is_learned(name):
    examples, source, target = make_examples(PAIRS)
    model = scratch.build(name, source, target, width=32, embedding=16)
    reports = []
    scores = scratch.train(
        model,
        examples,
        examples,
        scratch.ScratchTrainingOptions(updates=160, rate=2e-2, batch_size=12),
        callback=reports.append,
    )
    assert scores.exact_match == 1
    assert scores == max((report.dev for report in reports), key=lambda dev: (dev.exact_match, -dev.loss))
    assert scratch.evaluate(model, examples) == scores
    assert reports[0].loss > 5 * reports[-1].loss


def test_one_answer_is_right_if_it_is_any_target_of_its_source():
    examples, source, target = make_examples(PAIRS)
    model = scratch.build("attention", source, target, width=32, embedding=16)
    options = scratch.ScratchTrainingOptions(updates=160, rate=2e-2, batch_size=12)
    assert scratch.train(model, examples, examples, options).exact_match == 1
    more, *_ = make_examples([*PAIRS, Pair("ab", "ab", "")])
    assert scratch.evaluate(model, more).exact_match == 1


def test_sgd_learns_too():
    examples, source, target = make_examples(PAIRS)
    model = scratch.build("plain", source, target, width=16, embedding=8)
    sgd = scratch.SGD(model)
    whole = scratch.collate(examples, np.arange(len(examples)))
    losses = []
    for _ in range(40):
        model.zero_gradients()
        loss, cache = model.forward(*whole)
        model.backward(cache)
        sgd.update(0.5)
        losses.append(loss)
    assert losses[-1] < 0.8 * losses[0]
    assert losses == sorted(losses, reverse=True)


def test_a_language_model_is_evaluated_by_its_loss():
    examples, source, target = make_examples(PAIRS, has_source=False)
    model = scratch.build("language_model", source, target, width=16, embedding=8)
    before = scratch.evaluate(model, examples)
    scores = scratch.train(
        model, examples, examples, scratch.ScratchTrainingOptions(updates=60, rate=2e-2, batch_size=12)
    )
    assert scores.exact_match is None
    # Two of six equally likely letters and EOS: the entropy per token is a lower bound.
    assert 2 * np.log(6) / 3 < scores.loss < 0.8 * before.loss


def test_batches_are_the_same_as_for_torch():
    examples, _, _ = make_examples(reversals(50, seed=1))
    indices = np.array([3, 41, 7, 3])
    ours, theirs = scratch.collate(examples, indices), collate(examples, indices)
    for one, other in zip(ours, (theirs.source, theirs.target), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.mask, other.mask)


def test_training_is_reproducible():
    examples, source, target = make_examples(PAIRS)
    options = scratch.ScratchTrainingOptions(updates=5, batch_size=8)
    models = [scratch.build("attention", source, target, width=8, embedding=4) for _ in range(2)]
    for model in models:
        scratch.train(model, examples, examples, options)
    one, other = (model.tensors() for model in models)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_stop_ends_training():
    examples, source, target = make_examples(PAIRS)
    model = scratch.build("plain", source, target, width=8, embedding=4)
    reports = []
    stops = iter([False, False, True])
    options = scratch.ScratchTrainingOptions(updates=50, batch_size=8)
    scratch.train(model, examples, examples, options, callback=reports.append, stop=lambda: next(stops))
    assert reports[-1].update == 3


def test_the_rate_warms_up_and_decays():
    options = scratch.ScratchTrainingOptions(updates=100, rate=1.0)
    rates = [options.rate_at(update) for update in range(1, 101)]
    assert rates.index(max(rates)) == 9
    assert max(rates) == 1
    assert rates[0] == pytest.approx(0.1)
    assert rates[54] == pytest.approx(46 / 91)
    assert rates[-1] == pytest.approx(1 / 91)  # the last update still learns


@pytest.mark.filterwarnings("ignore:(overflow|invalid)")
def test_a_gradient_of_nan_is_an_error():
    examples, source, target = make_examples(PAIRS)
    model = scratch.build("plain", source, target, width=8, embedding=4)
    model.decoder.output.weight.value[...] = np.inf
    with pytest.raises(UserError, match="gradient became nan at update 1") as caught:
        scratch.train(model, examples, examples, scratch.ScratchTrainingOptions(updates=5))
    assert "rate" in caught.value.fix


@pytest.mark.parametrize("options", [{"updates": 0}, {"updates": 5, "rate": -1}, {"updates": 5, "batch_size": 0}])
def test_invalid_training_options_are_errors(options):
    with pytest.raises(ConfigError, match="must be above 0"):
        scratch.ScratchTrainingOptions(**options)


def test_no_pairs_are_an_error():
    examples, _, _ = make_examples([])
    with pytest.raises(DataError, match="no pairs"):
        next(batches(examples, scratch.ScratchTrainingOptions(updates=1)))
    with pytest.raises(DataError, match="no pairs"):
        scratch.evaluate(scratch.build("plain", 5, 5, width=4, embedding=4), examples)


@pytest.mark.parametrize(
    "options",
    [{"name": "attentive"}, {"name": "plain", "merge": "add"}, {"name": "attention", "score": "dott"},
     {"name": "plain", "direction": "up"}, {"name": "gnmt", "layers": 1}, {"name": "transformer", "width": 6},
     {"name": "stacked", "width": 7},
     {"name": "transformer", "embedding": 5}, {"name": "plain", "tie": "both"}],
)  # fmt: skip
def test_invalid_model_options_are_errors(options):
    with pytest.raises(ConfigError) as caught:
        scratch.build(source=5, target=5, **options)
    assert caught.value.fix


WITHOUT_TORCH = """
import sys
from seq2see import scratch
from seq2see.data import Examples, reversals
from seq2see.text import Codec, make_tokenizer
pairs = reversals(20, seed=1)
codec = Codec.build(make_tokenizer("characters"), [pair.source for pair in pairs])
examples = Examples.encode(pairs, codec, codec)
model = scratch.build("attention", len(codec.vocabulary), len(codec.vocabulary), width=8, embedding=4)
scratch.train(model, examples, examples, scratch.ScratchTrainingOptions(updates=2))
assert "torch" not in sys.modules
"""


def test_it_all_goes_without_torch():
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True, timeout=60)
