"""The processes that train one model together, each on its part of every batch; usually there is only one.

Started by `torchrun`, or anything else that sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, the
processes find each other here. Every decision about training must be made by all of them alike, so what one process
finds is shared with the others (`gather`, `from_first`, `sum`). Only rank 0 writes to the run folder.
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

from seq2see.data.digits import whole_number
from seq2see.errors import ConfigError, UserError, WorldError

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup
    from torch.distributed.distributed_c10d import Store

Value = TypeVar("Value")
JOIN_TIMEOUT = timedelta(seconds=60)
"""How long processes wait for each other at the start. A restarted job may have read the addresses of the previous one;
it has to give up soon to be restarted."""
ROLL_CALL_TIMEOUT = timedelta(seconds=5)
"""How long the remaining processes wait for each other's answer after a failure."""
PAUSE_SECONDS = 1.0
"""How long rank 0, which may hold the store, stays alive for the others to read it."""
JOIN_COUNTER = count()
"""How often this process has joined a world; each time gets its own keys in the store."""


@dataclass(frozen=True)
class World:
    """The processes of a run, and which of them this one is; by default the only one."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Rank among the processes of this machine: the index of its GPU."""
    restarts: int = 0
    """How often `torchrun` has restarted the job."""
    store: Store | None = field(default=None, repr=False)
    """The key-value store of the rendezvous, which works without the process group."""
    group: ProcessGroup | None = field(default=None, repr=False)
    processes: tuple[int, ...] = ()
    """The process id of each rank, on its machine."""

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which writes files and prints."""
        return self.rank == 0

    def local_device(self, device: torch.device) -> torch.device:
        """The device of this process: with several GPU processes, the GPU of its local rank."""
        return torch.device(device.type, self.local_rank) if device.type == "cuda" and self.size > 1 else device

    def description(self, shard: bool) -> str:
        """Number of processes and kind of parallelism in words; empty for one process."""
        if self.size == 1:
            return ""
        return f", {self.size} processes" + (", the model sharded" if shard else "")

    # --- messages ------------------------------------------------------------------------------------------------

    def gather(self, value: Value) -> list[Value]:
        """The JSON values of all processes, by rank; all have to call it."""
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
        """The JSON value of rank 0; all processes have to call it."""
        return self.gather(value)[0]

    def sum(self, *values: float) -> list[float]:
        """The sums of these numbers over all processes, in float64; all have to call it."""
        if self.group is None:
            return list(values)
        from torch.distributed import all_reduce

        sums = torch.tensor(values, dtype=torch.float64)
        all_reduce(sums, group=self.group)
        return sums.tolist()

    def wait(self) -> None:
        """Wait until all processes have called this."""
        self.sum(0)

    def require_same(self, **values: str | int) -> None:
        """WorldError if a value differs between the processes, such as files that differ between machines."""
        for name in values:
            found = self.gather(values[name])
            for rank, other in enumerate(found):
                if other != found[0]:
                    raise WorldError(
                        f"its {name} differ from those of rank 0",
                        where=f"rank {rank}",
                        fix="give every machine the same files and the same command",
                    )

    # --- the model -------------------------------------------------------------------------------------

    def parts(self, indices: np.ndarray, passes: int) -> list[np.ndarray]:
        """This process's part of a batch, in `passes` parts; some are empty if the batch is small."""
        mine = slice(self.rank * passes, (self.rank + 1) * passes)
        return np.array_split(indices, self.size * passes)[mine]

    def join(self, module: nn.Module, *, shard: bool) -> nn.Module:
        """The module wrapped for distributed training: its gradients are the mean over the processes.

        By default each process has a copy (DDP, Li et al. 2020). With `shard`, weights, gradients and moments are
        divided among them (FSDP2, Zhao et al. 2023), and whole weights exist only from the forward pass to the end of
        the backward pass.
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

    # --- lost processes -------------------------------------------------------------------------------------

    @contextmanager
    def reporting_lost_processes(self) -> Iterator[None]:
        """Turns a failed message to other processes into a WorldError that names the lost ranks.

        A UserError that rank 0 reports too is marked with `is_said`, so that it is printed once.
        """
        try:
            yield
        except UserError as error:
            error.is_said = self._is_said(str(error))
            raise
        except RuntimeError as error:
            if self.store is None or not is_communication_error(error):
                raise
            with suppress(ValueError):  # only the main thread can set handlers
                # The launcher would otherwise end this process before it could report the lost rank.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            absent = self._absent()
            # Only after the report, because the launcher then ends this process too.
            atexit.register(kill_siblings, [self.processes[rank] for rank in absent])
            named = ", ".join(map(str, absent))
            who = f"ranks {named}" if len(absent) > 1 else f"rank {named}" if absent else "another process"
            raise WorldError(
                f"{who} ended or no longer answers",
                fix="see its last messages, then --resume; torchrun --max-restarts 3 does so by itself",
            ) from error

    def _is_said(self, message: str) -> bool:
        """Whether rank 0 reports the same message; asked while it is still alive."""
        if self.store is None:
            return False
        store = self.store

        def first_says() -> bool:
            store.wait(["message"], ROLL_CALL_TIMEOUT)
            return store.get("message").decode() == message

        if self.is_first:
            with suppress(RuntimeError):
                store.set("message", message)
            time.sleep(PAUSE_SECONDS)
            return False
        return bool(ask_store_with_timeout(first_says))

    def _absent(self) -> list[int]:
        """The ranks that don't answer a roll call."""
        assert self.store is not None
        store = self.store
        answers = {rank: f"here {rank}" for rank in range(self.size)}

        def roll_call() -> list[int]:
            store.set(answers[self.rank], "")
            with suppress(RuntimeError):
                store.wait(list(answers.values()), ROLL_CALL_TIMEOUT)
            return [rank for rank, answer in answers.items() if not store.check([answer])]

        absent = ask_store_with_timeout(roll_call)
        if self.is_first:
            time.sleep(PAUSE_SECONDS)  # for processes that look a moment later
        return [0] if absent is None else absent  # the store was lost with rank 0


