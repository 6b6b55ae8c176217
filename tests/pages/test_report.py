"""The report of a run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seq2see
from seq2see.data.values import ValueSpan
from seq2see.errors import CheckpointError, ConfigError, DataError
from seq2see.evaluation import EvaluationOptions
from seq2see.inference.results import Prediction
from seq2see.pages import collect_report_data, report_page, write_report
from seq2see.pages.examples import attention_parts, text_of
from seq2see.pages.report import duration

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def page_of(page_at: Callable[[str], Any]) -> Callable[..., Any]:
    """Writes the report of a run, and parses it."""

    def made(run: Path, out: Path, *test: Path, **options: Any) -> Any:
        write_report(run, out, test, device="cpu", **options)
        page = page_at(out.read_text(encoding="utf-8"))
        page.check()
        return page

    return made


def test_a_report_has_all_sections(page_of: Callable[..., Any], tiny_run: Path, tmp_path: Path) -> None:
    page = page_of(tiny_run, tmp_path / "report.html")
    assert page.of("h1")
    for part in ("run", "scores", "next", "curves", "errors", "attention", "configuration"):
        assert part in [each["id"] for each in page.of("section")], part
    assert len(page.of("svg")) == 5
    assert "108 for training, 12 dev pairs" in page.text
    assert "all 12 sources are dev pairs, which selected the checkpoint" in page.text
    assert "bidirectional" in page.text
    assert "Test on more pairs" in page.text  # 12 are few
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_known_sources_and_labels_of_a_test_file_are_scored_separately(
    page_of: Callable[..., Any], tiny_run: Path, tiny_pairs: Path, tmp_path: Path
) -> None:
    test = tmp_path / "test.tsv"
    known = tiny_pairs.read_text().splitlines()[:3]
    test.write_text("".join(f"{line}\told\n" for line in known) + "zzz\tzzz\tnew\n")
    page = page_of(tiny_run, tmp_path / "report.html", test, request=EvaluationOptions(by="3"))
    assert "3 of 4 sources are in the training data" in page.text
    assert "by source" in page.text
    assert "by 3" in page.text
    assert "1 of 4 sources have symbols that are not in the training data: z" in page.text


def test_text_from_the_data_is_escaped(
    page_of: Callable[..., Any], tmp_path: Path, tiny_settings: dict[str, Any]
) -> None:
    pairs = [(f"{EVIL}{letter}", f"{letter}<b>\u202e</b>") for letter in "abcdefghijklmnopqrst"]
    run = tmp_path / "<i>run"
    seq2see.train(pairs, dev=pairs, out=run, settings=tiny_settings, device="cpu", quiet=True)
    test = tmp_path / "<img src=x>.tsv"
    test.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    page = page_of(run, tmp_path / "report.html", test)
    assert EVIL in page.text
    assert "⟨U+202E⟩" in page.text
    assert "<img src=x>" in page.text
    assert not page.of("b")
    assert not page.of("i")
    assert "No loss on training pairs" in page.text
    assert "all 20 sources are in the training data" in page.text


def test_a_language_model_has_a_report_without_predictions(
    page_of: Callable[..., Any], tiny_language_run: Path, tmp_path: Path
) -> None:
    page = page_of(tiny_language_run, tmp_path / "report.html")
    parts = [each["id"] for each in page.of("section")]
    assert "errors" not in parts
    assert "attention" not in parts
    assert "perplexity" in page.text


def test_warnings_and_damaged_lines_of_the_log_are_shown(
    page_of: Callable[..., Any], tiny_run_copy: Path, tmp_path: Path
) -> None:
    path = tiny_run_copy / "metrics.jsonl"
    warning = {"event": "warning", "update": 30, "kind": "copies", "message": f"all {EVIL}", "advice": "more pairs"}
    path.write_text(path.read_text() + json.dumps(warning) + "\nhalf a li\n")
    page = page_of(tiny_run_copy, tmp_path / "report.html")
    assert "warnings" in [each["id"] for each in page.of("section")]
    assert f"Update 30: all {EVIL}" in page.text
    assert "Training warning: copies" in page.text
    assert "invalid JSON" in page.text


def test_an_unfinished_run_should_be_resumed(page_of: Callable[..., Any], tiny_run_copy: Path, tmp_path: Path) -> None:
    path = tiny_run_copy / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "Finish training" in page_of(tiny_run_copy, tmp_path / "report.html").text


def test_an_error_leaves_an_existing_file_unchanged(
    tiny_run: Path, tiny_run_copy: Path, tmp_path: Path, tiny_settings: dict[str, Any]
) -> None:
    out = tmp_path / "report.html"
    out.write_text("before")
    with pytest.raises(ConfigError, match=r"unsupported format \.pdf"):
        write_report(tiny_run, tmp_path / "report.pdf")
    with pytest.raises(CheckpointError, match="can't be read"):
        write_report(tiny_run / "model", out)
    with pytest.raises(DataError):
        write_report(tiny_run, out, [tmp_path / "nowhere.tsv"])
    config = tiny_run_copy / "config.toml"
    config.write_text(config.read_text().replace("pairs.tsv", "gone.tsv"))
    with pytest.raises(ConfigError, match="the data of the run can't be read"):
        write_report(tiny_run_copy, out)
    shutil.rmtree(tiny_run_copy / "model")
    with pytest.raises(CheckpointError):
        write_report(tiny_run_copy, out)
    assert out.read_text() == "before"


def test_the_same_run_gives_the_same_scores_with_numpy(tiny_run: Path) -> None:
    data = collect_report_data(tiny_run, engine="numpy")
    assert data.report.count == 12
    assert len(data.attention) <= 4
    assert "12 items" in report_page(data)


def test_formulas_are_drawn_for_pictures_alone() -> None:
    """A command such as I_TURN_LEFT is no formula."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("PIL")
    weights = np.full((2, 2), 0.5)
    text = Prediction("I_TURN_LEFT", ["x", "<eos>"], ["I_TURN_LEFT", "<eos>"], -1.0, -1.0, weights, True)
    assert "<img" not in "".join(attention_parts([text]))
    span = ValueSpan("picture", 0, np.zeros((1, 8, 8), np.uint8))
    picture = replace(text, text="x_1", source_tokens=["1:1", "<eos>"], source_values=(span,))
    assert "".join(attention_parts([picture])).count("<img") == 2


def test_sources_and_durations_for_display() -> None:
    assert text_of(["a", "b"]) == ['<bdi dir="auto">ab</bdi>']
    assert text_of(["the", "dog"]) == ['<bdi dir="auto">the dog</bdi>']
    assert text_of([]) == []
    assert [duration(seconds) for seconds in (9.4, 600, 9000)] == ["9 s", "10 min", "2.5 h"]


def test_the_command(tiny_run: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "seq2see", "report", str(tiny_run), "-o", str(tmp_path / "r.html")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{tmp_path / 'r.html'}\n"
    ran = subprocess.run([*command, "--by", "3"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "needs a test file" in ran.stderr
