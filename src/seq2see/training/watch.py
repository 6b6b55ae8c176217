"""Diagnostics during training: checks the dev answers and losses for the ways in which models usually fail.

Pure functions of texts and losses; the trainer calls them after each evaluation. docs/watching.md lists the thresholds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from seq2see.training.options import TrainingOptions
from seq2see.training.setup import Setup, in_words

DIAGNOSED_FROM = 1 / 3
"""Share of all updates before which nothing is diagnosed: until then even good runs repeat and copy."""
MIN_ANSWERS = 20
"""Minimum number of answers for a share to be meaningful."""
SAME_ANSWER = 0.5
"""Share of the distinct sources with the same answer."""
COPIED = 0.5
"""Share of the answers equal to their source, among pairs with different source and target."""
LOOPING = 0.1
"""Share of the answers that repeat themselves until they are cut off."""
MAX_LOOP_TOKENS, MIN_LOOP_REPEATS = 4, 4
"""Maximum length of a loop in tokens, and minimum number of repeats."""
MIN_LENGTH_RATIO, MAX_LENGTH_RATIO = 0.7, 1.4
"""Tokens of all answers divided by tokens of all targets."""
MAX_UNKNOWN = 0.05
"""Share of the dev tokens that are not in the vocabulary."""
FALLING = 0.03
"""Relative fall of the dev loss over the last evaluations from which on training has not settled."""
NUM_RISES = 3
"""Consecutive evaluations with rising dev loss."""
TRANSIENT = ("same_answer", "copies", "loops", "lengths")
"""Problems that often resolve themselves: reported only if found twice in a row, or by the last evaluation."""

UNKNOWN_SETUP = Setup()
"""That of the default model."""


class DevAnswer(NamedTuple):
    """The model's answer to a source of dev."""

    source: str
    prediction: str
    target: str
    """The target that the prediction equals, or the first one of this source. Normalized by the codec, as those are."""
    tokens: tuple[str, ...]
    """Tokens of the prediction, without EOS."""
    num_target_tokens: int
    """Without EOS."""
    finished: bool
    """False if the answer was cut off."""
    targets: tuple[str, ...] = ()
    """All targets of this source."""

    @property
    def is_right(self) -> bool:
        """Whether the prediction is one of the targets."""
        return self.prediction == self.target


class EvaluationRecord(NamedTuple):
    """One evaluation, as the checks see it."""

    train_loss: float
    """Nats per token over the updates since the last evaluation."""
    dev_loss: float
    score: float
    """The metric that selects the best model; higher is better."""


class WarningIssued(NamedTuple):
    """A problem was found."""

    update: int
    kind: str
    """`same_answer`, `copies`, `loops`, `lengths`, `unknown` or `rising`; each is reported once per run."""
    message: str
    """What was found, with its numbers."""
    advice: str
    """What to do about it."""


class Diagnosis(NamedTuple):
    """The result of a check: see `WarningIssued`."""

    kind: str
    message: str
    advice: str


def should_diagnose(options: TrainingOptions, update: int) -> bool:
    """Whether answers are diagnosed: after a third of all updates and the warm-up."""
    assert options.max_updates
    return update >= max(DIAGNOSED_FROM, options.warmup) * options.max_updates


def diagnose(
    answers: Sequence[DevAnswer],
    unknown: Mapping[str, float],
    course: Sequence[EvaluationRecord],
    setup: Setup = UNKNOWN_SETUP,
) -> Iterator[Diagnosis]:
    """All problems in these answers, these shares of unknown tokens by side, and this course of evaluations.

    The advice depends on the setup, and on whether training has settled.
    """
    longer = more_updates(course, setup)
    found = (
        same_answer(answers, setup, longer),
        copies(answers, longer),
        loops(answers, setup, longer),
        lengths(answers, longer),
        unknown_tokens(unknown, setup),
        rising(course, setup),
    )
    yield from (each for each in found if each)


def more_updates(course: Sequence[EvaluationRecord], setup: Setup) -> str:
    """The suggestion to train longer, unless the dev loss has stopped falling in a run of the usual length."""
    has_settled = len(course) > 1 and course[-1].dev_loss > course[0].dev_loss * (1 - FALLING)
    return "" if has_settled and not setup.is_short else setup.longer()


def same_answer(answers: Sequence[DevAnswer], setup: Setup = UNKNOWN_SETUP, longer: str = "") -> Diagnosis | None:
    """At least half of the distinct sources get the same answer, at least twice as often as it is correct."""
    of_source = {each.source: each for each in answers}
    if len(of_source) < MIN_ANSWERS:
        return None
    answer, count = Counter(each.prediction for each in of_source.values()).most_common(1)[0]
    expected = sum(each.target == answer for each in of_source.values())
    if count < SAME_ANSWER * len(of_source) or count < 2 * expected:
        return None
    return Diagnosis(
        "same_answer",
        f"{count:,} of {len(of_source):,} dev sources get the same answer, {quoted(answer)}: the model hardly uses its "
        "sources",
        f"{in_words(setup.better_reading(), setup.slower(), setup.harder_clipping(), longer)}; check that the two "
        "sides belong together (seq2see check)",
    )


