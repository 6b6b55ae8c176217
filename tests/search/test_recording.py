"""What a recorder says of the steps of a beam search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tests.search.test_beam import BY_HAND, run, same
from tests.search.test_diversity import TABLE
from tests.search.test_diversity import run as run_groups

from seq2see.search import Considered, Forbid, Recorder, length_divisor

EOS, A, B = 1, 2, 3


def written(steps: list[list[Considered]]) -> list[list[tuple[str, float, str]]]:
    """Each hypothesis in full, with its probability and what becomes of it."""
    found: list[list[tuple[str, float, str]]] = []
    for step in steps:
        own = []
        for each in step:
            before = "" if each.parent is None else found[-1][each.parent][0]
            own.append((before + ".$ab"[each.id], round(math.exp(each.log_prob), 4), each.fate))
        found.append(own)
    return found


def test_every_step_by_hand(table_model: Any) -> None:
    recorder = Recorder()
    run(table_model(BY_HAND), [0], 10, num_hypotheses=2, recorder=recorder)
    assert written(recorder.steps_of(0)) == [
        [("a", 0.6, "kept"), ("b", 0.4, "kept")],
        # The first two of the four are in front: b$ has ended there, a$ has not, and nothing can beat b$ any more.
        [("b$", 0.36, "finished"), ("a$", 0.24, "finished"), ("ab", 0.21, "stopped"), ("aa", 0.15, "stopped")],
    ]


def test_what_is_pruned_and_what_the_maximum_length_stops(table_model: Any) -> None:
    table = [[0.0, 0.0, 0.7, 0.3], [0.25] * 4, [0.0, 0.1, 0.6, 0.3], [0.0, 0.2, 0.5, 0.3]]
    recorder = Recorder()
    run(table_model(table), [0], 3, num_hypotheses=2, recorder=recorder)
    first, second, third = written(recorder.steps_of(0))
    assert first == [("a", 0.7, "kept"), ("b", 0.3, "kept")]
    assert second == [("aa", 0.42, "kept"), ("ab", 0.21, "kept"), ("ba", 0.15, "pruned"), ("bb", 0.09, "pruned")]
    assert third == [
        ("aaa", 0.252, "stopped"),
        ("aab", 0.126, "stopped"),
        ("aba", 0.105, "pruned"),
        ("abb", 0.063, "pruned"),
    ]


def test_an_end_that_is_not_in_front_is_pruned(table_model: Any) -> None:
    table = [[0.0, 0.2, 0.45, 0.35], [0.25] * 4, [0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    recorder = Recorder()
    run(table_model(table), [0], 10, num_hypotheses=2, recorder=recorder)
    assert written(recorder.steps_of(0))[0] == [("a", 0.45, "kept"), ("b", 0.35, "kept"), ("$", 0.2, "pruned")]


@pytest.mark.parametrize("options", [{}, {"length_penalty": 0.8, "coverage_penalty": 0.3}, {"filters": [Forbid([5])]}])
def test_a_recorder_changes_nothing_and_has_every_answer(history_model: Any, options: dict[str, Any]) -> None:
    sentences, lengths = list(range(6)), [9, 3, 12, 1, 7, 5]
    options = {"num_hypotheses": 3, "n_best": 3, "source_lengths": np.full(6, 3), **options}
    plain = run(history_model(7), sentences, lengths, **options)
    recorder = Recorder()
    recorded = run(history_model(7), sentences, lengths, recorder=recorder, **options)
    assert all(same(one, other) for one, other in zip(plain, recorded, strict=True))
    for sentence, found in enumerate(recorded):
        steps = recorder.steps_of(sentence)
        for hypothesis in found:
            place: int | None = None
            for length, own in enumerate(reversed(steps[: len(hypothesis.ids)])):
                matching = [
                    each
                    for number, each in enumerate(own)
                    if (number == place if length else each.id == hypothesis.ids[-1])
                    and each.id == hypothesis.ids[-1 - length]
                    and (length or each.log_prob == hypothesis.log_prob)
                ]
                assert len(matching) == 1
                place = matching[0].parent
                if not length:
                    assert matching[0].score == pytest.approx(hypothesis.score)
                    assert matching[0].fate == "finished" if hypothesis.finished else matching[0].fate != "kept"
                else:
                    assert matching[0].fate == "kept"


def test_a_score_has_the_penalties(table_model: Any) -> None:
    recorder = Recorder()
    run(table_model(BY_HAND), [0], 4, num_hypotheses=2, length_penalty=1.0, recorder=recorder)
    for length, step in enumerate(recorder.steps_of(0), start=1):
        assert [each.score for each in step] == [each.log_prob / length_divisor(length, 1.0) for each in step]


def test_groups_come_one_after_the_other(table_model: Any) -> None:
    recorder = Recorder()
    options: dict[str, Any] = {"num_hypotheses": 3, "groups": 3, "n_best": 3, "diversity": 9.0}
    plain = run_groups(table_model(TABLE), [0, 0], **options)
    assert run_groups(table_model(TABLE), [0, 0], recorder=recorder, **options) == plain
    for sentence in (0, 1):
        first, second = recorder.steps_of(sentence, 3)
        assert [each.id for each in first if each.fate == "kept"] == [2, 3, 4]
        ended = [each for each in second if each.fate == "finished"]
        assert [first[each.parent].id for each in ended if each.parent is not None] == [2, 3, 4]
        assert [each.log_prob for each in ended] == pytest.approx([math.log(p) for p in (0.3, 0.18, 0.07)], abs=1e-6)
