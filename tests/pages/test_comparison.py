"""The page of a comparison."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seq2see.curves.history import LoggedWarning, read_history
from seq2see.data import Pair
from seq2see.evaluation import EvaluationOptions, EvaluationReport, Outputs, RunsReport, assess, evaluate_runs, items_of
from seq2see.pages.agreement import agreement
from seq2see.pages.charts import ranges
from seq2see.pages.comparison import write_comparison


@pytest.fixture
def page(tiny_run: Path, tiny_pairs: Path, tmp_path: Path, page_at: Callable[[str], Any]) -> Any:
    """One run compared with itself, with a name that must be escaped."""
    evaluation = replace(evaluate_runs([tiny_run, tiny_run], [tiny_pairs], EvaluationOptions()), runs=("a-1", "<b>-1"))
    histories = [replace(read_history(tiny_run), name=name) for name in evaluation.runs]
    histories[0].warnings.append(LoggedWarning(3, "copies", "<i>all</i>", "more"))
    out = tmp_path / "compare.html"
    write_comparison(out, evaluation, histories, [tiny_run, tiny_run], data=[tiny_pairs], tested_on="<u>.tsv")
    return page_at(out.read_text(encoding="utf-8"))


def test_runs_are_side_by_side_on_a_valid_page(page: Any) -> None:
    page.check()
    assert [each["id"] for each in page.of("section")] == [
        "scores",
        "agreement",
        "runs",
        "curves",
        "slices",
        "attention",
        "warnings",
    ]
    assert "2 runs on pairs.tsv, scored" in page.text, "the name of the file, without its maker's folders"
    assert "1.000 / 1.000" in page.text  # against itself
    assert page.text.count("108 of 120 sources are in the training data") == 1
    for text in ("<b>-1", "<i>all</i>", "<u>.tsv"):
        assert text in page.text
    assert not page.of("i")


def test_attention_is_shown_for_one_seed_of_each_model(page: Any) -> None:
    """Both runs have the same architecture: the attention is that of the first."""
    grids = [each for each in page.of("table") if each.get("data-verb") == "attends to"]
    assert 0 < len(grids) <= 4
    assert len(page.of("h4")) == len(grids)


def reports_of(*answers: str) -> list[EvaluationReport]:
    """Reports on the items a → A and b → B or X, one per model; its answers are given as two letters."""
    items = items_of([Pair("a", "A", "t:1"), Pair("b", "B", "t:2"), Pair("b", "X", "t:3")])
    references = tuple(item.references for item in items)
    losses, lengths = (-1.0, -1.0, -1.0), (2, 2, 2)
    return [
        assess(items, Outputs(tuple(each), references, losses, lengths), metrics=["exact_match"]) for each in answers
    ]


def test_who_is_right_where(page_at: Callable[[str], Any]) -> None:
    parts = agreement(["one", "<two>"], reports_of("AQ", "QX"))
    page = page_at("".join(parts))
    assert "All are right on 0 of 2 items, none on 0, some on 2." in page.text
    assert "would be right on 2" in page.text
    cells = re.findall(r'<td class="w(\d+)">(\d+)</td>', "".join(parts))
    assert cells == [("0", "0"), ("100", "1"), ("100", "1"), ("0", "0")]
    for text in ("<two>", "✓ A", "✗ Q", "✓ X", "B | X"):
        assert text in page.text
    assert len(page.of("tr")) == 3 + 3


def test_three_models_are_compared_in_pairs() -> None:
    parts = agreement(["a", "b", "c"], reports_of("AB", "AQ", "QQ"))
    cells = re.findall(r'<td class="w\d+">(\d+)</td>', "".join(parts))
    assert cells == ["0", "1", "2", "0", "0", "1", "0", "0", "0"]


def test_models_that_are_all_right_have_no_items_to_show() -> None:
    assert "differ" not in "".join(agreement(["a", "b"], reports_of("AB", "AX")))
    assert agreement(["a"], reports_of("AB")) == []


def test_the_interval_of_each_run_is_drawn_with_its_name() -> None:
    reports = tuple(reports_of("AB", "QQ"))
    drawn = ranges(RunsReport(("a-1", "<b>"), reports, EvaluationOptions(), ""), ["a", "b"])
    assert "a-1 100 [" in drawn
    assert "&lt;b&gt; 0 [0," in drawn
    assert drawn.count("<circle") == 2
