"""Edit rates and exact match, calculated by hand, and against a distance of our own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.metrics import (
    Metric,
    character_error_rate,
    exact_match,
    nearest,
    symbol_error_rate,
    word_diff,
    word_error_rate,
)
from seq2see.metrics.edits import levenshtein

TEXTS = st.text("ab c", max_size=6)


def distance_by_hand(one: str, two: str) -> int:
    """Levenshtein's recursion as it is written in textbooks, row by row."""
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, start=1):
        above, row = row, [i]
        for j, b in enumerate(two, start=1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b)))
    return row[-1]


@given(one=TEXTS, two=TEXTS)
def test_the_distance_is_levenshteins(one: str, two: str) -> None:
    measured = character_error_rate([one], [[two]])
    assert measured.statistics.tolist() == [[distance_by_hand(one, two), len(two)]]


def test_rates_on_a_hand_checked_set() -> None:
    predictions = ["kitten", "abc", "flaw"]
    references = [["sitting"], ["abc"], ["lawn"]]
    # kitten/sitting: k→s, e→i, +g = 3 of 7; abc: 0 of 3; flaw/lawn: -f, +n = 2 of 4.
    # (3 + 0 + 2) / (7 + 3 + 4) = 5 / 14, and not the mean of 3/7, 0 and 1/2.
    measured = character_error_rate(predictions, references)
    assert measured.value == pytest.approx(5 / 14)
    assert measured.per_item.tolist() == pytest.approx([3 / 7, 0, 1 / 2])
    assert exact_match(predictions, references).value == pytest.approx(1 / 3)


def test_words_and_symbols_are_what_stands_between_blanks() -> None:
    # HH AH L OW / HH EH L OW W: AH→EH, +W = 2 of 5; the second is right. 2 / (5 + 2).
    predictions, references = ["HH AH L OW", "OW  K"], [["HH EH L OW W"], [" OW K"]]
    for metric in (symbol_error_rate, word_error_rate):
        assert metric(predictions, references).value == pytest.approx(2 / 7)
    assert symbol_error_rate([], []).statistics.shape == (0, 2)


def test_characters_are_code_points_and_blanks_count() -> None:
    # 日本/日本語: 1 of 3; "a b"/"ab": the blank is 1 of 2; é in one code point against e and a mark: 2 of 2.
    assert character_error_rate(["日本", "a b", "\u00e9"], [["日本語"], ["ab"], ["e\u0301"]]).value == pytest.approx(
        4 / 7
    )


def test_the_best_of_several_references_counts() -> None:
    # "T AH M EY T OW" / "T AH M AA T OW" is 1 of 6; against itself with a stress it would be 2 of 7.
    references = [["T AH M EY T OW Z", "T AH M AA T OW", "X"]]
    measured = symbol_error_rate(["T AH M EY T OW"], references)
    # To the first it is 1 edit (Z) of 7, to the second 1 edit of 6: of equal ones the longer.
    assert measured.statistics.tolist() == [[1, 7]]
    assert exact_match(["X"], references).value == 1.0
    assert exact_match(["Y"], references).value == 0.0
    assert symbol_error_rate(["T AH M AA T OW"], references).value == 0.0


@given(text=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=4))
def test_more_references_never_cost_edits(text: str, references: list[str]) -> None:
    edits = [character_error_rate([text], [references[:n]]).statistics[0, 0] for n in range(1, len(references) + 1)]
    assert edits == sorted(edits, reverse=True)
    found = nearest(text, references, levenshtein().distance)
    assert found.edits == edits[-1] == distance_by_hand(text, references[found.reference])
    assert found.length == len(references[found.reference])


@pytest.mark.parametrize("metric", [character_error_rate, word_error_rate, symbol_error_rate])
def test_empty_texts(metric: Metric) -> None:
    assert metric([""], [[""]]).value == 0.0
    assert metric(["a"], [[""]]).value == 1.0
    assert metric([""], [["a"]]).value == 1.0
    assert metric(["a b c"], [["x"]]).value > 1.0  # a rate can pass 1


def test_every_item_needs_references() -> None:
    with pytest.raises(ValueError, match="shorter"):
        exact_match(["a", "b"], [["a"]])


def test_a_subset_is_scored_from_its_items() -> None:
    whole = character_error_rate(["ab", "x", "cd"], [["ab"], ["y"], ["cde"]])
    part = whole.of([0, 2])
    assert part.value == pytest.approx(1 / 5)
    assert np.array_equal(part.statistics, character_error_rate(["ab", "cd"], [["ab"], ["cde"]]).statistics)


def test_a_diff_shows_deletions_and_insertions() -> None:
    assert word_diff("sitting", "kitten", between="") == "[-s-]{+k+}itt[-i-]{+e+}n[-g-]"
    assert word_diff(["a", "b", "c"], ["a", "x", "c", "d"], between=" ") == "a [-b-]{+x+} c {+d+}"
    assert word_diff("abc", "abc", between="") == "abc"
    assert word_diff("", "ab", between="") == "{+ab+}"


@given(reference=st.text("abc", max_size=8), prediction=st.text("abc", max_size=8))
def test_a_diff_can_be_read_back(reference: str, prediction: str) -> None:
    import re

    shown = word_diff(reference, prediction, between="")
    assert re.sub(r"\[-(.*?)-\]", r"\1", re.sub(r"\{\+.*?\+\}", "", shown)) == reference
    assert re.sub(r"\{\+(.*?)\+\}", r"\1", re.sub(r"\[-.*?-\]", "", shown)) == prediction


def test_wer_says_that_a_text_without_blanks_is_one_word() -> None:
    assert "one word" in word_error_rate(["我们去南京"], [["我们去北京"]]).note
    assert not word_error_rate(["a cat"], [["a dog"]]).note
    assert not character_error_rate(["我们去南京"], [["我们去北京"]]).note
