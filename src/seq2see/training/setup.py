"""What is being trained and how, as far as advice depends on it: advice never recommends what is already so.

Each method returns a suggestion, or an empty string where it doesn't apply to this model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_DROPOUT, MIN_WIDTH, MIN_CLIP = 0.6, 64, 0.1
"""No suggestion goes beyond these."""
MAX_LAYERS = 6
SHORT = 0.5
"""Training was short if it had less than this share of the default number of updates."""
SMALLER_UNITS = {
    "words": "bpe",
    "bpe": "bytes",
    "unigram": "bytes",
    "characters": "bytes",
    "decomposed": "bytes",
    "graphemes": "characters",
}
"""For each unit one with fewer unknown tokens; symbols have no spelling, and bytes are never unknown."""


class Unit(NamedTuple):
    """How the texts of a side are split."""

    name: str
    """Of the tokenizer."""
    min_count: int = 1
    is_full: bool = False
    """Whether the vocabulary has reached text.max_vocabulary."""


@dataclass(frozen=True)
class Setup:
    """The model, the options of training, and the units of the texts."""

    name: str = "bidirectional"
    """Of the architecture."""
    has_source: bool = True
    has_attention: bool = True
    reads_both_ways: bool = True
    """Whether the encoder sees what follows a token as well as what precedes it."""
    is_fixed: bool = False
    """Whether a pretrained model decides the architecture, its sizes and the units."""
    width: int = 256
    width_step: int = 2
    """The width must be a multiple of it."""
    layers: int | None = 1
    dropout: float = 0.3
    rate: float = 4e-3
    clip: float = 1.0
    patience: int | None = None
    max_updates: int = 0
    usual_updates: int = 0
    """The default number of updates for this many pairs; 0 if unknown."""
    units: Mapping[str, Unit] = field(default_factory=dict)
    """By side."""
    is_joint: bool = False
    """Whether both sides share one vocabulary."""

    @property
    def is_short(self) -> bool:
        """Whether the run has much fewer updates than by default."""
        return self.max_updates < SHORT * self.usual_updates

    def better_reading(self) -> str:
        """A model that sees more of the source."""
        if self.is_fixed or not self.has_source or (self.has_attention and self.reads_both_ways):
            return ""
        if not self.has_attention:
            return "use a model with attention (--model bidirectional)"
        return "use an encoder that reads in both directions (--model bidirectional)"

    def longer(self) -> str:
        """More updates."""
        updates = max(2 * self.max_updates, self.usual_updates if self.is_short else 0)
        return f"train longer (--set training.max_updates={updates})" if updates else "train longer"

    def slower(self) -> str:
        """A lower learning rate."""
        return f"lower the learning rate (--set training.rate={self.rate / 4:g})"

    def harder_clipping(self) -> str:
        """A lower limit on the gradient's norm."""
        return f"clip the gradient (--set training.clip={self.clip / 2:g})" if self.clip > MIN_CLIP else ""

    def more_dropout(self) -> str:
        """A higher dropout rate."""
        if self.dropout >= MAX_DROPOUT:
            return ""
        return f"more dropout (--set model.dropout={min(MAX_DROPOUT, self.dropout + 0.2):.1f}, it is {self.dropout:g})"

    def less_dropout(self) -> str:
        """A lower dropout rate."""
        return f"less dropout (--set model.dropout={self.dropout / 2:.2g}, it is {self.dropout:g})" * bool(self.dropout)

    def smaller(self) -> str:
        """A narrower model."""
        width = self.width // 2 // self.width_step * self.width_step
        return "" if self.is_fixed or width < MIN_WIDTH else f"a smaller model (--set model.width={width})"

    def larger(self) -> str:
        """A wider or deeper model."""
        if self.is_fixed:
            return "a larger model, trained without --from"
        deeper = f" or model.layers={self.layers + 1}" if self.layers and self.layers < MAX_LAYERS else ""
        return f"a larger model (--set model.width={2 * self.width}{deeper})"

    def earlier_end(self) -> str:
        """Early stopping."""
        return "" if self.patience else "stop early (--set training.patience=3)"

    def other_models(self) -> str:
        """Architectures to compare with."""
        others = [name for name in ("stacked", "transformer") if name != self.name]
        return "" if self.is_fixed or not self.has_source else f"try --model {' or '.join(others)}"

    def known_tokens(self, sides: Iterable[str]) -> str:
        """Fewer unknown tokens on these sides."""
        asked = list(self.units) if self.is_joint else [side for side in sides if side in self.units]
        own = {side: self.units[side] for side in asked}
        smaller = {side: SMALLER_UNITS[unit.name] for side, unit in own.items() if unit.name in SMALLER_UNITS}
        units = " ".join(f"text.{side}={name}" for side, name in smaller.items())
        return in_words(
            "add training pairs with them",
            f"use smaller units (--set {units})" if smaller and not self.is_fixed else "",
            "lower text.min_count" if any(unit.min_count > 1 for unit in own.values()) else "",
            "raise text.max_vocabulary" if any(unit.is_full for unit in own.values()) else "",
        )


def in_words(*suggestions: str) -> str:
    """Those suggestions that apply, as a list: "a, b, or c"."""
    *others, last = [each for each in suggestions if each] or [""]
    return f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}" if others else last
