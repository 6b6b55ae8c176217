"""Temporary files and folders beside an output, under names that nobody else uses.

The name is `.NAME.seq2see-ROLE-RANDOM`: only what has such a name is ever removed, and whatever else stands beside an
output is left alone. The process that writes one holds a lock on it, by which another process tells that it is in use.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from seq2see.storage.locks import holding, try_holding

Role: TypeAlias = Literal["new", "old", "gone"]
"""A new version, the previous one while the new one takes its place, and one that is being removed."""

MAX_NAME_BYTES = 180
"""Of the name in a temporary name; a longer one is replaced by its hash, since file systems allow 255 bytes."""
TEMPORARY = re.compile(r"\.(?P<name>.+)\.seq2see-(?P<role>new|old|gone)-[0-9a-f]{16}", re.DOTALL)
AT_CURRENT_FOLDER, RENAME_EXCHANGE = -100, 2
"""Constants of Linux, for `renameat2`."""
NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.ENOENT)
"""How systems report that they can't exchange two names, or that one of them is missing."""
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
"""How systems report that a folder's new name belongs to another folder."""


class Temporary(NamedTuple):
    """What a temporary name says."""

    name: str
    """Of the output it belongs to, or its hash."""
    role: Role


def read_name(name: str) -> Temporary | None:
    """What this file name says; None if it is not a temporary name."""
    found = TEMPORARY.fullmatch(name)
    return Temporary(found["name"], found["role"]) if found else None  # type: ignore[arg-type]


def is_temporary(path: Path) -> bool:
    """Whether the file or folder has a temporary name."""
    return read_name(path.name) is not None


def temporary_name(path: Path, role: Role) -> Path:
    """A new temporary name beside `path`."""
    return path.with_name(f".{_short(path.name)}.seq2see-{role}-{secrets.token_hex(8)}")


def _short(name: str) -> str:
    content = os.fsencode(name)
    return name if len(content) <= MAX_NAME_BYTES else hashlib.sha256(content).hexdigest()


def left_beside(path: Path, *roles: Role) -> list[Path]:
    """What stands beside `path` under its temporary names, sorted by name."""
    wanted = {Temporary(_short(path.name), role) for role in roles}
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    return [path.with_name(name) for name in sorted(names) if read_name(name) in wanted]


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, to be filled and moved there; removed at the end if it was not moved."""
    while True:
        new = temporary_name(path, "new")
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666))
        try:
            with holding(new) as is_held:
                if is_held:
                    yield new
                    return
        finally:
            remove(new)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`, to be filled and moved there; what then has its name is removed at the end."""
    while True:
        new = temporary_name(path, "new")
        new.mkdir()
        try:
            with holding(new) as is_held:
                if is_held:
                    yield new
                    return
        finally:
            remove(new)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, as far as possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def put_in_place(new: Path, folder: Path) -> Path:
    """Move the new folder to its place; returns the temporary name of the previous one, if any. OSError as it comes.

    Where the system can exchange two names, there is a complete folder in the place at every moment.
    """
    while not exchange(new, folder):
        old = temporary_name(folder, "old")
        with suppress(FileNotFoundError):
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
            remove(old)  # another process has put its own in the place, which is the previous one now
        else:
            return old
    return new


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; False if that is impossible. OSError for other failures."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    names = AT_CURRENT_FOLDER, os.fsencode(one), AT_CURRENT_FOLDER, os.fsencode(other)
    if rename(*names, RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def current_version(folder: Path) -> Path:
    """The folder, or its previous version if a process was killed between the two renames of `put_in_place`."""
    left = [] if os.path.lexists(folder) else left_beside(folder, "old")
    return left[0] if left else folder


def recover(folder: Path) -> None:
    """Undo a `put_in_place` that was killed between its two renames: the previous folder is intact.

    Only the writer may call this: to a reader, a writer between the two renames looks the same.
    """
    old = current_version(folder)
    if old != folder:
        old.rename(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that a kill leaves it complete or under a temporary name. OSError as it comes."""
    gone = temporary_name(folder, "gone")
    folder.rename(gone)
    shutil.rmtree(gone)


def clean_leftovers(path: Path) -> None:
    """Repair or remove what killed writes and removals have left beside `path`; only its writer may call it.

    What another process is writing stays, and what can't be removed now.
    """
    with suppress(OSError):
        recover(path)
    for left in left_beside(path, "new", "old", "gone"):
        with try_holding(left) as is_held:
            if is_held:
                remove(left)
