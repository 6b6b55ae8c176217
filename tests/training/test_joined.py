"""Joining a world: launcher variables are checked, existing groups are kept, and a process may train twice."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch

from seq2see.errors import ConfigError, WorldError
from seq2see.training import ALONE, joined, world

CPU = torch.device("cpu")
VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT")


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    """MASTER_ADDR and MASTER_PORT: a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")


def join() -> None:
    with joined(CPU, 60.0):
        pass


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with joined(CPU, 60.0) as found:
        assert found is ALONE
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    with joined(CPU, 60.0) as found:
        assert found is ALONE
    assert not torch.distributed.is_initialized()


def test_a_world_without_a_rank_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"RANK: is not set, but WORLD_SIZE is\n  fix: .*torchrun"):
        join()


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT"])
@pytest.mark.parametrize("value", ["two", "-1", "1.5", " "])
def test_what_is_not_a_number_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}: must be a whole number, not '{value}'"):
        join()


@pytest.mark.parametrize(("size", "rank"), [("0", "0"), ("2", "2"), ("2", "7")])
def test_a_rank_is_less_than_the_number_of_processes(size: str, rank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setenv("RANK", rank)
    with pytest.raises(ConfigError, match=rf"RANK: must be less than WORLD_SIZE \({size}\), not {rank}"):
        join()


@pytest.mark.parametrize("name", ["MASTER_ADDR", "MASTER_PORT"])
@pytest.mark.usefixtures("address")
def test_no_address_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv(name)
    with pytest.raises(WorldError, match=rf"not all 2 processes could be reached: .*{name}"):
        join()


@pytest.mark.parametrize("rank", ["0", "1"])
@pytest.mark.usefixtures("address")
def test_processes_that_do_not_come_are_not_waited_for_for_ever(rank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "JOIN_TIMEOUT", timedelta(seconds=0.2))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    with pytest.raises(WorldError, match="not all 2 processes could be reached"):
        join()
    assert not torch.distributed.is_initialized()


PROGRAM = """
import os, sys
import torch
from torch import distributed
import seq2see, seq2see.run.train
from seq2see.training import joined

pairs, folder, before = sys.argv[1:]
os.environ["RANK"] = "0" if os.fork() else "1"
# A launcher that replaces another counts restarts from 0, while the others keep counting.
os.environ["TORCHELASTIC_RESTART_COUNT"] = "2" if os.environ["RANK"] == "0" else "0"
torch.set_num_threads(1)
if before == "initialized":
    distributed.init_process_group("gloo")
for name in "ab":
    settings = {
        "model.width": 8, "training.max_updates": 2, "training.evaluate_every": 1, "training.shard": True,
        "training.precision": "float32", "training.rate": 1e-2, "training.batch_size": 16,
    }
    model = seq2see.train(pairs, out=f"{folder}/{name}", settings=settings, device="cpu", quiet=True)
    assert len(model.predict(["ab"])) == 1
    assert distributed.is_initialized() == (before == "initialized")
if before == "initialized":
    distributed.barrier()  # the program's own group is as it was
    distributed.destroy_process_group()
if os.environ["RANK"] == "0":
    assert os.wait()[1] == 0, "rank 1 failed"
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", ["initialized", "new"])
@pytest.mark.usefixtures("address")
def test_a_program_may_train_twice_and_have_a_group_of_its_own(before: str, tiny_pairs: Path, tmp_path: Path) -> None:
    """Both processes get both models; divided ones, whose group torch remembers. They need not count restarts alike."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tiny_pairs), str(tmp_path), before],
        env=os.environ | {"WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
