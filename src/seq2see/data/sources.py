"""Reads sources without targets from an open stream, record by record: texts to be answered."""

from __future__ import annotations

import itertools
import json
import os
import select
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple

from seq2see.data.advice import STDIN, Advice
from seq2see.data.choosing import MAX_BYTES, MAX_LINES, TABLE_EXTENSIONS, beginning, extension, format_of, is_json
from seq2see.data.conversion import MARKS, Chunks, blocks_of, known_encoding, transcoded
from seq2see.data.diagnosis import NOT_UTF8, diagnosis_of_sources
from seq2see.data.encodings import SAMPLE_BYTES, unicode_form
from seq2see.data.header import IDENTIFIERS
from seq2see.data.json_chats import HISTORY, MESSAGE, conversation_path
from seq2see.data.json_container import parsed
from seq2see.data.json_paths import path_name
from seq2see.data.json_table import JsonFormat, UnknownColumnError
from seq2see.data.layout import (
    BLANKS,
    CSV_DELIMITERS,
    FIRST_BLANK,
    TAB,
    Layout,
    are_set_off,
    delimiter_name,
    have_names,
    is_open,
    layout_of,
)
from seq2see.data.lines import Line, LineError, cut_lines, lines_of
from seq2see.data.options import TableOptions
from seq2see.data.pairs import Pair
from seq2see.data.remembered import renamed, without_other_layout
from seq2see.data.table import Format, Row, TableFormat
from seq2see.data.text_lines import TextFormat
from seq2see.data.values import beside
from seq2see.errors import DataError
from seq2see.system_errors import reported

MOST_REFUSED = 10
"""None of a file is read if this number of its first lines can't be."""
LONGEST_LINE = 4_000_000
"""Bytes of a line that is read as one source, by default."""
MOST_RECORD_LINES = 1_000
_PATIENCE = 0.1
"""Seconds that more of a pipe may take to come, once one of its lines can't be read."""
_NEARLY = 0.8
"""From this similarity on, a key is probably another one mistyped."""
_NO_OPTIONS = TableOptions()
_TEXT_NAMES = ("source", "text", "src")
"""What a column of texts may be called beside columns that are asked for, the most telling first."""


NO_VALUES: Mapping[str, object] = {}


class SourceRow(NamedTuple):
    """A source to answer, its file and line, and the additional columns that were asked for."""

    source: str
    origin: str
    extra: tuple[str, ...] = ()
    values: Mapping[str, object] = NO_VALUES
    """Of its columns that may be named: in JSON what the keys have, of a table with a header the cells."""
    in_cells: bool = False
    """Whether the values are cells, and so texts whatever they stand for."""
    error: DataError | None = None
    """Why it can't be read; the source is empty then."""
    is_last_here: bool = False
    """Whether the next one has yet to come, through a pipe."""


def iterate_sources(
    stream: BinaryIO,
    name: str = STDIN,
    *,
    refuse: Callable[[DataError], None] | None = None,
    longest_line: int = LONGEST_LINE,
    table: TableOptions = _NO_OPTIONS,
    known: TableOptions = _NO_OPTIONS,
) -> Iterator[Pair]:
    """The sources of `iterate_rows` as pairs without targets."""
    rows = iterate_rows(stream, name, refuse=refuse, longest_line=longest_line, table=table, known=known)
    return (Pair(row.source, None, row.origin) for row in rows)


def iterate_rows(
    stream: BinaryIO,
    name: str = STDIN,
    *,
    extra: Sequence[str] = (),
    named: Sequence[str] = (),
    table: TableOptions = _NO_OPTIONS,
    known: TableOptions = _NO_OPTIONS,
    refuse: Callable[[DataError], None] | None = None,
    longest_line: int = LONGEST_LINE,
    say: Callable[[str], None] | None = None,
) -> Iterator[SourceRow]:
    """The sources of an open stream, each as soon as its line can be read, with the columns `extra` beside them.

    A line is a text, or several columns separated by TAB for a model that reads several; or the stream is a table, of
    which the columns are taken that `table` names, or else those `known` from training. `say` is told which. The
    columns `named` are read too where there is a header with some of them, and keys in JSON.

    In lines of text a blank one is an empty source, so that line n of the output belongs to line n of the input. A line
    that can't be read, or has more than `longest_line` bytes, raises DataError; with `refuse` its error goes there
    instead, and it is an empty source. If the first lines can't be read, so that the file probably has another format,
    it raises all the same.
    """
    start = _Beginning(stream, name, longest_line, table.encoding)
    return _rows(start, name, table, known, extra, named, refuse, say)


