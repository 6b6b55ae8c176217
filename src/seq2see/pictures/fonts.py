"""Installed fonts chosen by the characters they cover: matplotlib falls back only to the fonts it is given."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

BASE = "DejaVu Sans"
"""Ships with matplotlib."""

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
"""Tried first, in this order, if installed; then all other fonts."""

NEVER = ("Last Resort", "STIX", "cm")
"""Prefixes of fonts whose character map promises glyphs but that draw boxes or mathematical symbols."""


class MissingGlyphWarning(UserWarning):
    """No installed font has some characters of the tokens; the picture shows boxes instead."""


class FontChoice(NamedTuple):
    """The fonts for a set of texts."""

    families: list[str]
    """By name; a character is drawn in the first that has it."""
    missing: str
    """Distinct characters that no font has."""


def choose_fonts(texts: Iterable[str]) -> FontChoice:
    """A small set of installed fonts for all characters (greedy set cover), `BASE` first. Needs matplotlib."""
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
    return FontChoice(families, "".join(sorted(wanted)))


def order_for(text: str, families: list[str]) -> list[str]:
    """The same fonts, those that cover the whole text first: a letter and its marks should come from one font."""
    return sorted(families, key=lambda name: len(covered(name, set(text))) < len(set(text)))


def covered(family: str, symbols: set[str]) -> set[str]:
    """The characters that the font has."""
    known = _symbols(family)
    return {symbol for symbol in symbols if ord(symbol) in known}


@cache
def _installed() -> dict[str, str]:
    """The file of each upright font of normal weight, by family name."""
    from matplotlib import font_manager

    usual = (400, "400", "normal", "regular", "book")
    return {
        font.name: font.fname
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and font.weight in usual and not font.name.startswith(NEVER)
    }


@cache
def _symbols(family: str) -> frozenset[int]:
    """The code points of a font; none for bitmap fonts and files that can't be read."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(_installed()[family])
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (KeyError, OSError, RuntimeError):
        return frozenset()
