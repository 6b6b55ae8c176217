"""Training watched: what goes wrong in the ways models usually go wrong, from the answers that dev got anyway.

Pure functions of texts and losses; the trainer asks them after each evaluation, and whoever listens says what was
found. The thresholds stand here, with what each is a share of; docs/watching.md has them in a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from seq2see.training.options import TrainingOptions

JUDGED_FROM = 1 / 3
"""Share of all updates before which answers are not judged: until then even good runs repeat themselves and copy."""
FEWEST = 20
"""Answers below which a share says nothing."""
SAME_ANSWER = 0.5
"""Share of the distinct sources that get one and the same answer."""
COPIED = 0.5
"""Share of the answers that are their source, among the pairs whose target is not."""
LOOPING = 0.1
"""Share of the answers that go round in circles until they are cut off."""
LONGEST_LOOP, ROUNDS = 4, 4
"""Tokens of a circle at most, and how often it is gone round at least."""
SHORTEST, LONGEST = 0.7, 1.4
"""Tokens of all answers for each token of all targets."""
UNKNOWN = 0.05
"""Share of dev's tokens that the vocabulary lacks."""
RISES = 3
"""Evaluations in a row each with a higher dev loss than the one before."""
PASSING = ("same_answer", "copies", "loops", "lengths")
"""What training often mends by itself: said only if two evaluations in a row find it, or the last one."""


class DevAnswer(NamedTuple):
    """One sentence of dev and the whole answer to it."""

    source: str
    prediction: str
    target: str
    """As the codec normalises it, so that it can be equal to the prediction."""
    tokens: tuple[str, ...]
    """Of the prediction, without EOS."""
    num_target_tokens: int
    """Without EOS."""
    finished: bool
    """False where the answer was cut off."""


class Point(NamedTuple):
    """An evaluation, for the course of training."""

    train_loss: float
    """Nats per token over the updates since the evaluation before."""
    dev_loss: float
    score: float
    """What decides which model is best; higher is better."""


class Warned(NamedTuple):
    """Something seems to go wrong."""

    update: int
    kind: str
    """`same_answer`, `copies`, `loops`, `lengths`, `unknown` or `rising`: said once a run each."""
    message: str
    """What was found, with its numbers."""
    advice: str
    """What to do about it."""


class Finding(NamedTuple):
    """What a check found: see `Warned`."""

    kind: str
    message: str
    advice: str


def is_time(options: TrainingOptions, update: int) -> bool:
    """Whether answers are judged: a third of all updates are done, and so is the warm-up."""
    assert options.max_updates
    return update >= max(JUDGED_FROM, options.warmup) * options.max_updates


def watch(tried: Sequence[DevAnswer], unknown: Mapping[str, float], course: Sequence[Point]) -> Iterator[Finding]:
    """All that is wrong with these answers, these shares of unknown tokens by side, and this course of evaluations."""
    found = (same_answer(tried), copies(tried), loops(tried), lengths(tried), unknown_tokens(unknown), rising(course))
    yield from (each for each in found if each)


def same_answer(tried: Sequence[DevAnswer]) -> Finding | None:
    """One answer to half of the distinct sources or more, at least twice as often as it is the right one."""
    of_source = {each.source: each for each in tried}
    if len(of_source) < FEWEST:
        return None
    answer, count = Counter(each.prediction for each in of_source.values()).most_common(1)[0]
    expected = sum(each.target == answer for each in of_source.values())
    if count < SAME_ANSWER * len(of_source) or count < 2 * expected:
        return None
    return Finding(
        "same_answer",
        f"{count:,} of {len(of_source):,} dev sources get the same answer, {quoted(answer)}: it hardly reads them",
        "lower the rate (--set training.rate=1e-3) or clip harder (training.clip=0.5); try --model attention or "
        "bidirectional, or longer training; see that the two sides belong together (seq2see check)",
    )


