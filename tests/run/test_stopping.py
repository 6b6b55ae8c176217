"""A run that is asked to stop: it stops soon, saves what it has, and ends as one that was not once it is resumed."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import seq2see
from seq2see import cli
from seq2see.config import Config, make_config
from seq2see.errors import CheckpointError
from seq2see.run import dev
from seq2see.run.train import Trained, train
from seq2see.storage.checkpoints import load_checkpoint
from seq2see.storage.temporary import left_beside
from seq2see.training.trainer import Trainer

EVALUATED_AT = (6, 12, 14)


@pytest.fixture
def config(tiny_settings: dict[str, Any], tiny_pairs: Path) -> Callable[..., Config]:
    """A run of 14 updates, evaluated after 6, 12 and 14."""
    chosen = tiny_settings | {
        "training.max_updates": 14,
        "training.evaluate_every": 6,
        "training.checkpoint_every": 6,
        "data.train": str(tiny_pairs),
    }
    return lambda **own: make_config({}, chosen | {name.replace("__", "."): value for name, value in own.items()})


def quiet(config: Config, folder: Path, **more: Any) -> Trained:
    return train(config, folder, device="cpu", console=Console(quiet=True), **more)


def end_of(run: Path) -> tuple[Any, ...]:
    """Everything that a run leaves, without times."""
    found = load_checkpoint(run / "checkpoints")
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return (
        {name: array.tobytes() for name, array in found.tensors.items()},
        {name: value for name, value in found.progress.items() if "seconds" not in name},
        {path.name: path.read_bytes() for path in (run / "model").iterdir()},
        [{name: value for name, value in event.items() if "second" not in name} for event in events],
        sorted(path.name for path in (run / "checkpoints").iterdir()),
    )


@pytest.mark.parametrize("number", range(len(EVALUATED_AT)))
@pytest.mark.parametrize("average", [None, 2])
def test_a_signal_during_an_evaluation_ends_it(
    average: int | None,
    number: int,
    config: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = config(training__average=average)
    quiet(chosen, tmp_path / "whole")
    calls: list[str] = []
    real_evaluate, real_step = dev.evaluate_on_dev, dev.TorchEngine.step

    def evaluate(*given: Any) -> Any:
        calls.append("evaluation")
        return real_evaluate(*given)

    def step(*given: Any) -> Any:
        calls.append("step")
        if calls.count("evaluation") == number + 1:
            signal.raise_signal(signal.SIGTERM)
        return real_step(*given)

    with monkeypatch.context() as patch:
        patch.setattr("seq2see.run.torch_trainer.evaluate_on_dev", evaluate)
        patch.setattr(dev.TorchEngine, "step", step)
        broken = quiet(chosen, tmp_path / "broken").finished
    assert (broken.update, broken.reason) == (EVALUATED_AT[number], "interrupted")
    assert calls[calls.index("evaluation") :].count("evaluation") == number + 1
    assert calls[-2:] == ["evaluation", "step"]
    assert seq2see.load(tmp_path / "broken", device="cpu").predict("abc")
    assert quiet(chosen, tmp_path / "broken", resume=True).finished.update == 14
    assert end_of(tmp_path / "broken") == end_of(tmp_path / "whole")


def test_a_signal_before_the_first_evaluation_saves_the_model_without_one(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Trainer._update

    def signalled(trainer: Trainer, batch: Any) -> None:
        real(trainer, batch)
        if trainer.progress.update == 2:
            signal.raise_signal(signal.SIGTERM)

    def evaluate(*_: Any) -> Any:
        raise AssertionError("evaluated")

    with monkeypatch.context() as patch:
        patch.setattr("seq2see.run.torch_trainer.evaluate_on_dev", evaluate)
        patch.setattr(Trainer, "_update", signalled)
        broken = quiet(config(), tmp_path / "broken").finished
    assert (broken.update, broken.reason, broken.metrics) == (2, "interrupted", {})
    assert "not evaluated" in (tmp_path / "broken" / "model" / "README.md").read_text()
    assert seq2see.load(tmp_path / "broken", device="cpu").predict("abc")
    quiet(config(), tmp_path / "broken", resume=True)
    quiet(config(), tmp_path / "whole")
    assert end_of(tmp_path / "broken") == end_of(tmp_path / "whole")


def test_a_full_disk_at_the_first_checkpoint_leaves_the_model_to_go_on_from(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def full(handle: int, content: bytes) -> int:
        if left_beside(tmp_path / "run" / "checkpoints" / "00000006", "new"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, content)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(CheckpointError, match="No space left") as caught:
            quiet(config(), tmp_path / "run")
    assert "there is no checkpoint yet, but the best model so far" in caught.value.fix
    words = shlex.split(caught.value.fix.rpartition(": ")[2])
    monkeypatch.setattr(sys, "argv", [*words, "--device", "cpu"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert seq2see.load(f"{tmp_path / 'run'}-continued", device="cpu").predict("abc")


def test_a_full_disk_at_the_first_model_says_to_start_again(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2see.storage import files

    def full(path: Path, content: bytes) -> None:
        if path.parent.name.startswith(".model"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, content)

    real = files.write_flushed
    monkeypatch.setattr(files, "write_flushed", full)
    with pytest.raises(CheckpointError, match="No space left") as caught:
        quiet(config(), tmp_path / "run")
    assert caught.value.fix.endswith("then start again with --force")


def test_training_goes_on_when_nobody_reads_what_it_prints(
    tiny_pairs: Path, tiny_flags: list[str], tmp_path: Path
) -> None:
    flags = [*tiny_flags, "training.max_updates=60", "training.evaluate_every=10"]
    command = [
        sys.executable,
        "-m",
        "seq2see",
        "train",
        str(tiny_pairs),
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "r"),
    ]
    process = subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert process.stderr is not None
    assert process.stderr.readline()
    process.stderr.close()
    assert process.wait(300) == 0
    events = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert [event["kind"] for event in events if event["event"] == "warning"].count("output") == 1
    assert events[-1]["event"] == "end"
    assert events[-1]["update"] == 60
