"""What the operating system refuses, as a `UserError` with a fix for that reason."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from seq2see.errors import DataError, UserError
from seq2see.printable import quoted

Kind = TypeVar("Kind", bound=UserError)

MAX_NAME = 200
"""Characters of a name in a message at most."""


def system_error(
    error: OSError | ValueError,
    path: Path | str,
    doing: str,
    kind: type[Kind],
    *,
    option: str = "",
    also: str = "",
) -> Kind:
    """The UserError for what happened while `path` was being `doing` ("read", "written", "created", …).

    `option` names the option that chose the path, `also` is added to the fix.
    """
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    if number == errno.ENOENT and not working_folder_exists():
        path, reason, fix = ".", "the working directory has been removed", "change to a folder that exists: cd"
    elif not isinstance(error, OSError):
        reason = "its name has a NUL" if "\0" in str(path) else "its name is not Unicode"
        fix = "correct the name"
    elif number == errno.EBADF:
        reason, fix = "it is closed", f"redirect it: {'<' if doing == 'read' else '>'} FILE"
    else:
        reason, fix = error.strerror or str(error), fix_for(number or 0, Path(path), doing, option)
    where = str(path) if len(str(path)) <= MAX_NAME else f"{str(path)[:MAX_NAME]}…"
    return kind(f"can't be {doing}: {reason}", where=where, fix=f"{fix}; {also}" if also else fix)


def fix_for(number: int, path: Path, doing: str, option: str) -> str:
    """What helps against an error of the operating system, by its number."""
    reads = doing in ("read", "opened")
    another = f"choose another {option}" if option else "choose another place" if not reads else "name another file"
    place = path if reads else path.parent
    match number:
        case errno.ENOENT:
            return "check the path" if reads else f"create its folder: mkdir -p {quoted(path.parent)}; or {another}"
        case errno.ENOTDIR:
            part = next((each for each in reversed(path.parents) if each.is_file()), path)
            return f"{quoted(part)} is not a folder: check the path"
        case errno.EISDIR:
            return f"it is a folder: {'name a file in it' if reads else another}"
        case errno.EACCES | errno.EPERM:
            return f"check who may {'read it' if reads else 'write there'}: ls -ld {quoted(place)}; or {another}"
        case errno.ENOSPC | errno.EDQUOT:
            return f"free some disk space, or {another}"
        case errno.EFBIG:
            return f"allow larger files (ulimit -f unlimited), or {another}"
        case errno.EROFS:
            return f"this file system can only be read: {another}"
        case errno.EMFILE:
            return "allow more open files: ulimit -n 4096"
        case errno.ENFILE:
            return "close other programs: too many files are open on this machine"
        case errno.ENAMETOOLONG:
            return "the name is too long: shorten it"
        case errno.ELOOP:
            return f"the symbolic link leads back to itself: ls -ld {quoted(broken_link(path) or path)}"
        case errno.EIO:
            return f"check the disk, or {another}"
        case errno.EBUSY | errno.ETXTBSY:
            return f"another program uses it: wait for it to end, or {another}"
        case errno.ENXIO | errno.ENODEV:
            return f"no program or device is at its other end: {another}"
        case errno.ENOMEM:
            return "free some memory"
        case errno.EEXIST | errno.ENOTEMPTY:
            if (link := broken_link(path)) is not None:
                return f"the symbolic link is broken: ls -ld {quoted(link)}; or {another}"
            return f"another program has written there: {another}"
        case _:
            return f"check the path and its disk, or {another}"


@contextmanager
def reported(
    path: Path | str, doing: str, kind: type[UserError] = DataError, *, option: str = "", also: str = ""
) -> Iterator[None]:
    """Raise an OSError of the block as a UserError of this `kind`: see `system_error`."""
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise system_error(error, path, doing, kind, option=option, also=also) from error


def absolute(path: Path) -> Path:
    """The absolute path. UserError if the working directory has been removed."""
    with reported(path, "found", UserError):
        return path.absolute()


def require_possible(path: Path, kind: type[UserError] = DataError, doing: str = "opened") -> None:
    """UserError if no file can have this name: it is too long, has a NUL, leads back to itself, or has no beginning.

    What is to be read must not be a device either, whose content may have no end, such as /dev/zero.
    """
    try:
        found = os.stat(absolute(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise system_error(error, path, doing, kind) from error
    if doing == "read" and is_endless(found):
        raise kind("is a device, not a regular file", where=str(path), fix="name a regular file")


def broken_link(path: Path) -> Path | None:
    """The path, or the nearest folder above it, that is a symbolic link to nothing or to itself, if there is one."""
    return next((each for each in (path, *path.parents) if each.is_symlink() and not each.exists()), None)


def require_no_broken_link(folder: Path, kind: type[UserError]) -> None:
    """UserError if a folder can't be made because it, or a folder above it, is a symbolic link to nothing."""
    if (link := broken_link(folder)) is not None:
        raise kind(
            "is a broken symbolic link", where=str(link), fix="remove it, or choose another folder (--out, out=…)"
        )


def is_endless(found: os.stat_result) -> bool:
    """Whether this is a device, but neither the empty one nor the terminal that standard input comes from."""
    if not (stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode)):
        return False
    if os.path.samestat(found, os.stat(os.devnull)):
        return False
    try:
        return not (os.isatty(0) and os.path.samestat(found, os.fstat(0)))
    except OSError:  # standard input is closed
        return True


def working_folder_exists() -> bool:
    """Whether relative paths can be resolved: another program may have removed the folder."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True
