"""Which of the installed fonts has which symbols: matplotlib draws with the fonts that it is given, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

BASE = "DejaVu Sans"
"""Comes with matplotlib."""

PREFERRED = (
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans CJK TC",
    "Noto Sans CJK KR",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Nirmala UI",
    "Unifont",
)
"""DevAnswer first, in this order, of those that are installed; where they lack something, all others are."""

NEVER = ("Last Resort", "STIX", "cm")
"""Beginnings of the names of fonts that say they have symbols and show boxes, or mathematics, in their place."""


class MissingGlyphWarning(UserWarning):
    """No installed font has some of the tokens' symbols; the picture shows boxes in their place."""


class Choice(NamedTuple):
    """The fonts for some texts."""

    families: list[str]
    """By name, the first that has a symbol draws it."""
    missing: str
    """Symbols that no font has, each once."""


def choose_fonts(texts: Iterable[str]) -> Choice:
    """As few installed fonts as have all symbols of the texts, `BASE` first. Needs matplotlib."""
    wanted = {symbol for text in texts for symbol in text if symbol.isprintable()}
    wanted -= covered(BASE, wanted)
    families = [BASE]
    names = _installed()
    for some in ([name for name in PREFERRED if name in names], sorted(set(names) - set(PREFERRED))):
        while wanted:
            found = {name: covered(name, wanted) for name in some}
            best = max(some, key=lambda name: len(found[name]), default=None)
            if best is None or not found[best]:
                break
            families.append(best)
            wanted -= found[best]
    return Choice(families, "".join(sorted(wanted)))


def order_for(text: str, families: list[str]) -> list[str]:
    """The same fonts, first those that have all of the text: a letter and its marks should be of one font."""
    return sorted(families, key=lambda name: len(covered(name, set(text))) < len(set(text)))


def covered(family: str, symbols: set[str]) -> set[str]:
    """Those of the symbols that the font has."""
    known = _symbols(family)
    return {symbol for symbol in symbols if ord(symbol) in known}


@cache
def _installed() -> dict[str, str]:
    """The file of each upright font of usual weight, by the family's name."""
    from matplotlib import font_manager

    usual = (400, "400", "normal", "regular", "book")
    return {
        font.name: font.fname
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and font.weight in usual and not font.name.startswith(NEVER)
    }


@cache
def _symbols(family: str) -> frozenset[int]:
    """The code points that a font has; none for one that can't be read or has bitmaps alone."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(_installed()[family])
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (KeyError, OSError, RuntimeError):
        return frozenset()
