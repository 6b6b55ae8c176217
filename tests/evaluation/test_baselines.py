"""What is scored without a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2see.data import Pair
from seq2see.errors import ConfigError
from seq2see.evaluation import EvaluationOptions, as_json, evaluate_runs, text_lines
from seq2see.evaluation.baselines import answers_of, lead
from seq2see.evaluation.items import items_of

QUICK = EvaluationOptions(samples=100)


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        ("One. Two! Three?", 1, "One."),
        ("One. Two! Three?", 2, "One. Two!"),
        ("One. Two! Three?", 3, "One. Two! Three?"),
        ("One. Two!", 3, "One. Two!"),
        ("no end", 1, "no end"),
        ("It costs 3.50 here. Yes.", 1, "It costs 3.50 here."),
        ("これは本です。赤い。", 1, "これは本です。"),
        ("", 1, ""),
    ],
)
def test_the_lead_is_the_first_sentences(text: str, number: int, expected: str) -> None:
    assert lead(text, number) == expected


def test_each_baseline_answers_from_the_source_or_from_training() -> None:
    items = items_of([Pair("a. b.", "x", ""), Pair("c\tN", "y", "")])
    train = [Pair("a. b.", "p", ""), Pair("a. b.", "q", ""), Pair("a. b.", "q", ""), *[Pair("d", "r", "")] * 4]
    assert answers_of("copy", items) == ["a. b.", "c"]
    assert answers_of("lead-1", items) == ["a.", "c"]
    assert answers_of("lookup", items, train) == ["q", "r"]


def test_baselines_are_scored_beside_the_model(tiny_run: Path, tiny_pairs: Path) -> None:
    found = evaluate_runs([tiny_run], [tiny_pairs], QUICK, device="cpu", baselines=["lookup", "copy"])
    lines = list(text_lines(found))
    head = next(number for number, line in enumerate(lines) if line.startswith("without a model"))
    assert lines[head].split() == ["without", "a", "model", "exact", "match", "CER"]
    assert [line.split()[0] for line in lines[head + 1 :]] == ["lookup", "copy"]
    assert found.baselines["lookup"]["exact_match"].value >= 0.8  # most of these pairs are its training pairs
    assert found.baselines["copy"]["exact_match"].value < 0.5
    assert as_json(found)["baselines"]["copy"]["cer"]["value"] == found.baselines["copy"]["cer"].value
    assert "baselines" not in as_json(evaluate_runs([tiny_run], [tiny_pairs], QUICK, device="cpu"))


def test_an_unknown_baseline_and_a_model_without_training_pairs_are_refused(tiny_run: Path, tiny_pairs: Path) -> None:
    with pytest.raises(ConfigError, match="unknown baseline 'lead-9'"):
        evaluate_runs([tiny_run], [tiny_pairs], QUICK, device="cpu", baselines=["lead-9"])
    with pytest.raises(ConfigError, match="lookup needs the pairs"):
        evaluate_runs([tiny_run / "model"], [tiny_pairs], QUICK, device="cpu", baselines=["lookup"])
