"""Reads files as bytes; errors that concern a whole file are reported here."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import SEEK_SET, BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from seq2see.data.conversion import (
    MARKS,
    PARQUET,
    Chunks,
    NotTextError,
    blocks_of,
    container_lines,
    encoding_of,
    known_encoding,
    may_be_container,
    parquet_lines,
    telling_part,
    transcoded,
)
from seq2see.data.encodings import unicode_advice
from seq2see.data.formats import known_format
from seq2see.data.message_catalog import catalog_lines, is_message_catalog
from seq2see.data.standard_input import STDIN_FILE, content_of_stdin
from seq2see.data.translation_memory import is_translation_memory, memory_lines
from seq2see.errors import DataError
from seq2see.printable import quoted
from seq2see.system_errors import require_possible, system_error, working_folder_exists

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_GZIP = b"\x1f\x8b"
_UNPACKED, _EXPANSION = 2**28, 50
"""Most bytes that a gzip file may hold, and most times its own size: text becomes 3 to 20 times larger."""
_BUFFER = 2**16
_START = 4096
"""Bytes from which it is decided whether a stream is text."""
_NAMES_OF_STDIN = (STDIN_FILE, Path("/dev/fd/0"), Path("/proc/self/fd/0"))
_MAX_EXAMINED = 1 << 16
"""Bytes from which it is decided whether a file in memory is text."""


def read_content(path: Path, encoding: str | None = None) -> bytes:
    """The lines of a text file in UTF-8, whatever it is: gzipped, in another encoding, a JSON array, Parquet,
    TMX.

    `encoding` is that of files that are not UTF-8. Raises DataError if it is missing, a folder, empty or damaged.
    """
    known_encoding(encoding)
    require_possible(path, DataError, "read")
    try:
        content = content_of_stdin() if path == STDIN_FILE else path.read_bytes()
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from error
    is_gzip = content.startswith(_GZIP)
    if is_gzip:
        with Unpacked(BytesIO(content), len(content), path) as unpacked:
            content = unpacked.readall()
    if content.startswith(PARQUET) and not is_gzip:
        content = b"".join(parquet_lines(path, content))
    elif lines_of := translation_lines(content[:_START]):
        content = b"".join(lines_of(BytesIO(content), str(path)))
    elif content.startswith(MARKS) or encoding is not None:
        name = encoding_of(content if not content.startswith(MARKS) else content[:_MAX_EXAMINED], encoding)
        content = content if name is None else b"".join(transcoded([content], name, str(path)))
    _check(content, path, is_all=True, is_gzip=is_gzip)
    if may_be_container(content[:_START]) and (lines := container_lines(content)) is not None:
        content = lines
        _check(content, path, is_all=True, is_gzip=is_gzip)
    return content


def translation_lines(start: bytes) -> Callable[[BinaryIO, str], Iterator[bytes]] | None:
    """What makes lines of JSON of a file that begins so, if it has translations in another format."""
    if is_translation_memory(start):
        return memory_lines
    return catalog_lines if is_message_catalog(start) else None


def unreadable(error: OSError | ValueError, path: Path) -> DataError:
    """The error for a file that can't be opened."""
    if isinstance(error, FileNotFoundError) and working_folder_exists():
        return DataError("no such file", where=str(path), fix="check the path")
    if isinstance(error, IsADirectoryError):
        return DataError("is a folder", where=str(path), fix="name a file in it")
    return system_error(error, path, "read", DataError)


def require_no_pipe(path: Path, why: str = "") -> None:
    """DataError for a pipe or standard input, where a file is read more than once; `why` it is."""
    require_possible(path, DataError, "read")
    is_stdin = path in _NAMES_OF_STDIN
    if is_stdin or path.is_fifo():
        what = f"is {'standard input' if is_stdin else 'a pipe'}, which can be read only once{why}"
        raise DataError(what, where=str(path), fix="write its content to a file first: … > pairs.tsv")


