"""Splits files into parts at line ends, so that each part can be read on its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from seq2see.data.files import open_content
from seq2see.data.lines import UTF8_MARK
from seq2see.data.reading import PairFile, read_lines, unequal_lengths
from seq2see.data.sources import MOST_RECORD_LINES
from seq2see.data.table import Format, TableFormat
from seq2see.storage.temporary import new_file

PART_BYTES = 8 * 2**20
"""Bytes of text per part; a worker needs about twenty times as much memory."""
_BLOCK = 2**20


class FilePart(NamedTuple):
    """A range of lines of one file, or of two parallel files."""

    number: int
    names: tuple[str, ...]
    """The files as the user named them."""
    texts: tuple[str, ...]
    """The files to read: the same, or decompressed copies."""
    first: int
    """Number of the first line, from 1."""
    ranges: tuple[tuple[int, int], ...]
    """Start and end in each file, in bytes."""
    format: Format | None = None
    """How one file is read; None for parallel files."""

    @property
    def size(self) -> int:
        """Bytes of this part in the first file."""
        return self.ranges[0][1] - self.ranges[0][0]

    def beginning(self, lines: int) -> FilePart:
        """Its first lines."""
        ends = []
        for text, (start, end) in zip(self.texts, self.ranges, strict=True):
            with open(text, "rb") as file:
                ends.append(min(end, _after_lines(file, start, lines)))
        starts = [start for start, _ in self.ranges]
        return self._replace(ranges=tuple(zip(starts, ends, strict=True)))

    def read(self) -> PairFile:
        """Its pairs, and its invalid lines."""
        contents = []
        for text, (start, end) in zip(self.texts, self.ranges, strict=True):
            with open(text, "rb") as file:
                file.seek(start)
                contents.append(file.read(end - start))
        starts = [start for start, _ in self.ranges]
        return read_lines([Path(name) for name in self.names], contents, self.format, first=self.first, starts=starts)


def as_text(path: Path, copy: Path, encoding: str | None = None) -> Path:
    """The file itself, or a `copy` as lines in UTF-8, made once. DataError if it is damaged or not text.

    A copy is needed of what is gzipped, in another encoding, one JSON array, or Parquet.
    """
    with open_content(path, encoding) as file:
        if file.stream is file.on_disk:
            return path
        if not copy.exists():
            with new_file(copy) as new:
                with new.open("wb") as target:
                    shutil.copyfileobj(file.stream, target, _BLOCK)
                new.replace(copy)
    return copy


def some_sources(parts: Sequence[FilePart], count: int) -> list[str]:
    """The sources of one part, or about `count` from the beginnings of several: files are often sorted."""
    some = parts if len(parts) == 1 else [part.beginning(-(-count // len(parts))) for part in parts]
    return [pair.source for part in some for pair in part.read().pairs]


def split_files(
    names: Sequence[Path], texts: Sequence[Path], part_bytes: int, chosen: Format | None = None
) -> list[FilePart]:
    """The parts of one file or of two parallel files. DataError if these differ in length."""
    is_quoted = isinstance(chosen, TableFormat) and chosen.layout.is_quoted
    files = [path.open("rb") for path in texts]
    try:
        counted = [_count_lines(file) for file in files]
        last = max(filled for filled, _ in counted)
        if any(lines < last for _, lines in counted):
            raise unequal_lengths(names, [filled for filled, _ in counted])
        starts = [_start(file) for file in files]
        parts: list[FilePart] = []
        first = 1
        while first <= last:
            end, lines = _after_bytes(files[0], starts[0], part_bytes)
            if is_quoted:
                end, lines = _after_record(files[0], starts[0], end, lines)
            if first + lines - 1 >= last:
                lines = last - first + 1
                end = _after_lines(files[0], starts[0], lines)
            ends = [end, *(_after_lines(file, start, lines) for file, start in zip(files[1:], starts[1:], strict=True))]
            ranges = tuple(zip(starts, ends, strict=True))
            parts.append(FilePart(len(parts), tuple(map(str, names)), tuple(map(str, texts)), first, ranges, chosen))
            first, starts = first + lines, ends
        return parts
    finally:
        for file in files:
            file.close()


def _start(file: BinaryIO) -> int:
    file.seek(0)
    return len(UTF8_MARK) if file.read(len(UTF8_MARK)) == UTF8_MARK else 0


def _count_lines(file: BinaryIO) -> tuple[int, int]:
    """The number of lines up to the last non-blank one, and of all lines."""
    file.seek(0)
    ended = filled = 0
    rest = b""
    while block := file.read(_BLOCK):
        content = block.rstrip(b"\r\n")
        if content:
            filled = ended + content.count(b"\n") + 1
        ended += block.count(b"\n")
        rest = block
    return filled, ended + (not rest.endswith(b"\n"))


def _after_bytes(file: BinaryIO, start: int, size: int) -> tuple[int, int]:
    """The end of the line that contains byte `start + size - 1`, and the number of lines up to there."""
    file.seek(start)
    content = file.read(size)
    lines = content.count(b"\n")
    if content.endswith(b"\n"):
        return start + len(content), lines
    return start + len(content) + len(file.readline()), lines + 1


def _after_record(file: BinaryIO, start: int, end: int, lines: int) -> tuple[int, int]:
    """The end of the record of CSV that contains the line before `end`, and the number of lines up to there."""
    file.seek(start)
    num_quotes = file.read(end - start).count(b'"')
    for _ in range(MOST_RECORD_LINES):
        if num_quotes % 2 == 0 or not (line := file.readline()):
            break
        num_quotes += line.count(b'"')
        end, lines = end + len(line), lines + 1
    return end, lines


def _after_lines(file: BinaryIO, start: int, count: int) -> int:
    """The offset `count` lines after the line at `start`, at most the end of the file."""
    file.seek(start)
    while block := file.read(_BLOCK):
        lines = block.count(b"\n")
        if lines >= count:
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            return start + int(ends[count - 1]) + 1
        count -= lines
        start += len(block)
    return start
