"""The rules for advice: each applies at its threshold, and not just below."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seq2see.curves.history import LoggedWarning, Point
from seq2see.evaluation import Estimate, SliceScores
from seq2see.metrics import METRICS, Interval
from seq2see.pages import Evidence, advise
from seq2see.training.setup import Setup

NOTHING = Evidence(
    dev_loss=[Point(25, 1.0), Point(50, 0.6), Point(75, 0.5), Point(100, 0.5)],
    end="all updates done",
    setup=Setup(max_updates=100, width=64, dropout=0.3),
    train_loss=0.3,
    loss=0.4,
    count=500,
    num_known=0,
)
EXACT = METRICS["exact_match"]([], []).scale


def titles(evidence: Evidence) -> list[str]:
    return [advice.title for advice in advise(evidence)]


def by_length(short: tuple[float, float], long: tuple[float, float]) -> list[SliceScores]:
    return [
        SliceScores("length", name, 50, {"exact_match": Estimate(sum(ends) / 2, Interval(*ends))})
        for name, ends in (("1-3", short), ("4-6", (0.5, 0.6)), ("7-9", long))
    ]


def test_no_evidence_gives_no_advice() -> None:
    assert titles(NOTHING) == []
    assert titles(Evidence(count=500, end="all updates done")) == []


@pytest.mark.parametrize("end", [None, "interrupted"])
def test_an_unfinished_run_should_be_resumed(end: str | None) -> None:
    (advice,) = advise(replace(NOTHING, end=end))
    assert "--resume" in advice.what


def test_items_in_the_training_data_are_reported() -> None:
    (advice,) = advise(replace(NOTHING, num_known=1))
    assert "1 of 500 sources are in the training data" in advice.evidence


def test_unknown_symbols_are_reported_from_one_percent() -> None:
    (advice,) = advise(replace(NOTHING, unknown=("ß", "é"), num_unknown=5))
    assert "5 of 500 sources" in advice.evidence
    assert advice.evidence.endswith("ß é")
    assert titles(replace(NOTHING, unknown=("ß",), num_unknown=4)) == []


@pytest.mark.parametrize(
    ("last", "end", "is_advised"),
    [
        (0.48, "all updates done", True),
        (0.486, "all updates done", False),
        (0.48, "no better for 3 evaluations", False),
        (0.52, "all updates done", False),
    ],
)
def test_a_dev_loss_that_still_falls_asks_for_longer_training(last: float, end: str, is_advised: bool) -> None:
    found = advise(replace(NOTHING, dev_loss=[*NOTHING.dev_loss[:3], Point(100, last)], end=end))
    assert [advice.title for advice in found] == ["Train longer"] * is_advised
    if found:
        assert "0.5000 at update 75, 0.4800 at update 100" in found[0].evidence
        assert "training.max_updates=200" in found[0].what


def test_overfitting() -> None:
    (advice,) = advise(replace(NOTHING, loss=0.45))
    assert "0.3000 on training pairs and 0.4500 here" in advice.evidence
    assert "model.dropout=0.5" in advice.what
    assert titles(replace(NOTHING, loss=0.449)) == []
    assert titles(replace(NOTHING, train_loss=0.01, loss=0.05)) == []  # both are near 0
    assert titles(replace(NOTHING, loss=0.45, num_known=500)) == ["Test on new sources"]


def test_underfitting_asks_for_a_larger_model() -> None:
    (advice,) = advise(replace(NOTHING, loss=0.34))
    assert advice.title == "A larger model"
    assert "model.width=128" in advice.what
    assert "model.layers=2" in advice.what
    assert titles(replace(NOTHING, loss=0.35)) == []
    assert titles(replace(NOTHING, train_loss=0.19, loss=0.19)) == []


def test_underfitting_is_not_said_of_a_training_that_had_not_settled() -> None:
    """80 updates, two evaluations, a falling loss: a larger model would not help."""
    two = [Point(40, 3.0), Point(80, 2.8)]
    short = replace(NOTHING.setup, max_updates=80, usual_updates=1000)
    for dev_loss in (two, [Point(80, 2.8)], [Point(40, 2.81), Point(80, 2.8)], [*NOTHING.dev_loss[:3], Point(100, 2)]):
        early = replace(NOTHING, setup=short, dev_loss=dev_loss, train_loss=2.7, loss=2.8)
        assert titles(early) == ["Train longer"]
        assert "training.max_updates=1000" in advise(early)[0].what
    unknown = replace(NOTHING, dev_loss=[Point(100, 0.34)], loss=0.34)
    assert titles(unknown) == []
    assert titles(replace(unknown, end="no improvement for 3 evaluations")) == ["A larger model"]


@pytest.mark.parametrize(
    ("setup", "word"),
    [
        (
            Setup("plain", has_attention=False, reads_both_ways=False),
            "Use a model with attention (--model bidirectional)",
        ),
        (Setup("attention", reads_both_ways=False), "in both directions (--model bidirectional)"),
        (Setup("bidirectional"), "Add long pairs, try --model stacked or transformer, or --beam 5"),
        (Setup("stacked"), "try --model transformer, or"),
        (Setup("transformer"), "try --model stacked, or"),
        (Setup("plain", has_attention=False, is_fixed=True), "Add long pairs or --beam 5"),
    ],
)
def test_long_sources_with_lower_scores(setup: Setup, word: str) -> None:
    given = replace(NOTHING, scale=EXACT, setup=setup)
    (advice,) = advise(replace(given, by_length=by_length((0.7, 0.8), (0.3, 0.69))))
    assert word in advice.what
    assert "worse on 7-9 than on 1-3" in advice.evidence
    (advice,) = advise(replace(given, beam=5, by_length=by_length((0.7, 0.8), (0.3, 0.69))))
    assert "--beam" not in advice.what
    assert titles(replace(given, by_length=by_length((0.7, 0.8), (0.3, 0.7)))) == []
    assert titles(replace(given, by_length=by_length((0.3, 0.4), (0.7, 0.8)))) == []


def test_too_few_items() -> None:
    assert titles(replace(NOTHING, count=199)) == ["Test on more pairs"]
    assert titles(replace(NOTHING, count=200)) == []


def test_training_warnings_come_last() -> None:
    logged = [LoggedWarning(30, "same_answer", "all the same", "lower the rate")]
    found = advise(replace(NOTHING, num_known=3, warnings=logged))
    assert [advice.title for advice in found] == ["Test on new sources", "Training warning: same answer"]
    assert found[1].evidence == "At update 30: all the same."
