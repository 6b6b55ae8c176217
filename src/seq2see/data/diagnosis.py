"""Says what is wrong with a file as a whole whose lines can't be read: another encoding, another format."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from seq2see.data.advice import Advice, quoted_path
from seq2see.data.choosing import beginning
from seq2see.data.encodings import LinesNotUTF8, unicode_advice
from seq2see.data.files import open_content
from seq2see.data.lines import Columns, Fault

NOT_UTF8: tuple[Fault, ...] = ("encoding", "nul")
"""Faults of lines in another encoding."""


def diagnosis(lines: Iterable[bytes], path: str, columns: Columns, faults: Sequence[Fault]) -> Advice | None:
    """What is wrong with the file of these lines, in which these faults were found; None if only single lines are.

    `lines` have no line ends. All are looked at for the encoding, the first ones for their columns.
    """
    if "encoding" in faults:
        found = LinesNotUTF8()
        found.add(lines)
        return found.advice() if found.num_bad else None
    if columns == "target" or "columns" not in faults:
        return None
    return single_column_advice(beginning(lines), path)


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
    if fault in NOT_UTF8 and (advice := unicode_advice(seen)):
        return advice
    lines = [line.removesuffix(b"\r") for line in seen.removesuffix(b"\n").split(b"\n")]
    return diagnosis(lines, path, "target", [fault])
