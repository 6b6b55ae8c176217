"""A packed model: the files of a model folder in one, which is read whole and only if it is as it was written.

    8 bytes    what it is, and the number of the format: MAGIC
    32 bytes   SHA-256 of all that follows
    the rest   a zip archive of the files, not compressed

Weights don't shrink under compression, and without it what the archive holds can't be larger than the file is. The
places in the archive are counted from the beginning of the file, as in programs that unpack themselves, so any zip
tool opens it. The same files always give the same bytes.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Collection, Mapping
from io import BytesIO
from pathlib import Path

from seq2see.errors import CheckpointError

SUFFIX = ".seq2see"
MAGIC = b"\x89S2SEE\n\x01"
"""The first byte is no text in any encoding of today, the last is the number of the format."""

BEGINNING = len(MAGIC) + hashlib.sha256().digest_size
_NEVER = (1980, 1, 1, 0, 0, 0)
_AGAIN = "copy the file again from where it came"
_UNREADABLE = (zipfile.BadZipFile, struct.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError)
"""What zipfile raises for archives that are none, encrypted, of later versions, or end too early."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files by name as the content of one."""
    archive = BytesIO(bytes(BEGINNING))
    archive.seek(BEGINNING)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as written:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _NEVER)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # whatever system it is written on
            written.writestr(entry, files[name])
    view = archive.getbuffer()
    view[:BEGINNING] = MAGIC + hashlib.sha256(view[BEGINNING:]).digest()
    return archive.getvalue()


def unpack(data: bytes, names: Collection[str], *, where: str) -> dict[str, bytes]:
    """The files that `pack` was given. CheckpointError, naming `where`, for anything else.

    The hash is checked before anything is looked at. It can be reckoned anew for a file that was made to do harm, so
    the archive isn't trusted either: only these `names`, each once, not compressed, together no larger than the data.
    """
    known, number = data[: len(MAGIC) - 1], data[len(MAGIC) - 1 : len(MAGIC)]
    if known != MAGIC[:-1]:
        fix = f"give a run, its model/ folder or a {SUFFIX} file; if it was one, {_AGAIN}"
        raise CheckpointError("is a file, not a run folder, and no packed model either", where=where, fix=fix)
    if number and number != MAGIC[-1:]:
        raise CheckpointError(
            f"has format {number[0]}, this seq2see reads {MAGIC[-1]}",
            where=where,
            fix=f"use the version of seq2see that wrote it; if it was this one, {_AGAIN}",
        )
    if hashlib.sha256(memoryview(data)[BEGINNING:]).digest() != data[len(MAGIC) : BEGINNING]:
        raise CheckpointError("is damaged: its content is not what was written", where=where, fix=_AGAIN)
    try:
        return _entries(data, names, where)
    except (
        zipfile.BadZipFile,
        struct.error,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OSError,
        EOFError,
    ) as error:
        raise CheckpointError(f"holds no archive that can be read: {error}", where=where, fix=_AGAIN) from None


def _entries(data: bytes, names: Collection[str], where: str) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        entries = archive.infolist()
        for number, entry in enumerate(entries):
            if entry.filename not in names or entry.filename in {other.filename for other in entries[:number]}:
                what = f"holds {entry.filename!r}, which is no part of a model or is there twice"
                raise CheckpointError(what, where=where, fix=_AGAIN)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                what = f"holds {entry.filename!r} compressed, or of another size than it says"
                raise CheckpointError(what, where=where, fix=_AGAIN)
        if sum(entry.file_size for entry in entries) > len(data):
            raise CheckpointError("holds more than there is room for in it", where=where, fix=_AGAIN)
        return {entry.filename: archive.read(entry) for entry in entries}


def read_packed(path: Path, names: Collection[str]) -> dict[str, bytes]:
    """The files of a packed model, read once. CheckpointError, naming it, for anything else; OSError as it comes."""
    with path.open("rb") as file:
        data = file.read(BEGINNING)
        if data.startswith(MAGIC):  # else not a byte more: it could be anything of any size
            data += file.read()
    return unpack(data, names, where=str(path))
