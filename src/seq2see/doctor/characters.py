"""Which characters are not what they look like: the tables that finding and mending share.

A character is judged with its neighbours where it has an honest use: a joiner inside Persian or Devanagari, a zero
width space in Khmer, an ideographic space in Japanese, and direction marks beside letters that run from right to left
are no faults.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import regex  # type: ignore[import-untyped]

NUM_CODES = 0x110000
"""Code points there are."""

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
"""What is worth a closer look; whatever the patterns below find has one of these."""

CONTROL = re.compile(f"[{_CONTROLS}]")
WHITE_CONTROL = re.compile("[\t\x0b-\r\x1c-\x1f\x85]")
"""Control characters that part words, as a blank does; the others stand for nothing."""
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
    """What finds the spaces in this text that are no ordinary blank; an ideographic one is at home in East Asia."""
    is_at_home = _IDEOGRAPHIC_SPACE in text and _EAST_ASIAN.search(text)
    return _UNUSUAL_SPACE if is_at_home else _UNUSUAL_OR_WIDE_SPACE


def invisible(text: str) -> regex.Pattern[str]:
    """What finds the characters in this text that can't be seen and mean nothing where they stand."""
    return _INVISIBLE if has_direction_marks(text) else _INVISIBLE_OR_MARK


def has_direction_marks(text: str) -> bool:
    """True for marks of direction in a text that has letters from right to left: they may be meant."""
    return bool(_DIRECTION_MARK.search(text)) and bool(_RIGHT_TO_LEFT.search(text))


def runs_right_to_left(text: str) -> bool:
    """True where a terminal could show the parts of this text in another order."""
    return bool(_RIGHT_TO_LEFT.search(text))


# --- look-alikes ----------------------------------------------------------------------------------------------------

_CYRILLIC_LOOK_ALIKES = "АВЕЅІЈКМНОРСТУХаесорхуіјѕԁԛԝһ"
# Without β γ θ χ ε φ λ μ π σ: phonetics, mathematics and physics use them among Latin letters.
_GREEK_LOOK_ALIKES = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρικυ"
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_CYRILLIC = "Ѐ-ԯ"
LOOK_ALIKES = _CYRILLIC_LOOK_ALIKES + _GREEK_LOOK_ALIKES
"""Letters of Cyrillic and Greek that look like Latin ones."""
MIXED_WORD = re.compile(
    rf"[{_LATIN}]['’]?[{LOOK_ALIKES}]|[{LOOK_ALIKES}]['’]?[{_LATIN}]|[{_CYRILLIC}][AaBCcEeHIiJjKMOoPpSsTXxy]|[AaBCcEeHIiJjKMOoPpSsTXxy][{_CYRILLIC}]"
)
"""Two letters of one word in different scripts, neighbours but for an apostrophe; one could pass for the other."""

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
"""Full-width digits and Latin letters; full-width punctuation is at home in East Asia."""
NARROW = "".join(chr(code - 0xFEE0) for code in _WIDE_LETTERS)
REPLACEMENT = "\ufffd"


def digit_family(character: str) -> str | None:
    """The kind of a decimal digit, such as ARABIC-INDIC; None for what is none, and for full-width ones."""
    if unicodedata.category(character) != "Nd" or character in WIDE:
        return None
    kind = unicodedata.name(character, "").partition("DIGIT ")[0].strip()
    return kind or "ASCII"


# --- scripts --------------------------------------------------------------------------------------------------------

NO_SCRIPT = 0
_SCRIPTS = ["none"]
# What the first word of a letter's name says of its writing; scripts written together count as one.
_TOGETHER = {"CJK": "East Asian", "HIRAGANA": "East Asian", "KATAKANA": "East Asian", "KATAKANA-HIRAGANA": "East Asian"}
_TOGETHER |= {"HANGUL": "East Asian", "BOPOMOFO": "East Asian", "HALFWIDTH": "East Asian", "OLD": "Old"}
_NO_SCRIPTS = {"MODIFIER", "FEMININE", "MASCULINE", "MICRO", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "FULLWIDTH"}


@cache
def script_of(character: str) -> int:
    """The number of the script of a letter, `NO_SCRIPT` for all that is no letter of one."""
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
    """The script of that number."""
    return _SCRIPTS[number]


def suspicious_codes() -> npt.NDArray[np.bool_]:
    """True at the code points that `SUSPICIOUS` finds."""
    table = np.zeros(NUM_CODES, dtype=np.bool_)
    for code in range(0x10000):
        if not 0xD800 <= code < 0xE000 and SUSPICIOUS.match(chr(code)):
            table[code] = True
    return table


# --- text that was decoded or escaped wrongly -----------------------------------------------------------------------

_MAYBE_MOJIBAKE = re.compile("[\u00c2-\u00f4][\u0080-\u00bfŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_MOSES = frozenset(["&amp;", "&#124;", "&lt;", "&gt;", "&apos;", "&quot;", "&#91;", "&#93;"])
HIGH = "".join(map(chr, range(0xC2, 0xF5)))
"""Characters that text in UTF-8 begins with when it is read as Latin-1 or Windows-1252."""


def mojibake(text: str) -> str | None:
    """The first piece of a text in UTF-8 that was read as Latin-1 or Windows-1252, such as Ã¼ for ü."""
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
    """The first HTML entity in a text, and whether all are those of Moses' tokenizer, with a blank beside them."""
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


# --- showing --------------------------------------------------------------------------------------------------------


def visible(text: str, *, most: int = 60) -> str:
    """The text with what can't be seen as its number, `<U+200B>`, cut after so many characters.

    Blanks are shown as ␣ at the ends and where there are several.
    """
    text = _EMPTY_LOOKING.sub(lambda blanks: "␣" * len(blanks[0]), text)
    cut = text[: most + 1]
    shown = "".join(map(_shown, cut[:most]))
    return shown + "…" if len(cut) > most else shown


_EMPTY_LOOKING = re.compile("^ +| +$|  +")


def _shown(character: str) -> str:
    if character == " " or " " < character < "\x7f":
        return character
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs")
    return f"<U+{ord(character):04X}>" if hidden else character


@lru_cache(maxsize=4096)
def named(character: str) -> str:
    """A character as `'é' U+00E9 LATIN SMALL LETTER E WITH ACUTE`."""
    name = unicodedata.name(character, "")
    number = f"U+{ord(character):04X}"
    if _shown(character) != character:
        return f"{number} {name}".rstrip()
    # A mark without its letter would sit on whatever stands before it.
    shown = f"\u25cc{character}" if unicodedata.category(character).startswith("M") else repr(character)
    return f"{shown} {number} {name}".rstrip()
