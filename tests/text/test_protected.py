"""`text.protect`: what a pattern matches is one token, whatever the unit of the text."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.config import make_config
from seq2see.data import Pair
from seq2see.data.building import build_examples
from seq2see.data.length_limit import LengthLimit
from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.text import EOS, NORMALIZATIONS, UNK, Codec, MergeDropout, Protected, make_tokenizer
from seq2see.text.options import TextOptions
from seq2see.text.protected import GLUE, protect
from seq2see.text.tokenizers import Tokenizer

BRACES = r"\{\w+\}"
TAGS = r"<[^<>]*>"
UNITS = ("characters", "graphemes", "bpe", "unigram", "words", "symbols", "bytes")
PATTERNS = (BRACES, TAGS, r"\s*\{\w+\}", r"\d", r"(?<=a)b", r"\s", r".\u0301", r"\b\w+\b", "￭ ", r"[^b]+", r"x|a ")
TEXTS = [
    ("Dear {name}, see {a}{b} (in <V;PST>) & so on", "Liebe <de> {name}, {a}{b}sehen"),
    ("{name} is here", "{name}ist <fr> da"),
    ("no unit here", "keine Einheit"),
] * 12
PIECES = [*" \t\n\u3000ab{}<>;x5é", "{a}", "{ab}", "<b a>", "<E4>", "\\<E4>", "ä", "e\u0301", "￭ ", "￭", "👩\u200d🚀", "ÄB"]
ANY_TEXT = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join))


def codecs_of(unit: str, pattern: str | None = rf"{BRACES}|{TAGS}", **options: object) -> tuple[Codec, Codec]:
    text = TextOptions(unit, unit, protect=pattern, **options)  # type: ignore[arg-type]
    (source, target), _ = build_examples(text, [Pair(*texts) for texts in TEXTS], has_source=True)
    assert source is not None
    return source, target


SUBWORDS = {unit: codecs_of(unit, None)[0].tokenizer for unit in ("bpe", "unigram")}


def tokenizer_of(unit: str, normalization: str = "NFC", case: str = "keep") -> Tokenizer:
    return SUBWORDS.get(unit) or make_tokenizer(unit, normalization, case)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("unit", UNITS)
@given(text=ANY_TEXT, normalization=st.sampled_from(NORMALIZATIONS), case=st.sampled_from(("keep", "fold")))
def test_join_of_split_is_the_normalised_text(unit: str, pattern: str, text: str, normalization: str, case: str) -> None:
    tokenizer = protect(tokenizer_of(unit, normalization, case), pattern)
    try:
        normalised = tokenizer.normalise(text)
    except UserError:
        return
    tokens = tokenizer.split(text)
    assert all(tokens)
    assert tokenizer.join(tokens) == normalised
    if unit != "symbols" and (case == "keep" or unit in SUBWORDS):
        assert normalised == tokenizer_of(unit, normalization).normalise(text)
    units = [token for token in tokenizer.protected(text) if token != GLUE]
    left = list(tokens)
    for token in units:  # each is a token, in this order
        left = left[left.index(token) + 1 :]
    assert tokenizer.split_with_dropout(text, MergeDropout(0.0001, random.Random(1))) is not None


@pytest.mark.parametrize("unit", UNITS)
@given(text=ANY_TEXT)
def test_a_text_without_units_is_split_as_ever(unit: str, text: str) -> None:
    tokenizer = tokenizer_of(unit)
    protected = protect(tokenizer, "\ue000")
    text = text.replace("\ue000", "")
    assert protected.split(text) == tokenizer.split(text)
    assert protected.normalise(text) == tokenizer.normalise(text)
    assert protected.protected(text) == []


def test_what_a_token_is() -> None:
    def split(unit: str, text: str, pattern: str = rf"{BRACES}|{TAGS}") -> list[str]:
        return protect(make_tokenizer(unit), pattern).split(text)

    assert split("characters", "a{bc}") == ["a", "{bc}"]
    assert split("graphemes", "क्षि{bc}e\u0301") == ["क्षि", "{bc}", "é"]
    assert split("words", "see {a} and {b}s <V PST>") == ["see", "{a}", "and", "{b}", GLUE, "s", "<V PST>"]
    assert split("words", " {a}{b}  c ") == [" ", "{a}", GLUE, "{b}", "  ", "c", " "]
    assert split("symbols", "aː  b{c} <V PST>") == ["aː", "b", "{c}", "<V PST>"]
    assert split("bytes", "ä<de><DE>") == ["<C3>", "<A4>", "<de>", "\\<DE>"]
    assert "".join(split("characters", "ab" * 400, r"\w+")) == "ab" * 400  # a longer match is no unit
    assert len(split("characters", "ab" * 400, r"\w+")) == 800


@pytest.mark.parametrize("unit", UNITS)
def test_units_are_entries_of_the_vocabulary_and_written_unchanged(unit: str) -> None:
    for codec, texts in zip(codecs_of(unit), zip(*TEXTS, strict=True), strict=True):
        units = {token for text in texts for token in codec.tokenizer.protected(text)}
        assert units <= set(codec.vocabulary.tokens)
        assert Codec.from_json(codec.to_json()) == codec
        assert json.loads(codec.to_json())["protect"] == rf"{BRACES}|{TAGS}"
        for text in texts:
            assert UNK not in codec.encode(text)
            assert codec.decode(codec.encode(text)) == codec.normalise(text)
            assert Codec.from_json(codec.to_json()).encode(text) == codec.encode(text)
        assert codec.encode("{name}") == [codec.vocabulary.id("{name}"), EOS]
        # A unit that is new is one unknown token, and known to a codec that has grown.
        assert codec.encode("{new}") == [UNK, EOS]
        grown = codec.grown(["a {new} <DE>"], min_count=2)
        assert grown.vocabulary.tokens[: len(codec.vocabulary.tokens)] == codec.vocabulary.tokens
        assert grown.encode("{new}") == [grown.vocabulary.id("{new}"), EOS] != [UNK, EOS]
        assert grown.decode(grown.encode("{new} <DE>")) == "{new} <DE>"
        assert Codec.from_json(grown.to_json()) == grown
