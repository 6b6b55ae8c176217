"""Diagnostics during training: each warning at its threshold, and none just below."""

from __future__ import annotations

import pytest

from seq2see.training import DevAnswer, TrainingOptions
from seq2see.training.setup import Setup, Unit
from seq2see.training.watch import (
    EvaluationRecord,
    copies,
    diagnose,
    lengths,
    loop_of,
    loops,
    quoted,
    rising,
    same_answer,
    should_diagnose,
    unknown_tokens,
)


def dev_answer(source: str, prediction: str, target: str, *, finished: bool = True) -> DevAnswer:
    return DevAnswer(source, prediction, target, tuple(prediction), len(target), finished)


def right(count: int, start: int = 0) -> list[DevAnswer]:
    """Answers without fault."""
    return [
        dev_answer(f"source {number}", f"target {number}", f"target {number}") for number in range(start, start + count)
    ]


def answered(count: int, prediction: str) -> list[DevAnswer]:
    return [dev_answer(f"other {number}", prediction, f"target {number}") for number in range(count)]


# --- when -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("warmup", "first"), [(0.1, 100), (0.5, 150), (1.0, 300)])
def test_nothing_is_diagnosed_before_a_third_of_training_and_the_warm_up(warmup: float, first: int) -> None:
    options = TrainingOptions(max_updates=300, warmup=warmup)
    assert should_diagnose(options, first)
    assert not should_diagnose(options, first - 1)


def test_answers_without_fault_give_no_warning() -> None:
    course = [EvaluationRecord(1 / number, 1 / number, number) for number in range(1, 6)]
    assert list(diagnose(right(50), {"source": 0.0, "target": 0.01}, course)) == []
    assert list(diagnose((), {}, ())) == []


# --- one answer to everything ---------------------------------------------------------------------------------------


def test_half_of_the_sources_with_one_answer_are_said() -> None:
    found = same_answer([*right(10), *answered(10, "the")])
    assert found
    assert found.kind == "same_answer"
    assert "10 of 20 dev sources get the same answer, “the”" in found.message
    assert "training.rate" in found.advice


def test_a_few_less_are_not() -> None:
    assert same_answer([*right(11), *answered(9, "the")]) is None


def test_of_few_sources_nothing_is_said() -> None:
    assert same_answer(answered(19, "the")) is None
    assert same_answer(answered(20, "the"))


def test_a_source_asked_often_counts_once() -> None:
    assert same_answer([*right(30), *[dev_answer("one", "the", "x")] * 100]) is None


def test_an_answer_that_is_often_right_is_none_to_warn_of() -> None:
    """Labels: most mails are no spam."""
    labels = [dev_answer(f"mail {number}", "no", "no" if number < 10 else "yes") for number in range(20)]
    assert same_answer([each._replace(prediction="no") for each in labels])  # count is exactly twice
    assert same_answer([*labels, dev_answer("mail 20", "no", "no")]) is None


def test_nothing_at_all_is_an_answer_too() -> None:
    found = same_answer(answered(20, ""))
    assert found
    assert "the empty text" in found.message


# --- the source as an answer ----------------------------------------------------------------------------------------


def test_copies_are_said_where_the_target_differs() -> None:
    copied = [dev_answer(f"s {number}", f"s {number}", f"t {number}") for number in range(10)]
    found = copies([*copied, *right(10)])
    assert found
    assert "10 of the 20 dev sources" in found.message
    assert copies([*copied[:9], *right(11)]) is None


def test_copies_that_are_right_are_not() -> None:
    same = [dev_answer(f"s {number}", f"s {number}", f"s {number}") for number in range(100)]
    assert copies(same) is None
    wrong = [dev_answer(f"x {number}", f"x {number}", f"y {number}") for number in range(20)]
    found = copies([*same, *wrong])
    assert found
    assert "100 others" in found.message


# --- round and round ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("xaaaa", "a"),
        ("abababab", "ab"),
        ("qabcdabcdabcdabcd", "abcd"),
        ("aaa", ""),
        ("abababa", ""),
        ("abcdeabcdeabcdeabcde", ""),
        ("aaaab", ""),
        ("", ""),
    ],
)
def test_a_loop_is_at_the_end_short_and_gone_round_four_times(text: str, loop: str) -> None:
    assert "".join(loop_of(tuple(text))) == loop


def test_a_tenth_of_the_answers_in_loops_is_said() -> None:
    looping = [dev_answer("s", "no no no no no ", "t", finished=False)] * 2
    found = loops([*right(18), *looping])
    assert found
    assert "2 of 20 dev answers repeat themselves" in found.message
    assert loops([*right(19), *looping]) is None


def test_an_answer_that_ended_is_no_loop() -> None:
    assert loops([*right(10), *[dev_answer("s", "aaaaaaaa", "aaaaaaaa")] * 10]) is None


# --- lengths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "word"), [(6, "too short: 0.60"), (7, None), (10, None), (14, None), (15, "too long: 1.50")]
)
def test_answers_much_shorter_or_longer_than_the_targets_are_said(length: int, word: str | None) -> None:
    found = lengths([dev_answer(f"{number}", "a" * length, "b" * 10) for number in range(20)])
    assert (found is None) == (word is None)
    if found and word:
        assert word in found.message


# --- unknown tokens -------------------------------------------------------------------------------------------------


def test_a_twentieth_of_a_sides_tokens_unknown_is_said() -> None:
    setup = Setup(units={"source": Unit("words"), "target": Unit("words")})
    found = unknown_tokens({"source": 0.049, "target": 0.05}, setup)
    assert found
    assert "5.0 % of dev's target tokens" in found.message
    assert "source" not in found.message
    assert "text.target=bpe" in found.advice
    assert unknown_tokens({"source": 0.049, "target": 0.0}) is None


# --- dev loss -------------------------------------------------------------------------------------------------------

RISING = [
    EvaluationRecord(1.0, 1.0, 0.5),
    EvaluationRecord(0.9, 1.1, 0.5),
    EvaluationRecord(0.8, 1.2, 0.5),
    EvaluationRecord(0.7, 1.3, 0.5),
]


def test_dev_loss_that_rises_while_training_loss_falls_is_said() -> None:
    found = rising([EvaluationRecord(2.0, 3.0, 0.1), *RISING])
    assert found
    assert "3 times in a row, 1.0000 to 1.3000" in found.message
    assert "1.0000 to 0.7000" in found.message


@pytest.mark.parametrize(
    "course",
    [
        RISING[1:],
        [*RISING[:2], EvaluationRecord(0.8, 1.1, 0.5), RISING[3]],
        [*RISING[:3], EvaluationRecord(1.0, 1.3, 0.5)],
        [*RISING[:3], EvaluationRecord(0.7, 1.3, 0.51)],
        [each._replace(score=1.0) for each in RISING],
    ],
    ids=["two rises", "one evaluation level", "training loss too", "score still better", "without a mistake"],
)
def test_anything_less_is_not(course: list[EvaluationRecord]) -> None:
    assert rising(course) is None


def test_a_long_answer_is_cut_where_it_is_quoted() -> None:
    assert quoted("a" * 61) == "“" + "a" * 59 + "…”"
    assert quoted("a" * 60) == "“" + "a" * 60 + "”"


def test_several_faults_are_all_said() -> None:
    looping = [dev_answer(f"{n}", "a" * 40, "b" * 10, finished=False) for n in range(20)]
    kinds = [each.kind for each in diagnose(looping, {"source": 0.5}, RISING)]
    assert kinds == ["same_answer", "loops", "lengths", "unknown", "rising"]
