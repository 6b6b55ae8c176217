"""Sources of several fields, each with a unit of its own."""

from __future__ import annotations

import random

import pytest

from seq2see.errors import CheckpointError, ConfigError, DataError
from seq2see.text import FIELD_BREAK, UNK, Codec, Fields, MergeDropout, Tags, make_tokenizer
from seq2see.text.building import codec_of_counts
from seq2see.text.choice import choose_text, one_text_lines
from seq2see.text.options import TextOptions


def lemma_and_tags() -> Codec:
    counts = {"characters": dict.fromkeys("abcdV", 5), "tags": {"<V>": 3, "<PST>": 2}}
    return codec_of_counts(TextOptions(), ("characters", "tags"), counts)


@pytest.mark.parametrize(
    ("text", "tokens", "normal"),
    [
        ("V;PST;3", ["<3>", "<PST>", "<V>"], "3;PST;V"),
        ("Number=Sing|Case=Nom", ["<Case=Nom>", "<Number=Sing>"], "Case=Nom;Number=Sing"),
        ("de", ["<de>"], "de"),
        ("V; V ,PST", ["<PST>", "<V>"], "PST;V"),
        ("V;NOM(3,SG);ACC(1, PL)", ["<ACC(1, PL)>", "<NOM(3,SG)>", "<V>"], "ACC(1, PL);NOM(3,SG);V"),
        ("PronType=Int,Rel|Case=Acc", ["<Case=Acc>", "<PronType=Int,Rel>"], "Case=Acc;PronType=Int,Rel"),
        ("Case=Acc,Number=Sing,Rel,N", ["<Case=Acc>", "<Number=Sing,Rel,N>"], "Case=Acc;Number=Sing,Rel,N"),
        ("F(a=b),G", ["<F(a=b)>", "<G>"], "F(a=b);G"),
        ("(V,3;b)", ["<(V>", "<3>", "<b)>"], "(V;3;b)"),
        ("", [], ""),
        ("e\u0301;<a>", ["<<a>>", "<\u00e9>"], "<a>;\u00e9"),
    ],
)
def test_tags_are_a_set(text: str, tokens: list[str], normal: str) -> None:
    assert Tags().split(text) == tokens
    assert Tags().join(tokens) == normal == Tags().normalize(text)
    assert Tags().normalize(normal) == normal


def test_each_field_has_its_tokens_and_a_break_before_the_next() -> None:
    codec = lemma_and_tags()
    assert codec.vocabulary.tokens[0] == FIELD_BREAK
    assert codec.tokenizer.unit == ("characters", "tags")
    ids = codec.encode("dab\tV;PST")
    assert codec.tokens(ids) == ["d", "a", "b", FIELD_BREAK, "<V>", "<PST>", "<eos>"], "frequent tags first"
    assert codec.decode(ids) == codec.normalize("dab\tPST;V") == "dab\tV;PST"
    assert codec.encode("dab\tPST;V") == Codec.from_json(codec.to_json()).encode("dab\tV;PST") == ids
    assert codec.encode("V\tV")[0] != codec.encode("V\tV")[2], "a letter and a tag are different tokens"
    assert codec.unknown("xa\tFUT;V") == ["x", "<FUT>"]
    assert UNK in codec.encode("a\tFUT")
    assert codec.tokens(codec.encode("\tV")) == [FIELD_BREAK, "<V>", "<eos>"]


@pytest.mark.parametrize("text", ["dab", "dab\tV\tPST", ""])
def test_another_number_of_fields_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=rf"must have 2 columns separated by TAB, found {text.count(chr(9)) + 1}"):
        lemma_and_tags().encode(text)


def test_fields_of_one_unit_share_its_tokens() -> None:
    counts = {"words": {"the": 5, "cat": 5, "rare": 1}, "tags": {"<de>": 1}}
    codec = codec_of_counts(TextOptions(), ("words", "tags", "words"), counts)
    assert codec.vocabulary.tokens == (FIELD_BREAK, "cat", "the", "<de>"), "words need to occur twice, tags don't"
    assert codec.tokens(codec.encode("the cat\tde\tcat"))[3] == "<de>"


def test_subwords_of_fields_are_learned_together_and_survive_storage() -> None:
    counts = {"bpe": {" lower": 20, " lowest": 20}, "tags": {"<de>": 4}}
    codec = codec_of_counts(TextOptions(min_count=2), ("bpe", "tags", "bpe"), counts)
    text = "lower lowest\tde\tlowest"
    assert codec.encode(text) == Codec.from_json(codec.to_json()).encode(text)
    assert Codec.from_json(codec.to_json()) == codec
    assert codec.decode(codec.encode(text)) == text
    dropped = codec.encode_with_dropout(text, MergeDropout(1.0, random.Random(0)))
    assert len(dropped) > len(codec.encode(text))
    assert codec.decode(dropped) == text
    grown = codec.grown(["lower\tfr\tö"])
    assert grown.unknown("ö\tfr\tlower") == []
    assert grown.vocabulary.tokens[: len(codec.vocabulary.tokens)] == codec.vocabulary.tokens
    assert grown.normalize("a\ta;fr;de\tb") == "a\tde;fr;a\tb", "known tags first, unknown ones last"