ALONE = World()


@contextmanager
def joined(device: torch.device, timeout: float) -> Iterator[World]:
    """The world that this process was started in, until the end of the block. WorldError if it can't be joined.

    `timeout`: seconds that the processes wait for one another. If a launcher (Ray Train) or a program has already
    called `init_process_group`, ours is an additional group, and the first one stays.
    """
    size = num_processes()
    if size == 1:
        yield ALONE
        return
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    rank = environment_number("RANK")
    if rank >= size:
        fix = "number the processes from 0, or start them with torchrun"
        raise ConfigError(f"must be less than WORLD_SIZE ({size}), not {rank}", where="RANK", fix=fix)
    local_rank = environment_number("LOCAL_RANK", rank)
    restarts = environment_number("TORCHELASTIC_RESTART_COUNT", 0)
    if device.type not in ("cpu", "cuda"):
        fix = "train with --device cpu, or in one process"
        raise ConfigError(
            f"several processes can train on cpu or cuda, not on {device.type}", where="WORLD_SIZE", fix=fix
        )
    if device.type == "cuda":
        if local_rank >= torch.cuda.device_count():
            what = f"there is no GPU {local_rank}: this machine has {torch.cuda.device_count()}"
            raise ConfigError(what, where="LOCAL_RANK", fix="start no more processes than GPUs (--nproc-per-node)")
        torch.cuda.set_device(local_rank)
    # The launcher's own store outlives a restart, so each start needs its own keys. Otherwise each start has a new
    # store, and a replaced launcher counts restarts from 0 again: with that number the processes would never meet.
    start = restarts if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True" else 0
    backend = "gloo" if device.type == "cpu" else f"cpu:gloo,{device.type}:nccl"
    is_ours = not distributed.is_initialized()
    try:
        store, _, _ = next(iter(rendezvous("env://", rank, size, timeout=JOIN_TIMEOUT)))
        store = PrefixStore(f"seq2see {start} {next(JOIN_COUNTER)}", store)
        if is_ours:
            distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=JOIN_TIMEOUT)
        group = distributed.new_group(backend=backend, timeout=timedelta(seconds=timeout))
        store.set(f"process {rank}", str(os.getpid()))
        processes = tuple(int(store.get(f"process {other}")) for other in range(size))
    except (RuntimeError, ValueError) as error:
        raise WorldError(
            f"not all {size} processes could be reached: {str(error).partition(chr(10))[0]}",
            fix="start them with torchrun, on machines that reach MASTER_ADDR at MASTER_PORT",
        ) from error
    world = World(rank, size, local_rank, restarts, store, group, processes)
    try:
        with world.reporting_lost_processes():
            yield world
    finally:
        if is_ours:
            distributed.destroy_process_group()
        # Otherwise our group is left alone, because torch still refers to it for sharded tensors.


def num_processes() -> int:
    """The number of processes that the launcher has started."""
    return environment_number("WORLD_SIZE", 1)


def ask_store_with_timeout(ask_store: Callable[[], Value]) -> Value | None:
    """The answer of a store; None if it is gone, or held by a stopped process, which would block forever."""
    answers: list[Value] = []

    def ask() -> None:
        with suppress(RuntimeError):
            answers.append(ask_store())

    asking = threading.Thread(target=ask, name="store", daemon=True)
    asking.start()
    asking.join(2 * ROLL_CALL_TIMEOUT.total_seconds())
    return answers[0] if answers else None


def kill_siblings(processes: Iterable[int]) -> None:
    """Kill those of these processes that have the same launcher as this one.

    A process that is stopped, or stuck in a driver, ignores SIGTERM, and the launcher would wait for it (`torchrun` for
    half a minute).
    """
    for process in processes:
        with suppress(OSError):  # the process has ended, or there is no /proc
            status = Path(f"/proc/{process}/stat").read_text()
            if int(status.rpartition(") ")[2].split()[1]) == os.getppid():
                os.kill(process, signal.SIGKILL)


def environment_number(variable: str, default: int | None = None) -> int:
    """The number in an environment variable that launchers set. ConfigError if it is missing or invalid."""
    value = os.environ.get(variable, "" if default is None else str(default))
    number = whole_number(value)
    if number is None:
        what = f"must be a whole number, not {value!r:.80}" if value else "is not set, but WORLD_SIZE is"
        raise ConfigError(what, where=variable, fix="start the processes with torchrun, which sets it")
    return number


def is_communication_error(error: RuntimeError) -> bool:
    """Whether a message between processes failed; gloo's errors have no class of their own."""
    from torch.distributed import DistError

    said = str(error)
    return isinstance(error, DistError) or any(word in said for word in ("gloo", "Gloo", "ProcessGroup", "NCCL"))
