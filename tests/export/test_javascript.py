"""An exported ES module in Node.js answers as the NumPy engine does, for every architecture and every option."""

from __future__ import annotations

import warnings

import pytest

from seq2see.blueprint import ModelOptions, resolve
from seq2see.errors import ConfigError
from seq2see.export.checking import run_in_node
from seq2see.export.javascript import module

OPTIONS = (
    ({}, {}),
    ({"beam": 5, "nBest": 5}, {"beam": 5, "n_best": 5}),
    ({"beam": 4, "nBest": 2, "lengthPenalty": 0.7}, {"beam": 4, "n_best": 2, "length_penalty": 0.7}),
    ({"beam": 3, "minLength": 5, "maxLength": 6}, {"beam": 3, "min_length": 5, "max_length": 6}),
    ({"maxLength": 2}, {"max_length": 2}),
)
"""As the module and as Python have them."""
CLOSE = {"abs": 1e-4, "rel": 1e-4}


def answers_in_python(model, texts, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.predict(texts, **options)


def assert_same(own, expected) -> None:
    assert own["text"] == expected.text
    assert tuple(own["tokens"]) == tuple(expected.target_tokens)
    assert tuple(own["sourceTokens"]) == tuple(expected.source_tokens)
    assert own["finished"] == expected.finished
    assert own["logProb"] == pytest.approx(expected.log_prob, **CLOSE)
    assert own["score"] == pytest.approx(expected.score, **CLOSE)
    assert own["tokenLogProbs"] == pytest.approx(list(expected.token_log_probs), **CLOSE)
    if expected.weights is None or not len(expected.target_tokens):
        assert not own["weights"]
    else:
        for row, other in zip(own["weights"], expected.weights, strict=True):
            assert row == pytest.approx(other.tolist(), abs=1e-4)
    assert len(own["alternatives"]) == len(expected.alternatives)
    for each, other in zip(own["alternatives"], expected.alternatives, strict=True):
        assert_same(each, other)


def test_the_answers_are_those_of_the_numpy_engine(variant, exported, texts, node) -> None:
    model, bundle = exported(variant)
    asked = texts(model)
    found, _ = run_in_node(module(bundle), asked, [own for own, _ in OPTIONS], node)
    assert len({round(answer["logProb"], 3) for answer in found[0]}) > 1, "they depend on the text"
    for answers, (_, options) in zip(found, OPTIONS, strict=True):
        for own, expected in zip(answers, answers_in_python(model, asked, options), strict=True):
            assert_same(own, expected)


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_the_weights_are_read_as_stored(weights, exported, texts, node, saved) -> None:
    from seq2see.inference.engine import make_numpy_engine
    from seq2see.inference.loading import model_of
    from seq2see.storage.weights import read_weights

    o = resolve(ModelOptions(name="attention", width=16, embedding=8))
    _, bundle = exported(o, weights=weights)
    content = saved(o)
    model = model_of(
        content._replace(tensors=read_weights(bundle.weights, weights, where="a model")), make_numpy_engine
    )
    ((*answers,),), _ = run_in_node(module(bundle), texts(model), [{}], node)
    for own, expected in zip(answers, answers_in_python(model, texts(model), {}), strict=True):
        assert_same(own, expected)


def test_an_unknown_option_is_refused(exported, node) -> None:
    _, bundle = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)))
    with pytest.raises(ConfigError, match="TypeError: unknown option num_beams"):
        run_in_node(module(bundle), ["abc"], [{"num_beams": 3}], node)


WRONG_OPTIONS = {
    "beam must be an integer from 1 to {most}, not 100000": {"beam": 100_000},
    "beam must be an integer from 1 to {most}, not 0": {"beam": 0},
    "beam must be an integer from 1 to {most}, not 1.5": {"beam": 1.5},
    "nBest must be an integer from 1 to 2, not 3": {"beam": 2, "nBest": 3},
    "minLength must be an integer from 1 to 4, not 5": {"minLength": 5, "maxLength": 4},
    "maxLength must be an integer from 1 to 1000000, not 0": {"maxLength": 0},
    "lengthPenalty must be from 0 to 1000000, not -1": {"lengthPenalty": -1},
}
"""By what is said of them where the largest beam is `most`."""


def test_an_option_out_of_range_is_named(exported, node) -> None:
    _, bundle = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)))
    for said, options in WRONG_OPTIONS.items():
        with pytest.raises(ConfigError, match=f"RangeError: {said.format(most=1000)}"):
            run_in_node(module(bundle), ["abc"], [options], node)
    run_in_node(module(bundle), ["abc"], [{"beam": 1000, "nBest": 3}], node)


WRONG_TEXTS = {False: ["a\tb", " \ta"], True: ["\t", " \t ", "a", "a\tV\tb"]}
"""Texts that have no answer, of one field and of two."""


@pytest.mark.filterwarnings("ignore::seq2see.inference.reading.UnansweredTextWarning")
@pytest.mark.parametrize("several", WRONG_TEXTS)
def test_a_text_without_an_answer_has_none_here(several, exported, two_fields, node) -> None:
    o = resolve(ModelOptions(name="attention", width=16, embedding=8))
    model, bundle = exported(two_fields(o) if several else o)
    for text in WRONG_TEXTS[several]:
        assert model.predict(text)[0].error
        with pytest.raises(ConfigError, match="field"):
            run_in_node(module(bundle), [text], [{}], node)
    if not several:
        assert not model.predict("\t")[0].error
        run_in_node(module(bundle), ["\t"], [{}], node)


def test_a_beam_ranks_with_the_models_own_length_penalty(exported, texts, node) -> None:
    o = resolve(ModelOptions(name="attention", width=16, embedding=8))
    model, bundle = exported(o, length_penalty=1.5)
    ((*answers,),), _ = run_in_node(module(bundle), texts(model), [{"beam": 5}], node)
    for own, expected in zip(answers, answers_in_python(model, texts(model), {"beam": 5}), strict=True):
        assert_same(own, expected)
