"""ARPAbet and IPA."""

from __future__ import annotations

import pytest

from seq2see.errors import DataError
from seq2see.recipes.phones import table, to_arpabet, to_ipa


@pytest.mark.parametrize(
    ("arpabet", "ipa"),
    [
        ("K AO1 R S", "k ˈɔ ɹ s"),
        ("AH0 B AW1 T", "ə b ˈaʊ t"),
        ("K AH1 P", "k ˈʌ p"),
        ("HH EH2 L OW", "h ˌɛ l oʊ"),
        ("", ""),
    ],
)
def test_phones_are_written_in_ipa_and_back(arpabet: str, ipa: str) -> None:
    assert to_ipa(arpabet) == ipa
    assert to_arpabet(ipa) == arpabet


def test_every_code_has_its_own_phone_but_for_the_doubles_of_timit() -> None:
    ipa = list(table().values())
    assert len(ipa) - len(set(ipa)) == 1
    assert all(to_ipa(to_arpabet(phone)) == phone for phone in ipa)
    assert to_ipa("ax") == "ə"


def test_unknown_phones_are_refused() -> None:
    with pytest.raises(DataError, match="'KX' is not a phone"):
        to_ipa("K KX")
    with pytest.raises(DataError, match="'ʘ' has no phone"):
        to_arpabet("k ʘ")


def test_phones_of_a_pronouncing_dictionary_are_all_known(seq2see_data: object) -> None:
    from pathlib import Path

    lines = (Path(str(seq2see_data)) / "cmudict_g2p" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 1_000
    assert all(to_arpabet(to_ipa(phones)) == phones for phones in (line.split("\t")[1] for line in lines))
