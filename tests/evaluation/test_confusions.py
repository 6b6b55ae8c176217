"""Which symbols are predicted for which."""

from __future__ import annotations

from seq2see.data import Pair
from seq2see.evaluation import EvaluationReport, Outputs, assess, items_of
from seq2see.evaluation.confusions import Confusion, confusions
from seq2see.pages.errors import FEWEST, MOST_CHARACTERS, WORST, confused, worst


def report_of(*rows: tuple[str, str, str]) -> EvaluationReport:
    """A report of (source, prediction, reference) with a reference per item."""
    items = items_of([Pair(source, reference, f"t:{number}") for number, (source, _, reference) in enumerate(rows, 1)])
    outputs = Outputs(
        tuple(prediction for _, prediction, _ in rows),
        tuple((reference,) for _, _, reference in rows),
        (-1.0,) * len(rows),
        (2,) * len(rows),
    )
    return assess(items, outputs, metrics=["exact_match"])


def test_characters_are_counted_with_an_example_and_their_occurrences() -> None:
    report = report_of(("1", "kat", "cat"), ("2", "kk", "ck"), ("3", "dogs", "dog"), ("4", "c", "c"), ("5", "b", "ba"))
    assert set(confusions(report, "characters")) == {
        Confusion("c", "k", 2, 3, "2"),
        Confusion("", "s", 1, 0, "3"),
        Confusion("a", "", 1, 2, "5"),
    }
    assert confusions(report, "characters")[0].times == 2


def test_words_and_symbols_are_counted_whole() -> None:
    report = report_of(("a", "t s aa", "ts aa"), ("b", "x y", "x z"))
    found = {(each.expected, each.predicted) for each in confusions(report, "symbols")}
    assert ("z", "y") in found
    assert not any(len(symbol) == 1 and symbol in "a" for pair in found for symbol in pair)


def test_the_page_lists_them_and_draws_the_matrix() -> None:
    report = report_of(("1", "<at", "cat"), ("2", "<", "c"), ("3", "a b", "ab"))
    content = "".join(confused(report, "characters"))
    assert "&lt;" in content
    assert "100.0 %" in content  # both c of the references
    assert '<td class="w100">2</td>' in content
    assert "␣" in content, "a blank is visible"
    assert confused(report_of(("1", "a", "a")), "characters") == []


def test_long_words_of_the_matrix_are_turned() -> None:
    assert 'class="heat counts"' in "".join(confused(report_of(("1", "a", "b")), "symbols"))
    assert 'class="heat counts long"' in "".join(confused(report_of(("1", "house of", "cards of")), "words"))


def test_few_errors_of_long_texts_are_shown_and_many_of_short_ones() -> None:
    for length, expected in ((10, WORST), (MOST_CHARACTERS // 100, 100), (MOST_CHARACTERS, FEWEST)):
        same = "a" * (length // 2 - 1)  # what is the same takes no time to align
        rows = [(str(number), f"{same}a", f"{same}b") for number in range(WORST + 1)]
        content = "".join(worst(report_of(*rows), "words"))
        num_rows = content.count("<tr>") - 1  # without the header
        assert expected - 1 <= num_rows <= expected
        assert f"of {WORST + 1} errors" in content
