"""All peers do the same work by turns, each in a process of its own that stays."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Any

Task = dict[str, Any]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
PAUSE = 0.3
"""Seconds between two peers' turns: threads of OpenMP wait for more work, on the processor, for about 0.2."""


class Process:
    """The script of a peer, running."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self.process, self.errors = process, errors

    def measure(self, task: Task, amount: int) -> dict[str, Any]:
        """What the peer measured; the reason if it doesn't have the task, or has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = b""
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"task": task, "amount": amount}).encode() + b"\n")
            line = self.process.stdout.readline()
        if not line:
            return {"reason": f"failed: {self.last_words()}"}
        told: dict[str, Any] = json.loads(line)
        if told.pop("task") != task:
            raise ValueError(f"asked for {task}, told {line.decode()}")
        return told

    def last_words(self) -> str:
        """The last line on stderr."""
        self.process.wait(10)
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip()
        return said.rpartition("\n")[2] or f"exit code {self.process.returncode}"


@contextmanager
def started(command: Sequence[str], threads: int) -> Iterator[Process]:
    """A process of this command."""
    environment, pipe = os.environ | dict.fromkeys(THREADS, str(threads)), subprocess.PIPE
    with (
        tempfile.TemporaryFile() as errors,
        # Without a buffer, nothing is left to write to a process that has ended.
        subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=errors, env=environment) as process,
    ):
        try:
            yield Process(process, errors)
        finally:
            process.kill()


def measured(
    commands: Mapping[str, Sequence[str]], tasks: Sequence[tuple[Task, int]], *, threads: int, rounds: int
) -> Iterator[tuple[Task, int, dict[str, dict[str, Any]]]]:
    """Each task and amount with what each peer needed: seconds and CPU seconds of each round, or a reason.

    Within a round the peers follow each other, so that other load of the machine affects all alike.
    """
    with ExitStack() as stack:
        running = {name: stack.enter_context(started(command, threads)) for name, command in commands.items()}
        for task, amount in tasks:
            cells: dict[str, dict[str, Any]] = {}
            for _ in range(rounds):
                for name, process in running.items():
                    if "reason" in cells.get(name, {}):
                        continue
                    told = process.measure(task, amount)
                    if "reason" in told:
                        cells[name] = told
                        continue
                    cell = cells.setdefault(name, {"precision": told["precision"], "seconds": [], "cpu_seconds": []})
                    for kind in ("seconds", "cpu_seconds"):
                        cell[kind].append(told[kind])
                    time.sleep(PAUSE)
            yield task, amount, cells
