"""`text.protect`: what a pattern matches is one token, whatever the unit of the text."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
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
UNITS = ("characters", "decomposed", "graphemes", "bpe", "unigram", "words", "symbols", "bytes")
PATTERNS = (BRACES, TAGS, r"\s*\{\w+\}", r"\d", r"(?<=a)b", r"\s", r".\u0301", r"\b\w+\b", "￭ ", r"[^b]+", r"x|a ")
TEXTS = [
    ("Dear {name}, see {a}{b} (in <V;PST>) & so on", "Liebe <de> {name}, {a}{b}sehen"),
    ("{name} is here", "{name}ist <fr> da"),
    ("no unit here", "keine Einheit"),
] * 12
PIECES = [
    *" \t\n\u3000ab{}<>;x5é",
    "{a}",
    "{ab}",
    "<b a>",
    "<E4>",
    "\\<E4>",
    "ä",
    "e\u0301",
    "￭ ",
    "￭",
    "👩\u200d🚀",
    "ÄB",
]
ANY_TEXT = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join))


def codecs_of(unit: str, pattern: str | None = rf"{BRACES}|{TAGS}", **options: object) -> tuple[Codec, Codec]:
    text = TextOptions(unit, unit, protect=pattern, **options)  # type: ignore[arg-type]
    (source, target), _ = build_examples(text, [Pair(*texts) for texts in TEXTS], has_source=True)
    assert source is not None
    return source, target


SUBWORDS = {unit: codecs_of(unit, None)[0].tokenizer for unit in ("bpe", "unigram")}


def tokenizer_of(unit: str, normalization: str = "NFC", case: str = "keep") -> Tokenizer:
    return SUBWORDS.get(unit) or make_tokenizer(unit, normalization, case)


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=300)
@given(
    pattern=st.sampled_from(PATTERNS),
    text=ANY_TEXT,
    normalization=st.sampled_from(NORMALIZATIONS),
    case=st.sampled_from(("keep", "fold")),
)
def test_join_of_split_is_the_normalized_text(
    unit: str, pattern: str, text: str, normalization: str, case: str
) -> None:
    tokenizer = protect(tokenizer_of(unit, normalization, case), pattern)
    try:
        normalized = tokenizer.normalize(text)
    except UserError:
        return
    tokens = tokenizer.split(text)
    assert all(tokens)
    assert tokenizer.join(tokens) == normalized
    if unit != "symbols" and (case == "keep" or unit in SUBWORDS):
        assert normalized == tokenizer_of(unit, normalization).normalize(text)
    units = [token for token in tokenizer.protected(text) if token != GLUE]
    left = list(tokens)
    for token in units:  # each is a token, in this order
        left = left[left.index(token) + 1 :]
    skipping = tokenizer.split_with_dropout(text, MergeDropout(0.9, random.Random(1)))
    assert tokenizer.join(skipping) == normalized


@pytest.mark.parametrize("unit", UNITS)
@given(text=ANY_TEXT)
def test_a_text_without_units_is_split_as_ever(unit: str, text: str) -> None:
    tokenizer = tokenizer_of(unit)
    protected = protect(tokenizer, "\ue000")
    text = text.replace("\ue000", "")
    assert protected.split(text) == tokenizer.split(text)
    assert protected.normalize(text) == tokenizer.normalize(text)
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
            assert codec.decode(codec.encode(text)) == codec.normalize(text)
            assert Codec.from_json(codec.to_json()).encode(text) == codec.encode(text)
        assert codec.encode("{name}") == [codec.vocabulary.id("{name}"), EOS]
        # A unit that is new is one unknown token, and known to a codec that has grown.
        assert codec.encode("{new}") == [UNK, EOS]
        grown = codec.grown(["a {new} <DE>"], min_count=2)
        assert grown.vocabulary.tokens[: len(codec.vocabulary.tokens)] == codec.vocabulary.tokens
        assert grown.encode("{new}") == [grown.vocabulary.id("{new}"), EOS] != [UNK, EOS]
        assert grown.decode(grown.encode("{new} <DE>")) == "{new} <DE>"
        assert Codec.from_json(grown.to_json()) == grown


def test_new_units_are_learned_however_rare_they_are_and_others_by_the_limits() -> None:
    pairs = [Pair("a a b {x}", "c"), Pair("a a d", "c")]
    for unit, kept in (("words", ["{x}", "a"]), ("characters", ["{x}", " ", "a"])):
        options = TextOptions(unit, "characters", protect=BRACES, min_count=2)  # type: ignore[arg-type]
        source = build_examples(options, pairs, has_source=True)[0][0]
        assert source is not None
        assert sorted(source.vocabulary.tokens) == sorted(kept)
    many = [Pair("".join(f"{{u{number}}}" for number in range(30)), "x")]
    options = TextOptions("characters", "characters", protect=BRACES, max_vocabulary=10)
    source = build_examples(options, many, has_source=True)[0][0]
    assert source is not None
    assert len(source.vocabulary) == 10


@pytest.mark.parametrize("unit", ["bpe", "unigram"])
def test_subwords_are_learned_outside_units(unit: str) -> None:
    codec, _ = codecs_of(unit, subword_size=60)
    assert len(codec.vocabulary) <= 60
    assert codec.encode("{name}{a}") == [codec.vocabulary.id("{name}"), codec.vocabulary.id("{a}"), EOS]
    assert codec.tokens(codec.encode("Dear {name}, see"))[-4:-2] != ["{", "n"]
    pieces = set(codec.vocabulary.tokens) - set(codec.tokenizer.protected(" ".join(TEXTS[0])))
    assert not any("{" in piece or "PST" in piece for piece in pieces)
    with pytest.raises(ConfigError, match=r"must be at least \d+ for \d+ different characters, 4 protected units"):
        codecs_of(unit, subword_size=8)
    # The blank before a word is of its piece, beside a unit too.
    tokens = codec.tokenizer.split("{name} is {a}see")
    assert "".join(tokens) == "{name} is {a}see"
    assert tokens[1].startswith(" i")


def test_units_keep_their_case() -> None:
    tokenizer = protect(make_tokenizer("characters", case="fold"), BRACES)
    assert tokenizer.split("AB{Name}C") == ["a", "b", "{Name}", "c"]
    assert tokenizer.normalize("AB{Name}C") == "ab{Name}c"
    options = TextOptions("bpe", "characters", protect=BRACES, case="fold", subword_size=20)
    source, target = build_examples(options, [Pair("Ab {Name}", "Ab {Name}")] * 5, has_source=True)[0]
    assert source is not None
    assert source.encode("aB {Name}") == source.encode("Ab {Name}")
    assert UNK in source.encode("ab {name}")
    assert Codec.from_json(source.to_json()) == source
    assert target.decode(target.encode("Ab {Name}")) == "Ab {Name}"


@pytest.mark.parametrize("unit", UNITS)
def test_a_joint_vocabulary_has_the_units_of_both_sides(unit: str) -> None:
    options = TextOptions(unit, unit, protect=TAGS, joint=True)  # type: ignore[arg-type]
    (source, target), _ = build_examples(options, [Pair("<a> x", "y <b>")] * 20, has_source=True)
    assert source is target
    assert {"<a>", "<b>"} <= set(target.vocabulary.tokens)


def test_fields_of_text_have_units_and_tags_and_values_have_none() -> None:
    pairs = [Pair("ab{x} <DE>\tV;PST\tthe <DE>{y}s\t[[1.0]]", "a {x}")] * 12
    units = ("bytes", "tags", "words", "vectors")
    source = build_examples(TextOptions(units, "words", protect=f"{BRACES}|<DE>|V"), pairs, has_source=True)[0][0]  # type: ignore[arg-type]
    assert source is not None
    assert source.tokenizer.unit == units
    tokens = source.tokens(source.encode(pairs[0].source))
    assert tokens[:5] == ["a", "b", "{x}", " ", "\\<DE>"]
    assert tokens[6:13] == ["<PST>", "<V>", "\t", "the", "<DE>", GLUE, "{y}"]
    assert "<unk>" not in tokens
    assert source.decode(source.encode(pairs[0].source)).startswith("ab{x} <DE>\tPST;V\tthe <DE>{y}s\t")
    again = Codec.from_json(source.to_json())
    assert again == source
    with pytest.raises(CheckpointError, match="protect"):
        Codec.from_dict(
            json.loads(source.to_json().replace(b'"tokenizer": "tags"', b'"tokenizer": "tags", "protect": "V"'))
        )
    grown = source.grown(["{z}\tV;PST\t{x}\t[[1.0]]"], min_count=5)
    assert set(grown.vocabulary.tokens) - set(source.vocabulary.tokens) == {"{z}"}


def test_lengths_count_a_unit_as_one() -> None:
    for unit, length in (("characters", 3), ("words", 3), ("bpe", 2)):
        options = TextOptions(unit, unit, protect=r"\{[^}]*\}")  # type: ignore[arg-type]
        assert LengthLimit(5, options, None).length("target", "a {b c d}") == length - (unit == "words")


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "(",
        "a*",
        "x?",
        "(?R)|a",
        "(?x)( ?R)b",
        "(a(?1)?)",
        "(?x)(?:a{ 500 }){500}",
        "a" * 1001,
        "(a{1000}){1000}",
        "((a{500}){500}){500}",
        "(" * 400 + ")" * 400,
    ],
)
def test_invalid_patterns_are_refused_by_name(pattern: str) -> None:
    for make in (
        lambda: make_config({"text": {"protect": pattern}}, {}),
        lambda: make_config({}, {"text.protect": pattern}),
        lambda: protect(make_tokenizer("characters"), pattern),
    ):
        with pytest.raises(ConfigError, match="must be a regular expression, not ") as caught:
            make()
        assert caught.value.where == "text.protect"
    hostile = codecs_of("characters")[0].to_dict() | {"protect": pattern}
    with pytest.raises(CheckpointError, match="must be a regular expression"):
        Codec.from_dict(hostile)


@pytest.mark.parametrize("pattern", [None, 1, ["a"], {}])
def test_a_file_with_a_pattern_that_is_no_text_is_refused(pattern: object) -> None:
    values = codecs_of("bpe")[0].to_dict() | {"protect": pattern}
    if pattern is None:
        assert not isinstance(Codec.from_dict(values).tokenizer, Protected)
    else:
        with pytest.raises(CheckpointError, match="must be the pattern"):
            Codec.from_dict(values)


def test_a_pattern_that_takes_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.text.protected.MAX_SECONDS", 0.1)
    tokenizer = protect(make_tokenizer("characters"), r"(?:(?:a|aa)+)+(?<=c)d")
    with pytest.raises(DataError, match="took more than") as caught:
        tokenizer.split("a" * 60 + "b")
    assert caught.value.where == "text.protect"


def test_the_file_of_a_codec_says_it_only_where_there_are_units() -> None:
    for unit in UNITS:
        assert "protect" not in codecs_of(unit, None)[0].to_dict()
