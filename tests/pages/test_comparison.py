"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seq2see.curves.history import LoggedWarning, read_history
from seq2see.evaluation import EvaluationOptions, evaluate_runs
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
        "runs",
        "curves",
        "warnings",
        "slices",
        "attention",
    ]
    assert "2 runs on" in page.text
    assert "1.000 / 1.000" in page.text  # against itself
    assert "all 120 sources are in the training data" in page.text
    for text in ("<b>-1", "<i>all</i>", "<u>.tsv"):
        assert text in page.text
    assert not page.of("i")


def test_attention_is_shown_for_one_seed_of_each_model(page: Any) -> None:
    """Both runs have the same architecture: the attention is that of the first."""
    assert len([each for each in page.of("table") if each.get("class") == "heat"]) <= 4
    assert len(page.of("h4")) == len([each for each in page.of("table") if each.get("class") == "heat"])
