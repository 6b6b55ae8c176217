"""A table as pairs: which of its columns are source and target, and its lines as rows.

There are two ways to the same rows: a whole block at once, and record by record where a line is invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from seq2see.data.columns import columns_in, is_named
from seq2see.data.layout import CSV_DELIMITERS, TAB, Layout, clean_cell, delimiter_name, records
from seq2see.data.lines import Line, LineError, other_columns, require_text, text_of, two_columns, wrong_number
from seq2see.printable import listed

VARIANT_NUMBER = re.compile(r"\(\d+\)$")
"""What distinguishes the pronunciations of a word in CMUdict: `read(2)`."""
_TWO_COLUMNS = Layout()


class Row(NamedTuple):
    """What is read of one record: several source columns joined by TAB, and the additional columns asked for."""

    source: str
    target: str
    extra: tuple[str, ...] = ()


class Rows(NamedTuple):
    """The rows of a block in which every line is valid, and the numbers of their lines, counted from 0."""

    sources: list[str]
    targets: list[str]
    extra: list[tuple[str, ...]]
    numbers: Sequence[int]


class Format(Protocol):
    """How the lines of a file become rows."""

    def rows(self, content: bytes, *, is_start: bool) -> Rows | None:
        """The rows of a block of whole records, at once; None if any line is invalid."""

    def read(self, lines: Sequence[Line], *, is_start: bool) -> Iterator[tuple[Line, Row | LineError]]:
        """The same record by record, with the first line of each."""

    def describe(self) -> str:
        """What is read, in one line; empty where there is nothing to say."""

    def chosen(self) -> dict[str, object]:
        """The options that read the same columns of another file; none where there is nothing to choose."""


@dataclass(frozen=True)
class TableFormat:
    """The layout of a table and the columns that are read, counted from 0."""

    layout: Layout = _TWO_COLUMNS
    source: tuple[int, ...] = (0,)
    """None for a language model."""
    target: int | None = 1
    """None where only sources are read."""
    extra: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    """Of the columns, from the header or as given."""
    is_exact: bool = True
    """False if a line may have more columns than are needed."""
    reason: str = ""
    """Why these columns, if they were chosen from several."""
    unused: tuple[int, ...] = field(default=())
    """The columns that are left out."""

    @property
    def is_plain(self) -> bool:
        """Whether a line is source TAB target and nothing else."""
        return (
            self.layout == _TWO_COLUMNS and not self.extra and (self.source, self.target) == ((0,), 1) and self.is_exact
        )

    @property
    def is_fields(self) -> bool:
        """Whether a line is the source columns and nothing else, separated by TAB."""
        return self.target is None and self.layout == Layout(TAB, len(self.source)) and not self.extra

    @property
    def _columns(self) -> tuple[int, ...]:
        return (*self.source, *(() if self.target is None else (self.target,)), *self.extra)

    # --- a block at once ---

    def rows(self, content: bytes, *, is_start: bool) -> Rows | None:
        """The rows of a block of whole records, at once; None if any line is invalid."""
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return None
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if "\0" in text or ("\r" in text and not self.is_plain):
            return None
        if self.is_plain:
            return _plain_rows(text)
        read = columns_in(text, self.layout, self._columns, is_exact=self.is_exact, is_start=is_start)
        if read is None:
            return None
        columns, numbers = read
        found = self._joined(columns, numbers)
        sides = [*([found.sources] if self.source else []), *([] if self.target is None else [found.targets])]
        return found if all(all(map(str.strip, side)) for side in sides) else None

    def _joined(self, columns: list[list[str]], numbers: Sequence[int]) -> Rows:
        num = len(self.source)
        if num == 1:
            sources = columns[0]
            if self.layout.is_dictionary:
                sources = [VARIANT_NUMBER.sub("", word) for word in sources]
        else:
            sources = list(map("\t".join, zip(*columns[:num], strict=True))) if num else [""] * len(numbers)
        targets = [""] * len(numbers) if self.target is None else columns[num]
        own = columns[num + (self.target is not None) :]
        return Rows(sources, targets, list(zip(*own, strict=True)) if own else [], numbers)

    # --- record by record ---

    def read(self, lines: Sequence[Line], *, is_start: bool) -> Iterator[tuple[Line, Row | LineError]]:
        """The rows one by one, with the first line of each; a LineError for a line that is none."""
        is_first = is_start
        for line, found in self._records(lines):
            if isinstance(found, LineError):
                yield line, found
                continue
            if self.layout.header and (is_first or is_named(found, self.layout)):
                if not is_first:
                    what = "the header again, as where tables were concatenated"
                    yield line, LineError(line, what, "remove the line", "columns")
                is_first = False
                continue
            is_first = False
            try:
                row = self._row(line, found)
            except LineError as error:
                yield line, error
            else:
                if row is not None:
                    yield line, row

    def _records(self, lines: Sequence[Line]) -> Iterator[tuple[Line, list[str] | LineError]]:
        texts: list[str] = []
        kept: list[Line] = []
        for line in lines:
            try:
                text = text_of(line)
            except LineError as error:
                yield from self._records_of(kept, texts)
                kept, texts = [], []
                yield line, error
                continue
            kept.append(line)
            texts.append(text)
        yield from self._records_of(kept, texts)

    def _records_of(self, lines: Sequence[Line], texts: Sequence[str]) -> Iterator[tuple[Line, list[str] | LineError]]:
        """The cells of each record, without comments; blank lines only where each line is a pair."""
        if self.layout.is_quoted:
            for first, _, cells in records(texts, self.layout.delimiter, self.layout.is_comment):
                line = lines[first]
                if isinstance(cells, str):
                    fix = 'write a quotation mark within a cell twice (""), or read them as text: --quotes no'
                    yield line, LineError(line, cells, fix, "columns")
                elif cells:
                    yield line, cells
            return
        for line, text in zip(lines, texts, strict=True):
            if self.layout.is_comment(text):
                continue
            if self.is_two_columns:
                try:
                    yield line, list(two_columns(text, line, self.names))
                except LineError as error:
                    yield line, error
            elif text.strip():
                yield line, self.layout.split(text)
            elif self.is_fields:
                yield line, []  # an empty source, so that answers stay in line with the texts

    @property
    def is_two_columns(self) -> bool:
        """Whether a line is source TAB target, perhaps under a header or among comments."""
        return (
            self.layout.delimiter == TAB
            and (self.source, self.target, self.layout.num_columns) == ((0,), 1, 2)
            and not (self.layout.is_quoted or self.extra)
        )

    def _row(self, line: Line, cells: list[str]) -> Row | None:
        layout, num = self.layout, len(cells)
        if not cells:
            return Row("", "", ("",) * len(self.extra))
        if layout.is_conllu and not cells[0].isdecimal():
            return None  # a word of several tokens, or one that is only in the enhanced graph
        least = max(self._columns, default=-1) + 1
        if num < least or (self.is_exact and num != layout.num_columns):
            wanted = f"{layout.num_columns}" if self.is_exact else f"at least {least}"
            raise LineError(line, wrong_number(wanted, cells, self.names), self._fix_of(num), "columns")
        cells = [clean_cell(cell) for cell in cells] if layout.delimiter != TAB else cells
        parts = [cells[index] for index in self.source]
        if layout.is_dictionary:
            parts = [VARIANT_NUMBER.sub("", part) for part in parts]
        target = "" if self.target is None else cells[self.target]
        if self.target is not None:
            if self.source:
                require_text(" ".join(parts), self.all_sources(), line)
            require_text(target, self.called(self.target, "target"), line)
        return Row("\t".join(parts), target, tuple(cells[index] for index in self.extra))

    def _fix_of(self, num: int) -> str:
        layout = self.layout
        if layout.delimiter != TAB and num > layout.num_columns and len(layout.delimiter) == 1:
            return f'put a cell with {layout.delimiter} inside in quotation marks: "…{layout.delimiter} …"'
        if num < layout.num_columns:
            return "fill the line up with empty columns, or remove it"
        return "keep only the columns of the other lines"

    # --- what it is ---

    def all_sources(self) -> str:
        """The names of the source columns for messages."""
        if len(self.source) == 1:
            return self.called(self.source[0], "source")
        return f"source ({', '.join(map(self.called, self.source))})"

    def called(self, index: int, side: str = "") -> str:
        """The name of a column for messages, or its number if it has none."""
        if index < len(self.names) and (name := self.names[index]):
            return name if not side or name == side else f"{side} ({name})"
        return side or (f"column {index + 1}" if self.names else str(index + 1))

    def describe(self) -> str:
        """What is read, in one line; empty for source TAB target."""
        if self.is_plain:
            return ""
        parts = [self.layout.describe()]
        if self.layout.num_columns > 2 or self.names or self.source != (0,):
            sides = [self._named(self.source, "source")] if self.source else []
            sides += [] if self.target is None else [self._named((self.target,), "target")]
            parts.append(", ".join(sides))
        if self.reason:
            parts.append(self.reason)
        if self.unused:
            parts.append(f"left out: {listed(map(self.called, self.unused))}")
        said = "; ".join(parts)
        is_choice = bool(self.unused or self.reason)
        choice = other_columns(has_source=bool(self.source), has_target=self.target is not None)
        return f"{said}{choice}" if is_choice else said

    def _named(self, columns: Sequence[int], side: str) -> str:
        """Such as `lemma and features as source`."""
        names = listed(map(self.called, columns))
        if self.names:
            return f"{names} as {side}" if names != side else side
        return f"column{'s' if len(columns) > 1 else ''} {names} as {side}"

    def chosen(self) -> dict[str, object]:
        """The options that read the same columns of another file."""
        layout: dict[str, object] = {}
        if self.layout.delimiter not in CSV_DELIMITERS:
            layout["delimiter"] = delimiter_name(self.layout.delimiter)
        if self.layout.num_columns == 2 and not self.names and (self.source, self.target) == ((0,), 1):
            return layout
        found = {**layout, "source": tuple(map(self.option_name, self.source))}
        if self.target is not None:
            found["target"] = self.option_name(self.target)
        return {**found, "names": self.names} if self.names and self._are_names_options else found

    def option_name(self, index: int) -> str:
        """What --source and --target call a column: its name, or its number where it has none of its own."""
        is_named = index < len(self.names) and self.names[index] and self._are_names_options
        return self.names[index] if is_named else str(index + 1)

    @property
    def _are_names_options(self) -> bool:
        return len(set(self.names)) == len(self.names) and not any(name.isdecimal() for name in self.names)


def _plain_rows(text: str) -> Rows | None:
    """Those of lines source TAB target."""
    lines = text.split("\n")
    if text.count("\t") != len(lines) or not all("\t" in line for line in lines):
        return None
    sides = text.replace("\n", "\t").split("\t")
    sources, targets = sides[0::2], sides[1::2]
    if not (all(map(str.strip, sources)) and all(map(str.strip, targets))):
        return None
    return Rows(sources, targets, [], range(len(lines)))


PLAIN = TableFormat()
"""A line is source TAB target."""
