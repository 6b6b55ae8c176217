"""What becomes of a training on two processes when something goes wrong: one clear message, and never a process left.

Each test starts `torchrun`, which starts this file as a program: it does one kind of harm to one rank (HARMS), and is
the command in all else.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2see.storage.checkpoints import load_checkpoint

UPDATE = 4
"""In which the harm is done."""
LIMIT = 240
"""Seconds in which whatever is waited for has to happen, on a busy machine."""

Launch = Callable[..., "Launched"]


class Launched:
    """A `torchrun` whose processes are this file as a program."""

    def __init__(self, folder: Path, command: list[str], flags: tuple[str, ...], **harm: object) -> None:
        self.folder = folder
        self.log = folder / f"log{time.monotonic_ns()}"
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
        environment |= {"TOLD": str(folder), **{name.upper(): str(value) for name, value in harm.items()}}
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *flags]
        with self.log.open("wb") as log:
            # A session of its own, as a terminal gives: what is pressed there goes to all of its group.
            self.process = subprocess.Popen(
                [*torchrun, __file__, *command], stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def end(self, limit: float = LIMIT) -> str:
        """What has been said, once torchrun has ended."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it hangs: {self.said()}") from None
        return self.said()

    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, name: str) -> Path:
        """The file of this name, in which a process tells something."""
        began = time.monotonic()
        while not (self.folder / name).exists():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() - began < LIMIT, self.said()
            time.sleep(0.01)
        return self.folder / name


@pytest.fixture
def launch(tmp_path: Path, tiny_pairs: Path, tiny_flags: list[str]) -> Iterator[Launch]:
    """Trains in `run` on two processes, with these settings; afterwards none of the processes may be left."""
    started: list[Launched] = []

    def start(*settings: str, flags: tuple[str, ...] = (), more: tuple[str, ...] = (), **harm: object) -> Launched:
        command = ["train", str(tiny_pairs), "--out", str(tmp_path / "run"), "--device", "cpu", *more]
        command += [*tiny_flags, "training.max_updates=12", "training.checkpoint_every=3", "training.timeout=30"]
        started.append(Launched(tmp_path, [*command, *settings], flags, **harm))
        return started[-1]

    yield start
    processes = {each.process.pid for each in started} | {int(path.suffix[1:]) for path in tmp_path.glob("process.*")}
    began = time.monotonic()
    while any(map(is_alive, processes)) and time.monotonic() - began < 10:
        time.sleep(0.1)
    left = [process for process in processes if is_alive(process)]
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    assert not left


