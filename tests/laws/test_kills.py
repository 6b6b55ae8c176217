"""Law: a run that is killed (`kill -9`) and resumed gives the same result, bit for bit.

Run as a script, this file is the harness: `python tests/laws/test_kills.py attention 10 1 FOLDER` kills training
ten times, at points drawn with seed 1. It starts each run as a fork of itself, since most of a tiny run is the import
of torch; the kill comes from outside, when the run has reported its progress through a pipe.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KILLS = 8
"""Kills per model in the tests; the script runs more."""
PER_EPOCH, UPDATES = 7, 35
SETTINGS = {
    "model.width": 16,
    "model.dropout": 0.3,
    "training.rate": 1e-2,
    "training.batch_size": 16,
    "training.max_updates": UPDATES,
    "training.evaluate_every": 5,
    "training.checkpoint_every": 3,
    "training.precision": "float32",
}
KINDS = (
    "update",
    "save",
    "end of an epoch",
    "later epoch",
    "twice in an epoch",
    "before the first checkpoint",
    "any moment",
)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["attention", "gnmt", "transformer"])
def test_a_killed_run_gives_the_same_result(model: str, tmp_path: Path) -> None:
    command = [sys.executable, __file__, model, str(KILLS), "1", str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    same, kills = map(int, done.stdout.rstrip().rpartition(": ")[2].split(" ")[:3:2])
    assert same == kills >= KILLS


# --- the harness ----------------------------------------------------------------------------------------------------


def child(arguments: list[str], pipe: int, log: Path) -> None:
    """Train as the command does; sends a byte through the pipe at each update (u) and each saved folder (s)."""
    from seq2see import cli
    from seq2see.storage import checkpoints
    from seq2see.training.trainer import Trainer

    def told(what: bytes, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            os.write(pipe, what)
            return real(*given, **named)

        return call

    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    Trainer._update = told(b"u", Trainer._update)  # type: ignore[method-assign]
    checkpoints.write_folder = told(b"s", checkpoints.write_folder)
    sys.argv = ["seq2see", *arguments]
    code = 1
    try:
        cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


def start(arguments: list[str], log: Path) -> tuple[int, int]:
    """A training process, and the pipe through which it reports."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        child(arguments, writing, log)
    os.close(writing)
    return process, reading


def killed(arguments: list[str], log: Path, what: bytes, number: int, wait: float) -> bool:
    """Train, and kill the process `wait` seconds after the n-th report of `what`; whether it was still running."""
    process, pipe = start(arguments, log)
    heard = 0
    while heard < number:
        select.select([pipe], [], [])
        told = os.read(pipe, 1)
        if not told:
            break
        heard += told == what
    time.sleep(wait)
    os.kill(process, signal.SIGKILL)
    os.close(pipe)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (-signal.SIGKILL, 0), log.read_text()
    return code != 0


def finished(arguments: list[str], log: Path) -> None:
    process, pipe = start(arguments, log)
    while os.read(pipe, 4096):
        pass
    os.close(pipe)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code == 0, log.read_text()


def places(kind: str, chance: random.Random, duration: float = 0.0) -> list[tuple[bytes, int, float]]:
    """For each kill: the report to wait for, its count, and a delay; of any moment up to `duration`, in seconds."""
    later = chance.uniform(0, 0.06)
    match kind:
        case "save":
            return [(b"s", chance.randint(1, UPDATES // 3 - 1), chance.uniform(0, 0.02))]
        case "end of an epoch":
            return [(b"u", PER_EPOCH * chance.randint(1, 4) + chance.randint(0, 1), 0.0)]
        case "later epoch":
            return [(b"u", chance.randint(PER_EPOCH + 1, UPDATES - 4), later)]
        case "twice in an epoch":
            first = PER_EPOCH * chance.randint(1, 3) + 1
            # Resumed from a checkpoint at most two updates back, the second run soon reaches the same epoch again.
            return [(b"u", first + chance.randint(0, 2), 0.0), (b"u", chance.randint(3, 5), 0.0)]
        case "before the first checkpoint":
            return [(b"u", chance.randint(1, 3), chance.uniform(0, 0.005))]
        case "any moment":  # also while the data are read and the folder is made
            return [(b"", 0, chance.uniform(0, duration))]
        case _:
            return [(b"u", chance.randint(1, UPDATES - 4), later)]


def end_of(run: Path) -> dict[str, Any]:
    """All files of a run, without times."""
    from seq2see.storage.checkpoints import load_checkpoint

    found = load_checkpoint(run / "checkpoints")
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "tensors": {name: array.tobytes() for name, array in found.tensors.items()},
        "progress": {name: value for name, value in found.progress.items() if "seconds" not in name},
        "model": {path.name: path.read_bytes() for path in (run / "model").iterdir()},
        "metrics": [{name: value for name, value in event.items() if "second" not in name} for event in events],
        "config": (run / "config.toml").read_text(),
        "names": sorted(path.name for path in run.iterdir()),
        "checkpoints": sorted(path.name for path in (run / "checkpoints").iterdir()),
    }


def write_pairs(folder: Path, chance: random.Random) -> Path:
    """A file of 120 pairs: letters, and the same reversed."""
    sources = {"".join(chance.choices("abcde", k=chance.randint(2, 5))): None for _ in range(150)}
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{source}\t{source[::-1]}\n" for source in list(sources)[:120]))
    return path


def harness(model: str, kills: int, seed: int, folder: Path) -> int:
    import torch

    import seq2see.run.train  # imported once for all runs

    torch.set_num_threads(1)
    assert seq2see.run.train
    chance = random.Random(f"{model} {seed}")
    base = ["train", str(write_pairs(folder, chance)), "--model", model, "--device", "cpu"]
    settings = ["--set", *(f"{key}={value}" for key, value in SETTINGS.items())]
    began = time.monotonic()
    finished([*base, "--out", str(folder / "whole"), *settings], folder / "whole.log")
    duration = time.monotonic() - began
    expected = end_of(folder / "whole")
    assert expected["progress"]["update"] == UPDATES
    done = same = number = first = 0
    while done < kills:
        kind = KINDS[number % len(KINDS)]
        run, log = folder / f"{number:03d}", folder / f"{number:03d}.log"
        number += 1

        def arguments(run: Path = run) -> list[str]:
            if (run / "checkpoints").exists() and any(path.name.isdigit() for path in (run / "checkpoints").iterdir()):
                return [*base, "--out", str(run), "--resume"]
            return [*base, "--out", str(run), *(["--force"] if run.exists() else []), *settings]

        hits = sum([killed(arguments(), log, *place) for place in places(kind, chance, duration)])
        first += hits and "--resume" not in arguments()
        finished(arguments(), log)
        found = end_of(run)
        differs = [name for name, value in expected.items() if found[name] != value]
        done += hits
        same += hits if not differs else 0
        print(f"{model}, {kind}: {hits} kills, {'differs: ' + ', '.join(differs) if differs else 'the same'}")
    print(f"{model}, {first} of them before the first checkpoint: {same} of {done} kills")
    return 0 if same == done else 1


if __name__ == "__main__":
    sys.exit(harness(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
