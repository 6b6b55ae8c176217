"""Parses one line as a pair, or says why it is invalid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Literal, NamedTuple

from seq2see.data.pairs import Pair

Columns = Literal["pairs", "target"]
Fault = Literal[
    "encoding", "nul", "blank-lines", "old-mac-line-ends", "columns", "empty-sides", "json", "quoted-line-breaks"
]
"""What is wrong with a line, by the name of the finding of `seq2see check`."""

UTF8_MARK = b"\xef\xbb\xbf"  # a byte order mark, which some editors write

_MAX_RECORD_LINES = 20
"""Lines over which one text in quotation marks goes, at most."""

_MOST_NAMED, _MAX_SHOWN = 10, 20
"""Columns that a message names, and characters of each."""

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
    """An invalid line: where it is, what is wrong, how to fix it, and the kind of fault.

    `if_all` is another fix, for a file in which no line is valid.
    """

    def __init__(self, line: Line, what: str, fix: str, fault: Fault, if_all: str = "") -> None:
        super().__init__(line, what, fix, fault, if_all)  # pickle calls the class with these
        self.origin = line.origin
        self.what = what
        self.fix = fix
        self.fault = fault
        self.if_all = if_all


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


def parallel_pair(lines: tuple[Line, ...]) -> Pair:
    """The pair in two parallel lines, whatever they contain. Raises LineError.

    A TAB in a target is white space, as it is for other toolkits; in a source it may separate fields.
    """
    first, last = lines
    source, target = map(text_of, lines)
    target = target.replace("\t", " ")
    return Pair(require_text(source, "source", first), require_text(target, "target", last), first.origin)


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
    return LineError(
        line, what, "read such records with --quotes yes, or write the pair on one line", "quoted-line-breaks"
    )


def _is_open(line: bytes) -> bool:
    """Whether a column begins with a quotation mark and does not end in this line."""
    start = line.rfind(b'\t"') + 1
    return line[start : start + 1] == b'"' and line[start:].count(b'"') % 2 == 1


def text_of(line: Line) -> str:
    """The text of a line. Raises LineError if it is not UTF-8, or has a NUL."""
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


def other_columns(*, has_source: bool, has_target: bool) -> str:
    """How other columns are chosen, for the end of a message about those that are read."""
    options = [*(["--source"] if has_source else []), *(["--target"] if has_target else [])]
    return f" (choose {'others' if has_source else 'another'} with {' and '.join(options)})"


def wrong_number(wanted: object, cells: Sequence[str], names: Sequence[str]) -> str:
    """What is wrong with a line that has these cells and not `wanted` columns, whose `names` are shown where known."""
    expected = f"expected {wanted} columns"
    if not names:
        return f"{expected}, found {len(cells)}"
    return f"{expected} ({', '.join(shortened(names))}), found {len(cells)}: {' | '.join(shortened(cells))}"


def shortened(texts: Sequence[str]) -> list[str]:
    """Cells, or names of columns, as messages show them: the first ones, and the beginnings of long ones."""
    shown = [text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…" for text in texts[:_MOST_NAMED]]
    return [*shown, "…"] if len(texts) > _MOST_NAMED else shown


def two_columns(text: str, line: Line, names: Sequence[str] = ()) -> tuple[str, str]:
    """Both columns of a line, which may have names. Raises LineError for another number of them."""
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
        raise LineError(line, wrong_number(2, found, names), fix, "columns")
    from seq2see.data.probabilities import DECIMAL  # only here: most answers need none of it

    fix, second = "keep only source and target", found[1].strip()
    if re.fullmatch(DECIMAL, second):
        fix += ", or leave out the probabilities of a pronouncing dictionary: --delimiter probabilities"
    elif not second.isdecimal():  # a number is hardly a target
        fix += ", or read the first two columns of each line: --source 1 --target 2"
    raise LineError(line, wrong_number(2, found, names), fix, "columns")


def single_column(text: str, line: Line, side: str) -> str:
    """The text of a line that has one column, the source or the target. Raises LineError for several."""
    if "\t" in text:
        what = f"expected 1 column, found {text.count(chr(9)) + 1} separated by TAB"
        raise LineError(line, what, f"keep only one column, or choose one with --{side}", "columns")
    return text


def require_text(text: str, side: str, line: Line) -> str:
    """The text. Raises LineError if it is blank."""
    if not text.strip():
        raise LineError(line, f"the {side} is empty", f"add a {side} or remove the line", "empty-sides")
    return text
