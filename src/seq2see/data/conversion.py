"""Files that are no lines in UTF-8, as such lines: other encodings, one JSON array, Parquet."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from seq2see.data.advice import Advice
from seq2see.data.encodings import candidates, is_plausible, unicode_form
from seq2see.data.json_container import lines_of_container, parsed_beginning
from seq2see.errors import ConfigError, DataError, did_you_mean
from seq2see.system_errors import reported

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Byte order marks of other encodings than UTF-8; that of UTF-32 begins with that of UTF-16."""
PARQUET = b"PAR1"
_BLOCK = 1 << 16
_USUAL = ("cp1252", "cp1251", "cp1250", "latin-1", "utf-16", "shift_jis", "gb18030", "euc-kr", "koi8-r", "mac-roman")
_ESCAPE = b"\x1b"
"""Begins a change of the character set in encodings of 7 bits."""


class NotTextError(DataError):
    """A file in another format than text in UTF-8; `fault` is encoding or not-text."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", fault: str = "not-text") -> None:
        super().__init__(what, where=where, fix=fix)
        self.fault = fault
        self.command = ""
        """The command of the fix, if it has one."""

    @classmethod
    def of(cls, advice: Advice, *, where: str, fault: str) -> NotTextError:
        """The error for this advice."""
        error = cls(advice.full_what, where=where, fix=advice.full_fix, fault=fault)
        error.command = advice.command
        return error


class Chunks(io.RawIOBase):
    """The bytes that an iterator gives piece by piece."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read some bytes; 0 at the end."""
        view = memoryview(buffer)
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def known_encoding(name: str | None) -> str | None:
    """The encoding that is meant, None for UTF-8. ConfigError for one that Python doesn't know."""
    if name is None:
        return None
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        found = None
    if found is None or not getattr(found, "_is_text_encoding", True):
        fix = did_you_mean(name, _USUAL)
        raise ConfigError(f"unknown encoding {name!r:.60}", where="data.encoding", fix=f"{fix} (--encoding)")
    return None if found.name in ("utf-8", "utf-8-sig", "ascii") else found.name


def encoding_of(sample: bytes, given: str | None) -> str | None:
    """The encoding to decode from: by the byte order mark, else the one given, unless these bytes are UTF-8."""
    name = known_encoding(given)
    if sample.startswith(MARKS):
        return unicode_form(sample)
    if name is None or _is_utf8(sample):
        return None
    return name


def _is_utf8(sample: bytes) -> bool:
    """Whether these bytes, perhaps cut off within a character, are UTF-8 and could be nothing else."""
    if b"\0" in sample or _ESCAPE in sample:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def telling_part(stream: BinaryIO) -> bytes:
    """The part of a file from its first bytes that are not ASCII on, or its beginning if all are."""
    first = b""
    while block := stream.read(_BLOCK):
        first = first or block
        if not block.isascii() or b"\0" in block:
            return block + stream.read(8)
    return first


def transcoded(chunks: Iterable[bytes], encoding: str, where: str) -> Iterator[bytes]:
    """The same text in UTF-8. NotTextError for bytes that this encoding doesn't have."""
    decoder = codecs.getincrementaldecoder(encoding)()
    place, is_first, seen = 0, True, b""
    for chunk in _with_end(chunks):
        try:
            text = decoder.decode(chunk or b"", final=chunk is None)
            content = text.encode()
        except UnicodeError as error:
            start = getattr(error, "start", 0)
            raise not_in_encoding(seen + (chunk or b""), encoding, where, f"byte {place + start + 1:,}") from None
        if is_first and chunk is not None:
            is_first, seen = False, chunk[:_BLOCK]
            if not is_plausible(text.replace("\x1b", "")):
                raise not_in_encoding(chunk, encoding, where, "the beginning")
        place += len(chunk or b"")
        yield content


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from chunks
    yield None


def not_in_encoding(content: bytes, encoding: str, where: str, place: str) -> NotTextError:
    """The error for text that another encoding was given for, with those that read."""
    found = candidates(content[:_BLOCK])
    lines = [f"{place} of the file is not {encoding}"]
    lines += [f"  as {each.name}: {each.sample}" for each in found]
    fix = "give the encoding that reads right: --encoding " + (found[0].name if found else "…")
    return NotTextError("\n".join(lines), where=where, fix=fix, fault="encoding")


def blocks_of(stream: BinaryIO) -> Iterator[bytes]:
    """The content piece by piece."""
    while block := stream.read(_BLOCK):
        yield block


def may_be_container(start: bytes) -> bool:
    """Whether a file that begins so may be one JSON value with all pairs in it."""
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    first, _, rest = text.partition(b"\n")
    if text[:1] not in (b"[", b"{"):
        return False
    value, after = parsed_beginning(first.decode(errors="replace"))
    return value is None or not (after.strip() or rest.strip())


def container_lines(content: bytes) -> bytes | None:
    """The elements of one JSON value, a line each; None if there is none."""
    try:
        lines = lines_of_container(content.decode())
    except UnicodeDecodeError:
        return None
    return None if lines is None else "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")


def parquet_lines(path: Path, content: bytes | None = None) -> Iterator[bytes]:
    """The rows of a Parquet file, or of its `content`, as lines of JSON, some at a time. DataError without pyarrow."""
    try:
        import pyarrow.parquet as parquet
    except ModuleNotFoundError:
        fix = 'pip install "seq2see[parquet]"'
        raise NotTextError("is a Parquet file, which needs pyarrow", where=str(path), fix=fix) from None
    try:
        with reported(path, "read"):
            for batch in parquet.ParquetFile(path if content is None else io.BytesIO(content)).iter_batches():
                rows: list[dict[str, Any]] = batch.to_pylist()
                lines = (json.dumps(row, ensure_ascii=False, default=str) for row in rows)
                yield "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")
    except ValueError as error:  # pyarrow's own errors are such
        if isinstance(error, DataError):
            raise
        raise DataError(f"the Parquet file is damaged: {error}", where=str(path), fix="copy it again") from None
