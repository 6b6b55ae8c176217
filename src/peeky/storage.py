"""Files and folders that are written whole or not at all, and read only if they are as they were written.

The manifest of a folder lists the hash of each file, and is itself taken for damaged unless it is, to the byte, what
this module writes. Files that it doesn't list are ignored: a folder may gather notes, or what a system leaves behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from peeky.errors import CheckpointError

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
AGAIN = "copy the folder again from where it came"
UNHARMED = "what was there before is unharmed"


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make `folder` anew: filled beside its place, hashed, flushed to disk, then moved there in one step."""
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    recover(folder)
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        fill(fresh)
        hashes = {path.name: hash_file(path) for path in sorted(fresh.iterdir())}
        (fresh / MANIFEST).write_bytes(manifest_of(hashes))
        for path in [*fresh.iterdir(), fresh]:
            flush(path)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as error:
        recover(folder)
        raise CheckpointError(
            f"can't be written: {error.strerror}",
            where=str(folder),
            fix=f"free some space or choose another --out; {UNHARMED}",
        ) from error
    flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Undo half a `write_folder` that was killed between its two renames: the previous folder is still whole.

    Only who writes may do this: to a reader, a writer at work between the two looks just the same.
    """
    old = folder.with_name(folder.name + ".old")
    if not folder.exists() and old.exists():
        old.rename(folder)


def write_file(path: Path, content: bytes) -> None:
    """Make the file anew: written beside its place, flushed to disk, then moved there in one step."""
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.write_bytes(content)
            flush(fresh)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CheckpointError(
            f"can't be written: {error.strerror}",
            where=str(path),
            fix=f"free some space or choose another place; {UNHARMED}",
        ) from error
    with suppress(OSError):  # it is there; some file systems just don't flush folders
        flush(path.parent)


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
            "is missing", where=str(manifest), fix="give the folder of a peeky run or its model/ folder"
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
            f"has format {number}, this peeky reads {MANIFEST_FORMAT}",
            where=where,
            fix=f"use the version of peeky that wrote it; if it was this one, {AGAIN}",
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


def flush(path: Path) -> None:
    """Have the system write a file or a folder's entries to the disk now (Windows does so for folders by itself)."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
