"""Whether symbols are phones: an error rate over them is called PER, and of any other symbols it is not."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

_CODES = """
AA AE AH AO AW AX AXR AY B CH D DH DX EH EL EM EN ER EY F G HH IH IX IY JH K L M N NG NX OW OY P Q R S SH T TH UH UW
UX V W WH Y Z ZH
"""
ARPABET = frozenset(_CODES.split())
"""The phone codes of CMUdict and TIMIT, without stress."""
IPA = frozenset("ŋçðøœæħβθχɡˈˌːˑ")
"""Letters and marks of the IPA outside its own blocks of Unicode."""
FEWEST_IPA, FEWEST_ARPABET = 0.05, 0.9
"""Shares of the distinct symbols from which on all are taken for phones."""


def are_phones(symbols: Collection[str]) -> bool:
    """Whether these distinct symbols are phones, in ARPAbet or the IPA.

    In the IPA, all symbols are lower-case letters with or without marks, and some of them occur in hardly any spelling.
    """
    codes = {symbol.upper().rstrip("012") for symbol in symbols}
    known = codes & ARPABET
    if symbols and len(known) >= FEWEST_ARPABET * len(codes) and any(len(code) > 1 for code in known):
        return True
    has_ipa = sum(any(map(is_ipa, symbol)) for symbol in symbols)
    return bool(has_ipa) and has_ipa >= FEWEST_IPA * len(symbols) and all(map(is_lower, symbols))


def is_ipa(character: str) -> bool:
    """Whether it is a character of the IPA that is rare in spelling: of its extensions, or a modifier letter."""
    return "\u0250" <= character <= "\u02ff" or character in IPA


def is_lower(symbol: str) -> bool:
    """Whether it has no capital, no digit and no punctuation but the marks of length, syllables and tone."""
    return all(unicodedata.category(each) not in ("Lu", "Nd", "Po", "Ps", "Pe", "Sm") for each in symbol)
