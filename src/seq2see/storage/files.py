"""Files and folders that are written whole or not at all, and read only if they are as they were written.

The manifest of a folder lists the hash of each file, and is itself taken for damaged unless it is, to the byte, what
this module writes. Files that it doesn't list are ignored: a folder may gather notes, or what a system leaves behind.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from seq2see.errors import CheckpointError

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
AGAIN = "copy the folder again from where it came"
UNHARMED = "what was there before is unharmed"
FRESH, OLD, GONE = ".new", ".old", ".gone"
"""What is being made, what it replaces, and what is being removed, each beside its place."""
NO_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""How file systems that can't flush a folder say so."""


def write_folder(folder: Path, files: Mapping[str, bytes], manifest: bytes | None = None) -> None:
    """Make `folder` anew: filled beside its place, flushed to disk, then moved there in one step.

    `manifest` says what is in the files; where nothing is given, it is the hash of each. CheckpointError where the
    disk refuses: what was there before is then there still, or (where all but the last flush went well) the new.
    """
    fresh, old = beside(folder, FRESH), beside(folder, OLD)
    try:
        recover(folder)
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name, content in files.items():
            write_flushed(fresh / name, content)
        hashes = {name: hash_of(files[name]) for name in sorted(files)}
        write_flushed(fresh / MANIFEST, manifest or manifest_of(hashes))
        put_in_place(folder)
    except OSError as error:
        with suppress(OSError):  # readers look for the old one beside its place too
            recover(folder)
        shutil.rmtree(fresh, ignore_errors=True)  # half of it would only fill the disk
        raise CheckpointError(
            f"can't be written: {reason_of(error)}",
            where=str(folder),
            fix=f"free some space or choose another --out; {UNHARMED}",
        ) from error
    confirm(folder)
    shutil.rmtree(old, ignore_errors=True)


def put_in_place(folder: Path) -> None:
    """Move what was made beside `folder` there, and what was there aside. OSError as they come."""
    fresh = beside(folder, FRESH)
    flush(fresh)
    if folder.exists():
        folder.rename(beside(folder, OLD))
    fresh.rename(folder)


def confirm(path: Path) -> None:
    """Have the disk take in that `path` has a new content. CheckpointError where it can't."""
    try:
        flush(path.parent)
    except OSError as error:
        raise CheckpointError(
            f"is written, but the disk does not confirm it: {reason_of(error)}",
            where=str(path),
            fix="look after the disk before trusting it with more",
        ) from error


def beside(path: Path, ending: str) -> Path:
    """The place beside `path` where it is made, or waits to be removed."""
    return path.with_name(path.name + ending)


def recover(folder: Path) -> None:
    """Undo half a `write_folder` that was killed between its two renames: the previous folder is still whole.

    Only who writes may do this: to a reader, a writer at work between the two looks just the same.
    """
    old = beside(folder, OLD)
    if not folder.exists() and old.exists():
        old.rename(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that a kill leaves it whole or under a name that nobody reads. OSError as they come."""
    gone = beside(folder, GONE)
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone)


def clean(path: Path) -> None:
    """Put right what writes and removals of `path` that were killed have left beside it; only who writes may."""
    with suppress(OSError):  # what can't be removed now is in nobody's way
        recover(path)
        for leftover in (beside(path, ending) for ending in (FRESH, OLD, GONE)):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Make the file anew: written beside its place, flushed to disk, then moved there in one step."""
    fresh = beside(path, FRESH)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_flushed(fresh, content)
            fresh.replace(path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CheckpointError(
            f"can't be written: {reason_of(error)}",
            where=str(path),
            fix=f"free some space or choose another place; {UNHARMED}",
        ) from error
    confirm(path)


def verify_folder(folder: Path) -> None:
    """Raise CheckpointError, naming the file, unless every file is as it was written."""
    for name, expected in stored_hashes(folder).items():
        path = folder / name
        require_file(path)
        require_hash(hash_file(path), expected, str(path))


def read_folder(folder: Path, names: Collection[str]) -> dict[str, bytes]:
    """The content of every file by name, each read once, the manifest left out.

    CheckpointError as `verify_folder`, and where the manifest lists another file than these `names`.
    """
    files: dict[str, bytes] = {}
    hashes = stored_hashes(folder)
    for name in hashes:
        if name not in names:
            raise CheckpointError(f"lists {name!r}, which is no part of it", where=str(folder / MANIFEST), fix=AGAIN)
    for name, expected in hashes.items():
        path = folder / name
        require_file(path)
        files[name] = path.read_bytes()
        require_hash(hash_of(files[name]), expected, str(path))
    return files


def stored_hashes(folder: Path) -> dict[str, str]:
    """The hash of each file by name, from the manifest. CheckpointError where that is missing or damaged."""
    manifest = folder / MANIFEST
    try:
        content = manifest.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(
            "is missing", where=str(manifest), fix="give the folder of a seq2see run or its model/ folder"
        ) from None
    except OSError as error:
        what = f"can't be read: {error.strerror}"
        raise CheckpointError(what, where=str(manifest), fix="check who may read it") from None
    return read_manifest(content, str(manifest))


def manifest_of(hashes: Mapping[str, str]) -> bytes:
    """What is in manifest.json: the SHA-256 of each file by name."""
    return json.dumps({"format": MANIFEST_FORMAT, "sha256": dict(hashes)}, indent=1).encode() + b"\n"


def read_manifest(content: bytes, where: str) -> dict[str, str]:
    """The hashes of `manifest_of`. CheckpointError, naming `where`, for what differs from it in as little as a bit."""
    try:
        values = json.loads(content)
        number, hashes = values["format"], dict(values["sha256"])
        as_written = manifest_of(hashes) == content and all(map(_is_entry, hashes.items()))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError("is damaged", where=where, fix=AGAIN) from None
    if type(number) is int and number != MANIFEST_FORMAT:
        raise CheckpointError(
            f"has format {number}, this seq2see reads {MANIFEST_FORMAT}",
            where=where,
            fix=f"use the version of seq2see that wrote it; if it was this one, {AGAIN}",
        )
    if not as_written:
        raise CheckpointError("is damaged", where=where, fix=AGAIN)
    return hashes


def _is_entry(entry: tuple[str, object]) -> bool:
    """Whether it is a name in the folder itself, with a hash."""
    name, value = entry
    plain = re.fullmatch(r"\w[\w.-]*", name, re.ASCII)
    return plain is not None and isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def require_file(path: Path) -> None:
    """Raise CheckpointError where there is no such file."""
    if not path.is_file():
        raise CheckpointError("is missing", where=str(path), fix="copy the folder again, with all its files")


def require_hash(found: str, expected: str, where: str) -> None:
    """Raise CheckpointError where the two differ: in the file, or in what the manifest says of it."""
    if found != expected:
        raise CheckpointError(f"is damaged: its content is not what {MANIFEST} says of it", where=where, fix=AGAIN)


def hash_of(content: bytes | memoryview) -> str:
    """SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reason_of(error: OSError) -> str:
    """What the system says is wrong."""
    return error.strerror or str(error)


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file, and have the system put it on the disk now."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_file(file: BinaryIO) -> None:
    """Have the system put on the disk what was written to an open file, and close it."""
    with file:
        file.flush()
        os.fsync(file.fileno())


def flush(folder: Path) -> None:
    """Have the system write a folder's entries to the disk now, where it can (Windows does so by itself)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FLUSH:
            raise
    finally:
        os.close(handle)
