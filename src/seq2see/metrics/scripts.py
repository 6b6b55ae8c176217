"""Scripts that are written without blanks between words, in which "a word" needs another definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import regex  # type: ignore[import-untyped]

_LETTER = regex.compile(r"\p{L}")
_HAN = regex.compile(r"\p{Han}")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_SOUTHEAST_ASIAN = regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


class Letters(NamedTuple):
    """Counts of letters, and of those in scripts that are written without blanks between words."""

    all: int
    han: int
    kana: int
    southeast_asian: int
    """Thai, Lao, Khmer and Burmese."""

    @property
    def without_blanks(self) -> int:
        """The letters of all these scripts."""
        return self.han + self.kana + self.southeast_asian

    @property
    def are_without_blanks(self) -> bool:
        """Whether they are at least half of the letters."""
        return self.all > 0 and self.without_blanks >= 0.5 * self.all


def letters_of(references: Sequence[Sequence[str]]) -> Letters:
    """The letters of the first reference of each item."""
    text = "".join(known[0] for known in references)
    han, kana, southeast_asian = (len(each.findall(text)) for each in (_HAN, _KANA, _SOUTHEAST_ASIAN))
    return Letters(len(_LETTER.findall(text)), han, kana, southeast_asian)
