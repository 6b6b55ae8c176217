"""Deceptive characters: the tables shared by check and cleaning.

A character with a legitimate use is judged by its context: joiners inside Persian or Devanagari, zero-width spaces in
Khmer, ideographic spaces in Japanese, and direction marks in right-to-left text are not faults.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import regex  # type: ignore[import-untyped]

NUM_CODES = 0x110000
"""The number of Unicode code points."""

_SPACES = "\u00a0\u2000-\u200a\u2028\u2029\u202f\u205f"
_IDEOGRAPHIC_SPACE = "\u3000"
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\t"
_MARKS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_JOINERS = "\u200c\u200d"
_ZERO_WIDTH_SPACE = "\u200b"
_NOTHING = "\u00ad\u180e\u2060-\u2064\u206a-\u206f\ufff9-\ufffb"
BYTE_ORDER_MARK = "\ufeff"

_JOINING = (
    r"\p{Arabic}\p{Syriac}\p{Nko}\p{Mongolian}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}\p{Tamil}"
    r"\p{Telugu}\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Khmer}\p{Myanmar}\p{Tibetan}"
    r"\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f"
)
_WITHOUT_BLANKS = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"

SUSPICIOUS = re.compile(
    f"[{_SPACES}{_IDEOGRAPHIC_SPACE}{_CONTROLS}{_MARKS}{_JOINERS}{_ZERO_WIDTH_SPACE}{_NOTHING}\ufeff]"
)
"""Characters that need a closer look; every match of the patterns below contains one."""

CONTROL = re.compile(f"[{_CONTROLS}]")
WHITE_CONTROL = re.compile("[\t\x0b-\r\x1c-\x1f\x85]")
"""Control characters that separate words, as a blank does; the others mean nothing."""
INSIDE_MARK = re.compile(BYTE_ORDER_MARK)
_UNUSUAL_SPACE = re.compile(f"[{_SPACES}]")
_UNUSUAL_OR_WIDE_SPACE = re.compile(f"[{_SPACES}{_IDEOGRAPHIC_SPACE}]")
_EAST_ASIAN = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}]")
_RIGHT_TO_LEFT = regex.compile(
    r"[\p{Arabic}\p{Hebrew}\p{Syriac}\p{Thaana}\p{Nko}\p{Samaritan}\p{Mandaic}\p{Adlam}\p{Hanifi_Rohingya}]"
)
_DIRECTION_MARK = re.compile(f"[{_MARKS}]")
_MEANS_NOTHING = (
    rf"[{_NOTHING}]"
    rf"|(?<![{_JOINING}])[{_JOINERS}](?![{_JOINING}])"
    rf"|(?<![{_WITHOUT_BLANKS}]){_ZERO_WIDTH_SPACE}(?![{_WITHOUT_BLANKS}])"
)
_INVISIBLE = regex.compile(_MEANS_NOTHING, regex.V0)
_INVISIBLE_OR_MARK = regex.compile(rf"{_MEANS_NOTHING}|[{_MARKS}]", regex.V0)


def unusual_space(text: str) -> re.Pattern[str]:
    """The pattern of unusual spaces in this text; the ideographic space is usual in East Asian text."""
    is_usual = _IDEOGRAPHIC_SPACE in text and _EAST_ASIAN.search(text)
    return _UNUSUAL_SPACE if is_usual else _UNUSUAL_OR_WIDE_SPACE


def invisible(text: str) -> regex.Pattern[str]:
    """The pattern of invisible characters in this text that mean nothing in their context."""
    return _INVISIBLE if has_direction_marks(text) else _INVISIBLE_OR_MARK


def has_direction_marks(text: str) -> bool:
    """Whether a text contains direction marks and right-to-left letters, so that the marks may be intentional."""
    return bool(_DIRECTION_MARK.search(text)) and bool(_RIGHT_TO_LEFT.search(text))


def runs_right_to_left(text: str) -> bool:
    """Whether a text contains right-to-left letters, so that a terminal may reorder it."""
    return bool(_RIGHT_TO_LEFT.search(text))


# --- look-alikes ----------------------------------------------------------------------------------------------------

_CYRILLIC_LOOK_ALIKES = "АВЕЅІЈКМНОРСТУХаесорхуіјѕԁԛԝһ"
# Without β γ θ χ ε φ λ μ π σ: phonetics, mathematics and physics use them among Latin letters.
_GREEK_LOOK_ALIKES = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρικυ"
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_CYRILLIC = "Ѐ-ԯ"
LOOK_ALIKES = _CYRILLIC_LOOK_ALIKES + _GREEK_LOOK_ALIKES
"""Cyrillic and Greek letters that look like Latin letters."""
MIXED_WORD = re.compile(
    rf"[{_LATIN}]['’]?[{LOOK_ALIKES}]|[{LOOK_ALIKES}]['’]?[{_LATIN}]|[{_CYRILLIC}][AaBCcEeHIiJjKMOoPpSsTXxy]|[AaBCcEeHIiJjKMOoPpSsTXxy][{_CYRILLIC}]"
)
"""Two adjacent letters of different scripts, one of them a look-alike, possibly with an apostrophe between them."""

PHONETIC = {"\u02c8": "'", "\u02d0": ":", "ɡ": "g", "ɛ": "ε", "ɣ": "γ", "ɸ": "φ", "ɑ": "α", "ə": "ǝ", "ʃ": "∫"}
"""Phonetic symbols, and the characters that are typed in place of them."""
QUOTES = {"straight": "'\"", "curly": "‘’‚‛“”„‟", "primes": "′″", "accents": "`´"}
HYPHENS = {
    "hyphen-minus U+002D": "-",
    "hyphen U+2010": "\u2010",
    "non-breaking hyphen U+2011": "\u2011",
    "figure dash U+2012": "\u2012",
    "minus U+2212": "\u2212",
    "small hyphen U+FE63": "\ufe63",
    "full-width hyphen U+FF0D": "\uff0d",
}
_WIDE_LETTERS = [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)]
WIDE = "".join(map(chr, _WIDE_LETTERS))
"""Full-width digits and Latin letters; full-width punctuation is usual in East Asian text."""
NARROW = "".join(chr(code - 0xFEE0) for code in _WIDE_LETTERS)
REPLACEMENT = "\ufffd"


def digit_family(character: str) -> str | None:
    """The family of a decimal digit, such as ARABIC-INDIC; None for other characters and full-width digits."""
    if unicodedata.category(character) != "Nd" or character in WIDE:
        return None
    family = unicodedata.name(character, "").partition("DIGIT ")[0].strip()
    return family or "ASCII"


# --- scripts --------------------------------------------------------------------------------------------------------

NO_SCRIPT = 0
_SCRIPTS = ["none"]
# By the first word of a letter's Unicode name; scripts that are used together count as one.
_TOGETHER = {"CJK": "East Asian", "HIRAGANA": "East Asian", "KATAKANA": "East Asian", "KATAKANA-HIRAGANA": "East Asian"}
_TOGETHER |= {"HANGUL": "East Asian", "BOPOMOFO": "East Asian", "HALFWIDTH": "East Asian", "OLD": "Old"}
_NO_SCRIPTS = {"MODIFIER", "FEMININE", "MASCULINE", "MICRO", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "FULLWIDTH"}


@cache
def script_of(character: str) -> int:
    """The script number of a letter; `NO_SCRIPT` for other characters."""
    if not character.isalpha():
        return NO_SCRIPT
    first = unicodedata.name(character, "").split(" ")[0]
    if not first or first in _NO_SCRIPTS:
        return NO_SCRIPT
    name = _TOGETHER.get(first, first.capitalize())
    if name not in _SCRIPTS:
        _SCRIPTS.append(name)
    return min(_SCRIPTS.index(name), 255)


def script_name(number: int) -> str:
    """The name of a script number."""
    return _SCRIPTS[number]


def suspicious_codes() -> npt.NDArray[np.bool_]:
    """A table, True at the code points that match `SUSPICIOUS`."""
    table = np.zeros(NUM_CODES, dtype=np.bool_)
    for code in range(0x10000):
        if not 0xD800 <= code < 0xE000 and SUSPICIOUS.match(chr(code)):
            table[code] = True
    return table


# --- incorrectly decoded or escaped text ----------------------------------------------------------------------------

_MAYBE_MOJIBAKE = re.compile("[\u00c2-\u00f4][\u0080-\u00bfŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_MOSES = frozenset(["&amp;", "&#124;", "&lt;", "&gt;", "&apos;", "&quot;", "&#91;", "&#93;"])
HIGH = "".join(map(chr, range(0xC2, 0xF5)))
"""The first characters of UTF-8 sequences decoded as Latin-1 or Windows-1252."""


def mojibake(text: str) -> str | None:
    """The first part of a text that is UTF-8 decoded as Latin-1 or Windows-1252, such as Ã¼ for ü."""
    for found in _MAYBE_MOJIBAKE.finditer(text):
        try:
            content = b"".join(map(_byte, found[0]))
            content.decode()
        except UnicodeError:
            continue
        return found[0]
    return None


def _byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def entity(text: str) -> tuple[str, bool] | None:
    """The first HTML entity in a text, and whether all are escapes of the Moses tokenizer, beside a blank."""
    from html import unescape

    first = None
    for found in _ENTITY.finditer(text):
        if unescape(found[0]) == found[0]:
            continue
        first = first or found[0]
        beside = text[max(0, found.start() - 1) : found.start()], text[found.end() : found.end() + 1]
        if found[0] not in _MOSES or not any(side in ("", " ") for side in beside):
            return found[0], False
    return None if first is None else (first, True)


# --- display --------------------------------------------------------------------------------------------------------


def visible(text: str, *, max_characters: int = 60) -> str:
    """The text with invisible characters shown as `<U+200B>`, truncated after `max_characters`.

    Blanks at the ends and runs of blanks are shown as ␣.
    """
    text = _EMPTY_LOOKING.sub(lambda blanks: "␣" * len(blanks[0]), text)
    cut = text[: max_characters + 1]
    shown = "".join(map(_shown, cut[:max_characters]))
    return shown + "…" if len(cut) > max_characters else shown


_EMPTY_LOOKING = re.compile("^ +| +$|  +")


def _shown(character: str) -> str:
    if character == " " or " " < character < "\x7f":
        return character
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs")
    return f"<U+{ord(character):04X}>" if hidden else character


@lru_cache(maxsize=4096)
def named(character: str) -> str:
    """A character with its name, such as `'é' U+00E9 LATIN SMALL LETTER E WITH ACUTE`."""
    name = unicodedata.name(character, "")
    number = f"U+{ord(character):04X}"
    if _shown(character) != character:
        return f"{number} {name}".rstrip()
    # A combining mark would combine with the preceding character.
    shown = f"\u25cc{character}" if unicodedata.category(character).startswith("M") else repr(character)
    return f"{shown} {number} {name}".rstrip()
