"""What a person may set of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Unit = Literal["characters", "graphemes", "words", "symbols", "bytes"]


@dataclass(frozen=True)
class TextOptions:
    """How text becomes tokens; what is None is chosen from the data."""

    source: Unit | None = None
    target: Unit | None = None
    normalization: Literal["NFC", "NFD", "NFKC", "none"] = "NFC"
    max_vocabulary: Annotated[int, Meta(ge=5)] = 16_000
    """Most tokens of a vocabulary, the four specials among them; the most frequent are kept."""
    min_count: Annotated[int, Meta(ge=1)] | None = None
    """How often a token must occur to be kept: 2 for words (so that unknown ones are learnt too), else 1."""