def copies(tried: Sequence[DevAnswer]) -> Finding | None:
    """Half of the answers or more are their source, where the target is not."""
    changing = [each for each in tried if each.source != each.target]
    count = sum(each.prediction == each.source for each in changing)
    if len(changing) < FEWEST or count < COPIED * len(changing):
        return None
    unchanging = len(tried) - len(changing)
    also = f" ({unchanging:,} others have a target that is their source)" if unchanging else ""
    return Finding(
        "copies",
        f"{count:,} of the {len(changing):,} dev sources that should be changed are answered by themselves{also}",
        "give it more pairs whose target differs from the source, or leave out those where it doesn't; train longer "
        "(training.max_updates)",
    )


def loops(tried: Sequence[DevAnswer]) -> Finding | None:
    """A tenth of the answers or more say the same few tokens over and over until they are cut off."""
    looping = [each for each in tried if not each.finished and loop_of(each.tokens)]
    if len(tried) < FEWEST or len(looping) < LOOPING * len(tried):
        return None
    example = quoted(" ".join(loop_of(looping[0].tokens)))
    return Finding(
        "loops",
        f"{len(looping):,} of {len(tried):,} dev answers repeat themselves until they are cut off, such as {example}",
        "train longer; use a model that looks at the source (--model attention, bidirectional); in seq2see predict, "
        "--no-repeat 3 forbids it",
    )


def loop_of(tokens: Sequence[str]) -> tuple[str, ...]:
    """The shortest run of at most LONGEST_LOOP tokens that the text ends with ROUNDS times; empty without one."""
    for size in range(1, LONGEST_LOOP + 1):
        end = tuple(tokens[-size * ROUNDS :])
        if len(end) == size * ROUNDS and end == end[:size] * ROUNDS:
            return end[:size]
    return ()


def lengths(tried: Sequence[DevAnswer]) -> Finding | None:
    """All answers together are much shorter or longer than all targets."""
    expected = sum(each.num_target_tokens for each in tried)
    if len(tried) < FEWEST or not expected:
        return None
    ratio = sum(len(each.tokens) for each in tried) / expected
    if SHORTEST <= ratio <= LONGEST:
        return None
    too = "short" if ratio < SHORTEST else "long"
    return Finding(
        "lengths",
        f"dev answers are too {too}: {ratio:.2f} tokens for each token of the targets",
        "train longer; look for targets cut off or joined (seq2see check: lengths); in seq2see predict, "
        + ("--min-ratio, or --beam 5 --length-penalty 1" if too == "short" else "--max-ratio"),
    )


def unknown_tokens(unknown: Mapping[str, float]) -> Finding | None:
    """A twentieth of a side's tokens or more are not in its vocabulary."""
    many = {side: share for side, share in unknown.items() if share >= UNKNOWN}
    if not many:
        return None
    said = " and ".join(f"{100 * share:.1f} % of dev's {side} tokens" for side, share in many.items())
    return Finding(
        "unknown",
        f"{said} are not in the vocabulary: such a token is read as unknown, and can't be answered",
        f"use smaller units ({' '.join(f'text.{side}=bpe' for side in many)}, or characters), or less text.min_count",
    )


def rising(course: Sequence[Point]) -> Finding | None:
    """Dev loss rose at each of the last evaluations while training loss fell and the score got no better."""
    last = course[-RISES - 1 :]
    if len(last) <= RISES or any(later.dev_loss <= sooner.dev_loss for sooner, later in pairwise(last)):
        return None
    first, end = last[0], last[-1]
    if end.train_loss >= first.train_loss or end.score > first.score or end.score == 1:
        return None
    return Finding(
        "rising",
        f"dev loss rose {RISES} times in a row, {first.dev_loss:.4f} to {end.dev_loss:.4f}, while training loss fell, "
        f"{first.train_loss:.4f} to {end.train_loss:.4f}: it learns the pairs by heart",
        "more pairs, more dropout (model.dropout=0.5), a smaller model (model.width=128), or stop earlier "
        "(training.patience=3); the best model is kept in any case",
    )


def quoted(text: str, most: int = 60) -> str:
    """A text as one can see where it begins and ends."""
    if not text:
        return "the empty text"
    return f"“{text if len(text) <= most else text[: most - 1] + '…'}”"
