"""The worker processes of a service, which compute. Each belongs to a thread of the service, and knows nothing of HTTP.

What goes through the pipes of a process is pickled. First come the file of its flags and the models (`Setup`), then
batches (`Task`); it answers each with any number of `Found` and `Tokens`, and with an `End`.
"""

from __future__ import annotations

import logging
import mmap
import os
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from seq2see.inference.predictor import Predictor
from seq2see.search.contract import Array, Ids, Mask
from seq2see.serving.logs import log
from seq2see.serving.snapshots import Snapshot

PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.path[:] = {path!r}
from seq2see.serving.workers import work_for_parent
work_for_parent()
"""
"""Signals are for the service, which answers what it has accepted and then ends its workers."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A worker for each core computes more than threads do, unless the environment says otherwise."""
RESTART_SECONDS = 1.0
"""Between two attempts to start a process."""


class WorkerDiedError(Exception):
    """A worker process has died."""


class WorkerError(Exception):
    """An error in a worker process; its text is the traceback there."""


class Setup(NamedTuple):
    """What a process needs to begin."""

    flags: Path
    models: Sequence[Snapshot]


class Task(NamedTuple):
    """A batch to compute: see `seq2see.serving.batching.Worker.run`."""

    work: Any
    items: Sequence[Any]
    wanted: Mask | None


class Found(NamedTuple):
    """Results of some items of the batch."""

    results: list[tuple[int, Any]]


class Tokens(NamedTuple):
    """Tokens of wanted items."""

    rows: Ids
    ids: Ids
    log_probs: Array


class End(NamedTuple):
    """The batch is computed, or has failed; also said once the process is ready."""

    error: Exception | None = None


class WorkerProcess:
    """A process that computes, used by one thread; it is started again if it dies."""

    def __init__(
        self,
        flags: Path,
        most_items: int,
        models: Callable[[], Sequence[Snapshot]],
        died: Callable[[], None] = lambda: None,
    ) -> None:
        """`flags` is a file to be made; `models` are those that a new process opens before it is ready."""
        flags.write_bytes(bytes(most_items))
        self.flags = flags
        self.given_up = flags_in(flags, mmap.ACCESS_WRITE)
        self.models = models
        self.died = died
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopping = threading.Event()

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start a process and wait until it is ready. WorkerDiedError if it dies before."""
        path = [os.path.abspath(each) for each in sys.path]
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(path=path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**ONE_THREAD, **os.environ},
        )
        for _ in self._exchange(Setup(self.flags, self.models())):
            pass

    def start(self) -> None:
        """Start the process unless it is running, again and again until it is ready or the service stops."""
        while not self.is_alive and not self._is_stopping.is_set():
            if self._process is not None:  # it had nothing to do when it died
                self._death()
            try:
                self.launch()
            except (WorkerDiedError, OSError) as error:
                log("worker failed to start", level=logging.ERROR, error=error)
                self._is_stopping.wait(RESTART_SECONDS)

    def stop(self) -> None:
        """End the process at once, from any thread; it isn't started again."""
        self._is_stopping.set()
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the process, by the thread that has used it."""
        self.stop()
        self._end()

    def run(
        self, work: Any, items: Sequence[Any], wanted: Mask | None, chosen: Callable[[Ids, Ids, Array], None]
    ) -> Generator[list[tuple[int, Any]], None, None]:
        """See `seq2see.serving.batching.Worker`. WorkerDiedError; MemoryError or WorkerError of the work."""
        self.start()  # it may have died while it had nothing to do
        with closing(self._exchange(Task(work, items, wanted))) as messages:
            for message in messages:
                if isinstance(message, Tokens):
                    chosen(*message)
                else:
                    yield message.results

    def _exchange(self, message: Setup | Task) -> Generator[Found | Tokens, None, None]:
        """Send a message; what comes back until its end."""
        process, is_over = self._process, False
        if process is None or process.stdin is None or process.stdout is None:
            raise WorkerDiedError("before it was started")
        try:
            send(process.stdin, message)
            while not isinstance(answer := pickle.load(process.stdout), End):
                yield answer
            is_over = True
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            raise self._death() from None
        finally:
            if not is_over:  # or the rest would be taken for the answer to the next batch
                self._end()
        if answer.error is not None:
            raise answer.error

    def _death(self) -> WorkerDiedError:
        """Say that the process has died."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)  # it has closed its pipe, and is about to leave with its own exit code
        pid, code = self._end()
        if not self._is_stopping.is_set():
            log("worker died", level=logging.ERROR, pid=pid, code=code)
            self.died()
        return WorkerDiedError(f"process {pid}, exit code {code}")

    def _end(self) -> tuple[int, int]:
        """End the process and close its pipes; its number and exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0, 0
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what is left to write has nowhere to go
                if pipe is not None:
                    pipe.close()
        return process.pid, process.wait()


class BatchWatch:
    """The watch of a batch in the process that computes it: see `seq2see.inference.watching`."""

    def __init__(self, given_up: Mask, wanted: Mask | None, chosen: Callable[[Ids, Ids, Array], None]) -> None:
        self.flags = given_up
        self.wanted = wanted
        self.pass_on = chosen

    def given_up(self, rows: Ids) -> Mask | None:
        """The rows that nobody waits for; None if there are none."""
        found: Mask = self.flags[rows]
        return found if found.any() else None

    def chosen(self, rows: Ids, ids: Ids, log_probs: Array) -> None:
        """Pass on the tokens of wanted items."""
        if self.wanted is not None and (own := self.wanted[rows]).any():
            self.pass_on(rows[own], ids[own], log_probs[own])


def work_for_parent() -> None:
    """Compute what comes from the process that started this one, until it ends or closes the pipe."""
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints goes into the log
    sys.stdout = sys.stderr
    try:
        setup: Setup = pickle.load(tasks)
        opened = {each.name: (each, each.open()) for each in setup.models}
        flags = flags_in(setup.flags, mmap.ACCESS_READ)
        send(answers, End())

        def model_of(snapshot: Snapshot) -> Predictor:
            if opened[snapshot.name][0] != snapshot:
                opened[snapshot.name] = (snapshot, snapshot.open())
            return opened[snapshot.name][1]

        while True:
            task: Task = pickle.load(tasks)
            watch = BatchWatch(flags, task.wanted, lambda *tokens: send(answers, Tokens(*tokens)))
            send(answers, End(error_of(task, model_of, watch, lambda results: send(answers, Found(results)))))
    except (EOFError, BrokenPipeError):
        os._exit(0)  # nobody is there to be told of what is left to write


def error_of(
    task: Task,
    model_of: Callable[[Snapshot], Predictor],
    watch: BatchWatch,
    found: Callable[[list[tuple[int, Any]]], None],
) -> Exception | None:
    """Compute a task; the error that has ended it."""
    try:
        for results in task.work.run(model_of(task.work.model), task.items, watch):
            found(results)
    except BrokenPipeError:
        raise
    except MemoryError:
        return MemoryError()
    except Exception:  # a bug of ours, which is said where the request is answered
        return WorkerError(traceback.format_exc())
    return None


def send(pipe: BinaryIO | Any, message: NamedTuple | Any) -> None:
    """Send a message."""
    pickle.dump(message, pipe, protocol=5)
    pipe.flush()


def flags_in(path: Path, access: int) -> Mask:
    """The flags of a file, shared by all processes that map it."""
    with path.open("rb" if access == mmap.ACCESS_READ else "r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=access), dtype=bool)
