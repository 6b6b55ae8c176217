"""Targets that a model can't write have no probability, and count neither silently nor as `<unk>`."""

from __future__ import annotations

import html
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seq2see
from seq2see import Model, Pair
from seq2see.data import Examples, collate
from seq2see.evaluation import EvaluationOptions, as_json, evaluate_runs
from seq2see.inference.notes import UnknownTextWarning
from seq2see.text import UNK

WRITABLE, IMPOSSIBLE = ("abc", "cba"), ("abc", "cZaZ")
OPTIONS = EvaluationOptions(samples=100)


@pytest.fixture(params=["numpy", "torch", "ensemble", "language model"])
def model(request: pytest.FixtureRequest, tiny_run: Path, tiny_language_run: Path) -> Model:
    match request.param:
        case "ensemble":
            return seq2see.load([tiny_run, tiny_run], device="cpu")
        case "language model":
            return seq2see.load(tiny_language_run, device="cpu")
        case engine:
            return seq2see.load(tiny_run, engine=engine, device="cpu")


def pairs_for(model: Model, *pairs: tuple[str, str]) -> list[Pair]:
    return [Pair(source if model.source_codec else "", target, "") for source, target in pairs]


def test_a_target_that_cannot_be_written_has_probability_zero(model: Model) -> None:
    """Its score by hand: -inf; the tokens around the unknown ones as the network gives them."""
    pairs = pairs_for(model, IMPOSSIBLE, WRITABLE)
    with pytest.warns(UnknownTextWarning, match=r"1 of 2 targets have .* -inf .*'Z' in 1"):
        impossible, writable = model.score(pairs)
    examples = Examples.encode(pairs[:1], model.source_codec, model.target_codec)
    batch = collate(examples, np.array([0]))
    each = model.engine.target_log_probs(batch)
    known = examples.target_ids != UNK
    assert known.tolist() == [True, False, True, False, True]
    assert (impossible.log_prob, impossible.score) == (-math.inf, -math.inf)
    assert (impossible.num_tokens, impossible.unknown) == (5, ("Z", "Z"))
    assert impossible.log_prob_of_others == pytest.approx(each[known].sum(), rel=1e-5)
    assert (math.isfinite(writable.log_prob), writable.unknown, writable.num_tokens) == (True, (), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.score(pairs[1:])[0].log_prob == pytest.approx(writable.log_prob, rel=1e-5)


def test_the_loss_is_over_the_tokens_that_can_be_written(model: Model) -> None:
    pairs = pairs_for(model, IMPOSSIBLE, WRITABLE)
    with pytest.warns(UnknownTextWarning, match="targets"):
        impossible, writable = model.score(pairs)
    by_hand = -(impossible.log_prob_of_others + writable.log_prob) / (3 + 4)
    with pytest.warns(UnknownTextWarning, match="targets"):
        assert model.loss(pairs) == pytest.approx(by_hand)
    report = model.evaluate(pairs, samples=100)
    assert report.loss == pytest.approx(by_hand)
    assert math.isfinite(report.perplexity)
    for text in (str(report), html.unescape(report._repr_html_())):
        assert "1 of 2 targets can't be written by this model" in text
        assert "the 2 unknown tokens don't count in the loss" in text
        assert ("they are never predicted" in text) == (model.source_codec is not None)
    assert "can't be written" not in str(model.evaluate(pairs[1:], samples=100))


def test_evaluate_says_it_of_each_run_and_compares_no_losses_over_other_tokens(
    tiny_run: Path, tmp_path: Path, tiny_pairs: Path, tiny_settings: dict[str, Any]
) -> None:
    """Runs with unlike vocabularies: each has its own note, and their losses have no p-value."""
    wider = tmp_path / "wider.tsv"
    wider.write_text(tiny_pairs.read_text(encoding="utf-8") + "ab\tZZ\n" * 20, encoding="utf-8")
    other = tmp_path / "other"
    seq2see.train(wider, out=other, settings=tiny_settings, device="cpu", quiet=True)
    test = tmp_path / "test.tsv"
    test.write_text("".join(f"{source}\t{target}\n" for source, target in (WRITABLE, IMPOSSIBLE, ("de", "ed"))))
    found = evaluate_runs([tiny_run, other], [test], OPTIONS, device="cpu")
    lines = str(found).splitlines()
    assert sum(line.startswith(f"{tiny_run}: note: 1 of 3 targets") for line in lines) == 1
    assert not any(line.startswith(f"{other}: note") for line in lines)
    assert "loss" not in found.against_first[1]
    assert f"{tiny_run}: note: 1 of 3 targets" in found._repr_html_()
    runs = as_json(found)["runs"]
    assert [run["targets_with_unknown_tokens"] for run in runs] == [1, 0]
    assert [run["unknown_target_tokens"] for run in runs] == [2, 0]


@pytest.mark.parametrize("engine", ["torch", "scratch"])
def test_the_dev_loss_is_that_of_evaluate(
    engine: Any, tmp_path: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Dev targets with unknown symbols: training names them, and its loss on dev leaves out the same tokens."""
    dev = [("abc", "cZa"), ("de", "ed"), ("eda", "ade")]
    settings = {key: value for key, value in tiny_settings.items() if engine == "torch" or key != "model.dropout"}
    model = seq2see.train(tiny_pairs, dev=dev, out=tmp_path / "run", settings=settings, engine=engine, device="cpu")
    assert "1 of the 3 dev targets can't be written" in capsys.readouterr().err.replace("\n", " ")
    trained = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["trained"]
    assert trained["dev"]["loss"] == pytest.approx(model.evaluate(dev, samples=100).loss, rel=1e-4)
