"""Options of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from seq2see.text.protected import compile_pattern

Unit = Literal["characters", "decomposed", "graphemes", "bpe", "unigram", "words", "symbols", "bytes"]
FieldUnit = Literal[
    "characters", "decomposed", "graphemes", "bpe", "unigram", "words", "symbols", "bytes", "tags", "vectors", "picture"
]
"""Sources can also be tags (a set of whole units, separated by semicolons, commas, vertical bars or blanks), vectors or
a picture, which a text names."""


@dataclass(frozen=True)
class TextOptions:
    """How texts are tokenized; None: chosen from the data."""

    source: FieldUnit | tuple[FieldUnit, ...] | None = None
    """Tokens of the sources; decomposed are the characters of Unicode form NFD, such as the letters of Hangul; symbols
    are separated by blanks, such as phones; tags are a set, such as V;PST; vectors and picture are files or JSON. A
    list has one unit per field of the sources, which are separated by TAB; by default chosen from the texts."""
    target: Unit | None = None
    """Tokens of the targets; by default chosen from the texts."""
    normalization: Literal["NFC", "NFD", "NFKC", "none"] = "NFC"
    """Unicode normal form of all texts."""
    case: Literal["keep", "fold"] = "keep"
    """fold: sources are lower-cased, in training and in prediction, so that case makes no difference; targets never
    are."""
    truncate: Annotated[int, Meta(ge=1, lt=2**31)] | None = None
    """Longest source in tokens: longer ones are cut to their beginning, in training and in prediction; of several
    fields the longest are cut; by default there is no limit."""
    protect: str | None = None
    """Regular expression of units that stay whole, such as placeholders; by default there are none. Each match in a
    text is one token, whatever the unit of the text and however rare the match is, and keeps its case under
    case=fold."""
    joint: bool = False
    """One vocabulary for both sides, built from the texts of both; needs the same unit on both."""
    max_vocabulary: Annotated[int, Meta(ge=5)] = 16_000
    """Maximum size of a vocabulary, including the four special tokens; the most frequent tokens are kept."""
    min_count: Annotated[int, Meta(ge=1)] | None = None
    """Minimum frequency of a token: by default 2 for words (so that the unknown token is trained too), otherwise 1. For
    subwords, minimum frequency of a pair to be merged: by default 10, or 2 with subword_size."""
    subword_size: Annotated[int, Meta(ge=5)] | None = None
    """Maximum size of a subword vocabulary, including all characters; by default min_count decides."""
    bpe_dropout: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Probability of skipping a BPE merge in training, so that words are segmented differently in each epoch."""

    def __post_init__(self) -> None:
        if self.protect is not None:
            compile_pattern(self.protect)  # ConfigError for an invalid one