@pytest.mark.parametrize(
    "change",
    [
        {"fields": []},
        {"fields": "tags"},
        {"fields": [{"tokenizer": "tags"}] * 101},
        {"fields": [{"tokenizer": "fields"}]},
        {"fields": [{"tokenizer": "unigram"}]},
        {"fields": [{"tokenizer": ["tags"]}]},
        {"fields": [{"tokenizer": "bpe"}]},
        {"fields": [None]},
        {"tokens": ["a"]},
    ],
)
def test_damaged_fields_are_refused(change: dict[str, object]) -> None:
    values = {**lemma_and_tags().to_dict(), **change}
    with pytest.raises(CheckpointError):
        Codec.from_dict(values, where="x.json")


LEMMAS = [f"{a}{b}{c}" for a in "bdfg" for b in "aeiou" for c in "lmnr"]


@pytest.mark.parametrize(
    ("second", "unit"),
    [
        (["V;PST;3", "V;PRS;1", "N;PL;ACC", "N;SG;NOM"], "tags"),
        (["Case=Nom|Number=Sing", "Case=Acc|Number=Plur"], "tags"),
        (["de", "fr"], "tags"),
        (["3;SG;>;1;SG", "3;SG;>;1;PL", "3;PL;>;1;SG", "3;PL;>;1;PL"], "symbols"),
        ([*["V;PST"] * 11, *["N;SG"] * 10, "V;V"], "tags"),
        (["a cat", "the dog", "two cows"], "symbols"),
        ([f"{lemma}s" for lemma in LEMMAS], "characters"),
        ([""], "characters"),
    ],
)
def test_a_field_of_tags_is_found(second: list[str], unit: str) -> None:
    sources = [f"{lemma}\t{second[number % len(second)]}" for number, lemma in enumerate(LEMMAS)]
    options, lines = choose_text(TextOptions(target="characters"), sources, LEMMAS)
    assert options.source == ("characters", unit)
    assert [line.split(":")[0] for line in lines] == ["target", "source, field 1", "source, field 2"]
    given = choose_text(options, sources, LEMMAS)[1]  # a line for each field, whoever chose its unit
    assert given == [
        "source, field 1: characters (text.source)",
        f"source, field 2: {unit} (text.source)",
        "target: characters (text.target)",
    ]


def test_the_first_field_is_never_tags() -> None:
    sources = [f"{['de', 'fr'][number % 2]}\t{lemma}" for number, lemma in enumerate(LEMMAS)]
    options, _ = choose_text(TextOptions(target="characters"), sources, LEMMAS)
    assert options.source == ("symbols", "characters")


def test_a_unit_for_the_whole_source_reads_it_as_one_text() -> None:
    sources = [f"{lemma}\tV;PST" for lemma in LEMMAS]
    options, lines = choose_text(TextOptions(source="characters", target="characters"), sources, LEMMAS)
    assert options.source == "characters"
    assert lines == ["source: characters (text.source)", "target: characters (text.target)"]


def test_what_reads_each_column_of_one_text_by_itself_is_said() -> None:
    sources = [f"{lemma}\tV;PST" for lemma in LEMMAS]
    [line] = one_text_lines(TextOptions(source="characters"), sources)
    assert line.startswith("note: the 2 source columns are read as one text")
    assert line.endswith("--set text.source=characters,tags")
    for options in (TextOptions(source=("characters", "tags")), TextOptions(source="bpe", target="bpe", joint=True)):
        assert one_text_lines(options, sources) == []
    assert one_text_lines(TextOptions(source="characters"), LEMMAS) == []


def test_a_tab_in_some_texts_is_no_field() -> None:
    options, _ = choose_text(TextOptions(target="characters"), ["a\tb", "ab"] * 50, LEMMAS)
    assert isinstance(options.source, str)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (TextOptions(source=("characters", "tags"), joint=True), "text.joint"),
        (TextOptions(source=()), "text.source"),
        (TextOptions(source=("characters", "tags"), bpe_dropout=0.1), "text.bpe_dropout"),
        (TextOptions(source=("picture", "bpe"), target="bpe", bpe_dropout=0.1), "text.bpe_dropout"),
        (TextOptions(source=("characters", "tags"), subword_size=100), "text.subword_size"),
    ],
)
def test_options_that_fields_conflict_with(options: TextOptions, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_text(options, [f"{lemma}\tV;PST" for lemma in LEMMAS], LEMMAS)
    assert caught.value.where == where


def test_fields_split_like_their_tokenizers() -> None:
    tokenizer = Fields("NFD", (make_tokenizer("graphemes", "NFD"), make_tokenizer("symbols", "NFD")))
    assert tokenizer.normalize("é\t p  t ") == "e\u0301\tp t"
    assert tokenizer.join(tokenizer.split("é\t p  t ")) == tokenizer.normalize("é\t p  t ")
