"""Files and folders that are written completely or not at all, and read only if they are unchanged since.

The manifest of a folder lists the hash of each file; it counts as damaged unless it is byte for byte what this module
writes. Files that it doesn't list are ignored, such as notes or what the system leaves behind.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from seq2see.errors import CheckpointError, ConfigError
from seq2see.storage.temporary import (
    clean_leftovers,
    is_temporary,
    new_file,
    new_folder,
    put_in_place,
    recover,
    remove,
)
from seq2see.system_errors import reported, require_possible, system_error

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
MANIFEST_LIMIT = 2**20
"""Bytes of a manifest: far more than any has."""
COPY_AGAIN = "copy the folder again from its source"
UNHARMED = "the previous content is intact"
NO_FILE = "is not a regular file"
SYSTEM_FOLDERS = re.compile(r"/dev|/proc/.*")
"""Where links are the system's own."""
NO_FOLDER_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""How file systems report that they can't flush a folder."""


def write_folder(
    folder: Path, files: Mapping[str, bytes], manifest: bytes | None = None, *, names: Collection[str] = ()
) -> None:
    """Write `folder` atomically: beside its place first, flushed to disk, then moved there.

    `manifest` is by default the hash of each file. `names` are those of all files that such a folder may have; whatever
    else is in the previous folder, such as notes, is carried over. CheckpointError if the disk refuses; the
    previous folder is then still there, or the new one if only the last flush failed.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        clean_leftovers(folder)
        with new_folder(folder) as new:
            for name, content in files.items():
                write_flushed(new / name, content)
            hashes = {name: hash_of(files[name]) for name in sorted(files)}
            write_flushed(new / MANIFEST, manifest or manifest_of(hashes))
            for entry in other_entries(folder, {*names, *files, MANIFEST}):
                carry_over(entry, new / entry.name)
            flush(new)
            previous = put_in_place(new, folder)
            confirm(folder)
            remove(previous)
    except OSError as error:
        with suppress(OSError):  # readers also look for the previous one
            recover(folder)
        raise system_error(error, folder, "written", CheckpointError, also=UNHARMED) from error


def other_entries(folder: Path, names: Collection[str]) -> list[Path]:
    """What is in the folder, if it exists, under other names than these, temporary names aside."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name not in names and not is_temporary(path))


def carry_over(entry: Path, to: Path) -> None:
    """Give a file, link or folder a second name, by copying it where the file system has no hard links."""

    def link(file: str, to: str) -> None:
        try:
            os.link(file, to, follow_symlinks=False)
        except OSError:
            shutil.copy2(file, to, follow_symlinks=False)

    if entry.is_dir() and not entry.is_symlink():
        shutil.copytree(entry, to, symlinks=True, copy_function=link)
    else:
        link(str(entry), str(to))


def confirm(path: Path) -> None:
    """Flush the folder entry of `path`. CheckpointError if that fails."""
    try:
        flush(path.parent)
    except OSError as error:
        raise CheckpointError(
            f"is written, but flushing it to disk failed: {reason_of(error)}",
            where=str(path),
            fix="check the disk before writing more to it",
        ) from error


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically, flushed to disk; like `replacing`."""
    with replacing(path) as new:
        write_flushed(new, content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, to be filled, that takes its place at the end unless there is an error.

    It takes the place of a file or of a link, which isn't followed. Folders above it are made. CheckpointError if the
    disk refuses, or for a device or a pipe.
    """
    if is_stream(path):
        raise CheckpointError(NO_FILE, where=str(path), fix="name a file")
    with reported(path, "written", CheckpointError, also=UNHARMED):
        path.parent.mkdir(parents=True, exist_ok=True)
        clean_leftovers(path)
        with new_file(path) as new:
            yield new
            new.replace(path)
    confirm(path)


def is_stream(path: Path) -> bool:
    """Whether this is a pipe or a device, or one of the system's names of them, such as /dev/stdout.

    Nothing may take its place. Any other link isn't followed, wherever it leads.
    """
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISLNK(mode):
        return SYSTEM_FOLDERS.fullmatch(os.path.realpath(path.parent)) is not None
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def require_place(path: Path) -> None:
    """ConfigError, before any work, where no file can be made. Folders above it that are missing will be made."""
    require_possible(path, ConfigError)
    if is_stream(path):
        raise ConfigError(NO_FILE, where=str(path), fix="name a file")
    folder = path.absolute().parent
    existing = next(each for each in (folder, *folder.parents) if os.path.exists(each))
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        reason = "can't be written to" if existing.is_dir() else "is not a folder"
        raise ConfigError(f"can't be written: {existing} {reason}", where=str(path), fix="choose another place")


