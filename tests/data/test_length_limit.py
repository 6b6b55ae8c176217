"""`data.longest`: what counts as a token, and which pairs are left out."""

from __future__ import annotations

import pytest

from seq2see.data import Pair
from seq2see.data.length_limit import LengthLimit, left_out_line, require_some
from seq2see.errors import DataError
from seq2see.text import Codec, make_tokenizer
from seq2see.text.options import TextOptions

PAIRS = [Pair("ab", "a b", "f:1"), Pair("abc", "a b c d e", "f:2"), Pair("", "abcd", "")]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("characters", (3, 9)), ("words", (1, 5)), ("symbols", (1, 5)), ("bytes", (3, 9)), ("bpe", (1, 5))],
)
def test_tokens_are_those_of_the_unit_and_words_for_subwords_not_learned_yet(
    unit: str, expected: tuple[int, int]
) -> None:
    assert LengthLimit(9, TextOptions(source=unit, target=unit), None).lengths(PAIRS[1]) == expected


def test_the_codecs_count_once_they_are_there() -> None:
    codec = Codec.build(make_tokenizer("characters"), ["abc"])
    limit = LengthLimit(3, TextOptions(source="bpe", target="bpe"), (codec, codec))
    assert limit.lengths(PAIRS[1]) == (3, 9)


def test_a_side_exactly_at_the_limit_is_kept() -> None:
    text = TextOptions(source="characters", target="symbols")
    assert LengthLimit(5, text, None).split(PAIRS) == (PAIRS, [])
    kept, long = LengthLimit(4, text, None).split(PAIRS)
    assert (kept, long) == ([PAIRS[0], PAIRS[2]], [PAIRS[1]])
    line = left_out_line("train", long, 3, LengthLimit(4, text, None))
    assert line == "train: 1 of 3 pairs left out: longer than 4 tokens (data.longest); the first is f:2 with 3 × 5"


def test_some_must_be_left() -> None:
    limit = LengthLimit(4, TextOptions(), None)
    require_some("train", PAIRS, limit)
    with pytest.raises(DataError, match="no dev pair has at most 4 tokens"):
        require_some("dev", [], limit)
