"""Law: the same command gives the same model, whatever the clock says and whatever else the machine does.

Run as a script, this file is the harness: `python tests/laws/test_same_every_time.py 20 FOLDER` starts one command
twenty times, one after the other, while other processes keep every processor busy.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

STARTS = 3
"""Starts in the test; the script makes more."""
SETTINGS = {
    "model.width": 256,  # from which on bfloat16 may be chosen
    "model.embedding": 16,
    "training.max_updates": 6,
    "training.evaluate_every": 3,
    "training.batch_tokens": "auto",
    "text.source": "unigram",
    "text.target": "bpe",
}


@pytest.mark.slow
def test_a_busy_machine_gives_the_same_model(tmp_path: Path) -> None:
    command = [sys.executable, __file__, str(STARTS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(f"{STARTS} starts: 1 model")


def test_no_clock_and_no_free_memory_decides_what_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2see.config import make_config
    from seq2see.run.train import train
    from seq2see.training import memory

    pairs = write_pairs(tmp_path)
    config = make_config({}, SETTINGS | {"data.train": str(pairs), "training.max_updates": 3})
    chance = random.Random(5)
    found = set()
    for number in range(3):
        now, free = iter(jumps(chance)), chance.randint(1, 2**40)
        with monkeypatch.context() as patch:
            for name in ("time", "perf_counter", "monotonic"):
                patch.setattr(time, name, lambda now=now: next(now))
            patch.setattr(memory, "free_memory", lambda device, free=free: free)
            train(config, tmp_path / str(number), device="cpu", console=quiet())
        found.add(digest_of(tmp_path / str(number)))
    assert len(found) == 1


def test_the_check_notices_a_model_that_differs(tmp_path: Path) -> None:
    """The negative control: another seed."""
    from seq2see.config import make_config
    from seq2see.run.train import train

    settings = SETTINGS | {"data.train": str(write_pairs(tmp_path)), "training.max_updates": 1}
    for seed in (1, 2):
        config = make_config({}, settings | {"training.seed": seed})
        train(config, tmp_path / str(seed), device="cpu", console=quiet())
    assert digest_of(tmp_path / "1") != digest_of(tmp_path / "2")


def quiet() -> Any:
    from rich.console import Console

    return Console(quiet=True)


def jumps(chance: random.Random) -> Iterator[float]:
    """The times of a clock on a machine that stands still for hours now and then."""
    now = chance.uniform(0, 1e9)
    while True:
        now += chance.choice([0, 1e-9, 1e-3, 1, 1e4])
        yield now


def digest_of(run: Path) -> str:
    """SHA-256 of all that the run has learned and decided."""
    from seq2see.storage.checkpoints import load_checkpoint

    found = load_checkpoint(run / "checkpoints")
    digest = hashlib.sha256((run / "config.toml").read_bytes())
    for name in sorted(found.tensors):
        digest.update(np.ascontiguousarray(found.tensors[name]).tobytes())
    for path in sorted((run / "model").iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write_pairs(folder: Path) -> Path:
    """A file of 300 pairs: words, and the same words from the back."""
    chance = random.Random(1)
    lines = (
        " ".join("".join(chance.choices("abcdefgh", k=chance.randint(2, 6))) for _ in range(3)) for _ in range(300)
    )
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{line}\t{line[::-1]}\n" for line in dict.fromkeys(lines)))
    return path


# --- the harness ----------------------------------------------------------------------------------------------------


def burn() -> None:
    chance = random.Random(os.getpid())
    while True:
        sum(range(chance.randint(1, 10**6)))
        time.sleep(chance.uniform(0, 0.01))


@contextmanager
def busy(number: int) -> Iterator[None]:
    """Processes that keep the machine busy."""
    processes = [multiprocessing.get_context("spawn").Process(target=burn, daemon=True) for _ in range(number)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def harness(starts: int, folder: Path) -> int:
    command = [sys.executable, "-m", "seq2see", "train", str(write_pairs(folder)), "--device", "cpu", "--set"]
    settings = [f"{key}={value}" for key, value in SETTINGS.items()]
    found = []
    with busy(2 * (os.cpu_count() or 1)):
        for number in range(starts):
            run = folder / str(number)
            subprocess.run([*command, *settings, "--out", str(run)], check=True, capture_output=True)
            found.append(digest_of(run))
            print(f"start {number + 1}: {found[-1][:16]}", flush=True)
    number = len(set(found))
    print(f"{starts} starts: {number} model{'' if number == 1 else 's'}")
    return 0 if number == 1 else 1


if __name__ == "__main__":
    sys.exit(harness(int(sys.argv[1]), Path(sys.argv[2])))
