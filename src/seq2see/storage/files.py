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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from seq2see.errors import CheckpointError

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
MANIFEST_LIMIT = 2**20
"""Bytes of a manifest: far more than any has."""
COPY_AGAIN = "copy the folder again from its source"
UNHARMED = "the previous content is intact"
NEW_SUFFIX, OLD_SUFFIX, REMOVED_SUFFIX = ".new", ".old", ".gone"
"""Name endings, beside the final place: a new version, the previous one, and one being removed."""
NO_FOLDER_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""How file systems report that they can't flush a folder."""


def write_folder(folder: Path, files: Mapping[str, bytes], manifest: bytes | None = None) -> None:
    """Write `folder` atomically: beside its place first, flushed to disk, then moved there.

    `manifest` is by default the hash of each file. CheckpointError if the disk refuses; the previous folder is then
    still there, or the new one if only the last flush failed.
    """
    new, old = sibling(folder, NEW_SUFFIX), sibling(folder, OLD_SUFFIX)
    try:
        recover(folder)
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)
        new.mkdir(parents=True)
        for name, content in files.items():
            write_flushed(new / name, content)
        hashes = {name: hash_of(files[name]) for name in sorted(files)}
        write_flushed(new / MANIFEST, manifest or manifest_of(hashes))
        move_into_place(folder)
    except OSError as error:
        with suppress(OSError):  # readers also look for the previous one
            recover(folder)
        shutil.rmtree(new, ignore_errors=True)  # an incomplete folder only fills the disk
        raise CheckpointError(
            f"can't be written: {reason_of(error)}",
            where=str(folder),
            fix=f"free some space or choose another --out; {UNHARMED}",
        ) from error
    confirm(folder)
    shutil.rmtree(old, ignore_errors=True)


def move_into_place(folder: Path) -> None:
    """Move the new folder to its place, and the previous one aside. OSError as it comes."""
    new = sibling(folder, NEW_SUFFIX)
    flush(new)
    if folder.exists():
        folder.rename(sibling(folder, OLD_SUFFIX))
    new.rename(folder)


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


def sibling(path: Path, ending: str) -> Path:
    """The path beside `path` with `ending` added to its name."""
    return path.with_name(path.name + ending)


def recover(folder: Path) -> None:
    """Undo a `write_folder` that was killed between its two renames: the previous folder is intact.

    Only the writer may call this: to a reader, a writer between the two renames looks the same.
    """
    old = sibling(folder, OLD_SUFFIX)
    if not folder.exists() and old.exists():
        old.rename(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that a kill leaves it complete or under an unused name. OSError as it comes."""
    gone = sibling(folder, REMOVED_SUFFIX)
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone)


def clean_leftovers(path: Path) -> None:
    """Repair or remove what killed writes and removals have left beside `path`; only the writer may call it."""
    with suppress(OSError):  # what can't be removed now does no harm
        recover(path)
        for leftover in (sibling(path, ending) for ending in (NEW_SUFFIX, OLD_SUFFIX, REMOVED_SUFFIX)):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically: beside its place first, flushed to disk, then moved there."""
    new = sibling(path, NEW_SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_flushed(new, content)
            new.replace(path)
        except BaseException:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CheckpointError(
            f"can't be written: {reason_of(error)}",
            where=str(path),
            fix=f"free some space or choose another place; {UNHARMED}",
        ) from error
    confirm(path)


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
        what = f"can't be read: {error.strerror}"
        raise CheckpointError(what, where=str(manifest), fix="check its permissions") from None
    return read_manifest(content, str(manifest))


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
    """Whether it is a name in the folder itself, with a hash."""
    name, value = entry
    plain = re.fullmatch(r"\w[\w.-]*", name, re.ASCII)
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
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
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
