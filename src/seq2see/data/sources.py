"""Reads sources without targets from an open stream, line by line: texts to be answered."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from seq2see.data.diagnosis import diagnosis_of_sources
from seq2see.data.encodings import SAMPLE_BYTES
from seq2see.data.lines import Line, LineError, cut_lines, json_source, lines_of, text_source
from seq2see.data.pairs import Pair
from seq2see.data.reading import is_json
from seq2see.errors import DataError
from seq2see.system_errors import reported

MOST_REFUSED = 10
"""None of a file is read if this number of its first lines can't be."""
LONGEST_LINE = 4_000_000
"""Bytes of a line that is read as one source, by default."""


NO_VALUES: Mapping[str, object] = {}


class SourceLine(NamedTuple):
    """A line with a source, and its values by name."""

    pair: Pair
    values: Mapping[str, object] = NO_VALUES
    """Those of a JSON object, that of the source among them; none in a line of text."""
    in_cells: bool = False
    """Whether the values are the cells of a table, and so texts whatever they stand for."""
    error: DataError | None = None
    """Why it can't be read; the source is empty then."""


def iterate_sources(
    stream: BinaryIO,
    name: str = "<stdin>",
    *,
    refuse: Callable[[DataError], None] | None = None,
    longest_line: int = LONGEST_LINE,
) -> Iterator[Pair]:
    """The sources of an open stream, without targets, each as soon as its line can be read; see `iterate_lines`."""
    return (line.pair for line in iterate_lines(stream, name, refuse=refuse, longest_line=longest_line))


def iterate_lines(
    stream: BinaryIO,
    name: str = "<stdin>",
    *,
    refuse: Callable[[DataError], None] | None = None,
    longest_line: int = LONGEST_LINE,
) -> Iterator[SourceLine]:
    """The lines of an open stream, each as soon as it can be read, with their sources and other values.

    One source per line, or per JSON object under "source" if `name` has the extension of JSONL. A blank line is an
    empty source, so that line n of the output belongs to line n of the input. A line that can't be read, or has more
    than `longest_line` bytes, raises DataError; with `refuse` its error goes there instead, and it is an empty source.
    If the first lines can't be read, so that the file probably has another format, it raises all the same.
    """
    beginning = _Beginning(stream, name, longest_line)
    return _source_lines(lines_of(beginning, name), beginning, name, refuse)


class _Beginning:
    """The lines of a stream, of which the first ones are kept: evidence if one of them can't be read."""

    def __init__(self, stream: BinaryIO, name: str, longest_line: int) -> None:
        self.stream = stream
        self.name = name
        self.longest_line = longest_line
        self.content = b""

    def __iter__(self) -> Iterator[bytes]:
        with reported(self.name, "read"):
            for line in cut_lines(self.stream, self.longest_line):
                if len(self.content) < SAMPLE_BYTES:
                    self.content += line
                yield line

    def read_on(self) -> bytes:
        """What was read, and of a file some more; the writer of a pipe may be waiting for our answer."""
        try:
            if self.stream.seekable() and stat.S_ISREG(os.fstat(self.stream.fileno()).st_mode):
                place = self.stream.tell()
                more = self.stream.read(SAMPLE_BYTES)
                self.stream.seek(place)
                return self.content + more
        except OSError:  # a stream in memory has no file number
            pass
        return self.content


def _source_lines(
    lines: Iterator[Line], beginning: _Beginning, name: str, refuse: Callable[[DataError], None] | None
) -> Iterator[SourceLine]:
    in_json = is_json(Path(name))
    has_read, refused = False, 0
    for line in lines:
        error = None
        if len(line.content) > beginning.longest_line:
            what = f"the line has more than {beginning.longest_line:,} bytes"
            error = DataError(what, where=line.origin, fix="split it into several lines, or raise --max-input-length")
        else:
            try:
                read = SourceLine(*json_source(line)) if in_json else SourceLine(text_source(line))
            except LineError as bad:
                error = _explained(bad, beginning, name) if not refused else from_line(bad)
        if error is None:
            yield read
            has_read = True
            continue
        refused += 1
        if refuse is None or (refused == MOST_REFUSED and not has_read):
            raise error
        refuse(error)
        yield SourceLine(Pair("", None, line.origin), error=error)


def from_line(bad: LineError) -> DataError:
    """The error of a line as one for the user."""
    return DataError(bad.what, where=bad.origin, fix=bad.fix)


def _explained(bad: LineError, beginning: _Beginning, name: str) -> DataError:
    """The same, with what the lines around it say of the file."""
    advice = diagnosis_of_sources(beginning.read_on(), name, bad.fault)
    if advice is None:
        return from_line(bad)
    what = "\n".join([f"{bad.what}; {advice.what}", *(f"  {each}" for each in advice.evidence)])
    return DataError(what, where=bad.origin, fix=advice.full_fix)
