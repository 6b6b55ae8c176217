"""Reports on fixed predictions, with every score computed by hand."""

from __future__ import annotations

import math

import pytest

from seq2see.config import Config, make_config
from seq2see.data import Pair
from seq2see.errors import DataError
from seq2see.evaluation import EvaluationReport, Outputs, assess, error_lines, items_of, ranking_of, wrong_items
from seq2see.evaluation.comparison import against_first, seed_groups
from seq2see.evaluation.items import Slice, slices_by_training

PAIRS = [
    Pair("one", "abcd", "t:1"), Pair("two", "xy", "t:2"), Pair("two", "xyz", "t:3"), Pair("three\t", "aaaaa", "t:4"),
]  # fmt: skip
ITEMS = items_of(PAIRS)
REFERENCES = (("abcd",), ("xy", "xyz"), ("aaaaa",))


def outputs(*predictions: str, num_tokens: tuple[int, ...] = (5, 3, 4, 6)) -> Outputs:
    return Outputs(predictions, REFERENCES, (-1.0, -2.0, -3.0, -3.0), num_tokens)


def report(
    *predictions: str, metrics: tuple[str, ...] = ("exact_match", "cer"), slices: tuple[Slice, ...] = ()
) -> EvaluationReport:
    return assess(ITEMS, outputs(*predictions), metrics=metrics, slices=slices, samples=200)


def test_scores_by_hand() -> None:
    found = report("abcx", "xyz", "aaab")
    assert (found.count, found.num_references) == (3, 4)
    assert found.exact_match == pytest.approx(1 / 3)
    # abcx: 1 of 4; xyz: 0 of 3, its second reference; aaab for aaaaa: a substitution and a deletion, 2 of 5. 3 / 12.
    assert found.scores["cer"].value == pytest.approx(3 / 12)
    # All four pairs: 9 nats over 18 tokens.
    assert found.loss == pytest.approx(0.5)
    assert found.perplexity == pytest.approx(math.exp(0.5))
    for estimate in found.scores.values():
        assert estimate.interval.low <= estimate.value <= estimate.interval.high


def test_a_slice_is_scored_like_a_set_of_its_own() -> None:
    slices = (*slices_by_training([False, True, False]),)
    known, new = report("abcx", "xyz", "aaab", slices=slices).slices
    assert (known.by, known.name, known.count) == ("source", "in the training data", 1)
    assert known.scores["cer"].value == 0
    assert known.scores["loss"].value == pytest.approx(5 / 7)  # both pairs of "two"
    assert (new.name, new.count) == ("new", 2)
    assert new.scores["cer"].value == pytest.approx(3 / 9)
    assert new.scores["loss"].value == pytest.approx(4 / 11)


def test_a_language_model_has_only_a_loss() -> None:
    items = items_of([Pair("", "ab", ""), Pair("", "c", "")])
    found = assess(items, Outputs(None, (("ab",), ("c",)), (-2.0, -1.0), (3, 2)), metrics=("cer",))
    assert list(found.scores) == ["loss"]
    assert found.exact_match is None
    assert found.loss == pytest.approx(3 / 5)


def test_the_perplexity_of_a_huge_loss_is_infinite() -> None:
    found = assess(items_of([Pair("", "a", "")]), Outputs(None, (("a",),), (-9999.0,), (1,)))
    assert found.perplexity == math.inf
    large = assess(items_of([Pair("", "a", "")]), Outputs(None, (("a",),), (-20.0,), (1,)))
    assert "perplexity 4.85e+08" in str(large)


def test_no_items_are_an_error() -> None:
    with pytest.raises(DataError, match="no pairs"):
        assess([], Outputs((), (), (), ()))


# --- several runs -----------------------------------------------------------------------------------------------


def test_runs_are_compared_with_the_first_item_by_item() -> None:
    worse, better = report("abcx", "xyz", "aaab"), report("abcd", "xy", "aaab")
    first, second, third = against_first([worse, better, worse], samples=200, seed=0)
    assert first == {}
    assert second["cer"].value == pytest.approx(2 / 11 - 3 / 12)  # xy has the reference xy, which is shorter
    assert second["loss"].value == 0
    assert 0 < second["cer"].randomization_p <= 1
    assert third["cer"].randomization_p == third["cer"].bootstrap_p == 1.0


def test_losses_over_different_tokens_are_not_compared() -> None:
    mine = report("a", "b", "c")
    other = assess(ITEMS, outputs("a", "b", "c", num_tokens=(3, 2, 2, 3)), metrics=("exact_match", "cer"))
    assert list(against_first([mine, other], samples=100, seed=0)[1]) == ["exact_match", "cer"]


def config(seed: int, **more: object) -> Config:
    return make_config({}, {"training.seed": seed, "model.name": "plain", **more})


def test_runs_that_differ_only_in_the_seed_get_mean_and_deviation() -> None:
    reports = [report("abcx", "xyz", "aaab"), report("abcd", "xyz", "aaaaa"), report("", "", "")]
    precise = {"training.precision": "float32"}
    configs = [config(1), config(2, **precise), config(3, **{"model.width": 8})]
    [group] = seed_groups(reports, configs, samples=100, seed=1)
    assert group.runs == (0, 1)
    # 3 / 12 and 0: mean 1/8, deviation 1/8 · √2.
    assert group.spreads["cer"] == pytest.approx((1 / 8, math.sqrt(2) / 8))
    # The same run twice is not a second seed.
    assert seed_groups(reports, [config(1), config(1), None], samples=100, seed=1) == []


# --- the error table --------------------------------------------------------------------------------------------


def test_wrong_predictions_are_listed_worst_first_with_the_nearest_reference() -> None:
    found = report("abcx", "xyzz", "aa")
    assert wrong_items(found) == [0, 1, 2]
    assert ranking_of(found, "characters").scale.name == "cer"
    assert list(error_lines(found, "characters")) == [
        "score\tsource\tprediction\treference\tdiff\n",
        "0.6000\tthree\\t\taa\taaaaa\taa[-aaa-]\n",
        "0.3333\ttwo\txyzz\txyz\txyz{+z+}\n",
        "0.2500\tone\tabcx\tabcd\tabc[-d-]{+x+}\n",
    ]


def test_correct_predictions_are_not_listed() -> None:
    assert list(error_lines(report("abcd", "xy", "aaaaa"), "characters")) == [
        "score\tsource\tprediction\treference\tdiff\n"
    ]


def test_if_higher_is_better_the_lowest_come_first() -> None:
    found = report("abcx", "xy", "b", metrics=("bleu", "chrf"))
    assert ranking_of(found, "bpe").scale.name == "chrf"
    lines = [line.split("\t") for line in error_lines(found, "bpe")][1:]
    assert [line[1] for line in lines] == ["three\\t", "one"]
    assert float(lines[0][0]) == 0 < float(lines[1][0])
    assert lines[1][4] == "[-abcd-]{+abcx+}\n"  # words, not letters


def test_metrics_that_cannot_rank_items_are_replaced_by_a_default() -> None:
    """The references are single words, which have no default metric but exact match unless they are spelled."""
    for unit, name in (("characters", "cer"), ("symbols", "cer"), ("words", "cer")):
        assert ranking_of(report("a", "b", "c", metrics=("exact_match", "bleu")), unit).scale.name == name
