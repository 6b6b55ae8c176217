"""One line to a pair, or the reason why not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from seq2see.data.pairs import Pair
from seq2see.errors import did_you_mean

Columns = Literal["pairs", "target"]

_NUM_OWN: dict[Columns, int] = {"pairs": 2, "target": 1}
"""Columns of a file of text that make up a pair."""
UTF8_MARK = b"\xef\xbb\xbf"  # some editors put it at the start of a file


class Line(NamedTuple):
    """A line as it stands in its file; `start` is its offset there in bytes."""

    content: bytes
    path: str
    number: int
    start: int

    @property
    def origin(self) -> str:
        """The place of the line, `train.tsv:17`."""
        return f"{self.path}:{self.number}"


class LineError(Exception):
    """A line that can't be used: where, what is wrong, and what to do about it."""

    def __init__(self, line: Line, what: str, fix: str) -> None:
        super().__init__(line, what, fix)  # pickle calls the class with these
        self.origin = line.origin
        self.what = what
        self.fix = fix


class LabelColumn(NamedTuple):
    """A column beside those of the pair."""

    place: int | str
    """From 0; a key in JSON."""
    has_header: bool
    """Whether the first line names the columns and holds no pair."""


def lines_of(stream: Iterable[bytes], path: str) -> Iterator[Line]:
    """The lines of an open file, without their ends and without a byte order mark before the first."""
    start = 0
    for number, whole in enumerate(stream, start=1):
        content = whole.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1 and content.startswith(UTF8_MARK):
            yield Line(content.removeprefix(UTF8_MARK), path, number, start + len(UTF8_MARK))
        else:
            yield Line(content, path, number, start)
        start += len(whole)


def text_pair(lines: tuple[Line, ...], columns: Columns) -> Pair:
    """The pair of a line of text, or of two parallel ones. Raises LineError."""
    first, last = lines[0], lines[-1]
    texts = [_text(line) for line in lines]
    if columns == "target":
        return Pair("", _filled(_single_column(texts[0], first), "text", first), first.origin)
    source, target = texts if len(texts) == 2 else _two_columns(texts[0], first)
    return Pair(_filled(source, "source", first), _filled(target, "target", last), first.origin)


def json_pair(line: Line, columns: Columns) -> Pair:
    """The pair of a line of JSON. Raises LineError."""
    values = _json_values(line)
    if columns == "target":
        key = "text" if "target" not in values and "text" in values else "target"
        return Pair("", _filled(_json_text(values, key, line), key, line), line.origin)
    source, target = (_filled(_json_text(values, key, line), key, line) for key in ("source", "target"))
    return Pair(source, target, line.origin)


def label_column(first: Line, wanted: str, columns: Columns, *, is_json: bool) -> LabelColumn:
    """Where the column `wanted` is, told from the first line of a file. Raises LineError where there is none.

    In JSON it is a key; elsewhere a number from 1, or a name that stands in the first line, which then is a header.
    """
    if is_json:
        values = _json_values(first)
        if wanted not in values:
            raise LineError(first, f"there is no key {wanted!r}", did_you_mean(wanted, values))
        return LabelColumn(wanted, has_header=False)
    own = _NUM_OWN[columns]
    fields = _text(first).split("\t")
    number = int(wanted) if wanted.isdecimal() else fields.index(wanted) + 1 if wanted in fields else 0
    if not wanted.isdecimal() and not number:
        fix = f"write its number, from {own + 1}, or name all columns in a first line of the file"
        raise LineError(first, f"there is no column {wanted!r}", fix)
    if number <= own:
        sides = "source and target" if own == 2 else "the text"
        raise LineError(first, f"column {number} is no further column: {sides} come first", f"name one from {own + 1}")
    if number > len(fields):
        fix = f"name one from {own + 1} to {len(fields)}" if len(fields) > own else "name a file that has it"
        raise LineError(first, f"there is no column {number}: the line has {len(fields)}", fix)
    return LabelColumn(number - 1, has_header=not wanted.isdecimal())


