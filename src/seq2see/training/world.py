"""The processes that train one model together, each on its part of every batch. A world of one is the usual case.

Started by `torchrun`, or by whatever else sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, the processes
find each other here. Nothing that decides on training may be known to one alone: what a process has found, the others
are told (`gather`, `from_first`, `sum`). Only the first writes to the run folder.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from seq2see.errors import ConfigError, UserError, WorldError

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup
    from torch.distributed.distributed_c10d import Store

Value = TypeVar("Value")
HANDSHAKE = timedelta(seconds=60)
"""How long processes wait until all are there. A job that was started anew may have read the addresses of the one
before: it has to give up soon to be started once more."""
ROLL_CALL = timedelta(seconds=5)
"""How long those that are left wait for one another's answer once something has failed."""
PAUSE = 1.0
"""Seconds that the first process, which may hold the store, stays for those that read there what became of it."""
JOININGS = count()
"""How often this process has joined a world: who trains twice must not read what was written the first time."""


@dataclass(frozen=True)
class World:
    """How many processes there are, and which of them this one is; by itself, the only one."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Among the processes of this machine: its GPU."""
    restarts: int = 0
    """How often `torchrun` has started the job again."""
    store: Store | None = field(default=None, repr=False)
    """What the processes know of one another beside all messages."""
    group: ProcessGroup | None = field(default=None, repr=False)
    processes: tuple[int, ...] = ()
    """The process id of each rank, on its machine."""

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    def place(self, device: torch.device) -> torch.device:
        """Where this process calculates: on the GPU of its own, or on what all share."""
        return torch.device(device.type, self.local_rank) if device.type == "cuda" and self.size > 1 else device

    def said(self, shard: bool) -> str:
        """How the work is divided, in words."""
        if self.size == 1:
            return ""
        return f", {self.size} processes" + (", the model divided among them" if shard else "")

    # --- what all know ------------------------------------------------------------------------------------------------

    def gather(self, value: Value) -> list[Value]:
        """The JSON value of each process, by rank, on every one. All of them have to ask."""
        if self.group is None:
            return [value]
        from torch.distributed import all_gather

        own = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        all_gather(sizes, torch.tensor([len(own)]), group=self.group)
        longest = max(int(size) for size in sizes)
        padded = torch.nn.functional.pad(own, (0, longest - len(own)))
        found = [torch.empty_like(padded) for _ in sizes]
        all_gather(found, padded, group=self.group)
        return [json.loads(each[: int(size)].numpy().tobytes()) for each, size in zip(found, sizes, strict=True)]

    def from_first(self, value: Value) -> Value:
        """The JSON value that the first process gave; all of them have to ask."""
        return self.gather(value)[0]

    def sum(self, *values: float) -> list[float]:
        """The sums of these numbers over all processes, in float64; all of them have to ask."""
        if self.group is None:
            return list(values)
        from torch.distributed import all_reduce

        sums = torch.tensor(values, dtype=torch.float64)
        all_reduce(sums, group=self.group)
        return sums.tolist()

    def wait(self) -> None:
        """Until all have come here."""
        self.sum(0)

    def require_same(self, **values: str | int) -> None:
        """Refuse to train on what is not the same on all processes: files of one machine that another lacks."""
        for name in values:
            found = self.gather(values[name])
            for rank, other in enumerate(found):
                if other != found[0]:
                    raise WorldError(
                        f"its {name} are not those of rank 0",
                        where=f"rank {rank}",
                        fix="give every machine the same files and the same command",
                    )

    # --- the model on all of them -------------------------------------------------------------------------------------

    def parts(self, indices: np.ndarray, passes: int) -> list[np.ndarray]:
        """Of a batch what this process works through, in so many passes; where rows are few, some are empty."""
        mine = slice(self.rank * passes, (self.rank + 1) * passes)
        return np.array_split(indices, self.size * passes)[mine]

    def join(self, module: nn.Module, *, shard: bool) -> nn.Module:
        """The module on all processes: its gradients are the means of theirs.

        A copy on each (DDP, Li et al. 2020), or with `shard` weights, gradients and moments divided among them
        (FSDP2, Zhao et al. 2023): whole weights are then there only from the forward pass to the end of the backward.
        """
        if self.group is None:
            return module
        if shard:
            from torch.distributed.device_mesh import DeviceMesh
            from torch.distributed.fsdp import fully_shard

            kind = next(module.parameters()).device.type
            fully_shard(module, mesh=DeviceMesh.from_group(self.group, kind))
            return module
        return DistributedDataParallel(module, process_group=self.group)

    # --- when one of them is lost -------------------------------------------------------------------------------------

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Says which process was lost where a message to the others fails: a WorldError that names it.

        A mistake that all of them have found is marked as said by the first, so that it is read once.
        """
        try:
            yield
        except UserError as error:
            error.is_said = self._is_said(str(error))
            raise
        except RuntimeError as error:
            if self.store is None or not is_of_world(error):
                raise
            with suppress(ValueError):  # only the main thread may
                # A launcher that has noticed, too, would end this process before it could say which rank it was.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            absent = self._absent()
            # Not before it has been said which rank it is: the launcher then ends this process, too.
            atexit.register(end_beside, [self.processes[rank] for rank in absent])
            named = ", ".join(map(str, absent))
            who = f"ranks {named}" if len(absent) > 1 else f"rank {named}" if absent else "another process"
            raise WorldError(
                f"{who} ended or no longer answers",
                fix="see what it said last, then go on with --resume; torchrun --max-restarts 3 does so by itself",
            ) from error

    def _is_said(self, message: str) -> bool:
        """Whether the first process says the same; it is asked while it is still there."""
        if self.store is None:
            return False
        store = self.store

        def first_says() -> bool:
            store.wait(["message"], ROLL_CALL)
            return store.get("message").decode() == message

        if self.is_first:
            with suppress(RuntimeError):
                store.set("message", message)
            time.sleep(PAUSE)
            return False
        return bool(answer_of(first_says))

    def _absent(self) -> list[int]:
        """The ranks that don't answer a call."""
        assert self.store is not None
        store = self.store
        answers = {rank: f"here {rank}" for rank in range(self.size)}

        def roll_call() -> list[int]:
            store.set(answers[self.rank], "")
            with suppress(RuntimeError):
                store.wait(list(answers.values()), ROLL_CALL)
            return [rank for rank, answer in answers.items() if not store.check([answer])]

        absent = answer_of(roll_call)
        if self.is_first:
            time.sleep(PAUSE)  # for those that look a moment later
        return [0] if absent is None else absent  # the store is gone with it


