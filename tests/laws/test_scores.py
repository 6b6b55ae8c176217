"""Law: `score` gives an answer the score of the search that found it, for every architecture and search."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch

from seq2see import Pair
from seq2see.errors import DataError
from seq2see.evaluation import EvaluationOptions, evaluate
from seq2see.inference.predictor import Predictor
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import Padded
from seq2see.text import BOS

TEXTS = ["abc", "d", "gfedcba", "ab", "eee"]
ENDS = {"no_repeat": 1}
"""Each of seven letters at most once, then EOS is the only id left. The log_prob is not renormalized."""
WAYS = {
    "greedy": {},
    "greedy to the end": ENDS,
    "beam": {"beam": 4, "n_best": 3, "length_penalty": 0.6, **ENDS},
    "sampling": {"sample": True, "n_best": 3, **ENDS},
    "sampling hot": {"sample": True, "temperature": 2.0, "top_k": 4, **ENDS},
    "constrained": {"contain": ["gf"], "forbid": ["ab"], "beam": 3, **ENDS},
    "prefix": {"prefix": "fa", **ENDS},
}
BOUND = 1e-5


def answered(model, way):
    """(text, answer) of all finished answers; a language model continues the empty text."""
    options = dict(WAYS[way])
    texts = TEXTS if model.source_codec else [""]
    if not model.source_codec:
        options.pop("prefix", None)
    for text, answer in zip(texts, model.predict(texts, max_length=12, **options), strict=True):
        yield from ((text, each) for each in answer.all if each.finished)


def check_scores(model, way):
    """Returns the number of checked answers."""
    found = list(answered(model, way))
    pairs = [Pair(text, answer.text, "") for text, answer in found]
    for batch_size in (1, 64):
        scores = model.score(pairs, batch_size=batch_size)
        for (_, answer), score in zip(found, scores, strict=True):
            assert abs(score.log_prob - answer.log_prob) <= BOUND * abs(answer.log_prob) + 1e-6
            assert score.num_tokens == len(answer.target_tokens)
            if "length_penalty" not in WAYS[way]:  # it changes the beam's score
                assert abs(score.score - answer.score) <= BOUND * abs(answer.score) + 1e-6
    return len(pairs)


@pytest.mark.parametrize("way", WAYS)
def test_a_score_equals_the_searchs_log_prob(architecture, way, new_predictor):
    assert check_scores(new_predictor(architecture), way) or way == "greedy"


@pytest.mark.parametrize("way", WAYS)
def test_an_ensembles_score_equals_its_searchs_log_prob(blueprint, way, new_predictor):
    model, _ = together(new_predictor, blueprint, ["attention", "transformer", "plain"])
    assert check_scores(model, way) or way == "greedy"


PAIRS = [Pair("abc", "gf", "1"), Pair("d", "abcdefgabcdefg", "2"), Pair("gfedcba", "a", "3"), Pair("ab", "cc", "4")]


@torch.no_grad()
def by_hand(networks, model, pair):
    """The mean of the members' probabilities, token by token, for a single pair."""
    target = model.target_codec.encode(pair.target)
    source = torch.tensor([model.source_codec.encode(pair.source)])
    read = Padded(source, torch.tensor([source.size(1)]))
    given = torch.tensor([[BOS, *target[:-1]]])
    probabilities = [network(read, given)[0].double().softmax(-1) for network in networks]
    mean = sum(probabilities) / len(networks)
    return sum(mean[place, token].log().item() for place, token in enumerate(target)), len(target)


def together(new_predictor, blueprint, names):
    """An ensemble of these architectures, and its networks."""
    first, *others = [new_predictor(blueprint(name)) for name in names]
    model = Predictor(
        first.engine,
        first.source_codec,
        first.target_codec,
        max_length=7,
        others=[other.engine for other in others],
    )
    return model, [each.engine.network for each in (first, *others)]


def check_scores_by_hand(model, networks):
    expected = [by_hand(networks, model, pair) for pair in PAIRS]
    for batch_size in (1, 2, 3, 64):
        scores = model.score(PAIRS, batch_size=batch_size)
        for score, (log_prob, num_tokens) in zip(scores, expected, strict=True):
            assert score.log_prob == pytest.approx(log_prob, rel=BOUND)
            assert score.num_tokens == num_tokens
            assert score.score == pytest.approx(log_prob / num_tokens, rel=BOUND)
        assert [s.log_prob for s in model.score(PAIRS[::-1], batch_size=batch_size)] == pytest.approx(
            [s.log_prob for s in scores[::-1]], rel=BOUND
        )
        total, tokens = sum(each[0] for each in expected), sum(each[1] for each in expected)
        assert model.loss(PAIRS, batch_size=batch_size) == pytest.approx(-total / tokens, rel=BOUND)
        report = evaluate(model, PAIRS, EvaluationOptions(batch_size=batch_size))
        assert report.loss == pytest.approx(-total / tokens, rel=BOUND)


@pytest.mark.parametrize("names", [["attention"], ["attention", "plain"], ["transformer", "attention", "peeky"]])
def test_scores_by_hand(names, blueprint, new_predictor):
    check_scores_by_hand(*together(new_predictor, blueprint, names))


def test_unscorable_answers_are_errors(blueprint, new_predictor):
    model = new_predictor(blueprint("attention"))
    assert model.score([]) == []
    with pytest.raises(DataError, match="no pairs"):
        model.loss([])
    for origin, named in (("t.tsv:9", "t.tsv:9: the target is missing"), ("", "pair 2: the target is missing")):
        with pytest.raises(DataError, match=named):
            model.score([PAIRS[0], Pair("a", None, origin)])


# --- negative controls -----------------------------------------------------------------------------------------------


def ends(batch):
    return batch.target.lengths.cumsum() - 1


def starts(batch):
    return batch.target.lengths.cumsum() - batch.target.lengths


@pytest.mark.parametrize("index", [starts, ends])
@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_they_notice_a_score_with_a_term_missing(name, index, blueprint, new_predictor, monkeypatch):
    model, networks = together(new_predictor, blueprint, [name])
    assert check_scores(model, "beam")
    full = TorchEngine.target_log_probs

    def broken(self, batch):
        found = full(self, batch).copy()
        found[index(batch)] = 0.0
        return found

    monkeypatch.setattr(TorchEngine, "target_log_probs", broken)
    with pytest.raises(AssertionError):
        check_scores(model, "beam")
    with pytest.raises(AssertionError):
        check_scores_by_hand(model, networks)


def geometric_mean(log_probs):
    """The geometric mean: not our ensemble, and not normalized."""
    return sum(log_probs) / len(log_probs)


SCORING, SEARCH = import_module("seq2see.inference.scoring"), import_module("seq2see.search.ensemble")
"""Where the mean is taken."""


@pytest.mark.parametrize("modules", [[SCORING], [SEARCH], [SCORING, SEARCH]], ids=["score", "search", "both"])
def test_they_notice_an_ensemble_by_geometric_mean(modules, blueprint, new_predictor, monkeypatch):
    model, networks = together(new_predictor, blueprint, ["attention", "plain"])
    assert check_scores(model, "beam")
    for module in modules:
        monkeypatch.setattr(module, "log_mean", geometric_mean)
    if len(modules) == 1:  # only one of the two: they disagree
        with pytest.raises(AssertionError):
            check_scores(model, "beam")
    if SCORING in modules:
        with pytest.raises(AssertionError):
            check_scores_by_hand(model, networks)
