"""What to do about a finding: words, and where one can do it, a command that runs on these very files.

Commands are for a POSIX shell in the working directory, and none writes to a file that exists.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2see.data import open_content
from seq2see.data.advice import new_file, piped, piped_each, quoted_path
from seq2see.data.choosing import extension, is_json
from seq2see.data.json_table import JsonFormat
from seq2see.data.layout import TAB
from seq2see.data.options import flags_of
from seq2see.data.standard_input import STDIN_FILE, content_of_stdin
from seq2see.data.table import TableFormat
from seq2see.doctor.finding_types import CLEAN, FINDING_TYPES, LEAVE_OUT, SHELL
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.doctor.rows import BLOCK_BYTES, PairSource
from seq2see.printable import quoted

PROGRAMS = {
    "old-mac-line-ends": "tr '\\r' '\\n'",
    "html": "python3 -c "
    + quoted(  # a line break or a TAB becomes a blank
        'import html, re, sys; sys.stdin.reconfigure(encoding="utf-8-sig"); '
        r'print(re.sub(r"&#?\w+;", lambda each: " ".join(html.unescape(each[0]).split()) or " ", '
        'sys.stdin.read()), end="")'
    ),
}
"""The programs of findings that one mends."""
_IN_WORDS = {
    "old-mac-line-ends": "convert the line ends from classic Mac OS",
    "html": "replace the entities with the characters that they stand for",
}
"""What to do about these where no program can."""
_OF_ALL_CELLS = frozenset({"html", "tag-order"})
"""Findings whose programs do the same with each cell. All others know the columns: source TAB target."""
_OF_SEVERAL_FILES = frozenset({"swapped", "tag-order"})
"""Findings about how files differ: a copy of one that is read in another way would differ, too."""
_OF_RAW_FILES = frozenset({"old-mac-line-ends"})
"""Findings about bytes that a copy does not have."""
_OF_TABLES = frozenset({"merged-cells"})
"""Findings whose programs know how the table is divided."""
_OF_NAMES = frozenset({"file-names"})
"""Findings about names of files, which a copy in another folder would have to change."""
_SAVED, _SAVED_SIDE = Path("pairs.tsv"), Path("lines.txt")
"""What standard input is called once it is saved: a file of pairs, or one of two parallel files."""


class AdvisedRemedy(NamedTuple):
    """The remedy for a finding, its command alone, and what speaks for it."""

    text: str
    command: str = ""
    evidence: tuple[str, ...] = ()


def as_saved(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files for a later command: standard input is gone then, unless it was saved."""
    return tuple(_saved_as(paths) if path == STDIN_FILE else path for path in paths)


def _saved_as(paths: Sequence[Path]) -> Path:
    return _SAVED if len(paths) == 1 else _SAVED_SIDE


def advised_remedy(name: str, statistics: PairStatistics, first: str = "", program: str = "") -> AdvisedRemedy:
    """The remedy for a finding in these files.

    `first` is the fix that reading reports for the first such line; `program` mends a table source TAB target.
    """
    remedy = _remedy(name, statistics, first, program)
    if " --fix " in remedy.command and flags_of(statistics.files.table):
        remedy = remedy._replace(text=f"(the copy is read without these options) {remedy.text}")
    if not remedy.command or STDIN_FILE not in statistics.files.paths:
        return remedy
    text = f"save the input as {_saved_as(statistics.files.paths)} first; then: {remedy.text}"
    return AdvisedRemedy(remedy.text if name in statistics.faults.commands else text)


def _remedy(name: str, statistics: PairStatistics, first: str, program: str) -> AdvisedRemedy:
    files = statistics.files
    if (advice := statistics.advice.get(name)) is not None:
        return AdvisedRemedy(advice.full_fix, advice.command, (advice.what, *advice.evidence))
    if name in statistics.faults.commands:
        return AdvisedRemedy(first, statistics.faults.commands[name])
    if statistics.advice and FINDING_TYPES[name].severity == "error":
        return AdvisedRemedy(
            "first correct the format of the whole file, as said under another finding, then check again"
        )
    kind = FINDING_TYPES[name].remedy
    if kind in (CLEAN, LEAVE_OUT) and _can_be_copied(statistics):
        return _clean_copy(name, files, first)
    if kind == CLEAN or (kind == LEAVE_OUT and statistics.faults.of_whole_files()):
        return AdvisedRemedy("first correct the errors, then check again")
    if kind == LEAVE_OUT and not len(statistics) and name in statistics.faults.if_all:
        return AdvisedRemedy(statistics.faults.if_all[name])
    if kind == LEAVE_OUT:
        return AdvisedRemedy(f"{first or 'correct them'}; no clean copy, since most lines would be left out")
    program = PROGRAMS.get(name, program)
    command = _command(name, statistics, program) if program else ""
    if kind == SHELL:
        return AdvisedRemedy(command or _IN_WORDS[name], command)
    what = kind or first or "correct them"
    return AdvisedRemedy(f"{what}: {command}" if command else what, command)


