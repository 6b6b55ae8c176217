"""TensorBoard reads back the log of the run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from seq2see.cli import main
from seq2see.curves.tensorboard import write_tensorboard
from seq2see.errors import CheckpointError, UserError


def read_back(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_every_point_is_written(tiny_run: Path, tmp_path: Path) -> None:
    for _ in range(2):  # a second call replaces the first
        assert write_tensorboard([tiny_run], tmp_path / "logs") == []
    (folder,) = (tmp_path / "logs").iterdir()
    found = read_back(folder)
    assert set(found) == {"training loss", "dev loss", "dev exact match", "learning rate", "speed"}
    events = [json.loads(line) for line in (tiny_run / "metrics.jsonl").read_text().splitlines()]
    expected = {
        "training loss": [(each["update"], each["loss"]) for each in events if each["event"] == "update"],
        "dev loss": [(each["update"], each["dev_loss"]) for each in events if each["event"] == "evaluation"],
    }
    for tag, points in expected.items():
        assert [step for step, _ in found[tag]] == [step for step, _ in points]
        assert [value for _, value in found[tag]] == pytest.approx([value for _, value in points], rel=1e-6)


def test_a_missing_log_folder_or_package_is_an_error(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckpointError):
        write_tensorboard([tmp_path / "nowhere"], tmp_path / "logs")
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="can't be written"):
        write_tensorboard([tiny_run], tmp_path / "file")
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("tensorboard.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UserError, match="package tensorboard") as caught:
        write_tensorboard([tiny_run], tmp_path / "logs")
    assert 'pip install "seq2see[tensorboard]"' in caught.value.fix


def test_the_command_draws_or_writes_events(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["seq2see", "curves", str(tiny_run), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    logs = tmp_path / "logs"
    assert run("--tensorboard", logs) == 0
    assert capsys.readouterr().out == f"{logs}\n"
    for wrong in ((), ("--tensorboard", logs, "-o", "curves.png")):
        assert run(*wrong) == 2
        assert "--tensorboard logs" in capsys.readouterr().err
