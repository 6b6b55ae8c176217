"""Reports as text, dicts and HTML, and how their intervals were computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import seq2see
from seq2see.data import Pair, read_pairs
from seq2see.evaluation import (
    EvaluationOptions,
    EvaluationReport,
    Outputs,
    RunsReport,
    as_json,
    assess,
    evaluate,
    evaluate_runs,
    items_of,
    text_lines,
)
from seq2see.evaluation.format import EXACT_NOTE
from seq2see.evaluation.items import slices_by_label

PAIRS = [Pair("<one>", "abcd", "t:1"), Pair("two", "xy", "t:2"), Pair("three", "aaaaa", "t:3")]
ITEMS = items_of(PAIRS, ["<b>", "<b>", "c"])
REQUEST = EvaluationOptions(samples=100)


def report(*predictions: str) -> EvaluationReport:
    outputs = Outputs(predictions, (("abcd",), ("xy",), ("aaaaa",)), (-1.0, -2.0, -3.0), (5, 3, 6))
    slices = slices_by_label(ITEMS, "kind")
    return assess(ITEMS, outputs, metrics=("exact_match", "cer"), slices=slices, samples=100)


def test_exact_intervals_are_not_called_bootstrap_intervals() -> None:
    """If all items are right, the interval of the exact match is Clopper and Pearson's, and the output says so."""
    perfect = report("abcd", "xy", "aaaaa")
    assert perfect.scores["exact_match"].method == "Clopper-Pearson"
    assert perfect.scores["cer"].method == perfect.scores["loss"].method == "bootstrap"
    lines = str(perfect).splitlines()
    assert [line for line in lines if line.startswith("exact match")] == ["exact match  100.00 %  [29.24, 100.00]*"]
    assert not any("*" in line for line in lines if line.startswith(("CER", "loss")))
    assert EXACT_NOTE in lines
    mixed = report("abcd", "xx", "a")
    assert mixed.scores["exact_match"].method == "bootstrap"
    assert "0.00 % [0.00, 97.50]*" in str(mixed)  # the slice of one wrong item
    assert EXACT_NOTE in mixed._repr_html_()
    without_slices = replace(mixed, slices=())
    assert "Clopper" not in str(without_slices) + without_slices._repr_html_()


def test_dicts_have_one_row_per_metric_and_slice() -> None:
    rows = report("abcd", "xy", "b").to_dicts()
    assert [(row["by"], row["slice"], row["count"], row["metric"]) for row in rows] == [
        (by, name, count, metric)
        for by, name, count in ((None, None, 3), ("kind", "<b>", 2), ("kind", "c", 1))
        for metric in ("exact_match", "cer", "loss")
    ]
    assert len({tuple(row) for row in rows}) == 1
    exact = rows[0]
    assert exact["value"] == pytest.approx(2 / 3)
    assert exact["low"] <= exact["value"] <= exact["high"]
    assert (exact["interval"], exact["unit"]) == ("bootstrap", "share")
    assert rows[3]["interval"] == "Clopper-Pearson"


def test_what_makes_a_metric_unreliable_is_said_once() -> None:
    """Tokenized text has a note in the output, the page and JSON, once however many runs are compared."""
    pairs = [Pair(str(number), "the cat sat .", f"t:{number}") for number in range(12)]
    predictions = tuple(["the cat sat ."] * 12)
    outputs = Outputs(predictions, tuple((text,) for text in predictions), (-1.0,) * 12, (5,) * 12)
    found = assess(items_of(pairs), outputs, metrics=("bleu",), samples=100)
    runs = RunsReport(("a", "b"), (found, found), REQUEST, "", against_first=({}, {}))
    for text in (str(found), found._repr_html_(), str(runs), runs._repr_html_()):
        assert text.count("note: BLEU: 12 of 12 predictions end in a tokenized period") == 1
    alone = replace(runs, runs=("a",), reports=(found,), against_first=({},))
    assert as_json(alone)["metrics"]["bleu"]["note"].startswith("12 of 12 predictions")
    assert "note" not in as_json(alone)["metrics"]["loss"]


def test_html_is_escaped() -> None:
    html = report("abcd", "xy", "b")._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert html.count("<table>") == 2


def test_pairs_are_evaluated_without_a_run_folder(tiny_run: Path, tiny_pairs: Path) -> None:
    """The report of a predictor prints the table of the command."""
    pairs = read_pairs([tiny_pairs]).pairs
    found = evaluate(
        seq2see.load(tiny_run, device="cpu"), [Pair(pair.source, pair.target, "") for pair in pairs], REQUEST
    )
    runs = evaluate_runs([tiny_run], [tiny_pairs], REQUEST, device="cpu")
    assert str(runs) == "\n".join(text_lines(runs))
    assert str(runs) == str(found)
    assert as_json(runs)["metrics"]["cer"]["interval"] == "bootstrap"
    assert runs.to_dicts()[0]["run"] == str(tiny_run)
    assert [row["value"] for row in runs.to_dicts()] == [row["value"] for row in found.to_dicts()]


def test_several_runs_have_p_values_in_dicts_and_html(tiny_run: Path, tiny_pairs: Path) -> None:
    runs = replace(evaluate_runs([tiny_run, tiny_run], [tiny_pairs], REQUEST, device="cpu"), runs=("<a>", "b"))
    rows = runs.to_dicts()
    assert {row["run"] for row in rows} == {"<a>", "b"}
    assert [row["bootstrap_p"] for row in rows if row["run"] == "<a>"].count(None) == len(rows) // 2
    assert next(row["bootstrap_p"] for row in rows if row["run"] == "b" and row["metric"] == "cer") == 1.0
    assert "&lt;a&gt;" in runs._repr_html_()
    assert "1.000 / 1.000" in runs._repr_html_()
