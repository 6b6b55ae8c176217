"""The user's options of an evaluation: types, ranges, defaults and help, for the command and the Python API alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict

from msgspec import Meta

from seq2see.data.options import Decision
from seq2see.errors import ConfigError
from seq2see.evaluation.items import LENGTH
from seq2see.evaluation.seen import SEEN
from seq2see.inference.checking import with_known_names
from seq2see.inference.options import BatchOptions, Beam, GenerationOptions, Penalty, Risk

MIN_SAMPLES = 100
"""With fewer, the ends of an interval depend on one or two samples."""
MOST_SAMPLES = 100_000
"""More change no digit that is printed."""


@with_known_names
@dataclass(frozen=True)
class EvaluationOptions(BatchOptions):
    """The options of `evaluate`, on the command line and in Python. ConfigError for a wrong type, or out of range."""

    metrics: tuple[str, ...] | None = None
    """Names of metrics, separated by commas; by default those that suit the unit of the targets."""
    by: str | None = None
    """A label column of the test file to score separately: its number, name or JSON key; or length: score
    separately by the length of the source; or seen: by what was seen in training of a source: its first field (a
    lemma), the others (tags), both, or neither. A column of one of these names goes by its number."""
    group: bool = True
    """Pairs with the same source are one item with several references."""
    beam: Beam = 1
    """Hypotheses kept per text; 1 is greedy search."""
    length_penalty: Penalty | None = None
    """With a beam: as of `predict`; by default what training chose on dev."""
    mbr: Risk | None = None
    """The answer most like all others of the beam by this metric (minimum Bayes risk), as of `predict`."""
    samples: Annotated[int, Meta(ge=MIN_SAMPLES, le=MOST_SAMPLES)] = 1000
    """Bootstrap samples for intervals and p-values."""
    seed: Annotated[int, Meta(ge=0)] = 0
    """Seed of the bootstrap."""

    @property
    def label(self) -> str | None:
        """The column to read from the test file."""
        return None if self.by in (LENGTH, SEEN) else self.by

    def __post_init__(self) -> None:
        super().__post_init__()
        require_consistent_search(self)
        if self.metrics is not None:
            names = (name.strip() for each in self.metrics for name in each.split(","))
            object.__setattr__(self, "metrics", tuple(filter(None, names)))


def require_consistent_search(options: EvaluationOptions) -> None:
    """ConfigError for options of the search that conflict."""
    if options.mbr and options.beam == 1:
        raise ConfigError("needs several answers to compare", where="mbr", fix="add --beam 10 (beam=10)")
    GenerationOptions(beam=options.beam, length_penalty=options.length_penalty, mbr=options.mbr)


class EvaluationArguments(TypedDict, total=False):
    """The fields of `EvaluationOptions` and `TableOptions` as keyword arguments of `evaluate` and `compare`."""

    batch_size: int
    max_input_length: int | None
    strict: bool
    metrics: Sequence[str] | None
    by: str | None
    group: bool
    beam: int
    length_penalty: float | None
    mbr: Risk | None
    samples: int
    seed: int
    source: str | Sequence[str]
    target: str | None
    names: str | Sequence[str]
    delimiter: str | None
    header: Decision
    quotes: Decision
    comment: str | None
    encoding: str | None
