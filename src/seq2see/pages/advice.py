"""What to try next: rules over what a run and its scores show, each said with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seq2see.curves.history import Alarm, Point
from seq2see.evaluation import Slice
from seq2see.metrics import Scale
from seq2see.training.events import INTERRUPTED

STILL_FALLING = 0.03
"""By what share dev loss has to fall over the last quarter of training to be worth more of it."""
GAP, GAP_NATS = 1.5, 0.05
"""Loss of new pairs over that of training pairs, and nats between them, from which it counts as learnt by heart."""
ALIKE = 1.15
"""Up to this the two losses count as alike."""
FEW_ITEMS = 200
"""Below this the interval around a score is wide."""
UNSEEN = 0.01
"""Share of the items with a symbol that training never had."""


class Advice(NamedTuple):
    """Something to try, and why."""

    title: str
    evidence: str
    what: str


@dataclass(frozen=True)
class Evidence:
    """What the rules look at. Shares are 0..1, losses nats per target token."""

    dev_loss: Sequence[Point] = ()
    end: str | None = None
    """Why training ended; None where the log doesn't say."""
    max_updates: int = 0
    width: int = 0
    dropout: float = 0.0
    has_attention: bool = True
    """Whether the model has attention."""
    direction: str = "both"
    """How its encoder reads."""
    train_loss: float | None = None
    """Of pairs that were trained on, scored like the items; None where they can't be read."""
    loss: float = 0.0
    """Of the items."""
    count: int = 1
    """Items."""
    num_known: int | None = None
    """Items whose source is in the training data."""
    unseen: Sequence[str] = ()
    """Symbols of the items' sources that the vocabulary lacks, the most frequent first."""
    num_unseen: int = 0
    """Items with such a symbol."""
    scale: Scale | None = None
    """Of the first metric; None for a language model."""
    by_length: Sequence[Slice] = ()
    """From short to long sources."""
    alarms: Sequence[Alarm] = ()


def advise(evidence: Evidence) -> list[Advice]:
    """What applies, in the order of what to do first."""
    rules: tuple[Callable[[Evidence], Advice | None], ...] = (
        unfinished, leaked, unseen_symbols, still_falling, by_heart, too_small, long_sources, few_items
    )  # fmt: skip
    found = [advice for rule in rules if (advice := rule(evidence))]
    return [*found, *alarmed(evidence)]


def unfinished(e: Evidence) -> Advice | None:
    """Training was stopped, or is still going on."""
    if e.end not in (None, INTERRUPTED):
        return None
    return Advice(
        "Let it finish",
        "The log has no end of training." if e.end is None else "Training was interrupted.",
        "Give the same command with --resume.",
    )


def leaked(e: Evidence) -> Advice | None:
    """Items that were trained on."""
    if not e.num_known:
        return None
    return Advice(
        "Test on new sources",
        f"{e.num_known:,} of {e.count:,} sources are in the training data, so the scores are too good.",
        "Trust the part “new” alone; keep all pairs of a source in one set (seq2see check train.tsv --test test.tsv).",
    )


def unseen_symbols(e: Evidence) -> Advice | None:
    """Sources with symbols that training never had."""
    if e.num_unseen < max(1.0, UNSEEN * e.count):
        return None
    shown = " ".join(e.unseen[:10])
    return Advice(
        "Show it the symbols it doesn't know",
        f"{e.num_unseen:,} of {e.count:,} sources have symbols that training never had: {shown}",
        "Add training pairs with them, bring both sets to one spelling, or choose smaller units (text.source).",
    )


def still_falling(e: Evidence) -> Advice | None:
    """Dev loss was still going down when the updates were used up."""
    if len(e.dev_loss) < 4 or e.end != "all updates done":
        return None
    last = e.dev_loss[-1]
    before = [point for point in e.dev_loss if point.update <= 0.75 * last.update]
    least = min(point.value for point in e.dev_loss)
    if not before or last.value > least * 1.005 or last.value > before[-1].value * (1 - STILL_FALLING):
        return None
    return Advice(
        "Train longer",
        f"Dev loss was still falling at the end: {before[-1].value:.4f} at update {before[-1].update:,}, "
        f"{last.value:.4f} at update {last.update:,}.",
        f"Give it more updates: --set training.max_updates={2 * e.max_updates or 2 * last.update}",
    )


def by_heart(e: Evidence) -> Advice | None:
    """Pairs that were trained on are much easier for it than new ones."""
    if e.train_loss is None or e.num_known == e.count:
        return None
    if e.loss < GAP * e.train_loss or e.loss - e.train_loss < GAP_NATS:
        return None
    dropout = f"model.dropout={min(0.6, e.dropout + 0.2):.1f} (it was {e.dropout:g}), " if e.dropout < 0.6 else ""
    return Advice(
        "More pairs, or more dropout",
        f"The loss is {e.train_loss:.4f} on training pairs and {e.loss:.4f} here: it knows much by heart.",
        f"More pairs help most; else --set {dropout}a smaller model.width, or fewer updates.",
    )


def too_small(e: Evidence) -> Advice | None:
    """It does no better on what it was trained on, and has stopped learning."""
    if e.train_loss is None or e.train_loss < 0.2 or e.loss > ALIKE * e.train_loss or still_falling(e):
        return None
    return Advice(
        "A larger model",
        f"The loss is {e.train_loss:.4f} on training pairs and {e.loss:.4f} here: new pairs are no harder, "
        "so it has not learnt all that these pairs can teach.",
        f"Try --set model.width={2 * e.width}, or model.layers=2; less dropout; check the pairs (seq2see check).",
    )


def long_sources(e: Evidence) -> Advice | None:
    """The longest sources are answered worse than the shortest, beyond chance."""
    if e.scale is None or len(e.by_length) < 2:
        return None
    name, (short, *_, long) = e.scale.name, e.by_length
    one, other = short.figures[name].interval, long.figures[name].interval
    is_worse = other.high < one.low if e.scale.higher_is_better else other.low > one.high
    if not is_worse:
        return None
    if not e.has_attention:
        what = "Use a model that looks at the source: --model attention, or bidirectional."
    elif e.direction == "forward":
        what = "Read the source both ways: --model bidirectional."
    else:
        what = "Add long pairs; try --model stacked or transformer, and --beam 5 when predicting."
    return Advice(
        "Long sources",
        f"{e.scale.title} is worse on {long.name} than on {short.name}, and their intervals don't touch.",
        what,
    )


def few_items(e: Evidence) -> Advice | None:
    """Too few items for a narrow interval."""
    if e.count >= FEW_ITEMS:
        return None
    return Advice(
        "Test on more pairs",
        f"With {e.count:,} items the intervals are wide.",
        f"{FEW_ITEMS} items or more tell two runs apart that differ by a few points.",
    )


def alarmed(e: Evidence) -> Iterator[Advice]:
    """What was said while it was trained."""
    for alarm in e.alarms:
        evidence = f"At update {alarm.update:,}: {alarm.message}."
        yield Advice(f"Warning in training: {alarm.kind.replace('_', ' ')}", evidence, alarm.advice)
