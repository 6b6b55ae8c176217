"""The answers shown of an evaluation: what is wrong now, and how many have changed."""

from __future__ import annotations

from seq2see.training import DevAnswer, DevEvaluation, Sample
from seq2see.training.samples import DevAnswers, spread


def evaluation(predictions: str, targets: str) -> DevEvaluation:
    answers = tuple(
        DevAnswer(f"source {row}", *each, (), 1, True)
        for row, each in enumerate(zip(predictions, targets, strict=True))
    )
    return DevEvaluation({"loss": 1.0}, (), answers)


def rows_of(found: DevEvaluation) -> list[str]:
    return [sample.source.removeprefix("source ") for sample in found.samples]


def test_wrong_answers_are_shown_and_right_ones_are_not() -> None:
    found = DevAnswers().compared(evaluation("aaXaXaaa", "aaaaaaaa"))
    assert found.samples == (Sample("source 2", "X", "a"), Sample("source 4", "X", "a"))
    assert (found.num_wrong, found.num_changed) == (2, None)


def test_answers_that_changed_and_are_still_wrong_come_first() -> None:
    answers = DevAnswers()
    answers.compared(evaluation("XXXXXXXXXX", "aaaaaaaaaa"))
    found = answers.compared(evaluation("XXXYXXaaYX", "aaaaaaaaaa"))
    assert {"3", "8"} <= set(rows_of(found))
    assert len(found.samples) == 3
    assert (found.num_wrong, found.num_changed) == (8, 4)
    found = answers.compared(evaluation("ZZZYZZaaYZ", "aaaaaaaaaa"))
    assert rows_of(found) == ["0", "2", "5"]


def test_a_source_with_several_targets_is_shown_once() -> None:
    twice = [DevAnswer("a", "X", target, (), 1, True) for target in "bc"]
    found = DevAnswers().compared(DevEvaluation({"loss": 1.0}, (), tuple(twice)))
    assert found.samples == (Sample("a", "X", "b"),)
    assert found.num_wrong == 2


def test_without_a_mistake_nothing_is_shown() -> None:
    answers = DevAnswers()
    answers.compared(evaluation("aXa", "aaa"))
    found = answers.compared(evaluation("aaa", "aaa"))
    assert (found.samples, found.num_wrong, found.num_changed) == ((), 0, 1)
    assert answers.compared(evaluation("aaa", "aaa")).num_changed == 0


def test_a_language_model_keeps_what_it_drew() -> None:
    drawn = DevEvaluation({"loss": 1.0}, (Sample("", "once", ""),))
    assert DevAnswers().compared(drawn) == drawn


def test_samples_are_spread_evenly() -> None:
    assert spread(range(9)) == [0, 3, 6]
    assert spread(range(2)) == [0, 1]
    assert spread([]) == []
