"""What to try next: rules over the history and scores of a run, each stating its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from seq2see.console import counted
from seq2see.curves.history import LoggedWarning, Point
from seq2see.evaluation import SliceScores
from seq2see.metrics import Scale
from seq2see.training.events import INTERRUPTED
from seq2see.training.setup import Setup, in_words

STILL_FALLING, FEW_EVALUATIONS = 0.03, 4
"""The relative fall of the dev loss over the last quarter of training from which longer training is advised; over the
last half with fewer evaluations."""
ALL_DONE = "all updates done"
GAP, GAP_NATS = 1.5, 0.05
"""Overfitting: the ratio of the loss on new pairs to that on training pairs, and their difference, at least."""
ALIKE = 1.15
"""Up to this ratio the two losses count as equal."""
LEARNED = 0.2
"""Below this loss in nats the training pairs count as learned."""
FEW_ITEMS = 200
"""With fewer items, intervals are wide."""
UNKNOWN = 0.01
"""Share of items with unknown symbols from which it is reported."""


class Advice(NamedTuple):
    """A suggestion and its reason."""

    title: str
    evidence: str
    what: str


@dataclass(frozen=True)
class Evidence:
    """The input of the rules. Shares are 0..1, losses nats per target token."""

    dev_loss: Sequence[Point] = ()
    end: str | None = None
    """Why training ended; None if the log has no end."""
    setup: Setup = field(default_factory=Setup)
    """What was trained, and how."""
    beam: int = 1
    """Of the evaluation."""
    train_loss: float | None = None
    """On a sample of the training pairs, without label smoothing and dropout; None if they can't be read."""
    loss: float = 0.0
    """On the items."""
    count: int = 1
    """Items."""
    num_known: int | None = None
    """Items whose source is in the training data; None if unknown."""
    unknown: Sequence[str] = ()
    """Symbols in the sources that the vocabulary lacks, most frequent first."""
    num_unknown: int = 0
    """Items with unknown symbols."""
    scale: Scale | None = None
    """Of the first metric; None for a language model."""
    by_length: Sequence[SliceScores] = ()
    """From short to long sources."""
    warnings: Sequence[LoggedWarning] = ()


def advise(evidence: Evidence) -> list[Advice]:
    """The advice that applies, most urgent first."""
    rules: tuple[Callable[[Evidence], Advice | None], ...] = (
        unfinished, leaked, unknown_symbols, still_falling, short_training, overfitting, underfitting, long_sources,
        few_items,
    )  # fmt: skip
    found = [advice for rule in rules if (advice := rule(evidence))]
    return [*found, *from_warnings(evidence)]


def unfinished(e: Evidence) -> Advice | None:
    """Training was interrupted, or is still running."""
    if e.end not in (None, INTERRUPTED):
        return None
    return Advice(
        "Finish training",
        "The log has no end of training." if e.end is None else "Training was interrupted.",
        "Run the same command with --resume.",
    )


def leaked(e: Evidence) -> Advice | None:
    """Items are in the training data."""
    if not e.num_known:
        return None
    return Advice(
        "Test on new sources",
        f"{e.num_known:,} of {e.count:,} sources are in the training data, so the scores are too optimistic.",
        "Use the scores of the slice “new”; keep each source in one set (seq2see check train.tsv --test test.tsv).",
    )


def unknown_symbols(e: Evidence) -> Advice | None:
    """Sources have symbols that are not in the training data."""
    if e.num_unknown < max(1.0, UNKNOWN * e.count):
        return None
    symbols = " ".join(e.unknown[:10])
    return Advice(
        "Cover the unknown symbols",
        f"{e.num_unknown:,} of {e.count:,} sources have symbols that are not in the training data: {symbols}",
        f"Normalize the spelling of both sets, or {e.setup.known_tokens(['source'])}.",
    )