class Checked(RawIOBase):
    """The bytes of a file. DataError where the system refuses to read on; OSError if it can't be opened."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._path = path

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read some bytes; 0 at the end."""
        try:
            return self._file.readinto(buffer)
        except OSError as error:
            raise system_error(error, self._path, "read", DataError) from error

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Move to a place."""
        return self._file.seek(offset, whence)

    def seekable(self) -> bool:
        """Whether it has places to move to, unlike a pipe."""
        return self._file.seekable()

    def fileno(self) -> int:
        """Its number."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class Unpacked(RawIOBase):
    """The content of a gzip file of `size` bytes. DataError once it is far larger than text ever becomes."""

    def __init__(self, packed: BinaryIO, size: int, path: Path) -> None:
        self._content = gzip.GzipFile(fileobj=packed)
        self._left = self._most = max(_UNPACKED, _EXPANSION * size)
        self._path = path

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read some bytes; 0 at the end."""
        view = memoryview(buffer)
        try:
            content = self._content.read1(len(view))
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(error, str(self._path)) from error
        self._left -= len(content)
        if self._left < 0:
            raise DataError(
                f"the gzip file expands to more than {self._most:,} bytes, {_EXPANSION} times its own size",
                where=str(self._path),
                fix=f"if it should, unpack it first: gzip -dk {quoted(self._path)}",
            )
        view[: len(content)] = content
        return len(content)


class OpenFile(NamedTuple):
    """A text file opened for reading."""

    stream: BinaryIO
    """The decompressed bytes."""
    on_disk: BinaryIO
    size: int

    def share_read(self) -> float:
        """The fraction that has been read, 0..1."""
        return self.on_disk.tell() / max(1, self.size)


@contextmanager
def open_content(path: Path, encoding: str | None = None) -> Iterator[OpenFile]:
    """Like `read_content`, as a stream for files larger than memory; damage may be found only while reading."""
    known_encoding(encoding)
    require_possible(path, DataError, "read")
    try:
        on_disk, size = _opened(path)
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from error
    with on_disk:
        is_gzip = on_disk.peek(2).startswith(_GZIP)
        stream: BufferedReader[Any] = on_disk
        if is_gzip:
            stream = BufferedReader(Unpacked(on_disk, size, path), _BUFFER)
        start = stream.peek(_START)
        if start.startswith(PARQUET) and not is_gzip:
            again = content_of_stdin() if path == STDIN_FILE else None
            stream = BufferedReader(Chunks(parquet_lines(path, again)), _BUFFER)
        elif lines_of := translation_lines(start):
            stream = BufferedReader(Chunks(lines_of(stream, str(path))), _BUFFER)
        elif name := _encoding_of_stream(start, path, encoding, is_gzip=is_gzip):
            stream = BufferedReader(Chunks(transcoded(blocks_of(stream), name, str(path))), _BUFFER)
        start = stream.peek(_START)
        _check(start, path, is_all=len(start) < _START, is_gzip=is_gzip)
        if may_be_container(start) and (path == STDIN_FILE or path.is_file()):
            content = stream.read()
            stream = BufferedReader(BytesIO(content if (made := container_lines(content)) is None else made))
        yield OpenFile(stream, on_disk, size)


def _opened(path: Path) -> tuple[BufferedReader[Any], int]:
    """The file and its size in bytes. OSError or ValueError if it can't be opened."""
    if path == STDIN_FILE:
        content = content_of_stdin()
        return BufferedReader(BytesIO(content)), len(content)
    return BufferedReader(Checked(path)), path.stat().st_size


def _encoding_of_stream(start: bytes, path: Path, encoding: str | None, *, is_gzip: bool) -> str | None:
    """The encoding of a file that begins so, if it isn't UTF-8; the file is opened again to look at more of it."""
    if start.startswith(MARKS) or encoding is None or not path.is_file():
        return encoding_of(start, encoding)
    with gzip.open(path) if is_gzip else path.open("rb") as again:
        return encoding_of(telling_part(again), encoding)  # type: ignore[arg-type] # both can be read


def _check(start: bytes, path: Path, *, is_all: bool, is_gzip: bool) -> None:
    """DataError if the beginning of a file is not text, or if it `is_all` and blank."""
    where = str(path)
    if path.suffix == ".gz" and start and not is_gzip:
        raise DataError("has the extension .gz but is not a gzip file", where=where, fix="rename it without .gz")
    beginning = start[:_MAX_EXAMINED]
    if advice := known_format(beginning, where):
        raise NotTextError.of(advice, where=where, fault="not-text")
    if advice := unicode_advice(beginning):
        raise NotTextError.of(advice, where=where, fault="encoding")
    if beginning.count(0) > len(beginning) // 4:
        raise NotTextError("is not text", where=where, fix="name a file of text in UTF-8")
    if is_all and not start.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n"):
        raise DataError("is empty", where=where, fix="name a file with at least one line of text")


def _damaged(error: Exception, where: str) -> DataError:
    return DataError(f"the gzip file is truncated or damaged: {error}", where=where, fix="copy or download it again")
