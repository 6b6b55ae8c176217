"""ARPAbet, the phone codes of CMUdict and TIMIT, in IPA and back. The table is arpabet.tsv."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from seq2see.errors import DataError

STRESS = {"1": "ˈ", "2": "ˌ", "0": ""}
"""Primary, secondary, none: digits behind the vowels of ARPAbet, marks before those of IPA."""
_CODE = re.compile(r"([A-Z]+)([012]?)", re.IGNORECASE)


@lru_cache(maxsize=1)
def table() -> dict[str, str]:
    """IPA by code; AH0 is the only code with a stress, since it sounds otherwise without one."""
    lines = Path(__file__).with_name("arpabet.tsv").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


def to_ipa(phones: str) -> str:
    """ARPAbet, such as `K AO1 R S`, as IPA with blanks between the phones, `k ˈɔ ɹ s`. DataError for another code."""
    return " ".join(map(_ipa_of, phones.split()))


def to_arpabet(phones: str) -> str:
    """IPA with blanks between the phones as ARPAbet; a vowel without a mark has no digit. DataError as above."""
    return " ".join(map(_code_of, phones.split()))


def _ipa_of(code: str) -> str:
    found = _CODE.fullmatch(code)
    name, stress = (found[1].upper(), found[2]) if found else ("", "")
    if name not in table():
        raise DataError(f"{code!r} is not a phone of ARPAbet", where=code, fix="separate phones by blanks: K AO1 R S")
    return STRESS.get(stress, "") + table().get(name + stress, table()[name])


def _code_of(phone: str) -> str:
    marks = {mark: digit for digit, mark in STRESS.items() if mark}
    digit = marks.get(phone[:1], "")
    # Of two codes for one phone the later ones, AX and others of TIMIT, are not those of CMUdict.
    codes = {ipa: code for code, ipa in reversed(table().items())}
    code = codes.get(phone[1:] if digit else phone)
    if code is None:
        what = f"{phone!r} has no phone of ARPAbet"
        raise DataError(what, where=phone, fix="separate phones by blanks, as in k ˈɔ ɹ s")
    return code.rstrip("0") + digit if digit else code
