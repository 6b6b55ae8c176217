"""Parses one line as a pair, or says why it is invalid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Literal, NamedTuple

from seq2see.data.pairs import Pair
from seq2see.errors import did_you_mean

Columns = Literal["pairs", "target"]
Fault = Literal[
    "encoding", "nul", "blank-lines", "old-mac-line-ends", "columns", "empty-sides", "json", "quoted-line-breaks"
]
"""What is wrong with a line, by the name of the finding of `seq2see check`."""

_NUM_OWN: dict[Columns, int] = {"pairs": 2, "target": 1}
"""The number of columns of a pair in a text file."""
UTF8_MARK = b"\xef\xbb\xbf"  # a byte order mark, which some editors write

_MAX_RECORD_LINES = 20
"""Lines over which one text in quotation marks goes, at most."""

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""Characters that would break the columns and lines of a table that is written, and their escapes."""


class Line(NamedTuple):
    """A line of a file; `start` is its byte offset."""

    content: bytes
    path: str
    number: int
    start: int

    @property
    def origin(self) -> str:
        """File and line, such as `train.tsv:17`."""
        return f"{self.path}:{self.number}"


class LineError(Exception):
    """An invalid line: where it is, what is wrong, how to fix it, and the kind of fault."""

    def __init__(self, line: Line, what: str, fix: str, fault: Fault) -> None:
        super().__init__(line, what, fix, fault)  # pickle calls the class with these
        self.origin = line.origin
        self.what = what
        self.fix = fix
        self.fault = fault


class LabelColumn(NamedTuple):
    """A column in addition to those of the pair."""

    key: int | str
    """Index of the column, from 0; in JSON the key."""
    has_header: bool
    """Whether the first line is a header."""


def lines_of(stream: Iterable[bytes], path: str) -> Iterator[Line]:
    """The lines of an open file, without line ends and byte order mark."""
    start = 0
    for number, whole in enumerate(stream, start=1):
        content = whole.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1 and content.startswith(UTF8_MARK):
            yield Line(content.removeprefix(UTF8_MARK), path, number, start + len(UTF8_MARK))
        else:
            yield Line(content, path, number, start)
        start += len(whole)


def cut_lines(stream: BinaryIO, most: int) -> Iterator[bytes]:
    """The lines of a stream; of a longer one only the first `most` + 1 bytes, so that none fills the memory."""
    while line := stream.readline(most + 1):
        yield line
        while len(line) > most and not line.endswith(b"\n"):
            line = stream.readline(most + 1)


def text_pair(lines: tuple[Line, ...], columns: Columns) -> Pair:
    """The pair in one line of text, or in two parallel lines. Raises LineError."""
    first, last = lines[0], lines[-1]
    texts = [_text(line) for line in lines]
    if columns == "target":
        return Pair("", _require_text(_single_column(texts[0], first), "text", first), first.origin)
    source, target = texts if len(texts) == 2 else _two_columns(texts[0], first)
    return Pair(_require_text(source, "source", first), _require_text(target, "target", last), first.origin)


def records_over_lines(lines: Sequence[bytes]) -> set[int]:
    """The indices of lines that together are one pair, since a text in quotation marks goes over several, as in CSV.

    Each half may look like a pair of its own.
    """
    found: set[int] = set()
    for first, line in enumerate(lines):
        if first in found or b'"' not in line or not _is_open(line):
            continue
        quotes, tabs = line.count(b'"'), line.count(b"\t")
        for last in range(first + 1, min(first + _MAX_RECORD_LINES, len(lines))):
            quotes += lines[last].count(b'"')
            tabs += lines[last].count(b"\t")
            if quotes % 2 == 0:
                if tabs == 1 and re.search(rb'"(\t|\r?$)', lines[last]):
                    found.update(range(first, last + 1))
                break
    return found


def broken_record(line: Line) -> LineError:
    """The error for a line of a record over several lines."""
    what = "part of a text in quotation marks that goes over several lines"
    return LineError(line, what, "write the pair on one line", "quoted-line-breaks")


def _is_open(line: bytes) -> bool:
    """Whether a column begins with a quotation mark and does not end in this line."""
    start = line.rfind(b'\t"') + 1
    return line[start : start + 1] == b'"' and line[start:].count(b'"') % 2 == 1


def json_pair(line: Line, columns: Columns) -> Pair:
    """The pair in one line of JSON. Raises LineError."""
    values = _json_values(line)
    if columns == "target":
        key = "text" if "target" not in values and "text" in values else "target"
        return Pair("", _require_text(_json_text(values, key, line), key, line), line.origin)
    source, target = (_require_text(_json_text(values, key, line), key, line) for key in ("source", "target"))
    return Pair(source, target, line.origin)


