"""A packed model: the files of a model folder in one file, which is read only if it is unchanged.

    8 bytes    MAGIC: file type and format number
    32 bytes   SHA-256 of the rest
    the rest   a zip archive of the files, not compressed

Compression doesn't make weights smaller, and without it the archive can't hold more than the size of the file. Offsets
in the archive count from the beginning of the file, as in self-extracting programs, so any zip tool opens it. The same
files always give the same bytes.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from reprlib import repr as shortened

from seq2see.errors import CheckpointError
from seq2see.storage.files import read_file, too_large

SUFFIX = ".seq2see"
MAGIC = b"\x89S2SEE\n\x01"
"""The first byte is invalid in text files, the last is the format number."""

HEADER_SIZE = len(MAGIC) + hashlib.sha256().digest_size
ARCHIVE_OVERHEAD = 2**16
"""Bytes beside the files, at most."""
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the same for every file, so that equal files give equal bytes
_COPY_AGAIN = "copy the file again from its source"


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files as the content of a packed model."""
    archive = BytesIO(bytes(HEADER_SIZE))
    archive.seek(HEADER_SIZE)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as written:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # on every system
            written.writestr(entry, files[name])
    view = archive.getbuffer()
    view[:HEADER_SIZE] = MAGIC + hashlib.sha256(view[HEADER_SIZE:]).digest()
    return archive.getvalue()


def unpack(data: bytes, limits: Mapping[str, int], *, where: str) -> dict[str, bytes]:
    """The files that `pack` was given. CheckpointError, naming `where`, for anything else.

    The hash is checked first. A malicious file can have a valid hash, so the archive isn't trusted either: it may hold
    only the files that have a limit, each once, uncompressed, within its limit, and together no larger than the data.
    """
    known, number = data[: len(MAGIC) - 1], data[len(MAGIC) - 1 : len(MAGIC)]
    if known != MAGIC[:-1]:
        fix = f"give a run, its model/ folder or a {SUFFIX} file; if it was one, {_COPY_AGAIN}"
        raise CheckpointError("is neither a run folder nor a packed model", where=where, fix=fix)
    if number and number != MAGIC[-1:]:
        raise CheckpointError(
            f"has format {number[0]}, this seq2see reads {MAGIC[-1]}",
            where=where,
            fix=f"use the version of seq2see that wrote it; if it was this one, {_COPY_AGAIN}",
        )
    if hashlib.sha256(memoryview(data)[HEADER_SIZE:]).digest() != data[len(MAGIC) : HEADER_SIZE]:
        raise CheckpointError("is damaged: its content is not what was written", where=where, fix=_COPY_AGAIN)
    try:
        return _entries(data, limits, where)
    except (
        zipfile.BadZipFile,
        struct.error,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OSError,
        EOFError,
    ) as error:
        raise CheckpointError(f"holds an invalid archive: {error}", where=where, fix=_COPY_AGAIN) from None


def _entries(data: bytes, limits: Mapping[str, int], where: str) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        entries = archive.infolist()
        for number, entry in enumerate(entries):
            if entry.filename not in limits or entry.filename in {other.filename for other in entries[:number]}:
                what = f"holds an unknown or duplicate file: {shortened(entry.filename)}"
                raise CheckpointError(what, where=where, fix=_COPY_AGAIN)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                what = f"holds a compressed file, or one with a wrong size: {shortened(entry.filename)}"
                raise CheckpointError(what, where=where, fix=_COPY_AGAIN)
            if entry.file_size > limits[entry.filename]:
                what = too_large(entry.file_size, limits[entry.filename])
                raise CheckpointError(what, where=f"{where}: {entry.filename}", fix=_COPY_AGAIN)
        if sum(entry.file_size for entry in entries) > len(data):
            raise CheckpointError("holds files larger than itself", where=where, fix=_COPY_AGAIN)
        return {entry.filename: archive.read(entry) for entry in entries}


def read_packed(path: Path, limits: Mapping[str, int]) -> dict[str, bytes]:
    """The files of a packed model, read once; `limits` are their largest sizes.

    CheckpointError, naming the packed model, for anything else; OSError as it comes.
    """
    with path.open("rb") as file:
        data = file.read(HEADER_SIZE)
    if data.startswith(MAGIC):  # any other file may be of any size
        data = read_file(path, HEADER_SIZE + ARCHIVE_OVERHEAD + sum(limits.values()))
    return unpack(data, limits, where=str(path))
