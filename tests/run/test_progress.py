"""What is shown of training on a terminal and elsewhere, and what is written down."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from seq2see.run.progress import Display, MetricsLog, metrics_text, percent, sample_text
from seq2see.training import Evaluated, Finished, Sample, Updated, WarningIssued

UPDATED = Updated(10, 0, 1.25, 4e-3, 0.9, 12345.6, 3.14159)
SAMPLES = (Sample("abc", "cba", "cba"), Sample("[bold]x[/bold]", "y", "z"))
EVALUATED = Evaluated(50, {"exact_match": 0.1234, "loss": 0.5}, True, SAMPLES, 61.0)
FINISHED = Finished(100, "all updates done", 50, {"exact_match": 0.1234, "loss": 0.5}, 120.0)
WARNED = WarningIssued(50, "copies", "[b]all[/b] are copied", "more pairs")


def shown(*events: Updated | Evaluated | WarningIssued | Finished, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, legacy_windows=False)
    with Display(console, 100) as display:
        for event in events:
            display(event)
    return out.getvalue()


def test_in_a_file_there_are_plain_lines() -> None:
    text = shown(UPDATED, EVALUATED, FINISHED, terminal=False)
    assert text.splitlines() == [
        "update     50 ( 50%, 61 s)  dev exact match 12.34 %, loss 0.5000 (best so far)",
        "    abc → cba = cba",
        "    [bold]x[/bold] → y ≠ z",
        "all updates done after 100 updates and 120 s; best at update 50: dev exact match 12.34 %, loss 0.5000",
    ]
    assert "\x1b" not in text


def test_a_warning_is_two_lines_with_what_to_do() -> None:
    assert shown(WARNED, terminal=False) == "warning: [b]all[/b] are copied\n    try: more pairs\n"


def test_on_a_terminal_there_is_a_bar_too() -> None:
    text = shown(UPDATED, EVALUATED, FINISHED, terminal=True)
    assert "\x1b" in text
    assert "loss 1.250" in text
    assert "12,346 tokens/s" in text
    assert "10/100 updates" in text
    assert "[bold]x[/bold]" in text


def test_a_long_line_is_not_broken_and_a_longer_one_cut_with_a_mark() -> None:
    long = Sample("s" * 100, "p" * 6000, "t")
    text = shown(Evaluated(1, {"exact_match": 0.0, "loss": 1.0}, False, (long,), 1.0), terminal=False)
    assert "s" * 100 + " → " + "p" * 99 + "… ≠ t" in text
    assert "best so far" not in text


def test_a_run_without_an_evaluation_says_so() -> None:
    text = shown(Finished(3, "interrupted", 0, {}, 1.0), terminal=False)
    assert text == "interrupted after 3 updates and 1 s; nothing evaluated\n"


def test_the_figures_read_as_they_should() -> None:
    assert percent(0.1234) == "12.34 %"
    assert percent(1.0) == "100.00 %"
    assert f"perplexity {math.exp(0.5):.2f}" in metrics_text({"loss": 0.5})
    assert metrics_text({"exact_match": 0.5, "loss": 1.0}).startswith("dev exact match 50.00 %")
    assert sample_text(Sample("", "once upon", "")) == "once upon"


def test_a_hopeless_loss_can_still_be_shown() -> None:
    assert "loss" in metrics_text({"loss": 800.0})


def test_each_event_is_one_line_of_json_as_it_happens(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    lines = []
    for event in (UPDATED, EVALUATED, WARNED, FINISHED):
        log(event)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["update", "evaluation", "warning", "end"]
    assert lines[0] | {"loss": 1.25, "rate": 4e-3, "gradient_norm": 0.9, "seconds": 3.14, "epoch": 0} == lines[0]
    assert lines[0]["target_tokens_per_second"] == 12346
    assert (lines[1]["dev_exact_match"], lines[1]["dev_loss"], lines[1]["best"]) == (0.1234, 0.5, True)
    assert lines[2] == {"event": "warning"} | WARNED._asdict()
    assert (lines[3]["reason"], lines[3]["best_update"]) == ("all updates done", 50)


def test_a_new_run_starts_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"event": "update", "update": 1}\n')
    MetricsLog(path)
    assert path.read_text() == ""


@pytest.mark.parametrize("cut", ['{"event": "upd', '{"event": "update", "update": 3}', ""])
def test_a_resumed_run_takes_out_what_will_happen_again(tmp_path: Path, cut: str) -> None:
    """The last line may be cut short by the kill that made resuming necessary."""
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"event": "update", "update": update}) + "\n" for update in (1, 10, 20, 30)]
    path.write_text("".join(lines) + cut)
    MetricsLog(path, from_update=20)
    assert path.read_text() == "".join(lines[:3])


def test_a_lost_file_is_begun_again(tmp_path: Path) -> None:
    MetricsLog(tmp_path / "metrics.jsonl", from_update=20)
    assert (tmp_path / "metrics.jsonl").read_text() == ""