def still_falling(e: Evidence) -> Advice | None:
    """The dev loss was still falling at the last update, or was not low after few updates."""
    if e.end != ALL_DONE or len(e.dev_loss) < 2:
        return None
    last = e.dev_loss[-1]
    share = 0.75 if len(e.dev_loss) >= FEW_EVALUATIONS else 0.5
    before = [point for point in e.dev_loss if point.update <= share * last.update] or e.dev_loss[:1]
    least = min(point.value for point in e.dev_loss)
    has_fallen = last.value <= least * 1.005 and last.value <= before[-1].value * (1 - STILL_FALLING)
    if not has_fallen:
        return None
    return Advice(
        "Train longer",
        f"The dev loss was still falling at the end: {before[-1].value:.4f} at update {before[-1].update:,}, "
        f"{last.value:.4f} at update {last.update:,}.",
        f"{sentence(e.setup.longer())}.",
    )


def short_training(e: Evidence) -> Advice | None:
    """The run had much fewer updates than by default, and the model has not learned its training pairs."""
    if e.end != ALL_DONE or not e.setup.is_short or still_falling(e):
        return None
    if e.train_loss is not None and e.train_loss < LEARNED:
        return None
    usual = f"{e.setup.usual_updates:,} are the default for this many pairs"
    return Advice(
        "Train longer",
        f"The run had {counted(e.setup.max_updates, 'update')}; {usual}.",
        f"{sentence(e.setup.longer())}.",
    )


def has_settled(e: Evidence) -> bool:
    """Whether more updates of the same training would hardly change the model, as far as the dev loss tells."""
    if e.end in (None, INTERRUPTED):
        return False
    if e.end != ALL_DONE:
        return True  # stopped early, since nothing improved
    return len(e.dev_loss) >= FEW_EVALUATIONS and not still_falling(e) and not e.setup.is_short


def overfitting(e: Evidence) -> Advice | None:
    """The loss on training pairs is much lower than on new ones."""
    if e.train_loss is None or e.num_known == e.count:
        return None
    if e.loss < GAP * e.train_loss or e.loss - e.train_loss < GAP_NATS:
        return None
    others = in_words(e.setup.more_dropout(), e.setup.smaller())
    return Advice(
        "More pairs, or more dropout" if e.setup.more_dropout() else "More pairs",
        f"Overfitting: the loss is {e.train_loss:.4f} on training pairs and {e.loss:.4f} here.",
        f"More pairs help most; otherwise try {others}." if others else "More pairs help most.",
    )


def underfitting(e: Evidence) -> Advice | None:
    """The loss on training pairs is no lower than on new ones, and training has settled."""
    if e.train_loss is None or e.train_loss < LEARNED or e.loss > ALIKE * e.train_loss or not has_settled(e):
        return None
    return Advice(
        "A larger model",
        f"Underfitting: the loss is {e.train_loss:.4f} on training pairs and {e.loss:.4f} here, about the same.",
        f"Try {in_words(e.setup.larger(), e.setup.less_dropout())}; check the pairs (seq2see check).",
    )


def long_sources(e: Evidence) -> Advice | None:
    """The longest sources score worse than the shortest, and the intervals don't overlap."""
    if e.scale is None or len(e.by_length) < 2:
        return None
    name, (short, *_, long) = e.scale.name, e.by_length
    one, other = short.scores[name].interval, long.scores[name].interval
    is_worse = other.high < one.low if e.scale.higher_is_better else other.low > one.high
    if not is_worse:
        return None
    beam = "--beam 5 when predicting" if e.beam == 1 else ""
    what = e.setup.better_reading() or in_words("add long pairs", e.setup.other_models(), beam)
    return Advice(
        "Long sources",
        f"{e.scale.title} is worse on {long.name} than on {short.name}, and their intervals don't overlap.",
        f"{sentence(what)}.",
    )


def few_items(e: Evidence) -> Advice | None:
    """There are too few items for narrow intervals."""
    if e.count >= FEW_ITEMS:
        return None
    return Advice(
        "Test on more pairs",
        f"With {counted(e.count, 'item')} the intervals are wide.",
        f"It takes at least {FEW_ITEMS} items to distinguish runs that differ by a few points.",
    )


def from_warnings(e: Evidence) -> Iterator[Advice]:
    """The warnings given during training."""
    for each in e.warnings:
        evidence = f"At update {each.update:,}: {each.message}."
        yield Advice(f"Training warning: {each.kind.replace('_', ' ')}", evidence, each.advice)


def sentence(suggestion: str) -> str:
    """The suggestion with a capital."""
    return suggestion[:1].upper() + suggestion[1:]