def require_none(paths: Iterable[Path], fix: str) -> None:
    """ConfigError, before any work, if one of these exists: it would be replaced, and the user has not named it.

    Those who write several files ask this where nothing says that an earlier call has written them.
    """
    for path in paths:
        if os.path.lexists(path):
            raise ConfigError("exists already, and would be replaced", where=str(path), fix=fix)


def read_folder(folder: Path, limits: Mapping[str, int]) -> dict[str, bytes]:
    """The content of every file by name, each read once, without the manifest; `limits` are their largest sizes.

    CheckpointError, naming the file, if one is missing, damaged or too large, or is not among `limits`.
    """
    files: dict[str, bytes] = {}
    hashes = stored_hashes(folder)
    for name in hashes:
        if name not in limits:
            raise CheckpointError(f"lists the unknown file {name!r}", where=str(folder / MANIFEST), fix=COPY_AGAIN)
    for name, expected in hashes.items():
        path = folder / name
        require_file(path)
        files[name] = read_file(path, limits[name])
        require_hash(hash_of(files[name]), expected, str(path))
    return files


def stored_hashes(folder: Path) -> dict[str, str]:
    """The hash of each file by name, from the manifest. CheckpointError if it is missing or damaged."""
    manifest = folder / MANIFEST
    try:
        content = read_file(manifest, MANIFEST_LIMIT)
    except FileNotFoundError:
        raise CheckpointError(
            "is missing", where=str(manifest), fix="give the folder of a seq2see run or its model/ folder"
        ) from None
    except OSError as error:
        raise system_error(error, manifest, "read", CheckpointError) from None
    return read_manifest(content, str(manifest))


def has_manifest(folder: Path) -> bool:
    """Whether this module has written the folder."""
    try:
        stored_hashes(folder)
    except CheckpointError:
        return False
    return True


def manifest_of(hashes: Mapping[str, str]) -> bytes:
    """The content of manifest.json: the SHA-256 of each file by name."""
    return json.dumps({"format": MANIFEST_FORMAT, "sha256": dict(hashes)}, indent=1).encode() + b"\n"


def read_manifest(content: bytes, where: str) -> dict[str, str]:
    """The hashes that `manifest_of` wrote. CheckpointError, naming `where`, if a single bit differs."""
    try:
        values = json.loads(content)
        number, hashes = values["format"], dict(values["sha256"])
        as_written = manifest_of(hashes) == content and all(map(_is_entry, hashes.items()))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError("is damaged", where=where, fix=COPY_AGAIN) from None
    if type(number) is int and number != MANIFEST_FORMAT:
        raise CheckpointError(
            f"has format {number}, this seq2see reads {MANIFEST_FORMAT}",
            where=where,
            fix=f"use the version of seq2see that wrote it; if it was this one, {COPY_AGAIN}",
        )
    if not as_written:
        raise CheckpointError("is damaged", where=where, fix=COPY_AGAIN)
    return hashes


def _is_entry(entry: tuple[str, object]) -> bool:
    """Whether it is a name of usual length in the folder itself, with a hash."""
    name, value = entry
    plain = re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII)
    return plain is not None and isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def read_file(path: Path, at_most: int) -> bytes:
    """The content of a file. CheckpointError for one that is larger, or that isn't a regular file; OSError as it comes.

    A pipe or a device might have no end, and opening a pipe would wait for someone to write to it.
    """
    flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    with open(os.open(path, os.O_RDONLY | flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise CheckpointError("is not a regular file", where=str(path), fix=COPY_AGAIN)
        if found.st_size > at_most:
            raise CheckpointError(too_large(found.st_size, at_most), where=str(path), fix=COPY_AGAIN)
        return file.read()


def too_large(size: int, at_most: int) -> str:
    """What is said of a file beyond its limit."""
    return f"must have at most {at_most:,} bytes, and has {size:,}"


def require_file(path: Path) -> None:
    """CheckpointError if there is no such file."""
    if not path.is_file():
        raise CheckpointError("is missing", where=str(path), fix="copy the folder again, with all its files")


def require_hash(found: str, expected: str, where: str) -> None:
    """CheckpointError if the hashes differ, because file or manifest is damaged."""
    if found != expected:
        raise CheckpointError(f"is damaged: its content differs from {MANIFEST}", where=where, fix=COPY_AGAIN)


def hash_of(content: bytes | memoryview) -> str:
    """SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reason_of(error: OSError) -> str:
    """The system's error message."""
    return error.strerror or str(error)


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file and flush it to disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_file(file: BinaryIO) -> None:
    """Flush an open file to disk, and close it."""
    with file:
        file.flush()
        os.fsync(file.fileno())


def flush(folder: Path) -> None:
    """Flush the entries of a folder to disk (Windows does so by itself)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_FLUSH:
            raise
    finally:
        os.close(handle)
