"""Generation is independent of targets: every row stops at its own EOS, or at the maximum length."""

from __future__ import annotations

import pytest
import torch

from seq2see.data import Pair
from seq2see.errors import ConfigError
from seq2see.evaluation import EvaluationOptions, evaluate
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import PairScore
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, build, resolve
from seq2see.text import EOS, SPECIALS, Codec, make_tokenizer

CODEC = Codec.build(make_tokenizer("characters"), ["abcdefg"])
TEXTS = ["a", "bcdefgab", "gf", "cdc", "fedcba"]
WAYS = {"greedy": {}, "beam": {"beam": 3}, "sampling": {"sample": True, "seed": 2}}
END = SPECIALS[EOS]


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


def new_model(name="attention", *, max_length=12, eos_bias=0.0, sharpen=6.0):
    torch.manual_seed(4)
    size = len(CODEC.vocabulary)
    embedding = None if ARCHITECTURES[name].has_blocks else 8
    network = build(resolve(ModelOptions(name=name, width=16, embedding=embedding)), Sizes(size, size)).eval()
    with torch.no_grad():
        network.decoder.output.weight.mul_(sharpen)
        network.decoder.output.bias[EOS] = eos_bias
    source = CODEC if ARCHITECTURES[name].has_source else None
    return Predictor(TorchEngine(network), source, CODEC, max_length=max_length, name=name)


def prompt_of(model, text):
    """The prompt of a language model, which precedes its continuation."""
    return text if model.source_codec is None else ""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_model_that_never_ends_is_stopped_at_the_maximum_length(name, way):
    model = new_model(name, eos_bias=-1e4)
    for limit in (None, 1, 5, 30):
        for text, prediction in zip(TEXTS, model.predict(TEXTS, max_length=limit, **way), strict=True):
            assert len(prediction.target_tokens) == (limit or 12)
            assert END not in prediction.target_tokens
            assert prediction.text == "".join([*prompt_of(model, text), *prediction.target_tokens])
            assert not prediction.finished


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_model_that_ends_at_once_gives_an_empty_answer(name, way):
    model = new_model(name, eos_bias=1e4)
    for text, prediction in zip(TEXTS, model.predict(TEXTS, min_length=1, **way), strict=True):
        assert prediction.target_tokens == [END]
        assert prediction.text == prompt_of(model, text)
        assert prediction.finished
        assert prediction.log_prob == pytest.approx(0, abs=1e-6)


class Counting(torch.nn.Module):
    """A decoder rigged to emit `a` as often as the source has ids, then EOS, then only `b`s."""

    def __init__(self, network):
        super().__init__()
        self.output = network.decoder.output

    def start(self, memory):
        return Left(memory.mask.sum(1) - 1)

    def forward(self, tokens, state):
        logits = torch.full((len(tokens), 1, len(CODEC.vocabulary)), -30.0)
        a, b = CODEC.vocabulary.id("a"), CODEC.vocabulary.id("b")
        best = torch.where(state.left > 0, a, torch.where(state.left == 0, EOS, b))
        return logits.scatter(-1, best[:, None, None], 30.0), Left(state.left - 1), None


class Left:
    def __init__(self, left):
        self.left = left

    def select(self, rows, sentences=None):
        return Left(self.left[rows])


def test_rows_stop_at_their_own_eos(way):
    model = new_model()
    model.engine.network.decoder = Counting(model.engine.network)
    for batch_size in (1, 2, 128):
        for text, prediction in zip(TEXTS, model.predict(TEXTS, batch_size=batch_size, **way), strict=True):
            assert prediction.text == "a" * len(text)
            assert prediction.target_tokens == [*"a" * len(text), END]
            assert prediction.finished


def test_rows_of_different_lengths_end_correctly(way):
    """No ids after EOS or beyond the maximum, and EOS exactly if the row is finished."""
    predictions = new_model("residual").predict(TEXTS * 4, **way)
    for prediction in predictions:
        ends = [index for index, token in enumerate(prediction.target_tokens) if token == END]
        assert ends == ([len(prediction.target_tokens) - 1] if prediction.finished else [])
        assert prediction.finished or len(prediction.target_tokens) == 12
        if prediction.weights is not None:
            assert prediction.weights.shape == (len(prediction.target_tokens), len(prediction.source_tokens))


def test_answers_may_be_longer_than_the_source_and_than_any_target():
    model = new_model(eos_bias=-1e4, max_length=25)
    assert [len(prediction.target_tokens) for prediction in model.predict(["a", "bcd"])] == [25, 25]


@pytest.mark.parametrize("beam", [1, 3])
def test_targets_have_no_effect_on_predictions(beam):
    """The same sources with short targets, long targets and none."""
    model = new_model("bidirectional")
    alone = model.predict(TEXTS, beam=beam)
    for targets in (["a"] * 5, ["abcdefg" * 9] * 5, ["", "a", "abc", "abcdefg" * 5, "g"]):
        pairs = [Pair(text, target, "") for text, target in zip(TEXTS, targets, strict=True)]
        report = evaluate(model, pairs, EvaluationOptions(beam=beam, group=False))
        assert report.outputs.predictions == tuple(each.text for each in alone)


def test_exact_match_takes_the_whole_text():
    model = new_model()
    model.engine.network.decoder = Counting(model.engine.network)
    model.score = lambda pairs, **options: [PairScore(0.0, 0.0, 1)] * len(pairs)
    options = EvaluationOptions(group=False)
    right = [Pair(text, "a" * len(text), "") for text in TEXTS]
    assert evaluate(model, right, options).exact_match == 1.0
    wrong = [*right, Pair("bb", "a", ""), Pair("bb", "aaa", "")]
    assert evaluate(model, wrong, options).exact_match == pytest.approx(5 / 7)


def test_never_padding_bos_or_unknown(way):
    model = new_model()
    with torch.no_grad():
        model.engine.network.decoder.output.bias[:EOS] = 50.0
    for prediction in model.predict(TEXTS, **way):
        assert not {"<pad>", "<unk>", "<bos>"} & {*prediction.target_tokens}
        assert set(prediction.target_tokens) <= {*"abcdefg", END}


def test_an_empty_text_gets_an_empty_answer(way):
    model = new_model(eos_bias=-1e4)
    empty, some, blank = model.predict(["", "abc", "  "], **way)
    for prediction in (empty, blank):
        assert prediction.text == ""
        assert prediction.finished
    assert len(some.text) == 12
    assert model.predict([], **way) == []


@pytest.mark.parametrize(
    "options",
    [{"max_length": 0}, {"max_length": -1}, {"batch_size": 0}, {"beam": 0}, {"sample": True, "beam": 2}],
    ids=str,
)
def test_invalid_options_are_errors(options):
    with pytest.raises(ConfigError) as caught:
        new_model().predict(TEXTS, **options)
    assert caught.value.fix
