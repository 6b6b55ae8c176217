"""Locks on folders, so that only one process at a time writes to a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2see.errors import ConfigError

MAX_WAIT_SECONDS = 15
"""How long to wait for a process that may be about to end."""


@contextmanager
def locked(folder: Path, say: Callable[[str], None], doing: str = "training") -> Iterator[None]:
    """Hold the lock of a folder. ConfigError if another process keeps it; `doing` is what it does with it."""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield
        return
    try:
        handle = open_folder(folder)
    except OSError as error:
        fix = "choose another folder with --out"
        raise ConfigError(f"can't be created: {error.strerror}", where=str(folder), fix=fix) from None
    try:
        waited = 0
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_same_folder(folder, handle):
                    break
                gone, handle = handle, open_folder(folder)  # the previous holder has removed the folder
                os.close(gone)
            except BlockingIOError:
                if waited == MAX_WAIT_SECONDS:
                    what = f"another process is {doing} in it"
                    raise ConfigError(what, where=str(folder), fix="wait for it to end, or stop it") from None
                if waited == 1:
                    say(f"another process is {doing} in {folder}: waiting for it to end")
                time.sleep(1)
                waited += 1
            except OSError:
                break  # a file system without locks
        yield
    finally:
        os.close(handle)


def open_folder(folder: Path) -> int:
    """A handle of the folder, which is created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder, os.O_RDONLY)


def is_same_folder(folder: Path, handle: int) -> bool:
    """Whether the path still refers to the folder that was opened."""
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except FileNotFoundError:
        return False