ALONE = World()


@contextmanager
def joined(device: torch.device, timeout: float) -> Iterator[World]:
    """The world that this process was started in, until the end of the block. WorldError where it can't be joined.

    `timeout`: seconds that the processes wait for one another from then on. Where a launcher (Ray Train) or a program
    has called `init_process_group` before, ours is a further group beside that one, which stays.
    """
    size = number_of("WORLD_SIZE", 1)
    if size == 1:
        yield ALONE
        return
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    rank = number_of("RANK")
    if rank >= size:
        fix = "number the processes from 0 on, or start them with torchrun"
        raise ConfigError(f"is {rank}, of {size} processes", where="RANK", fix=fix)
    local_rank = number_of("LOCAL_RANK", rank)
    restarts = number_of("TORCHELASTIC_RESTART_COUNT", 0)
    if device.type not in ("cpu", "cuda"):
        fix = "train with --device cpu, or in one process"
        raise ConfigError(f"several processes can't train on {device.type}", where="WORLD_SIZE", fix=fix)
    if device.type == "cuda":
        if local_rank >= torch.cuda.device_count():
            what = f"there is no GPU {local_rank}: this machine has {torch.cuda.device_count()}"
            raise ConfigError(what, where="LOCAL_RANK", fix="start no more processes than GPUs (--nproc-per-node)")
        torch.cuda.set_device(local_rank)
    # The launcher's own store outlasts a restart. A store of each start does not, and a launcher that has taken the
    # place of another counts from 0: with its number the processes would wait for one another for ever.
    start = restarts if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True" else 0
    backend = "gloo" if device.type == "cpu" else f"cpu:gloo,{device.type}:nccl"
    is_ours = not distributed.is_initialized()
    try:
        store, _, _ = next(iter(rendezvous("env://", rank, size, timeout=HANDSHAKE)))
        store = PrefixStore(f"seq2see {start} {next(JOININGS)}", store)
        if is_ours:
            distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=HANDSHAKE)
        group = distributed.new_group(backend=backend, timeout=timedelta(seconds=timeout))
        store.set(f"process {rank}", str(os.getpid()))
        processes = tuple(int(store.get(f"process {other}")) for other in range(size))
    except (RuntimeError, ValueError) as error:
        raise WorldError(
            f"not all {size} processes could be reached: {str(error).partition(chr(10))[0]}",
            fix="start them with torchrun, all on machines that reach MASTER_ADDR at MASTER_PORT",
        ) from error
    world = World(rank, size, local_rank, restarts, store, group, processes)
    try:
        with world.watching():
            yield world
    finally:
        if is_ours:
            distributed.destroy_process_group()
        # Else it all ends with what it stands beside: torch remembers the group of tensors that were divided.


def answer_of(ask_store: Callable[[], Value]) -> Value | None:
    """What a store answers, or None where it is gone, or in a process that has stopped: that takes any time to wait."""
    answers: list[Value] = []

    def ask() -> None:
        with suppress(RuntimeError):
            answers.append(ask_store())

    asking = threading.Thread(target=ask, name="store", daemon=True)
    asking.start()
    asking.join(2 * ROLL_CALL.total_seconds())
    return answers[0] if answers else None


def end_beside(processes: Iterable[int]) -> None:
    """End those of these processes that have the same launcher as this one.

    What is stopped, or stuck in a driver, hears no SIGTERM, and a launcher waits for it (`torchrun` half a minute).
    """
    for process in processes:
        with suppress(OSError):  # it has ended, or this system has no /proc
            status = Path(f"/proc/{process}/stat").read_text()
            if int(status.rpartition(") ")[2].split()[1]) == os.getppid():
                os.kill(process, signal.SIGKILL)


def number_of(variable: str, default: int | None = None) -> int:
    """The number in one of the variables that launchers set. ConfigError where there is none."""
    value = os.environ.get(variable, "" if default is None else str(default))
    if not value.isdecimal():
        what = f"is {value!r}, not a number" if value else "is not set, though WORLD_SIZE is"
        raise ConfigError(what, where=variable, fix="start the processes with torchrun, which sets it")
    return int(value)


def is_of_world(error: RuntimeError) -> bool:
    """Whether a message between processes failed; gloo's errors have no kind of their own."""
    from torch.distributed import DistError

    said = str(error)
    return isinstance(error, DistError) or any(word in said for word in ("gloo", "Gloo", "ProcessGroup", "NCCL"))