def labelled(line: Line, column: LabelColumn, columns: Columns) -> tuple[Line, str]:
    """The line with the pair's own columns alone, and what stands in the further one. Raises LineError."""
    if isinstance(column.place, str):
        values = _json_values(line)
        label = values.get(column.place)
        if label is None or isinstance(label, list | dict):
            raise LineError(line, f"no text or number under {column.place!r}", f"give each line a {column.place!r}")
        return line, label if isinstance(label, str) else json.dumps(label)
    fields = _text(line).split("\t")
    if len(fields) <= column.place:
        what = f"found {len(fields)} columns, and column {column.place + 1} is asked for"
        raise LineError(line, what, "separate columns by a TAB; an empty one keeps its TAB")
    own = "\t".join(fields[: _NUM_OWN[columns]])
    return line._replace(content=own.encode()), fields[column.place]


def text_source(line: Line) -> Pair:
    """The source that a line of text is, with no target; a blank line is an empty source. Raises LineError."""
    return Pair(_single_column(_text(line), line), None, line.origin)


def json_source(line: Line) -> Pair:
    """The source in a line of JSON, with no target. Raises LineError."""
    values = _json_values(line)
    key = "text" if "source" not in values and "text" in values else "source"
    return Pair(_json_text(values, key, line), None, line.origin)


def _text(line: Line) -> str:
    try:
        text = line.content.decode()
    except UnicodeDecodeError as error:
        what = (
            f"byte 0x{line.content[error.start]:02X} is not UTF-8 (byte {error.start + 1} of the line, "
            f"byte {line.start + error.start + 1} of the file)"
        )
        fix = "convert the file from the encoding it has, for instance: iconv -f ISO-8859-1 -t UTF-8"
        raise LineError(line, what, fix) from None
    if "\0" in text:
        raise LineError(line, f"character {text.index(chr(0)) + 1} of the line is a NUL", "take it out")
    return text


def _two_columns(text: str, line: Line) -> tuple[str, str]:
    found = text.split("\t")
    if len(found) == 2:
        return found[0], found[1]
    if not text.strip():
        raise LineError(line, "the line is blank", "take it out")
    if "\r" in text:
        fix = "the file has the line ends of an old Mac; give it those of today: tr '\\r' '\\n'"
        raise LineError(line, "a carriage return inside the line, and not 2 columns", fix)
    if len(found) == 1:
        raise LineError(line, "found 1 column, expected 2", "separate source and target by a TAB")
    fix = f"keep two of the columns: cut -f1,2 {Path(line.path).name}"
    raise LineError(line, f"found {len(found)} columns, expected 2", fix)


def _single_column(text: str, line: Line) -> str:
    if "\t" in text:
        fix = f"keep one of the columns: cut -f1 {Path(line.path).name}"
        raise LineError(line, f"found {text.count(chr(9)) + 1} columns with a TAB between, expected 1", fix)
    return text


def _filled(text: str, side: str, line: Line) -> str:
    if not text.strip():
        raise LineError(line, f"the {side} is empty", f"write a {side} or take the line out")
    return text


def _json_values(line: Line) -> dict[str, object]:
    text = _text(line)
    if not text.strip():
        raise LineError(line, "the line is blank", "take it out")
    example = 'write one object a line: {"source": "...", "target": "..."}'
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LineError(line, f"not JSON: {error}", example) from None
    if not isinstance(values, dict):
        raise LineError(line, f"JSON, but a {type(values).__name__} and not an object", example)
    return values


def _json_text(values: dict[str, object], key: str, line: Line) -> str:
    if key not in values:
        keys = ", ".join(map(repr, list(values)[:5])) or "none at all"
        raise LineError(line, f"the key {key!r} is missing; found {keys}", f"put the {key} under the key {key!r}")
    text = values[key]
    if not isinstance(text, str):
        raise LineError(line, f"{key!r} is a {type(text).__name__}, not a string", "put it in quotation marks")
    if "\0" in text:
        raise LineError(line, f"character {text.index(chr(0)) + 1} of {key!r} is a NUL", "take it out")
    if "\n" in text or "\r" in text:
        raise LineError(line, f"{key!r} holds a line break, but answers are one a line", "put a blank in its place")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"\\u{ord(text[error.start]):04x} in {key!r} is half of a surrogate pair"
        raise LineError(line, what, "write both halves or neither") from None
    return text