def source_format(
    head: Sequence[str],
    name: str,
    table: TableOptions,
    known: TableOptions,
    extra: Sequence[str] = (),
    named: Sequence[str] = (),
) -> Format:
    """The format of texts to answer that begin with these lines: see `iterate_rows`."""
    try:
        return _source_format(head, name, table, known, extra, named)
    except UnknownColumnError as error:
        if table.source:
            raise
        raise renamed(error, head, table, known, has_target=False) from None


def _source_format(
    head: Sequence[str],
    name: str,
    table: TableOptions,
    known: TableOptions,
    extra: Sequence[str],
    named: Sequence[str],
) -> Format:
    if known.target is not None and not known.source:  # of a language model, which goes on with beginnings of texts
        known = replace(known, source=(known.target,), target=None)
    merged = table.over(known)
    is_asked = bool(table.given().keys() - {"encoding", "target"} or extra)
    is_free = table.delimiter is None
    if is_json(Path(name)) or (
        is_free and (_are_objects_of_texts(head, merged.source, named) or _are_chats(head, merged.source))
    ):
        return _json_format(head, name, table, known, extra)
    filled = [line for line in head if line.strip()]
    if is_asked:
        return format_of(head, _of_texts(merged, head, name, table), name, extra=extra, has_target=False)
    known = without_other_layout(known, head, name)
    if known.delimiter is not None:
        found = layout_of(head)
        if found is not None and delimiter_name(found.delimiter) == known.delimiter:
            return format_of(head, table.over(known), name, has_target=False)
        known = replace(known, delimiter=None)
    is_file_of_table = extension(Path(name)) in TABLE_EXTENSIONS and name != STDIN
    merged = _of_texts(table.over(known), head, name, table)
    wanted, tabs = known.source, {line.count("\t") + 1 for line in filled}
    layout = layout_of(head, merged, wanted) if wanted else None
    if layout is not None and layout.num_columns > 1 and layout.header and have_names(layout.header, wanted):
        return format_of(head, merged, name, has_target=False)
    if len(wanted) > 1 and (tabs == {len(wanted)} or not filled):
        return TableFormat(Layout(TAB, len(wanted)), tuple(range(len(wanted))), None)
    is_table = len(tabs) == 1 and tabs != {1} and name != STDIN
    if len(wanted) > 1 or is_table or is_file_of_table:
        return format_of(head, merged, name, has_target=False)
    return TextFormat(is_source=True)


def _of_texts(options: TableOptions, head: Sequence[str], name: str, table: TableOptions) -> TableOptions:
    """The options with those of a single column, where lines have one text each and nothing that divides columns.

    What only may divide columns, such as the first blank of a pronouncing dictionary, is part of a text.
    """
    wanted, is_csv = options.source, extension(Path(name)) == ".csv"
    if options.delimiter is not None or len(wanted) > 1 or not any(map(str.strip, head)):
        return options
    if any("\t" in line or "\r" in line for line in head):
        return options
    layout = layout_of(head, options, wanted, is_sure=is_csv)
    if layout is not None and layout.num_columns > 1 and len(layout.header) != 1:
        is_named = bool(wanted) and have_names(layout.header, wanted)
        is_sure = layout.delimiter not in (BLANKS, FIRST_BLANK) or are_set_off(head)
        is_numbered = "".join(table.source).isdecimal() and (is_sure or table.source != ("1",))
        if layout.delimiter in CSV_DELIMITERS or is_named or is_numbered:
            return options
    in_csv = layout_of(head, replace(options, delimiter="comma"), wanted) if is_csv else None
    is_quoted = in_csv is not None and in_csv.is_quoted and in_csv.num_columns == 1
    return replace(options, delimiter="comma" if is_quoted else "tab")


