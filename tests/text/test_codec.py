from __future__ import annotations

import copy
import json
import random
import unicodedata
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.errors import CheckpointError, UserError
from seq2see.text import (
    BOS,
    EOS,
    PAD,
    SPECIALS,
    SUBWORD_UNITS,
    TOKENIZER_NAMES,
    UNK,
    Bytes,
    Characters,
    Codec,
    Symbols,
    UnicodeVersionWarning,
    Vocabulary,
    Words,
    learn_codec,
    make_tokenizer,
)


@pytest.mark.parametrize("name", TOKENIZER_NAMES)
@given(text=st.text())
def test_text_survives_its_ids(name: str, text: str) -> None:
    codec = Codec.build(make_tokenizer(name), [text])
    ids = codec.encode(text)
    assert ids[-1] == EOS
    assert EOS not in ids[:-1]
    assert codec.decode(ids) == codec.normalize(text)
    assert codec.unknown(text) == []
    assert codec.is_normalized(codec.normalize(text))


def test_specials_on_the_way_back() -> None:
    codec = Codec.build(Characters(), ["ab"])
    assert codec.encode("axb") == [4, UNK, 5, EOS]
    assert codec.encode("axb", end=False) == [4, UNK, 5]
    assert codec.decode([PAD, BOS, 4, UNK, 5, EOS, 4]) == "a<unk>b"
    assert codec.tokens([BOS, 4, UNK, EOS, PAD]) == ["<bos>", "a", "<unk>", "<eos>", "<pad>"]
    assert codec.unknown("axbx") == ["x", "x"]


def test_data_may_spell_a_special() -> None:
    codec = Codec.build(Symbols(), [" ".join(SPECIALS)])
    ids = codec.encode("<eos> <pad> <unk>")
    assert not set(ids[:-1]) & {PAD, UNK, BOS, EOS}
    assert codec.decode(ids) == "<eos> <pad> <unk>"


def test_texts_not_in_their_normal_form_can_be_counted() -> None:
    codec = Codec.build(Characters(), ["é"])
    assert [codec.is_normalized(text) for text in ("é", "e\u0301")] == [True, False]


def test_bytes_need_no_data() -> None:
    codec = Codec.build(Bytes(), [])
    assert codec.decode(codec.encode("日本")) == "日本"
    assert len(codec.vocabulary) == 260


@given(tokens=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True))
def test_any_token_survives_json(tokens: list[str]) -> None:
    codec = Codec(Words("NFKC"), Vocabulary(tuple(tokens)))
    assert Codec.from_json(codec.to_json()) == codec


def test_the_json_is_readable() -> None:
    codec = Codec(Words(), Vocabulary(("\n", "\t", "\u2028", '"', "grün", "<eos>")))
    assert Codec.from_json(codec.to_json()) == codec
    lines = codec.to_json().decode().split("\n")
    assert '"grün",' in lines
    assert '"tokenizer": "words",' in lines


NEW = "\U0001e08f"
"""COMBINING CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I, of Unicode 15, which Python 3.11 doesn't know."""


@pytest.mark.parametrize("version", ["13.0.0", "99.0.0"])
def test_another_unicode_version_warns_of_characters_that_it_may_normalize_differently(version: str) -> None:
    values = Codec.build(Words(), [f"a b{NEW}"]).to_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Codec.from_dict(values)
    with pytest.warns(UnicodeVersionWarning, match=rf"with Unicode {version}, .* U\+1E08F may be"):
        Codec.from_dict({**values, "unicode": version})


def test_another_unicode_version_is_no_matter_for_settled_characters() -> None:
    """Unicode never changes the normalization of an assigned character."""
    settled = ["a", "é", "e\u0301", "ʃ̃", "日本", "한국", "क्षि", "שָׁלוֹם", "ﬁ", "😀", "🤌"]
    plain = Codec.build(Words(), settled).to_dict()
    as_they_are = Codec.build(Words("none"), [NEW]).to_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in (plain, as_they_are):
            Codec.from_dict({**values, "unicode": "15.1.0"})


def test_the_same_characters_in_both_vocabularies_are_one_warning() -> None:
    content = Codec.build(Words(), [NEW]).to_json().replace(unicodedata.unidata_version.encode(), b"99.0.0")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for where in ("source.vocabulary.json", "target.vocabulary.json"):
            Codec.from_json(content, where=where)
    assert len(caught) == 1


GOOD = Codec.build(Words(), ["a b"]).to_dict()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[" * 100_000,
        b"[]",
        b"{}",
        json.dumps(GOOD)[:-5].encode(),
        *(
            json.dumps({**GOOD, **change}).encode()
            for change in (
                {"format": "other"},
                {"tokenizer": "wrods"},
                {"tokenizer": 3},
                {"normalization": "NFX"},
                {"tokens": "ab"},
                {"tokens": ["a", 3]},
                {"tokens": ["a", ""]},
                {"tokens": ["a", "a"]},
                {"tokens": ["\ud800"]},
            )
        ),
    ],
)
def test_invalid_json_is_refused_with_its_file(content: bytes) -> None:
    with pytest.raises(CheckpointError) as caught:
        Codec.from_json(content, where="codec.json")
    assert caught.value.where == "codec.json"
    assert caught.value.fix