def is_alive(process: int) -> bool:
    """Whether the process exists and has not ended; one without a wait is still listed."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(run: Path) -> list[str]:
    """How the run ended, each time."""
    events = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [event["reason"] for event in events if event["event"] == "end"]


def weights(run: Path) -> list[bytes]:
    """Of the last checkpoint, and of the best model."""
    last = max((run / "checkpoints").iterdir())
    return [(last / "state.safetensors").read_bytes(), (run / "model" / "model.safetensors").read_bytes()]


# --- what a person gets wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["predict", "compare", "demo", "pack", "check"])
def test_only_training_is_for_many(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from seq2see.cli import main

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(sys, "argv", ["seq2see", verb, "nothing"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"seq2see {verb}: runs in one process, and WORLD_SIZE is 2\n  fix: ")


def test_help_is_for_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from seq2see.cli import main

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(sys, "argv", ["seq2see", "predict", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.slow
def test_a_mistake_in_the_command_is_said_once(launch: Launch) -> None:
    said = launch("training.rat=1").end()
    assert said.count("did you mean 'training.rate'?") == 1
    assert "seq2see, rank 1" not in said


@pytest.mark.slow
def test_models_by_hand_are_for_one(launch: Launch) -> None:
    said = launch(more=("--engine", "scratch")).end()
    assert said.count("trains in one process, not 2") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("harm", "what"), [("other pairs", "pairs"), ("other options", "options")])
def test_what_differs_between_machines_is_refused(harm: str, what: str, launch: Launch, tmp_path: Path) -> None:
    said = launch(harm=harm, harmed=1).end()
    assert said.count(f"rank 1: its {what} differ from those of rank 0") == 1
    assert "give every machine the same files and the same command" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_trainings_in_one_folder(launch: Launch, tmp_path: Path) -> None:
    first = launch("training.timeout=300", harm="waits", harmed=0)
    first.wait_for("waits")
    said = launch(more=("--auto-resume",)).end()
    assert said.count("another process is training in it") == 1
    assert "wait for it to end, or stop it" in said
    (tmp_path / "go on").touch()
    assert "all updates done" in first.end()
    assert ends(tmp_path / "run") == ["all updates done"]


# --- what breaks ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("shard", ["false", "true"])
def test_one_without_memory_ends_all(rank: int, shard: str, launch: Launch) -> None:
    launched = launch(f"training.shard={shard}", harm="no memory", harmed=rank)
    said = launched.end()
    assert launched.process.returncode != 0
    who = "seq2see, rank 1" if rank else "seq2see"
    assert said.count(f"{who}: out of memory: DefaultCPUAllocator: can't allocate memory") == 1


@pytest.mark.slow
@pytest.mark.parametrize("shard", ["false", "true"])
def test_a_gradient_that_is_no_number_is_said_once(shard: str, launch: Launch) -> None:
    launched = launch(f"training.shard={shard}", harm="no number", harmed=1)
    said = launched.end()
    assert launched.process.returncode != 0
    assert said.count(f"the gradient became nan at update {UPDATE}") == 1
    assert "seq2see, rank 1" not in said


@pytest.mark.slow
def test_a_full_disk_ends_all(launch: Launch, tmp_path: Path) -> None:
    launched = launch("training.evaluate_every=12", harm="full disk", harmed=0)
    said = launched.end()
    assert launched.process.returncode != 0
    assert said.count("can't be written: No space left on device") == 1
    assert "then --resume resumes after update 3" in said
    launch("training.evaluate_every=12", more=("--resume",)).end()
    assert ends(tmp_path / "run") == ["all updates done"]


@pytest.mark.slow
@pytest.mark.parametrize("shard", ["false", "true"])
@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_stops_is_named(rank: int, shard: str, launch: Launch) -> None:
    launched = launch(f"training.shard={shard}", "training.timeout=10", harm="stops", harmed=rank)
    launched.wait_for("stops")
    began = time.monotonic()
    said = launched.end()
    took = time.monotonic() - began
    print(f"rank {rank} stopped, shard {shard}: ended after {took:.1f} s")
    assert launched.process.returncode != 0
    assert took < 10 + 30
    assert f"rank {rank} ended or no longer answers" in said


@pytest.mark.slow
def test_one_that_stops_is_started_again(launch: Launch, tmp_path: Path) -> None:
    launched = launch("training.timeout=10", flags=("--max-restarts", "1"), harm="stops", harmed=1)
    launched.wait_for("stops")
    began = time.monotonic()
    said = launched.end()
    print(f"started again, and at its end after {time.monotonic() - began:.1f} s")
    assert launched.process.returncode == 0, said
    assert "resuming after update 3" in said
    assert ends(tmp_path / "run") == ["all updates done"]


# --- what a person, or a scheduler, stops ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_a_run_that_is_stopped_goes_on_bit_for_bit(how: str, launch: Launch, tmp_path: Path) -> None:
    launch("training.timeout=300").end()
    run = tmp_path / "run"
    expected = weights(run)
    run.rename(tmp_path / "whole")
    launched = launch("training.timeout=300", harm="waits", harmed=1)
    launched.wait_for("waits")
    if how == "Ctrl-C":
        os.killpg(launched.process.pid, signal.SIGINT)
    else:
        launched.process.terminate()
    time.sleep(0.5)
    (tmp_path / "go on").touch()
    said = launched.end()
    assert launched.process.returncode != 0
    assert said.count("stopping after this update") == 1
    assert said.count("resume with: torchrun --nproc-per-node 2 -m seq2see train") == 1
    assert ends(run) == ["interrupted"]
    assert max((run / "checkpoints").iterdir()).name == f"{UPDATE:08d}"
    said = launch("training.timeout=300", more=("--resume",)).end()
    assert f"resuming after update {UPDATE}" in said
    assert weights(run) == expected


@pytest.mark.slow
@pytest.mark.parametrize("shard", ["false", "true"])
def test_three_processes_go_on_bit_for_bit(shard: str, launch: Launch, tmp_path: Path) -> None:
    """A sum of three depends on its order, which two can't show, and DDP finds it in the first update of a process."""
    three, settings = ("--nproc-per-node", "3"), ("model.width=64", f"training.shard={shard}")
    launch(*settings, "training.keep_checkpoints=9", flags=three).end()
    run = tmp_path / "run"
    expected = weights(run)
    for update in (6, 9, 12):
        shutil.rmtree(run / "checkpoints" / f"{update:08d}")
    said = launch(*settings, "training.keep_checkpoints=9", flags=three, more=("--resume",)).end()
    assert "resuming after update 3" in said
    assert weights(run) == expected


