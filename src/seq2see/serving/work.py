"""What a service computes: answers to texts, and scores of pairs. Sent to a worker with the items it is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from seq2see.inference.apart import PairRead, answers_to, as_searched, scores_of
from seq2see.inference.asking import Asked
from seq2see.inference.options import GenerationOptions
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import PairScore, Prediction
from seq2see.inference.watching import Watch
from seq2see.serving.snapshots import Snapshot


class Work(Protocol):
    """What is computed of items; equal for items that may be computed together."""

    @property
    def model(self) -> Snapshot:
        """What computes it."""
        ...

    def __hash__(self) -> int: ...

    def run(self, model: Predictor, items: Sequence[Any], watch: Watch) -> Iterator[list[tuple[int, Any]]]:
        """Results as they are found, each with the number of its item."""
        ...

    def cost(self, item: Any) -> int:
        """In tokens times hypotheses."""
        ...


@dataclass(frozen=True)
class Answering:
    """Answers to texts by one search."""

    model: Snapshot
    options: GenerationOptions
    """As a search sees them: see `as_searched`."""
    with_attention: bool

    @classmethod
    def of(cls, model: Snapshot, options: GenerationOptions, *, with_attention: bool) -> Answering:
        """With what of the options is not part of each question."""
        return cls(model, as_searched(options), with_attention)

    def run(self, model: Predictor, items: Sequence[Asked], watch: Watch) -> Iterator[list[tuple[int, Prediction]]]:
        """The answers of each batch, with the numbers of their questions."""
        return answers_to(model, items, self.options, with_attention=self.with_attention, watch=watch)

    def cost(self, item: Asked) -> int:
        """Tokens that are read, times hypotheses."""
        examples = item.read.examples
        tokens = int(examples.source_lengths.sum() + examples.target_lengths.sum())
        return max(1, tokens) * max(self.options.beam, self.options.num_candidates)


@dataclass(frozen=True)
class Scoring:
    """Scores of pairs."""

    model: Snapshot

    def run(self, model: Predictor, items: Sequence[PairRead], watch: Watch) -> Iterator[list[tuple[int, PairScore]]]:
        """The scores of all pairs; what is given up is computed to the end, which takes no longer than one answer."""
        yield list(enumerate(scores_of(model, items)))

    def cost(self, item: PairRead) -> int:
        """Tokens of both sides."""
        examples = item.read.examples
        return max(1, int(examples.source_lengths.sum() + examples.target_lengths.sum()))
