"""The command that makes one file of several that are read alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seq2see.data.advice import new_file, quoted_path
from seq2see.data.choosing import beginning, format_of
from seq2see.data.files import open_content
from seq2see.data.options import TableOptions
from seq2see.data.standard_input import STDIN_FILE
from seq2see.data.table import Format, TableFormat
from seq2see.errors import UserError


def joining_command(paths: Sequence[Path], table: TableOptions) -> str:
    """The command for a POSIX shell that writes the pairs of all files into one; empty if none simply does.

    They have to be lines of text in UTF-8 that are read alike; of several headers the first is kept.
    """
    try:
        formats = [_format_as_it_is(path, table) for path in paths]
    except (UserError, OSError):
        return ""
    first = formats[0] if formats else None
    if first is None or any(each != first for each in formats[1:]):
        return ""
    layout = first.layout if isinstance(first, TableFormat) else None
    names = [quoted_path(str(path)) for path in paths]
    made = quoted_path(new_file(str(paths[0]), f"-all{paths[0].suffix}"))
    if layout is None or not layout.header:
        return f"cat {' '.join(names)} > {made}"
    if layout.marks or layout.comments:
        return ""
    return f"(cat {names[0]} && {' && '.join(f'tail -n +2 {name}' for name in names[1:])}) > {made}"


def _format_as_it_is(path: Path, table: TableOptions) -> Format | None:
    """The format of a file whose own lines are those that are read, and whose last one ends; None for others."""
    if path == STDIN_FILE or not path.is_file():  # a pipe could not be read again
        return None
    with path.open("rb") as raw, open_content(path, table.encoding) as file:
        head = file.stream.peek()  # type: ignore[attr-defined]
        if not head or raw.read(len(head)) != head or head.startswith(b"\xef\xbb\xbf"):
            return None
        raw.seek(-1, 2)
        ends = raw.read() == b"\n"
        return format_of(beginning(file.stream), table, str(path)) if ends else None
