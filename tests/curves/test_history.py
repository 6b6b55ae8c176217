"""The history of a run read from metrics.jsonl, damaged lines reported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from seq2see.curves.history import LoggedWarning, Point, TrainingEnd, problem_lines, read_history
from seq2see.errors import CheckpointError
from seq2see.run.progress import MetricsLog
from seq2see.training import Evaluated, Finished, Updated, WarningIssued

EVENTS = (
    Updated(1, 0, 3.0, 1e-3, 0.9, 1000.0, 0.1),
    Updated(10, 0, 2.0, 4e-3, 0.9, 1200.0, 1.0),
    Evaluated(10, {"exact_match": 0.25, "loss": 1.5}, True, (), 1.2),
    WarningIssued(10, "copies", "found", "do"),
    Evaluated(20, {"exact_match": 0.2, "loss": 1.6}, False, (), 2.2),
    Finished(20, "all updates done", 10, {}, 2.5),
)
UPDATE = {"event": "update", "update": 30, "loss": 1.0, "rate": 1e-3, "target_tokens_per_second": 10}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for event in EVENTS:
        log(event)
    return tmp_path


def test_the_log_is_read_back(run: Path) -> None:
    history = read_history(run)
    assert history.name == str(run)
    assert history.train_loss == [Point(1, 3.0), Point(10, 2.0)]
    assert history.rate == [Point(1, 1e-3), Point(10, 4e-3)]
    assert history.speed == [Point(1, 1000), Point(10, 1200)]
    assert history.dev_loss == [Point(10, 1.5), Point(20, 1.6)]
    assert history.exact_match == [Point(10, 0.25), Point(20, 0.2)]
    assert history.best_update == 10
    assert history.warnings == [LoggedWarning(10, "copies", "found", "do")]
    assert history.end == TrainingEnd(20, "all updates done", 10, 2.5)
    assert history.last_update == 20
    assert history.problems == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"event": "upd', "invalid JSON"),
        (b"\xff\xfe", "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b"[1]", "unknown event"),
        (b'{"event": "step", "update": 3}', "unknown event"),
        (json.dumps(UPDATE | {"update": "30"}).encode(), "the update of this update is '30'"),
        (json.dumps(UPDATE | {"update": True}).encode(), "is True"),
        (json.dumps(UPDATE | {"loss": float("nan")}).encode(), "loss of this update is None"),
        (json.dumps(UPDATE | {"rate": [1]}).encode(), "rate of this update is [1]"),
        (b'{"event": "evaluation", "update": 40}', "dev_loss of this evaluation is None"),
        (b'{"event": "end", "update": 40, "best_update": 1, "seconds": 1, "reason": 3}', "reason of this end is 3"),
        (json.dumps(UPDATE | {"update": 5}).encode(), "goes back to update 5"),
    ],
)
def test_an_invalid_line_is_skipped_and_reported(run: Path, line: bytes, problem: str) -> None:
    before = read_history(run)
    path = run / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n" + json.dumps(UPDATE).encode() + b"\n")
    history = read_history(run)
    assert len(history.problems) == 1
    assert history.problems[0].startswith(f"{path}:7: ")
    assert problem in history.problems[0]
    assert history.train_loss == [*before.train_loss, Point(30, 1.0)]
    assert list(problem_lines([history])) == [f"skipped {history.problems[0]}"]


def test_many_invalid_lines_are_counted(run: Path) -> None:
    path = run / "metrics.jsonl"
    path.write_text("x\n" * 8 + path.read_text())
    lines = list(problem_lines([read_history(run)]))
    assert len(lines) == 6
    assert lines[-1] == f"skipped 3 more lines of {run}"


def test_one_of_several_runs_has_to_be_named(run: Path, tmp_path: Path) -> None:
    for name in ("seed-1", "seed-2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        shutil.copy(run / "metrics.jsonl", tmp_path / "runs" / name)
    with pytest.raises(CheckpointError, match="holds 2 runs, and one is expected") as caught:
        read_history(tmp_path / "runs")
    read_history(Path(caught.value.fix.removeprefix("name one of them: ")))


def test_a_missing_or_empty_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl: can't be read"):
        read_history(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("hello\n")
    with pytest.raises(CheckpointError, match=r"has no update and no evaluation .*:1: invalid JSON"):
        read_history(tmp_path)


def test_averaged_weights_are_neither_a_point_nor_a_problem(tmp_path: Path) -> None:
    """They are evaluated at the same update as the last weights."""
    common = {"event": "evaluation", "update": 20, "seconds": 1.0}
    lines = [
        common | {"dev_loss": 2.0, "dev_exact_match": 0.1, "best": True},
        common | {"dev_loss": 1.5, "dev_exact_match": 0.2, "best": True, "mean_of": 3},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    history = read_history(tmp_path)
    assert history.problems == []
    assert [point.update for point in history.dev_loss] == [20]
    assert history.best_update == 20
