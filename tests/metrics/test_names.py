"""Metrics by name, by target unit, and with missing packages."""

from __future__ import annotations

import sys

import pytest

from seq2see.errors import ConfigError, UserError
from seq2see.metrics import METRICS, SCALES, exact_match, find_metrics, metrics_for
from seq2see.metrics.names import USUAL_NAMES
from seq2see.text import SUBWORD_UNITS
from seq2see.text.tokenizers import TOKENIZER_NAMES


def test_every_metric_goes_by_its_name() -> None:
    for name, metric in METRICS.items():
        scale = metric(["a b c d e"], [["a b c d e"]]).scale
        assert scale.name == name
        assert metric.__doc__
        value = metric(["a b c d e"], [["a b c d e"]]).value
        assert len(metric([], []).statistics) == 0
        best = {"share": 1.0, "points": 100.0}[scale.unit] if scale.higher_is_better else 0.0
        assert value == pytest.approx(best)


def test_spelling_variants_of_names() -> None:
    assert find_metrics(["ROUGE-1", " chrF", "exact match", "chrf"]) == ("rouge_1", "chrf", "exact_match")


def test_names_that_others_give_a_metric() -> None:
    assert find_metrics(["accuracy", "EM", "phoneme error rate", "rougeL"]) == ("exact_match", "per", "rouge_l")
    assert find_metrics(["symbol error rate"]) == ("ser",)
    assert set(USUAL_NAMES) <= set(METRICS)
    names = [name for words in USUAL_NAMES.values() for name in words.split()]
    assert len(set(names)) == len(names)
    assert not set(names) & set(METRICS)


@pytest.mark.parametrize(
    ("name", "near"), [("bleau", "bleu"), ("rouge", "rouge_"), ("chrf3", "chrf"), ("f1", "one of")]
)
def test_an_unknown_metric_suggests_the_closest(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=near):
        find_metrics(["cer", name])


def test_no_metric_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one metric"):
        find_metrics([])


def test_every_unit_has_its_metrics() -> None:
    for unit in (*TOKENIZER_NAMES, *SUBWORD_UNITS):
        assert set(metrics_for(unit)) <= set(METRICS)
    assert metrics_for("symbols") == ("exact_match", "ser")
    assert metrics_for("graphemes") == ("exact_match", "cer")
    assert metrics_for("bpe") == ("bleu", "chrf", "ter")


def test_direction_and_title_of_a_metric_are_known_before_it_measures() -> None:
    assert list(SCALES) == list(METRICS)
    for name, metric in METRICS.items():
        assert metric([], []).scale is SCALES[name]


@pytest.mark.parametrize(
    ("targets", "name"),
    [
        (["T AH0 M EY1 T OW2", "K AE1 T"], "per"),
        (["t aa m", "ch ae t"], "per"),
        (["ɒ l m ɒ", "k ø n v"], "per"),
        (["k o m b i", "d ẽ n i", "tː a ɲ o"], "per"),
        (["k o m", "b i d e n i"], "ser"),
        (["T E S T", "L E T T E R"], "ser"),
        (["x ^ { 2 } \\theta", "\\frac { a } { b }"], "ser"),
        (["I_JUMP I_WALK", "I_RUN I_RUN"], "ser"),
        (["7 2 1", "4 0 9"], "ser"),
    ],
)
def test_only_an_error_rate_over_phones_is_called_per(targets: list[str], name: str) -> None:
    assert metrics_for("symbols", targets) == ("exact_match", name)


def test_one_word_answers_are_right_or_wrong() -> None:
    answers = ["kitchen", "garden", "office"] * 10
    for unit in ("symbols", "words", "bpe"):
        assert metrics_for(unit, answers) == ("exact_match",)
        assert metrics_for(unit, [*answers, "front door"]) == ("exact_match",)
        assert metrics_for(unit, [*answers, *["front door"] * 3]) != ("exact_match",)
    assert metrics_for("characters", answers) == ("exact_match", "cer")  # a word that is spelled is more or less right


def test_summaries_have_rouge() -> None:
    text, title = "one two three four five " * 5, "one two three"
    rouge = ("rouge_1", "rouge_2", "rouge_l", "bleu", "chrf", "ter")
    assert metrics_for("bpe", [title] * 9, [text] * 9) == rouge
    assert metrics_for("words", [title] * 9, ["字" * 30] * 9) == rouge
    assert metrics_for("bpe", [text] * 9, [text] * 9) == ("bleu", "chrf", "ter")
    assert metrics_for("bpe", ["字" * 12 + " " + "字" * 13] * 9, [text] * 9) == (
        "bleu",
        "chrf",
        "ter",
    )  # each is a word
    assert metrics_for("bpe", ["one two"] * 9, [title * 2] * 9) == ("bleu", "chrf", "ter")
    assert metrics_for("characters", [title] * 9, [text] * 9) == ("exact_match", "cer")


@pytest.mark.parametrize(("name", "package"), [("cer", "rapidfuzz"), ("rouge_l", "rapidfuzz"), ("bleu", "sacrebleu")])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [package, *(module for module in sys.modules if module.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, module, None)  # as if it weren't there
    with pytest.raises(UserError) as missing:
        METRICS[name](["a"], [["a"]])
    assert package in missing.value.what
    assert missing.value.fix == 'pip install "seq2see[metrics]"'
    assert exact_match(["a"], [["a"]]).value == 1.0