def _json_format(
    head: Sequence[str], name: str, table: TableOptions, known: TableOptions, extra: Sequence[str]
) -> Format:
    """That of JSON: the keys that the model was trained on, or the usual key of a text."""
    merged = table.over(known)
    try:
        return format_of(head, merged, name, extra=extra, has_target=False)
    except UnknownColumnError as error:
        usual = next((each for each in _TEXT_NAMES if each in error.names), None)
        if table.source or usual is None:
            raise
        return format_of(head, replace(merged, source=(usual,)), name, extra=extra, has_target=False)


def _are_objects_of_texts(lines: Sequence[str], names: Sequence[str], named: Sequence[str]) -> bool:
    """Whether each line is a JSON object with the text under a key of these names.

    Without names, under a usual one, beside which there are only others that may be `named`: an object with more keys,
    such as a line of a log, is a text itself.
    """
    keys = [set(_keys_in(line)) for line in lines if line.strip()]
    if wanted := {name.partition(".")[0] for name in names if not name.isdecimal()}:
        return bool(keys) and all(own >= wanted for own in keys)
    usual = {*_TEXT_NAMES, "target", *IDENTIFIERS, *named}
    others = {key for own in keys for key in own - usual if not get_close_matches(key, named, 1, _NEARLY)}
    return bool(keys) and not others and all(own & set(_TEXT_NAMES) for own in keys)


