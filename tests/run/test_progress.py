"""What is shown of training on a terminal and elsewhere, and what is written down."""

from __future__ import annotations

import ast
import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from seq2see.config import make_config
from seq2see.console import print_line
from seq2see.errors import ConfigError
from seq2see.run.bar import NotebookBar, TerminalBar
from seq2see.run.first_look import read_first
from seq2see.run.pairs import RunData
from seq2see.run.progress import Display, MetricsLog, changes_text, dev_text, metrics_text, percent, sample_text
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


COUNTED = Evaluated(50, {"exact_match": 0.5, "loss": 0.5}, False, SAMPLES[1:], 61.0, 0, 100, 50, 7)


def test_the_number_of_wrong_and_of_changed_answers_is_printed() -> None:
    lines = shown(COUNTED, terminal=False).splitlines()
    assert lines[1:] == ["    50 of 100 wrong, 7 changed since the last evaluation", "    [bold]x[/bold] → y ≠ z"]
    assert changes_text(replace(COUNTED, num_changed=None)) == "50 of 100 wrong"
    assert (
        changes_text(replace(COUNTED, num_wrong=0, num_changed=0)) == "none wrong, 0 changed since the last evaluation"
    )
    assert changes_text(EVALUATED) == ""


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (40, " 10% ━━━━━━ 0:18 left 100/1,000 updates"),
        (60, " 10% ━━━━━━━━━━━━━━ 0:18 left 100/1,000 updates, loss 1.250"),
        (80, " 10% ━━━━━━━━━━━━━━━━━━━━ 0:18 left 100/1,000 updates, loss 1.250, dev 12.34 %"),
        (110, " 10% ━━━━━━━━━━━━━━━━━━━━ 0:18 left 100/1,000 updates, loss 1.250, dev 12.34 %, 12,346 tokens/s"),
    ],
)
def test_the_bar_the_percentage_and_the_time_left_stay_on_a_narrow_terminal(width: int, expected: str) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False)
    moments = iter([0.0, 1.8, 1.8])
    bar = TerminalBar(console, 1000, clock=lambda: next(moments))
    bar.stop()
    assert bar.time_left() == ""
    bar.show(10, ["loss 1.250"])
    bar.show(100, ["loss 1.250", "dev 12.34 %", "12,346 tokens/s"])
    with console.capture() as captured:
        console.print(bar)
    assert captured.get().rstrip("\n") == expected
    assert len(expected) <= width


def test_hours_are_shown_as_such() -> None:
    console = Console(file=io.StringIO(), width=80)
    moments = iter([0.0, 3600.0])
    bar = TerminalBar(console, 30, label="1/6 plain-1", clock=lambda: next(moments))
    bar.stop()
    bar.show(10, ())
    bar.show(20, ())
    assert bar.time_left() == "1:00:00 left"


def test_what_is_known_of_dev_is_on_the_bar_and_the_notebook_has_the_same() -> None:
    text = shown(EVALUATED, UPDATED, terminal=True)
    assert "dev 12.34 %" in text
    assert dev_text({"loss": 0.5}) == "dev loss 0.500"
    bar = NotebookBar.__new__(NotebookBar)
    bar.total = 100
    assert "10/100 updates loss 1.25, dev 12.34 %" in str(bar.markup(10, ["loss 1.25", "dev 12.34 %"]))


@pytest.mark.parametrize("width", [60, 80])
def test_a_line_is_broken_between_words_on_a_terminal_and_nowhere_else(width: int) -> None:
    line = "    try: " + "use a model with attention " * 6 + "x" * 90
    for terminal in (True, False):
        out = io.StringIO()
        print_line(Console(file=out, force_terminal=terminal, color_system=None, width=width), line)
        lines = out.getvalue().splitlines()
        if terminal:
            assert len(lines) > 2
            assert all(len(each) <= width for each in lines)
            assert all(each.startswith(" " * 8) for each in lines[1:])
            words = [word for each in lines for word in each.split() if "x" not in word]
            assert words == [word for word in line.split() if "x" not in word]
        else:
            assert lines == [line]


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
    assert sample_text(Sample("a", "", "b")) == "a → (empty) ≠ b"


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


# --- before PyTorch is imported -------------------------------------------------------------------------------------

WATCHED = """
import builtins, sys
import seq2see.console, seq2see.cli
printed = []
say_to = seq2see.console.say_to
def watched(console):
    say = say_to(console)
    def line(text):
        printed.append((text, "torch" in sys.modules))
        say(text)
    return line
seq2see.console.say_to = watched
import seq2see.commands.training
seq2see.commands.training.say_to = watched
sys.argv = ["seq2see", *sys.argv[1:]]
code = seq2see.cli.run(sys.argv[1:])
print(code, [(text.partition(":")[0], has_torch) for text, has_torch in printed])
"""


def test_the_data_are_read_and_said_before_pytorch_is_imported(tiny_pairs: Path, tmp_path: Path) -> None:
    settings = ["--set", "model.width=8", "training.max_updates=1", "training.evaluate_every=1"]
    command = [sys.executable, "-c", WATCHED, "train", tiny_pairs, "--out", tmp_path / "run", *settings]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    code, _, listed = ran.stdout.strip().partition(" ")
    assert code == "0", ran.stderr
    said = ast.literal_eval(listed)
    assert said[0] == ("data", False)
    assert ("data", True) not in said
    assert ran.stderr.count("data: ") == 1


def test_what_comes_first_otherwise_is_left_to_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\nc\td\ne\tf\n")
    said: list[str] = []

    def read(**settings: object) -> RunData | None:
        config = make_config({}, {"data.train": [str(path)]} | settings)
        return read_first(config, tmp_path / "run", said.append, force=False)

    found = read()
    assert found is not None
    assert (len(found.train) + len(found.dev), found.notes) == (3, [])
    assert said[0].startswith("data: 3 pairs")
    assert read(**{"training.start_from": "old"}) is None
    with pytest.raises(ConfigError, match="one vocabulary for both sides"):
        read(**{"model.tie": "all", "model.name": "transformer"})
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert read() is None
