"""Grown codecs: existing ids do not change, and new tokens are appended."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.text import SPECIALS, SUBWORD_UNITS, TOKENIZER_NAMES, UNK, Codec, learn_codec, make_tokenizer

OLD = ["the house", "the houses and the mouse", "a mouse in the house &amp; co"] * 6
NEW = ["ein Haus für ſieben Mäuſe", "für die Katz’ &quot;", "日本 für"] * 3
UNITS = [*TOKENIZER_NAMES, *SUBWORD_UNITS]


def codec_of(unit: str) -> Codec:
    if unit in SUBWORD_UNITS:
        return learn_codec(unit, OLD, size=60)
    return Codec.build(make_tokenizer(unit), OLD)


CODECS = {unit: (codec_of(unit), codec_of(unit).grown(NEW)) for unit in UNITS}


@pytest.mark.parametrize("unit", UNITS)
def test_old_texts_keep_their_ids(unit: str) -> None:
    before, now = CODECS[unit]
    assert now.vocabulary.tokens[: len(before.vocabulary.tokens)] == before.vocabulary.tokens
    for text in OLD:
        assert now.encode(text) == before.encode(text)


@pytest.mark.parametrize("unit", UNITS)
@given(text=st.text(alphabet="theousandm &;pſäür日’", max_size=30))
def test_any_text_is_segmented_as_before(unit: str, text: str) -> None:
    before, now = CODECS[unit]
    assert now.tokenizer.split(text) == before.tokenizer.split(text)
    assert now.tokenizer.join(now.tokenizer.split(text)) == now.normalize(text)


@pytest.mark.parametrize("unit", UNITS)
def test_the_new_texts_have_no_unknown_tokens(unit: str) -> None:
    before, now = CODECS[unit]
    if unit != "bytes":
        assert any(UNK in before.encode(text) for text in NEW)
    for text in NEW:
        assert UNK not in now.encode(text)
        assert now.decode(now.encode(text)) == now.normalize(text)


@pytest.mark.parametrize("unit", UNITS)
def test_a_grown_codec_survives_json(unit: str) -> None:
    _, now = CODECS[unit]
    assert Codec.from_json(now.to_json()) == now
    assert json.loads(now.to_json())["tokens"] == list(now.vocabulary.tokens)


def test_subwords_grow_by_characters_and_escapes_only() -> None:
    for unit in SUBWORD_UNITS:
        before, now = CODECS[unit]
        added = now.vocabulary.tokens[len(before.vocabulary.tokens) :]
        assert "&quot;" in added
        assert {"ſ", "ä", "日"} <= set(added)
        assert all(len(token) == 1 for token in added if token != "&quot;")


def test_bytes_and_complete_codecs_do_not_grow() -> None:
    in_bytes = CODECS["bytes"][0]
    assert in_bytes.grown(NEW) is in_bytes
    for unit in UNITS:
        assert CODECS[unit][1].grown([*OLD, *NEW]) is CODECS[unit][1]


def test_the_most_frequent_are_added_first_up_to_the_limit() -> None:
    codec = Codec.build(make_tokenizer("characters"), ["ab"])
    texts = ["xyyzzz", "a"]
    assert codec.grown(texts).vocabulary.tokens == ("a", "b", "z", "y", "x")
    assert codec.grown(texts, min_count=2).vocabulary.tokens == ("a", "b", "z", "y")
    assert codec.grown(texts, max_size=len(SPECIALS) + 3).vocabulary.tokens == ("a", "b", "z")
    assert codec.grown(texts, max_size=len(SPECIALS)) is codec