def _command(name: str, statistics: PairStatistics, program: str) -> str:
    """The command that sends the files, or else a clean copy, through the program; empty if neither would be right."""
    files = statistics.files
    if "damaged" in statistics.faults.counts:
        return ""
    if _is_for_the_files(name, statistics):
        paths = as_saved(files.paths)
        is_csv = name in _OF_TABLES and extension(files.paths[0]) == ".csv"
        alone = ".csv" if is_csv else ".tsv"
        endings = [alone if len(paths) == 1 else extension(path) for path in paths]
        return piped_each(list(map(str, paths)), program, [f"-mended{ending}" for ending in endings])
    is_copied = name not in (*_OF_SEVERAL_FILES, *_OF_RAW_FILES, *_OF_NAMES) and _can_be_copied(statistics)
    if not is_copied or _is_json(files) or (files.num_fields > 1 and name not in _OF_ALL_CELLS):
        return ""
    copying, copy = _copying(files, "--keep-duplicates")
    return f"{copying} && {piped(copy, program, '-mended.tsv')}"


def _is_for_the_files(name: str, statistics: PairStatistics) -> bool:
    """Whether the program finds in the files themselves what it is for."""
    files, found = statistics.files, statistics.faults.counts
    if _is_json(files) or not all(_is_read_unchanged(path, files.table.encoding) for path in files.paths):
        return False
    layout = files.format.layout if isinstance(files.format, TableFormat) else None
    if name in (*_OF_RAW_FILES, *_OF_TABLES):
        return True
    if name in _OF_ALL_CELLS:  # parallel files have no layout
        return layout is None or (layout.delimiter == TAB and not layout.is_quoted)
    is_plain = isinstance(files.format, TableFormat) and files.format.is_plain and not files.table.given()
    return is_plain and not {"windows-line-ends", "byte-order-mark-at-start"} & found.keys()


def _can_be_copied(statistics: PairStatistics) -> bool:
    """Whether there is a clean copy: the files can be read to their end, and most of their lines are valid."""
    return len(statistics) >= statistics.faults.unusable and not statistics.faults.of_whole_files()


def _is_json(files: PairSource) -> bool:
    return is_json(files.paths[0]) or isinstance(files.format, JsonFormat)


def _is_read_unchanged(path: Path, encoding: str | None) -> bool:
    """Whether the bytes of a file are read as they are, unpacked if its name says so, and not as another format."""
    if path == STDIN_FILE:
        raw = content_of_stdin()[:BLOCK_BYTES]
    else:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(BLOCK_BYTES)
    with open_content(path, encoding) as read:
        return read.stream.read(BLOCK_BYTES) == raw


def _copying(files: PairSource, *more: str) -> tuple[str, str]:
    """The command that writes a clean copy, with the options that these files were read with, and the copy."""
    paths = [str(path) for path in as_saved(files.paths)]
    copy = "clean.tsv" if not os.path.lexists("clean.tsv") else new_file(paths[0], "-clean.tsv")
    words = [*map(quoted_path, paths), *flags_of(files.table), "--fix", *more, "-o", quoted_path(copy)]
    return f"seq2see check {' '.join(words)}", copy


def _clean_copy(name: str, files: PairSource, first: str) -> AdvisedRemedy:
    command = _copying(files)[0]
    if FINDING_TYPES[name].remedy == LEAVE_OUT:
        return AdvisedRemedy(
            f"{first or 'correct them'}, or train with --skip-bad, or drop such lines: {command}", command
        )
    if name == "duplicates":
        return AdvisedRemedy(f"drop repeated pairs (--keep-duplicates keeps them): {command}", command)
    return AdvisedRemedy(command, command)