# --- subwords -------------------------------------------------------------------------------------------------------

LEARNED = {
    unit: learn_codec(unit, ["the house of the man &apos;s  and\tthe housing", "日本の家"] * 12, size=70)
    for unit in SUBWORD_UNITS
}


@pytest.mark.parametrize("unit", SUBWORD_UNITS)
def test_subwords_survive_json(unit: str) -> None:
    codec = LEARNED[unit]
    loaded = Codec.from_json(codec.to_json())
    assert loaded == codec
    assert hash(loaded) == hash(codec)
    for text in ("the house", " a \t日本 &apos;s", ""):
        assert loaded.encode(text) == codec.encode(text)
        assert loaded.decode(loaded.encode(text)) == text
    lines = codec.to_json().decode().split("\n")
    assert '" the",' in lines
    if unit == "bpe":  # one merge per line: its two parts, separated by a blank
        assert {'"h e",', '" ho use",'} & set(lines)


def test_codecs_written_before_subwords_are_read() -> None:
    values = {"format": "seq2see-codec-1", "tokenizer": "words", "normalization": "NFC", "unicode": "16.0.0"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnicodeVersionWarning)
        codec = Codec.from_dict({**values, "tokens": ["a", "b"]})
    assert codec.encode("b a") == [5, 4, EOS]


BPE, UNIGRAM = (LEARNED[unit].to_dict() for unit in ("bpe", "unigram"))


@pytest.mark.parametrize(
    "values",
    [
        {**BPE, "merges": None},
        {**BPE, "merges": "ab"},
        {**BPE, "merges": [["t", "h"]]},
        {**BPE, "merges": [*BPE["merges"], "th"]},  # type: ignore[misc]
        {**BPE, "merges": [*BPE["merges"], "t "]},  # type: ignore[misc]
        {**BPE, "merges": [*BPE["merges"], " t"]},  # type: ignore[misc]
        {**BPE, "merges": [*BPE["merges"], "z z"]},  # type: ignore[misc]
        {**BPE, "merges": [*BPE["merges"], "日 t"]},  # type: ignore[misc]
        {**BPE, "merges": [*BPE["merges"], BPE["merges"][0]]},  # type: ignore[misc, index]
        {**BPE, "tokens": BPE["tokens"][:-1]},  # type: ignore[index]
        {**UNIGRAM, "scores": None},
        {**UNIGRAM, "scores": UNIGRAM["scores"][:-1]},  # type: ignore[index]
        *(
            {**UNIGRAM, "scores": [wrong, *UNIGRAM["scores"][1:]]}  # type: ignore[index]
            for wrong in (float("nan"), float("inf"), -float("inf"), 1e300, None, True, "1", [1])
        ),
        {**UNIGRAM, "normalization": "NFX"},
        {**UNIGRAM, "tokenizer": "bpe"},
        {**BPE, "tokenizer": "unigram"},
    ],
)
def test_invalid_subwords_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(CheckpointError) as caught:
        Codec.from_dict(values, where="x.json")
    assert caught.value.where == "x.json"
    assert caught.value.fix


def places(values: Any) -> list[tuple[Any, Any]]:
    """Every container in the values with each of its keys."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [(values, key) for key, _ in items] + [place for _, inner in items for place in places(inner)]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([" ", "t h"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.filterwarnings("ignore::seq2see.text.UnicodeVersionWarning")
@pytest.mark.parametrize("unit", SUBWORD_UNITS)
@given(seed=st.integers(0, 2**32), junk=st.lists(JUNK, min_size=1, max_size=3))
def test_any_json_is_a_user_error_or_a_codec(unit: str, seed: int, junk: list[Any]) -> None:
    values = copy.deepcopy(LEARNED[unit].to_dict())
    chance = random.Random(seed)
    for wrong in junk:
        container, key = chance.choice(places(values))
        if chance.random() < 0.2:
            del container[key]
        else:
            container[key] = wrong
    try:
        codec = Codec.from_dict(json.loads(json.dumps(values)))
    except UserError:
        return
    for text in ("the house 日本 zzz", "", " \t&apos;s"):
        assert codec.tokenizer.join(codec.tokenizer.split(text)) == codec.normalize(text)
        codec.decode(codec.encode(text))


@pytest.mark.filterwarnings("ignore::seq2see.text.UnicodeVersionWarning")
@pytest.mark.parametrize("unit", SUBWORD_UNITS)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 5))
def test_json_with_some_bytes_changed_is_a_user_error_or_a_codec(unit: str, seed: int, count: int) -> None:
    content = bytearray(LEARNED[unit].to_json())
    chance = random.Random(seed)
    for _ in range(count):
        content[chance.randrange(len(content))] = chance.choice([chance.randrange(256), *b' ",[]{}0-'])
    try:
        codec = Codec.from_json(bytes(content))
    except UserError:
        return
    codec.decode(codec.encode("the house 日本 zzz"))
