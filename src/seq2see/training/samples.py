"""What to show of an evaluation on dev: answers that are wrong now, and how many have changed."""

from __future__ import annotations

from collections.abc import Sequence

from seq2see.training.events import Sample
from seq2see.training.state import DevEvaluation
from seq2see.training.watch import DevAnswer

NUM_SAMPLES = 3
"""Answers shown at each evaluation."""


class DevAnswers:
    """The answers of the last evaluation, with which the next is compared; only what is shown depends on them."""

    def __init__(self) -> None:
        self._last: tuple[str, ...] = ()

    def compared(self, evaluation: DevEvaluation) -> DevEvaluation:
        """The evaluation with samples of the wrong answers, and with the number of answers that changed.

        Wrong answers that have just changed come first, so that the samples differ from one evaluation to the next. A
        language model has no answers, and keeps the samples that it drew.
        """
        answers = evaluation.answers
        if not answers:
            return evaluation
        now = tuple(each.prediction for each in answers)
        is_first = len(self._last) != len(now)
        has_changed = [True] * len(now) if is_first else [a != b for a, b in zip(now, self._last, strict=True)]
        self._last = now
        wrong = [row for row, each in enumerate(answers) if not each.is_right]
        num_wrong = len(wrong)
        wrong = list({answers[row].source: row for row in reversed(wrong)}.values())[::-1]  # each source once
        changed = [row for row in wrong if has_changed[row]]
        chosen = spread(changed) if len(changed) >= NUM_SAMPLES else [*changed, *spread(wrong)]
        rows = sorted(list(dict.fromkeys(chosen))[:NUM_SAMPLES])
        return evaluation._replace(
            samples=tuple(sample_of(answers[row]) for row in rows),
            num_wrong=num_wrong,
            num_changed=None if is_first else sum(has_changed),
        )


def spread(rows: Sequence[int]) -> list[int]:
    """At most NUM_SAMPLES of the rows, evenly spaced, since files are often sorted."""
    count = min(NUM_SAMPLES, len(rows))
    return [rows[number * len(rows) // count] for number in range(count)]


def sample_of(answer: DevAnswer) -> Sample:
    """What is shown of an answer."""
    return Sample(answer.source, answer.prediction, answer.target)
