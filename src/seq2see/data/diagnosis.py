"""Says what is wrong with a file as a whole whose lines can't be read: another encoding, another format."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seq2see.data.advice import STDIN, Advice, piped, quoted_path
from seq2see.data.conversion import table_advice
from seq2see.data.encodings import LinesNotUTF8, unicode_advice
from seq2see.data.files import open_content
from seq2see.data.json_pairs import is_json_text, json_advice
from seq2see.data.lines import Columns, Fault

MAX_LINES = 2_000
"""Lines that the format is told from."""
MAX_BYTES = 4_000_000
"""Bytes after which no further line is looked at for this."""


def diagnosis(lines: Iterable[bytes], path: str, columns: Columns, faults: Sequence[Fault]) -> Advice | None:
    """What is wrong with the file of these lines, in which these faults were found; None if only single lines are.

    `lines` have no line ends. All are looked at for the encoding, the first ones for the format.
    """
    if "encoding" in faults:
        found = LinesNotUTF8()
        found.add(lines)
        return found.advice(path) if found.num_bad else None
    if columns == "target" or not {"columns", "json", "quoted-line-breaks"} & set(faults):
        return None
    first = list(_beginning(lines))
    if is_json_text(first):
        return json_advice(first, path)
    advice = table_advice(first, path, has_records_over_lines="quoted-line-breaks" in faults)
    return advice or single_column_advice(first, path)


def _beginning(lines: Iterable[bytes]) -> Iterator[str]:
    """The first lines, as text."""
    size = 0
    for line in itertools.islice(lines, MAX_LINES):
        yield line.decode(errors="replace")
        size += len(line)
        if size > MAX_BYTES:
            return


def single_column_advice(lines: Sequence[str], path: str) -> Advice | None:
    """The advice for text in which no line has two columns: one of two parallel files, or text of its own."""
    if any("\t" in line or "\r" in line for line in lines):
        return None
    stem = Path(path).name.removesuffix(".gz").partition(".")[0]
    others = [other for other in sorted(Path(path).parent.glob(f"{glob.escape(stem)}.*")) if other != Path(path)]
    both = f": {quoted_path(path)} {quoted_path(str(others[0]))}" if len(others) == 1 else ""
    fix = f"if it is one of two parallel files, name both{both}"
    return Advice("no line has a TAB", f"{fix}; if it is text for a language model, add --model language_model")


def diagnosis_of_file(path: Path, columns: Columns, faults: Sequence[Fault]) -> Advice | None:
    """The same for a file, which is read again."""
    with open_content(path) as file:
        lines = (line.removesuffix(b"\n").removesuffix(b"\r") for line in file.stream)
        return diagnosis(lines, str(path), columns, faults)


def diagnosis_of_sources(seen: bytes, path: str, fault: Fault) -> Advice | None:
    """What is wrong with a file of texts to answer, of which this beginning has been read."""
    if (fault in ("encoding", "nul")) and (advice := unicode_advice(seen, path)):
        return advice
    lines = [line.removesuffix(b"\r") for line in seen.removesuffix(b"\n").split(b"\n")]
    if fault == "columns" and all(b"\t" in line for line in lines):
        way = "give only the first column" if path == STDIN else "take only the first column"
        return Advice("has several columns, and texts to answer have one", way, piped(path, "cut -f1", "-sources.txt"))
    return diagnosis(lines, path, "target", [fault])
