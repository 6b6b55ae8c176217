"""Programs for a shell that turn a table into source TAB target: awk, or Python where awk is not enough."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from seq2see.data.layout import BLANKS, FIRST_BLANK, Layout

VARIANT_NUMBER = re.compile(r"\(\d+\)$")
"""What distinguishes the pronunciations of a word in CMUdict: `read(2)`."""
COMMENT_AFTER = re.compile(r"\s#\s.*$")
"""A comment after the symbols of a pronouncing dictionary."""


def program_of(
    layout: Layout,
    source: Sequence[int],
    target: int,
    lines: Sequence[str],
    *,
    is_conllu: bool = False,
    has_gaps: bool = False,
) -> str:
    """The program for a table of this layout, with only the steps that these lines need.

    `source` and `target` are the columns to take, from 0; `has_gaps` leaves out rows where they are empty.
    """
    if layout.is_quoted:
        return _for_csv(layout, source, target, has_gaps=has_gaps)
    if layout.delimiter == FIRST_BLANK:
        return _for_lexicon(layout, lines)
    is_plain = not (layout.comments or layout.has_header or has_gaps or is_conllu)
    has_all = all(len(line.rstrip("\r").split("\t")) >= 2 and line.strip() for line in lines)
    if is_plain and has_all and layout.delimiter == "\t" and (*source, target) == (0, 1):
        return "cut -f1,2"
    conditions = [f"NF == {layout.num_columns}"]
    if has_gaps:
        conditions += [f'${index + 1} != ""' for index in (*source, target)]
    if is_conllu:
        conditions.append("$1 ~ /^[0-9]+$/")
    joined = ' " " '.join(f"${index + 1}" for index in source)
    return _awk(
        layout, conditions, f"print {joined}, ${target + 1}", lines, options=f"{_separator(layout)}-v OFS='\\t' "
    )


def _for_lexicon(layout: Layout, lines: Sequence[str]) -> str:
    steps = [r'word = $1; sub(/^[ \t]*[^ \t]+[ \t]+/, "")']
    if any(VARIANT_NUMBER.search(line.split(None, 1)[0]) for line in lines if line.strip()):
        steps.append(r'sub(/\([0-9]+\)$/, "", word)')
    if any(COMMENT_AFTER.search(line) for line in lines):
        steps.append(r'sub(/[ \t]+#[ \t].*$/, "")')
    return _awk(layout, ["NF > 1"], "; ".join([*steps, r'print word "\t" $0']), lines)


def _awk(layout: Layout, conditions: Sequence[str], steps: str, lines: Sequence[str], options: str = "") -> str:
    """The awk program that does these steps for the lines of the table that satisfy all conditions."""
    conditions = [*(f"!/^{_for_awk(prefix)}/" for prefix in layout.comments), *conditions]
    if layout.has_header:
        conditions.append("n++")  # false for the first such line
    if any(line.endswith("\r") for line in lines):
        steps = rf'sub(/\r$/, ""); {steps}'
    program = " && ".join(conditions) + " {" + steps + "}"
    return f"awk {options}{shlex.quote(program)}"


def _separator(layout: Layout) -> str:
    if layout.delimiter == BLANKS:
        return ""
    if layout.delimiter == "\t":
        return "-F'\\t' "
    return f"-F{shlex.quote(f' *{_for_awk(layout.delimiter)} *')} "


def _for_awk(text: str) -> str:
    """A regular expression of awk for this text."""
    return "".join(f"[{character}]" if character in "|.*+?$()" else character for character in text).replace("/", r"\/")


def _for_csv(layout: Layout, source: Sequence[int], target: int, *, has_gaps: bool) -> str:
    lines = "sys.stdin"
    if layout.comments:
        prefixes = ", ".join(map(json.dumps, layout.comments))
        lines = f"(line for line in sys.stdin if not line.startswith(({prefixes},)))"
    delimiter = "" if layout.delimiter == "," else f", delimiter={json.dumps(layout.delimiter)}"
    condition = f"len(row) == {layout.num_columns}"
    if has_gaps:
        condition += "".join(f" and row[{index}]" for index in (*source, target))
    steps = [
        'rows = [[" ".join(cell.split()) for cell in row] for row in csv.reader(' + lines + delimiter + ")]",
        f"pairs = [({_joined(source)}, row[{target}]) for row in rows if {condition}]",
        '[print(*pair, sep="\\t") for pair in pairs' + ("[1:]]" if layout.has_header else "]"),
    ]
    return python("csv", steps)


def _joined(source: Sequence[int]) -> str:
    return ' + " " + '.join(f"row[{index}]" for index in source)


def python(module: str, steps: Sequence[str]) -> str:
    """The program of Python with these steps, which reads UTF-8 with or without a byte order mark."""
    start = [f"import {module}, sys", 'sys.stdin.reconfigure(encoding="utf-8-sig")']
    return f"python3 -c {shlex.quote('; '.join([*start, *steps]))}"