@pytest.mark.slow
def test_a_run_moves_between_worlds(launch: Launch, tmp_path: Path) -> None:
    """Alone, with copies, divided, alone: the course of one that stayed alone."""
    alone = ("--nproc-per-node", "1")
    common = ("training.schedule=constant", "training.warmup=0", "model.dropout=0", "training.timeout=300")
    launch(*common, flags=alone).end()
    run = tmp_path / "run"
    run.rename(tmp_path / "whole")
    more: tuple[str, ...] = ()
    for updates, shard, flags in ((3, "false", alone), (6, "false", ()), (9, "true", ()), (12, "false", alone)):
        launched = launch(*common, f"training.max_updates={updates}", f"training.shard={shard}", flags=flags, more=more)
        said = launched.end()
        assert launched.process.returncode == 0, said
        more = ("--resume", "--allow-changes")
    assert "2 processes so far, 1 from here on" in said
    expected, found = (load_checkpoint(each / "checkpoints") for each in (tmp_path / "whole", run))
    assert found.progress["update"] == expected.progress["update"] == 12
    for name, array in expected.tensors.items():
        np.testing.assert_allclose(found.tensors[name], array, rtol=0, atol=1e-6, err_msg=name)


# --- the program ----------------------------------------------------------------------------------------------------


def at_update(harm: Callable[[], None]) -> None:
    """Have this done at the beginning of an update, in the first attempt."""
    from seq2see.training.trainer import Trainer

    real = Trainer._update

    def update(self: Trainer, share: Any) -> None:
        if self.progress.update + 1 == UPDATE and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            harm()
        real(self, share)

    Trainer._update = update  # type: ignore[method-assign]


def tell(name: str) -> None:
    Path(os.environ["TOLD"], name).touch()


def stop() -> None:
    tell("stops")
    os.kill(os.getpid(), signal.SIGSTOP)


def wait() -> None:
    tell("waits")
    while not Path(os.environ["TOLD"], "go on").exists():
        time.sleep(0.01)


def break_forward(harm: Callable[[Any], Any]) -> Callable[[], None]:
    def broken() -> None:
        from seq2see.training.objective import Objective

        real = Objective.forward
        Objective.forward = lambda self, batch: harm(real(self, batch))  # type: ignore[method-assign]

    return broken


def without_memory(loss: Any) -> Any:
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


def fill_disk() -> None:
    from seq2see.storage import files as storage

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    storage.write_flushed = full


def other_pairs() -> None:
    from seq2see.run import planning

    real = planning.build_examples
    planning.build_examples = lambda text, pairs, **sides: real(text, [*pairs[1:], pairs[0]], **sides)


HARMS: dict[str, Callable[[], None]] = {
    "stops": lambda: at_update(stop),
    "waits": lambda: at_update(wait),
    "no memory": lambda: at_update(break_forward(without_memory)),
    "no number": lambda: at_update(break_forward(lambda loss: loss * float("nan"))),
    "full disk": lambda: at_update(fill_disk),
    "other pairs": other_pairs,
    "other options": lambda: sys.argv.append("training.clip=2"),
}


if __name__ == "__main__":
    tell(f"process.{os.getpid()}")
    if os.environ.get("RANK") == os.environ.get("HARMED"):
        HARMS[os.environ["HARM"]]()
    from seq2see.cli import main

    main()