def copies(answers: Sequence[DevAnswer], longer: str = "") -> Diagnosis | None:
    """At least half of the answers are their source although the target differs."""
    changing = [each for each in answers if each.source != each.target]
    count = sum(each.prediction == each.source for each in changing)
    if len(changing) < MIN_ANSWERS or count < COPIED * len(changing):
        return None
    unchanging = len(answers) - len(changing)
    also = f" ({unchanging:,} others have a target equal to their source)" if unchanging else ""
    return Diagnosis(
        "copies",
        f"{count:,} of the {len(changing):,} dev sources that should change are copied unchanged{also}",
        in_words("add pairs whose target differs from the source", "remove those whose target doesn't", longer),
    )


def loops(answers: Sequence[DevAnswer], setup: Setup = UNKNOWN_SETUP, longer: str = "") -> Diagnosis | None:
    """At least a tenth of the answers repeat the same few tokens until they are cut off."""
    looping = [each for each in answers if not each.finished and loop_of(each.tokens)]
    if len(answers) < MIN_ANSWERS or len(looping) < LOOPING * len(answers):
        return None
    example = quoted(" ".join(loop_of(looping[0].tokens)))
    return Diagnosis(
        "loops",
        f"{len(looping):,} of {len(answers):,} dev answers repeat themselves until they are cut off, such as {example}",
        in_words(longer, setup.better_reading(), "forbid it in seq2see predict (--no-repeat 3)"),
    )


def loop_of(tokens: Sequence[str]) -> tuple[str, ...]:
    """The shortest loop, of at most MAX_LOOP_TOKENS tokens, at the end of the text, or an empty tuple."""
    for size in range(1, MAX_LOOP_TOKENS + 1):
        end = tuple(tokens[-size * MIN_LOOP_REPEATS :])
        if len(end) == size * MIN_LOOP_REPEATS and end == end[:size] * MIN_LOOP_REPEATS:
            return end[:size]
    return ()


def lengths(answers: Sequence[DevAnswer], longer: str = "") -> Diagnosis | None:
    """All answers together are much shorter or longer than all targets."""
    expected = sum(each.num_target_tokens for each in answers)
    if len(answers) < MIN_ANSWERS or not expected:
        return None
    ratio = sum(len(each.tokens) for each in answers) / expected
    if MIN_LENGTH_RATIO <= ratio <= MAX_LENGTH_RATIO:
        return None
    is_short = ratio < MIN_LENGTH_RATIO
    limits = "a --min-ratio, or --beam 5 --length-penalty 1" if is_short else "a --max-ratio"
    return Diagnosis(
        "lengths",
        f"dev answers are too {'short' if is_short else 'long'}: {ratio:.2f} tokens for each token of the targets",
        in_words(
            longer,
            "check for truncated or joined targets (seq2see check: lengths)",
            f"in seq2see predict, {limits}",
        ),
    )


def unknown_tokens(unknown: Mapping[str, float], setup: Setup = UNKNOWN_SETUP) -> Diagnosis | None:
    """At least a twentieth of a side's tokens are not in its vocabulary."""
    many = {side: share for side, share in unknown.items() if share >= MAX_UNKNOWN}
    if not many:
        return None
    shares = " and ".join(f"{100 * share:.1f} % of dev's {side} tokens" for side, share in many.items())
    return Diagnosis(
        "unknown",
        f"{shares} are not in the vocabulary: they are read as unknown, and never generated",
        setup.known_tokens(many),
    )


def rising(course: Sequence[EvaluationRecord], setup: Setup = UNKNOWN_SETUP) -> Diagnosis | None:
    """Dev loss rose at each of the last evaluations while training loss fell and the metric did not improve."""
    last = course[-NUM_RISES - 1 :]
    if len(last) <= NUM_RISES or any(later.dev_loss <= sooner.dev_loss for sooner, later in pairwise(last)):
        return None
    first, end = last[0], last[-1]
    if end.train_loss >= first.train_loss or end.score > first.score or end.score == 1:
        return None
    return Diagnosis(
        "rising",
        f"dev loss rose {NUM_RISES} times in a row, {first.dev_loss:.4f} to {end.dev_loss:.4f}, while training loss "
        f"fell, {first.train_loss:.4f} to {end.train_loss:.4f}: it is overfitting",
        in_words("more pairs", setup.more_dropout(), setup.smaller(), setup.earlier_end())
        + "; the best model is kept in any case",
    )


def quoted(text: str, max_length: int = 60) -> str:
    """The text in quotation marks, cut to `max_length` characters."""
    if not text:
        return "the empty text"
    return f"“{text if len(text) <= max_length else text[: max_length - 1] + '…'}”"
