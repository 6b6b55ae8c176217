from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.errors import ConfigError, DataError, UserError
from seq2see.text import NORMALIZATIONS, TOKENIZER_NAMES, Bytes, Characters, Graphemes, Symbols, Words, make_tokenizer

# Plain text, and text made of what is likely to go wrong: white space of all kinds, marks, halves of pairs.
PIECES = [*" \t\n\r\x0b\x1c\x85\xa0\u2003\u2028\u3000<>aé", "e\u0301", "क्षि", "👩\u200d🚀", "\ud800", "\udc00"]
TRICKY = st.lists(st.sampled_from(PIECES)).map("".join)
ANY_TEXT = st.one_of(st.text(), st.text(alphabet=st.characters()), TRICKY)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("name", TOKENIZER_NAMES)
@given(text=ANY_TEXT)
def test_join_of_split_is_the_normalized_text(name: str, normalization: str, text: str) -> None:
    tokenizer = make_tokenizer(name, normalization)
    try:
        normalized = tokenizer.normalize(text)
    except UserError:
        assert any(unicodedata.category(character) == "Cs" for character in text)
        with pytest.raises(UserError):
            tokenizer.split(text)
        return
    tokens = tokenizer.split(text)
    assert tokenizer.join(tokens) == normalized
    assert tokenizer.normalize(normalized) == normalized
    assert all(tokens)
    if tokenizer.alphabet:
        assert set(tokens) <= set(tokenizer.alphabet)


@given(text=st.text())
def test_only_symbols_change_more_than_the_normal_form(text: str) -> None:
    for tokenizer in (Characters(), Graphemes(), Words(), Bytes()):
        assert tokenizer.normalize(text) == unicodedata.normalize("NFC", text)
        assert make_tokenizer(tokenizer.name, "none").normalize(text) == text


def test_what_a_token_is() -> None:
    assert Characters("NFD").split("né") == ["n", "e", "\u0301"]
    assert Characters().split("ne\u0301") == ["n", "é"]
    assert Graphemes().split("क्षि👩\u200d🚀x") == ["क्षि", "👩\u200d🚀", "x"]
    assert Words().split("  a b  c\n") == ["  ", "a", "b", "  ", "c", "\n"]
    assert Words().split(" a ") == [" ", "a", " "]
    assert Symbols().split(" aː \t b ") == ["aː", "b"]
    assert Bytes().split("a <ä") == ["a", " ", "<", "<C3>", "<A4>"]


def test_words_join_anything_a_model_may_write() -> None:
    assert Words().join(["a", "b"]) == "a b"
    assert Words().join(["<unk>", "b", "\n", "c"]) == "<unk> b\nc"


def test_bytes_join_anything_a_model_may_write() -> None:
    assert len(set(Bytes.alphabet)) == 256
    assert Bytes().join(["<C3>", "a", "<unk>"]) == "\ufffda<unk>"


def test_a_lone_surrogate_is_named_with_its_position() -> None:
    with pytest.raises(DataError, match=r"character 2 of a text is U\+D800"):
        Words().split("a\ud800")


def test_unknown_names_suggest_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'characters'"):
        make_tokenizer("charcters")
    with pytest.raises(ConfigError, match="did you mean 'NFKC'"):
        make_tokenizer("words", "NFKCD")
