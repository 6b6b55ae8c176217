"""Says what is wrong with a file as a whole whose lines can't be read: another encoding, another format."""

from __future__ import annotations

import ast
import contextlib
import csv
import glob
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from seq2see.data.advice import Advice, for_language_model, piped, quoted_path
from seq2see.data.cells import FEW
from seq2see.data.choosing import JSON_EXTENSIONS, TABLE_EXTENSIONS, beginning, extension
from seq2see.data.encodings import LinesNotUTF8, unicode_advice
from seq2see.data.files import open_content
from seq2see.data.json_container import parsed
from seq2see.data.lines import Columns, Fault
from seq2see.errors import DataError
from seq2see.printable import listed, quoted

NOT_UTF8: tuple[Fault, ...] = ("encoding", "nul")
"""Faults of lines in another encoding."""
_SIGNS = "^~¦§#@\x1e\x1f\x01"
"""What may divide columns and is not told from text, since texts have it too."""


def diagnosis(
    lines: Iterable[bytes], path: str, columns: Columns, faults: Sequence[Fault], *, can_skip: bool = True
) -> Advice | None:
    """What is wrong with the file of these lines, in which these faults were found; None if only single lines are.

    `lines` have no line ends. All are looked at for the encoding, the first ones for their columns. `can_skip` says
    whether the command has --skip-bad.
    """
    if "encoding" in faults:
        found = LinesNotUTF8()
        found.add(lines)
        return found.advice(can_skip=can_skip) if found.num_bad else None
    if columns == "target" or "columns" not in faults:
        return None
    return single_column_advice(beginning(lines), path)


def single_column_advice(lines: Sequence[str], path: str) -> Advice | None:
    """The advice for text in which no line has two columns: one of two parallel files, or text of its own."""
    if found := _objects_in_cells(lines, path):
        return found
    if any("\t" in line or "\r" in line for line in lines):
        return None
    if sign := _sign_in_all(lines):
        return Advice("no line has a TAB", f"if {sign} separates the columns, say so: --delimiter {quoted(sign)}")
    others = files_beside(Path(path), len(lines))
    both = f": {quoted_path(path)} {quoted_path(str(others[0]))}" if len(others) == 1 else ""
    return Advice(
        "no line has a TAB", f"if it is one of two parallel files, name both{both}; {for_language_model(path)}"
    )


def _objects_in_cells(lines: Sequence[str], path: str) -> Advice | None:
    """The advice for a CSV file of one column, whose cells are JSON objects, or as Python writes them."""
    if extension(Path(path)) != ".csv":
        return None
    try:
        rows = list(csv.reader([line for line in lines if line.strip()], strict=True))
    except csv.Error:
        return None
    cells = [row[0] if len(row) == 1 else "" for row in rows]
    for name, (read, loader) in _OBJECTS.items():
        values = [read(cell) for cell in cells]
        has_header = bool(values) and not isinstance(values[0], dict)
        objects = [value for value in values[has_header:] if isinstance(value, dict)]
        if objects and len(objects) == len(values) - has_header:
            keys = listed(map(str, objects[0]))
            column = f", {cells[0]}" if has_header else ""
            what = f"has one column{column}, whose cells are {name} with the keys {keys}"
            program = _AS_JSON_LINES.format(skip="next(rows); " if has_header else "", loader=loader)
            return Advice(what, "make JSON Lines of it", piped(path, f"python3 -c {quoted(program)}", ".jsonl"))
    return None


def _literal(text: str) -> object:
    """The dict in a text as Python writes it, None if it is something else."""
    if not text.startswith("{"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


_OBJECTS: dict[str, tuple[Callable[[str], object], str]] = {
    "JSON objects": (parsed, "json.loads"),
    "dicts of Python": (_literal, "ast.literal_eval"),
}
"""What the cells of a column may be, and how they are read here and by a program."""
_AS_JSON_LINES = (
    "import ast, csv, json, sys; csv.field_size_limit(10**9); "
    'sys.stdout.reconfigure(encoding="utf-8"); '
    'rows = csv.reader(open(0, encoding="utf-8-sig", newline="")); {skip}'
    "[print(json.dumps({loader}(row[0]), ensure_ascii=False)) for row in rows if row]"
)


def _sign_in_all(lines: Sequence[str]) -> str:
    """A sign that divides all lines into as many columns; empty if there is none, or if texts often have it."""
    filled = [line for line in lines if line.strip()]
    signs = dict.fromkeys(letter for line in filled[:1] for letter in line if letter in _SIGNS)
    return next((sign for sign in signs if len(filled) >= FEW and len({line.count(sign) for line in filled}) == 1), "")


def files_beside(path: Path, num_lines: int) -> list[Path]:
    """Files of the same name with another ending that may belong to this one line by line: they have as many lines.

    No more than `MAX_LINES` of them are counted, here as there.
    """
    stem = path.name.removesuffix(".gz").partition(".")[0]
    found = []
    for other in sorted(path.parent.glob(f"{glob.escape(stem)}.*")):
        if other != path and other.is_file() and extension(other) not in (*TABLE_EXTENSIONS, *JSON_EXTENSIONS):
            with contextlib.suppress(DataError), open_content(other) as file:
                found += [other] if len(beginning(file.stream)) == num_lines else []
    return found


def diagnosis_of_file(path: Path, columns: Columns, faults: Sequence[Fault]) -> Advice | None:
    """The same for a file, which is read again."""
    with open_content(path) as file:
        lines = (line.removesuffix(b"\n").removesuffix(b"\r") for line in file.stream)
        return diagnosis(lines, str(path), columns, faults)


def diagnosis_of_sources(seen: bytes, path: str, fault: Fault) -> Advice | None:
    """What is wrong with a file of texts to answer, of which this beginning has been read."""
    if fault in NOT_UTF8 and (advice := unicode_advice(seen)):
        return advice
    lines = [line.removesuffix(b"\r") for line in seen.removesuffix(b"\n").split(b"\n")]
    return diagnosis(lines, path, "target", [fault], can_skip=False)
