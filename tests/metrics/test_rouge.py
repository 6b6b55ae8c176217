"""ROUGE, calculated by hand after Lin 2004."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.metrics import rouge_1, rouge_2, rouge_l
from seq2see.metrics.rouge import words_of

# Lin 2004, section 3.1: the reference and two candidates with the same bigrams but another order.
REFERENCE = "police killed the gunman"
SECOND = "police kill the gunman"
THIRD = "the gunman kill police"


def test_lins_own_example() -> None:
    # S2: longest common subsequence "police the gunman", 3 of 4 both ways; S3: "the gunman", 2 of 4 both ways.
    assert rouge_l([SECOND], [[REFERENCE]]).value == pytest.approx(3 / 4)
    assert rouge_l([THIRD], [[REFERENCE]]).value == pytest.approx(2 / 4)
    # Both have one bigram of the reference, "the gunman", out of 3: that is Lin's point.
    assert rouge_2([SECOND], [[REFERENCE]]).value == rouge_2([THIRD], [[REFERENCE]]).value == pytest.approx(1 / 3)
    # police, the, gunman: 3 of 4.
    assert rouge_1([SECOND], [[REFERENCE]]).value == rouge_1([THIRD], [[REFERENCE]]).value == pytest.approx(3 / 4)


def test_a_hand_checked_set() -> None:
    predictions = ["The cat, the CAT!", "a b"]
    references = [["the cat sat"], ["c d", "b c a b"]]
    # 1: the ×2, cat ×2 against the, cat, sat: 2 in both; 2·2 / (4 + 3) = 4/7.
    # 2: against "c d" 0; against "b c a b" a and b: 2·2 / (2 + 4) = 2/3.
    assert rouge_1(predictions, references).per_item.tolist() == pytest.approx([4 / 7, 2 / 3])
    assert rouge_1(predictions, references).value == pytest.approx((4 / 7 + 2 / 3) / 2)
    # 1: the-cat, cat-the, the-cat against the-cat, cat-sat: 1 in both; 2 / (3 + 2) = 2/5. 2: a-b: 2 / (1 + 3) = 1/2.
    assert rouge_2(predictions, references).per_item.tolist() == pytest.approx([2 / 5, 1 / 2])
    # 1: the cat: 2·2 / 7. 2: a b: 2·2 / 6.
    assert rouge_l(predictions, references).per_item.tolist() == pytest.approx([4 / 7, 2 / 3])


def test_words() -> None:
    assert words_of("It's 3 Über-Cats, U\u0308!") == ["it", "s", "3", "über", "cats", "ü"]
    assert words_of("日本語 in Tokyo へ") == ["日", "本", "語", "in", "tokyo", "へ"]
    assert words_of("हिन्दी भाषा") == ["हिन्दी", "भाषा"]
    assert words_of("?! …") == []


def test_no_overlap_and_empty_texts_are_0() -> None:
    for metric in (rouge_1, rouge_2, rouge_l):
        assert metric(["a b"], [["c d"]]).value == 0.0
        assert metric([""], [["?"]]).value == 0.0
    assert rouge_2(["a"], [["a"]]).value == 0.0  # there is no pair of words


@given(
    text=st.lists(st.sampled_from("abc"), min_size=2, max_size=8), other=st.lists(st.sampled_from("abc"), max_size=8)
)
def test_f1_is_symmetrical_and_1_for_the_same_text(text: list[str], other: list[str]) -> None:
    one, two = " ".join(text), " ".join(other)
    for metric in (rouge_1, rouge_2, rouge_l):
        assert metric([one], [[one]]).value == 1.0
        assert metric([one], [[two]]).value == metric([two], [[one]]).value <= 1.0