def label_column(first: Line, wanted: str, columns: Columns, *, is_json: bool) -> LabelColumn:
    """The column `wanted`, found in the first line of a file. Raises LineError if it does not exist.

    In JSON it is a key; otherwise a number from 1, or a name in the first line, which then is a header.
    """
    if is_json:
        values = _json_values(first)
        if wanted not in values:
            raise LineError(first, f"unknown key {wanted!r}", did_you_mean(wanted, values), "json")
        return LabelColumn(wanted, has_header=False)
    own = _NUM_OWN[columns]
    fields = _text(first).split("\t")
    number = int(wanted) if wanted.isdecimal() else fields.index(wanted) + 1 if wanted in fields else 0
    if not wanted.isdecimal() and not number:
        fix = f"give its number, at least {own + 1}, or add a header with the names of all columns"
        raise LineError(first, f"unknown column {wanted!r}", fix, "columns")
    if number <= own:
        sides = "source and target" if own == 2 else "the text"
        what = f"the column must be at least {own + 1}, since {sides} come first, found {number}"
        raise LineError(first, what, f"use column {own + 1} or a later one", "columns")
    if number > len(fields):
        fix = f"use column {own + 1} to {len(fields)}" if len(fields) > own else "use a file with more columns"
        raise LineError(first, f"expected at least {number} columns, found {len(fields)}", fix, "columns")
    return LabelColumn(number - 1, has_header=not wanted.isdecimal())


def labelled(line: Line, column: LabelColumn, columns: Columns) -> tuple[Line, str]:
    """The line with only the columns of the pair, and the content of the additional column. Raises LineError."""
    if isinstance(column.key, str):
        values = _json_values(line)
        label = values.get(column.key)
        if label is None or isinstance(label, list | dict):
            what = f"{column.key!r} is missing or not a string or number"
            raise LineError(line, what, f"add {column.key!r} to each line", "json")
        return line, label if isinstance(label, str) else json.dumps(label)
    fields = _text(line).split("\t")
    if len(fields) <= column.key:
        what = f"expected at least {column.key + 1} columns, found {len(fields)}"
        raise LineError(line, what, "separate columns with a TAB, empty ones too", "columns")
    own = "\t".join(fields[: _NUM_OWN[columns]])
    return line._replace(content=own.encode()), fields[column.key]


def text_source(line: Line) -> Pair:
    """A line of text as a source without target; a blank line is an empty source. Raises LineError."""
    return Pair(_single_column(_text(line), line), None, line.origin)


def json_source(line: Line) -> tuple[Pair, dict[str, object]]:
    """The source in one line of JSON, without target, and the other values by their keys. Raises LineError."""
    values = _json_values(line)
    key = "text" if "source" not in values and "text" in values else "source"
    return Pair(_json_text(values, key, line), None, line.origin), values


def _text(line: Line) -> str:
    try:
        text = line.content.decode()
    except UnicodeDecodeError as error:
        what = (
            f"byte 0x{line.content[error.start]:02X} is not UTF-8 (byte {error.start + 1} of the line, "
            f"byte {line.start + error.start + 1} of the file)"
        )
        raise LineError(line, what, "correct the line, or convert the file to UTF-8", "encoding") from None
    if "\0" in text:
        raise LineError(line, f"character {text.index(chr(0)) + 1} of the line is NUL", "remove it", "nul")
    return text


def _two_columns(text: str, line: Line) -> tuple[str, str]:
    found = text.split("\t")
    if len(found) == 2:
        return found[0], found[1]
    if not text.strip():
        raise LineError(line, "the line is blank", "remove it", "blank-lines")
    if "\r" in text:
        what = "expected 2 columns, found a carriage return inside the line"
        raise LineError(line, what, "convert the line ends from classic Mac OS", "old-mac-line-ends")
    if len(found) == 1:
        fix = "separate source and target with a TAB"
        raise LineError(line, "expected 2 columns, found 1", fix, "columns")
    raise LineError(line, f"expected 2 columns, found {len(found)}", "keep only source and target", "columns")


def _single_column(text: str, line: Line) -> str:
    if "\t" in text:
        what = f"expected 1 column, found {text.count(chr(9)) + 1} separated by TAB"
        raise LineError(line, what, "keep only one column, or replace the TAB by a blank", "columns")
    return text


def _require_text(text: str, side: str, line: Line) -> str:
    if not text.strip():
        raise LineError(line, f"the {side} is empty", f"add a {side} or remove the line", "empty-sides")
    return text


def _json_values(line: Line) -> dict[str, object]:
    text = _text(line)
    if not text.strip():
        raise LineError(line, "the line is blank", "remove it", "blank-lines")
    example = 'write one object per line: {"source": "...", "target": "..."}'
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LineError(line, f"invalid JSON: {error}", example, "json") from None
    if not isinstance(values, dict):
        raise LineError(line, f"expected a JSON object, found a {type(values).__name__}", example, "json")
    return values


def _json_text(values: dict[str, object], key: str, line: Line) -> str:
    if key not in values:
        keys = ", ".join(map(repr, list(values)[:5])) or "none"
        raise LineError(line, f"the key {key!r} is missing; found {keys}", f"add the key {key!r}", "json")
    text = values[key]
    if not isinstance(text, str):
        what = f"{key!r} must be a string, found a {type(text).__name__}"
        raise LineError(line, what, "put it in quotation marks", "json")
    if "\0" in text:
        raise LineError(line, f"character {text.index(chr(0)) + 1} of {key!r} is NUL", "remove it", "json")
    if "\n" in text or "\r" in text:
        what = f"{key!r} contains a line break, but the output has one line per text"
        raise LineError(line, what, "replace it with a blank", "json")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"\\u{ord(text[error.start]):04x} in {key!r} is a lone surrogate"
        raise LineError(line, what, "write both surrogates of the pair, or remove it", "json") from None
    return text