def _are_chats(lines: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the lines are conversations in JSON, of which columns with these names are read."""
    if not {HISTORY, MESSAGE}.intersection(names):
        return False
    values = [parsed(line) for line in lines if line.strip()]
    return conversation_path(values, has_reply=False) is not None


def _keys_in(line: str) -> tuple[str, ...]:
    """The keys of a JSON object; none of anything else."""
    if not line.lstrip().startswith('{"'):
        return ()
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return ()
    return tuple(value)


class _Beginning:
    """The lines of a stream, of which the first ones are kept: evidence if one of them can't be read."""

    def __init__(self, stream: BinaryIO, name: str, longest_line: int, encoding: str | None) -> None:
        self.stream = stream
        self.name = name
        self.longest_line = longest_line
        self.encoding = known_encoding(encoding)
        self.content = b""

    def __iter__(self) -> Iterator[bytes]:
        with reported(self.name, "read"):
            for line in cut_lines(self._decoded(), self.longest_line):
                if len(self.content) < SAMPLE_BYTES:
                    self.content += line
                yield line

    def _decoded(self) -> BinaryIO:
        """The stream in UTF-8: a file is so when it is opened, stdin may have another encoding."""
        if self.name != STDIN:
            return self.stream
        first = self.stream.readline(self.longest_line + 1)
        encoding = unicode_form(first) if first.startswith(MARKS) else self.encoding
        rest = blocks_of(self.stream) if encoding else iter(partial(self.stream.readline, SAMPLE_BYTES), b"")
        chunks: Iterable[bytes] = itertools.chain([first], rest)
        if encoding:
            chunks = transcoded(chunks, encoding, self.name)
        return BufferedReader(Chunks(chunks))

    def read_on(self) -> bytes:
        """What was read, and some whole lines more if they are there; they are still to be read."""
        more = b""
        try:
            if _has_places(self.stream):
                place = self.stream.tell()
                more = self.stream.read(SAMPLE_BYTES)
                self.stream.seek(place)
            elif not self.encoding and not self.stream.isatty():
                more = _waiting_in(self.stream)
        except (OSError, AttributeError):  # there are streams that can't be looked into
            pass
        return self.content + (more if len(more) < SAMPLE_BYTES else more[: more.rfind(b"\n") + 1])


def _has_places(stream: BinaryIO) -> bool:
    """Whether one can read on and come back: in a file, and in memory."""
    try:
        return stream.seekable() and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:  # no file number
        return True


def is_pipe(stream: BinaryIO) -> bool:
    """Whether lines come from a writer who may be waiting for our answers; False for a file, and if it isn't known."""
    try:
        return not _has_places(stream)
    except (OSError, AttributeError, ValueError):
        return False


def must_wait_for(pipe: BinaryIO) -> bool:
    """Whether the next line of a pipe has yet to come; False where it can't be known."""
    try:
        return not _lines_in(pipe)
    except (OSError, AttributeError, ValueError):  # such as a stream that a program has put in place of stdin
        return False


def _waiting_in(pipe: BinaryIO) -> bytes:
    """The whole lines that have come, or come soon; the writer of more may be waiting for our answer."""
    select.select([pipe.fileno()], [], [], _PATIENCE)
    return _lines_in(pipe)


def _lines_in(pipe: BinaryIO) -> bytes:
    """The whole lines that can be read at once; they are still to be read."""
    number = pipe.fileno()
    is_blocking = os.get_blocking(number)
    os.set_blocking(number, False)
    try:
        more: bytes = pipe.peek()  # type: ignore[attr-defined] # a buffered stream has it
    finally:
        os.set_blocking(number, is_blocking)
    return more[: more.rfind(b"\n") + 1]


def _rows(
    start: _Beginning,
    name: str,
    table: TableOptions,
    known: TableOptions,
    extra: Sequence[str],
    named: Sequence[str],
    refuse: Callable[[DataError], None] | None,
    say: Callable[[str], None] | None,
) -> Iterator[SourceRow]:
    lines, folder = lines_of(start, name), Path(name).parent
    head = list(_head(lines, 1 if name == STDIN else MAX_LINES))
    texts = beginning(line.content for line in head)
    header, columns = _columns_of(texts, name, table.over(known), named)
    if columns and not table.over(known).source:
        others = [each for each in header if each not in (*extra, *columns)]
        usual = [each for each in _TEXT_NAMES if each in others]
        table = replace(table, source=tuple(usual or others)[:1])
    chosen = source_format(texts, name, table, known, (*extra, *columns), named)
    is_usual = isinstance(chosen, TableFormat) and chosen.is_fields
    if say is not None and isinstance(chosen, JsonFormat) and not (is_json(Path(name)) or table.source):
        said = chosen.describe() or f"JSON; {path_name(chosen.source[0])} as source"
        say(f"{name}: {said}; --delimiter tab reads each line as a text")
    elif say is not None and not is_usual and (said := chosen.describe()):
        say(f"{name}: {said}{'; of each line: ' if columns else ''}{', '.join(columns)}")
    names = table.over(known).source
    if say is not None and isinstance(chosen, TextFormat) and names and texts and have_names([texts[0].strip()], names):
        say(f"{name}: the first line is answered, too; if {texts[0].strip()} is the name of the column: --header yes")
    if say is not None and named:
        keys = header if columns else _keys_in(texts[0]) if isinstance(chosen, JsonFormat) and texts else ()
        for key in keys:
            if key not in (*named, *names) and (meant := get_close_matches(key, named, 1, _NEARLY)):
                say(f"note: {name}: {key} is ignored; did you mean {meant[0]}?")
    has_read, refused, advice, first, is_live = False, 0, None, "", is_pipe(start.stream)
    for line, found in _records(itertools.chain(head, lines), chosen, start.longest_line):
        if not isinstance(found, LineError):
            values = _values_in(line) if named and isinstance(chosen, JsonFormat) else NO_VALUES
            if columns:
                values = dict(zip(columns, found.extra[len(extra) :], strict=True))
            source = beside(found.source, folder)
            yield SourceRow(
                source,
                line.origin,
                found.extra[: len(extra)],
                values,
                in_cells=bool(columns),
                is_last_here=is_live and must_wait_for(start.stream),
            )
            has_read = True
            continue
        refused += 1
        if refused == 1:
            seen, first = start.read_on(), found.origin
            advice = diagnosis_of_sources(seen, name, found.fault)
        is_last = refuse is None or (refused == MOST_REFUSED and not has_read)
        error = _explained(found, advice, first, is_said=not is_last)
        if refuse is None or is_last or (refused == 1 and found.fault in NOT_UTF8 and unicode_form(seen)):
            raise error
        refuse(error)
        yield SourceRow(
            "", line.origin, ("",) * len(extra), error=error, is_last_here=is_live and must_wait_for(start.stream)
        )


def _columns_of(
    head: Sequence[str], name: str, options: TableOptions, named: Sequence[str]
) -> tuple[Sequence[str], tuple[str, ...]]:
    """The header of a table that has some of these columns, and which; nothing of anything else."""
    named = [each for each in named if each not in options.source]
    for wanted in () if is_json(Path(name)) else ((), *((each,) for each in named)):
        layout = layout_of(head, options, wanted)
        if layout is None or not (found := tuple(each for each in named if each in layout.header)):
            continue
        if options.header == "yes" or _has_texts(layout, options.source):
            return layout.header, found
    return (), ()


def _has_texts(layout: Layout, source: Sequence[str]) -> bool:
    """Whether a first line with names of columns also names that of the texts: if not, it may be a text itself."""
    if layout.delimiter not in CSV_DELIMITERS:
        return False
    names = [each for each in source if not each.isdecimal()]
    if names and set(names) <= set(layout.header):
        return True
    is_fields = len(source) > 1 and len(layout.header) == len(source)
    return not is_fields and any(each in layout.header for each in _TEXT_NAMES)


def _values_in(line: Line) -> dict[str, object]:
    """The values of a JSON object by their keys."""
    value = json.loads(line.content)
    return value if isinstance(value, dict) else {}


def _head(lines: Iterator[Line], most: int) -> Iterator[Line]:
    size = 0
    for line in itertools.islice(lines, most):
        yield line
        size += len(line.content)
        if size > MAX_BYTES:
            return


def _records(lines: Iterable[Line], chosen: Format, longest_line: int) -> Iterator[tuple[Line, Row | LineError]]:
    """The row of each record, or why there is none."""
    is_start = True
    group: list[Line] = []
    layout = chosen.layout if isinstance(chosen, TableFormat) else None
    for line in lines:
        if len(line.content) > longest_line:
            what = f"the line has more than {longest_line:,} bytes"
            fix = "split it into several lines, or raise --max-input-length"
            yield line, LineError(line, what, fix, "columns")
            continue
        group.append(line)
        if layout and layout.is_quoted and len(group) < MOST_RECORD_LINES and is_open(_text(group), layout.delimiter):
            continue
        yield from chosen.read(group, is_start=is_start)
        text = _text(group)
        is_start = is_start and (not text.strip() or bool(layout and layout.is_comment(text)))
        group = []
    if group:
        yield from chosen.read(group, is_start=is_start)


def _text(group: Sequence[Line]) -> str:
    return "".join(line.content.decode(errors="replace") + "\n" for line in group)


def from_line(bad: LineError) -> DataError:
    """The error of a line as one for the user."""
    return DataError(bad.what, where=bad.origin, fix=bad.fix)


def _explained(bad: LineError, advice: Advice | None, first: str, *, is_said: bool) -> DataError:
    """The same, with what the lines around it say of the file: all of it for the first one, which was at `first`."""
    if advice is None:
        return from_line(bad)
    if bad.origin != first:
        is_same = bad.fault in NOT_UTF8
        fix = bad.fix if not is_same else f"as said of {first}" if is_said else advice.full_fix
        return DataError(bad.what, where=bad.origin, fix=fix)
    what = "\n".join([f"{bad.what}; {advice.what}", *(f"  {each}" for each in advice.evidence)])
    return DataError(what, where=bad.origin, fix=advice.full_fix)
