"""Locks on files and folders, so that only one process at a time writes to them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2see.errors import ConfigError
from seq2see.system_errors import reported

MAX_WAIT_SECONDS = 15
"""How long to wait for a process that may be about to end."""


@contextmanager
def locked(
    folder: Path, say: Callable[[str], None], doing: str = "training", *, max_wait: int = MAX_WAIT_SECONDS
) -> Iterator[None]:
    """Hold the lock of a folder. ConfigError if another process keeps it; `doing` is what it does with it.

    At most `max_wait` seconds are waited: 0 for what would replace the work of a process that ends meanwhile.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield
        return
    with reported(folder, "created", ConfigError, option="--out"):
        handle = open_folder(folder)
    try:
        waited = 0
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_same(folder, handle):
                    break
                gone, handle = handle, open_folder(folder)  # the previous holder has removed the folder
                os.close(gone)
            except BlockingIOError:
                if waited == max_wait:
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


def is_same(path: Path, handle: int) -> bool:
    """Whether the path still refers to the file or folder that was opened."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Wait for the lock of a file or folder and hold it; False if it was removed before. OSError as it comes."""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield True
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield False
        return
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield is_same(path, handle)
    finally:
        os.close(handle)


@contextmanager
def try_holding(path: Path) -> Iterator[bool]:
    """Hold the lock of a file or folder; False if another process has it, or if there are no locks."""
    try:
        import fcntl

        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (ImportError, OSError):
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield is_same(path, handle)
    finally:
        os.close(handle)
