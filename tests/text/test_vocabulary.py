from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.errors import DataError
from seq2see.text import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary
from seq2see.text.vocabulary import LONGEST_TOKEN


def test_frequent_tokens_come_first_and_ties_are_in_order_of_the_alphabet() -> None:
    vocabulary = Vocabulary.build([list("bbaac"), list("dd")])
    assert vocabulary.tokens == ("a", "b", "d", "c")
    assert [vocabulary.id(token) for token in "abdc"] == [4, 5, 6, 7]
    assert len(vocabulary) == 8


def test_rare_tokens_are_left_out() -> None:
    assert Vocabulary.build([list("aabbc")], min_count=2).tokens == ("a", "b")
    assert len(Vocabulary.build([list("aabbc")], max_size=5)) == 5
    assert len(Vocabulary.build([list("aabbc")], max_size=1)) == len(SPECIALS)


def test_special_tokens_are_ids_and_not_spellings() -> None:
    assert Vocabulary(()).id("<eos>") == UNK
    vocabulary = Vocabulary(SPECIALS)
    assert [vocabulary.id(token) for token in SPECIALS] == [4, 5, 6, 7]
    assert [vocabulary.token(number) for number in (PAD, UNK, BOS, EOS)] == list(SPECIALS)


@given(tokens=st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True))
def test_ids_and_tokens_are_each_others_inverse(tokens: list[str]) -> None:
    vocabulary = Vocabulary(tuple(tokens))
    assert [vocabulary.token(vocabulary.id(token)) for token in tokens] == tokens
    assert all(token in vocabulary for token in tokens)


@pytest.mark.parametrize("number", [-1, 5])
def test_invalid_ids(number: int) -> None:
    with pytest.raises(IndexError, match="out of range for a vocabulary of 5"):
        Vocabulary(("a",)).token(number)


@pytest.mark.parametrize("tokens", [("a", "a"), ("\ud800",)])
def test_invalid_tokens(tokens: tuple[str, ...]) -> None:
    with pytest.raises(DataError):
        Vocabulary(tokens)


def test_a_token_far_too_long_is_not_kept_and_none_is_read() -> None:
    longest = "x" * LONGEST_TOKEN
    assert Vocabulary.build([[longest, longest + "x", "a"]]).tokens == ("a", longest)
    with pytest.raises(DataError, match="has 10,001 characters"):
        Vocabulary(("a", longest + "x"))
