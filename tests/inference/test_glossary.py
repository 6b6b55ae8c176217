"""Glossaries and placeholders: what of a text its answer has to contain."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2see import Model
from seq2see.errors import ConfigError, UserError
from seq2see.inference.glossary import Glossary, TermFinder
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.options import GenerationOptions
from seq2see.inference.reading import UnansweredTextWarning
from seq2see.inference.rules import RuleMaker
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ModelOptions, Sizes, build, resolve
from seq2see.text import Codec, make_tokenizer
from seq2see.text.building import codec_of_counts
from seq2see.text.options import TextOptions


def model_of(unit: str, *texts: str) -> Model:
    torch.manual_seed(4)
    codec = Codec.build(make_tokenizer(unit), texts)
    size = len(codec.vocabulary)
    network = build(resolve(ModelOptions(name="attention", width=16, dropout=0.0)), Sizes(size, size)).eval()
    return Model(TorchEngine(network), codec, codec, max_length=12)


@pytest.fixture(scope="module")
def words() -> Model:
    return model_of("words", "the cat sat on a black cat mat , a {name} and a {b} .")


def found(terms: dict[str, str], text: str) -> list[str]:
    return [text[match.start : match.end] for match in TermFinder(Glossary(terms), str).matches(text)]


def same(*terms: str) -> dict[str, str]:
    return {term: term for term in terms}


# --- terms in texts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "text", "expected"),
    [
        (same("cat"), "the cat sat", ["cat"]),
        (same("cat"), "cats, concat, cat_1", []),
        (same("cat"), "(cat)-cat's", ["cat", "cat"]),
        (same("cat"), "Cat", []),
        (same("black cat", "cat"), "a black cat and a cat", ["black cat", "cat"]),
        (same("a b", "b c d"), "a b c d", ["b c d"]),  # the longest, not the first
        (same("a b", "b c"), "a b c", ["a b"]),
        (same("C++", ".NET"), "C++ and .NET, ASP.NET", ["C++", ".NET", ".NET"]),
        (same("東京"), "東京都に住む", ["東京"]),
        (same("東京", "東京都"), "東京都に", ["東京都"]),
        (same("GPU"), "使用GPU的", ["GPU"]),
        (same("กา"), "มีกาดำ", ["กา"]),
        (same("नम"), "नमः", []),  # a sign that belongs to the letter before it
        (same("кот"), "котик и кот", ["кот"]),
        (same("x"), "", []),
        ({}, "x", []),
    ],
)
def test_terms_are_whole_words_where_the_script_has_blanks(
    terms: dict[str, str], text: str, expected: list[str]
) -> None:
    assert found(terms, text) == expected


@given(st.lists(st.text("ab ", min_size=1, max_size=4).filter(str.strip), max_size=6), st.text("ab ", max_size=20))
def test_matches_are_whole_words_do_not_overlap_and_leave_no_longer_term_out(terms: list[str], text: str) -> None:
    finder = TermFinder(Glossary(same(*terms)), str)
    matches = finder.matches(text)
    assert all(before.end <= after.start for before, after in pairwise(matches))
    assert all(text[match.start : match.end] == match.target for match in matches)
    for term in finder.targets:
        for place in re.finditer(rf"(?<!\w)(?={re.escape(term)}(?!\w))", text):
            start, end = place.start(), place.start() + len(term)
            assert any(match.start < end and start < match.end and len(match.target) >= len(term) for match in matches)
    for match in matches:
        assert re.search(r"\b", text[match.start :]).start() == 0  # type: ignore[union-attr]


def test_both_are_compared_in_the_normal_form_of_the_model() -> None:
    finder = TermFinder(Glossary({"cafe\u0301": "b"}), lambda text: unicodedata.normalize("NFC", text))
    assert [match.target for match in finder.matches("un cafe\u0301") + finder.matches("caf\u00e9 noir")] == ["b", "b"]


# --- files and values -----------------------------------------------------------------------------------------------


def test_a_glossary_is_a_file_a_path_or_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text("cat\tmat\n black cat \tsat on\ncat\tmat\n", encoding="utf-8")
    expected = Glossary({"cat": "mat", "black cat": "sat on"})
    assert (
        Glossary.of(path) == Glossary.of(str(path)) == Glossary.of(expected.terms) == Glossary.of(expected) == expected
    )
    assert Glossary.of(None) is None
    options = GenerationOptions(glossary=path)  # type: ignore[arg-type]
    assert options == GenerationOptions(glossary=expected)
    assert hash(options) == hash(GenerationOptions(glossary=expected))


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        ("cat\tmat\ncat\tsat\n", "terms.tsv:2", "the term 'cat' is 'sat' here and 'mat' in"),
        ("cat\n", "terms.tsv:1", "expected 2 columns"),
        ("cat\t\n", "terms.tsv:1", "the target is empty"),
    ],
)
def test_a_glossary_that_cannot_be_read_is_refused(tmp_path: Path, content: str, where: str, said: str) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        GenerationOptions(glossary=path)  # type: ignore[arg-type]
    assert where in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.fix


# --- answers --------------------------------------------------------------------------------------------------------


def test_answers_contain_the_target_terms_of_their_texts(words: Model) -> None:
    texts = ["the cat sat", "a black cat", "a mat", "cat cat"]
    plain = words.predict(texts)
    answers = words.predict(texts, glossary={"cat": "{b} mat", "black cat": "sat on", "on": "the"})
    for answer, terms in zip(answers, (["{b} mat"], ["sat on"], [], ["{b} mat"]), strict=True):
        assert all(term in answer.text for term in terms)
    assert "{b} mat" not in answers[1].text
    assert answers[2] == plain[2]
    expected = words.predict(texts, contain=[["{b} mat"], ["sat on"], None, ["{b} mat"]])
    assert answers == expected
    more = words.predict(texts, glossary={"cat": "{b} mat"}, contain=[["and"], None, ["and"], None])
    assert "and" in more[0].text
    assert "{b} mat" in more[0].text


def test_terms_that_cannot_be_written_are_said_once_and_left_out(words: Model) -> None:
    glossary = {"cat": "dog mat", "sat": "bird", "black": "mat"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answers = words.predict(["a mat", "the cat sat", "a black cat"], glossary=glossary)
    (said,) = [str(each.message) for each in caught if issubclass(each.category, UnknownTextWarning)]
    assert said.count("'dog mat' ('dog' was not in the training data; first: text 2)") == 1
    assert said.count("'bird' ('bird' was not in the training data; first: text 2)") == 1
    assert "'mat'" not in said
    assert [answer.error for answer in answers] == [""] * 3
    assert "mat" in answers[2].text
    with pytest.warns(UnknownTextWarning, match="dog") as streamed:
        list(words.stream(["the cat"] * 3, glossary=glossary, chunk_size=1))
    assert len(streamed) == 1


def test_placeholders_stand_unchanged_in_the_answers(words: Model) -> None:
    texts = ["the {name} sat", "a {b} and {name}", "a cat"]
    answers = words.predict(texts, placeholders=r"\{\w+\}", beam=3)
    assert answers == words.predict(texts, contain=[["{name}"], ["{b}", "{name}"], None], beam=3)
    assert "{name}" in answers[0].text
    assert words.predict(texts, placeholders="z*") == words.predict(texts)  # which matches nothing, everywhere


def test_a_placeholder_that_cannot_be_written_leaves_its_text_without_an_answer(words: Model) -> None:
    with pytest.warns(UnansweredTextWarning, match=r"text 2: placeholders: '\{x\}' was not in") as caught:
        answers = words.predict(["the {name} sat", "a {x}", "a cat"], placeholders=r"\{\w+\}")
    assert len([each for each in caught if each.category is UnansweredTextWarning]) == 1
    assert [bool(answer.error) for answer in answers] == [False, True, False]
    spaced = model_of("symbols", "a b .")
    with pytest.warns(UnansweredTextWarning, match="can't stand unchanged in an answer, where it is 'a b'"):
        assert spaced.predict("a  b", placeholders="a +b")[0].error


@pytest.mark.parametrize("options", [{"placeholders": "a"}, {"glossary": {"a": "b"}}], ids=str)
def test_they_need_a_source(options: dict[str, Any]) -> None:
    codec = Codec.build(make_tokenizer("characters"), ["ab"])
    network = build(resolve(ModelOptions(name="language_model", width=16)), Sizes(0, len(codec.vocabulary)))
    with pytest.raises(ConfigError, match="which has no source"):
        Model(TorchEngine(network), None, codec, max_length=5).predict("a", **options)


def test_a_source_of_several_fields_has_terms_in_its_texts() -> None:
    counts = {"characters": Counter("abc "), "tags": Counter(["<V>"])}
    source = codec_of_counts(TextOptions(), ("characters", "tags"), counts)
    target = Codec.build(make_tokenizer("characters"), ["abcd"])
    maker = RuleMaker(GenerationOptions(glossary={"ab": "cd"}), source, target, max_length=9, max_positions=None)
    finder = maker.finder
    assert finder is not None
    assert [match.target for match in finder.matches("c ab\tV")] == ["cd"]
    assert finder.matches("cab\tV") == []
