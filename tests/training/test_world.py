"""The world of one process, and what is said where none can be joined; several: tests/laws/test_two_processes.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2see.errors import ConfigError, UserError, WorldError
from seq2see.training import ALONE, World, joined
from seq2see.training import world as worlds
from seq2see.training.world import ask_store_with_timeout, is_communication_error, kill_siblings

CPU = torch.device("cpu")


def test_alone_is_what_all_know() -> None:
    assert ALONE.gather("a") == ["a"]
    assert ALONE.from_first("a") == "a"
    assert ALONE.sum(1, 0.5) == [1, 0.5]
    ALONE.wait()
    ALONE.require_same(pairs="1")
    assert ALONE.is_first
    assert ALONE.description(shard=True) == ""
    module = torch.nn.Linear(1, 1)
    assert ALONE.join(module, shard=True) is module


def test_alone_says_everything_itself() -> None:
    with pytest.raises(UserError) as raised, ALONE.reporting_lost_processes():
        raise UserError("something")
    assert not raised.value.is_said
    with pytest.raises(RuntimeError, match="gloo") as broken, ALONE.reporting_lost_processes():
        raise RuntimeError("gloo says something")
    assert not isinstance(broken.value, WorldError)


def test_parts_of_a_batch() -> None:
    indices = np.arange(5)
    for passes in (1, 2):
        parts = [part for rank in range(2) for part in World(rank, 2).parts(indices, passes)]
        assert len(parts) == 2 * passes
        assert np.concatenate(parts).tolist() == indices.tolist()
    assert [len(World(rank, 2).parts(indices[:1], 1)[0]) for rank in range(2)] == [1, 0]


def test_places() -> None:
    assert World(3, 4, local_rank=1).local_device(torch.device("cuda")) == torch.device("cuda", 1)
    assert ALONE.local_device(torch.device("cuda")) == torch.device("cuda")
    assert World(3, 4, local_rank=1).local_device(CPU) == CPU
    assert World(3, 4).description(shard=False) == ", 4 processes"
    assert World(3, 4).description(shard=True) == ", 4 processes, the model sharded"


@pytest.mark.parametrize(
    ("variables", "where", "what"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE", "must be a whole number, not 'two'"),
        ({"WORLD_SIZE": "2"}, "RANK", "is not set, but WORLD_SIZE is"),
        ({"WORLD_SIZE": "2", "RANK": "first"}, "RANK", "must be a whole number, not 'first'"),
    ],
)
def test_variables_that_no_launcher_sets(
    variables: dict[str, str], where: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised, joined(CPU, 1):
        pass
    assert (raised.value.where, raised.value.what) == (where, what)


def test_missing_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is missing, so no process can be reached."""
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(WorldError, match="not all 2 processes could be reached"), joined(CPU, 1):
        pass


def test_a_store_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "ROLL_CALL_TIMEOUT", timedelta(seconds=0.02))
    assert ask_store_with_timeout(lambda: 1) == 1

    def gone() -> int:
        raise RuntimeError("Connection reset by peer")

    assert ask_store_with_timeout(gone) is None
    never = threading.Event()
    assert ask_store_with_timeout(never.wait) is None
    never.set()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system doesn't say who started a process")
def test_only_what_the_same_launcher_started_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"])
    kill_siblings([process.pid])  # not started by our own parent
    assert process.poll() is None
    monkeypatch.setattr(os, "getppid", lambda: parent)
    parent = os.getpid()
    kill_siblings([process.pid])
    assert process.wait(60) == -signal.SIGKILL
    kill_siblings([process.pid])  # there is none


def test_which_errors_are_between_processes() -> None:
    assert is_communication_error(RuntimeError("[/gloo/transport/tcp/pair.cc:547] Connection closed by peer"))
    assert not is_communication_error(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
