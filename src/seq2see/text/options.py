"""What a person may set of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Unit = Literal["characters", "graphemes", "bpe", "unigram", "words", "symbols", "bytes"]


@dataclass(frozen=True)
class TextOptions:
    """How text becomes tokens; what is None is chosen from the data."""

    source: Unit | None = None
    target: Unit | None = None
    normalization: Literal["NFC", "NFD", "NFKC", "none"] = "NFC"
    joint: bool = False
    """One vocabulary for both sides, made of the texts of both; they have the same unit."""
    max_vocabulary: Annotated[int, Meta(ge=5)] = 16_000
    """Most tokens of a vocabulary, the four specials among them; the most frequent are kept."""
    min_count: Annotated[int, Meta(ge=1)] | None = None
    """How often a token must occur to be kept: 2 for words (so that unknown ones are learnt too), else 1. Of subwords,
    how often two neighbours must occur to be made one: 10, or 2 where subword_size is given."""
    subword_size: Annotated[int, Meta(ge=5)] | None = None
    """Most tokens of a vocabulary of subwords, all characters among them; without it min_count decides."""
    bpe_dropout: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Share of BPE's merges that are skipped at random while training: each epoch sees words cut in other ways."""
