"""What to do about a finding: words, and where it can be done by one, a command that has been tried on the lines.

Commands are for a POSIX shell in the working directory, and none writes to a file that exists.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2see.data.advice import new_file, piped, quoted_path
from seq2see.data.choosing import is_json
from seq2see.doctor.finding_types import CLEAN, FINDING_TYPES, LEAVE_OUT, SHELL
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.printable import quoted

PROGRAMS = {
    "old-mac-line-ends": "tr '\\r' '\\n'",
    "html": "python3 -c "
    + quoted(
        'import html, sys; sys.stdin.reconfigure(encoding="utf-8-sig"); print(html.unescape(sys.stdin.read()), end="")'
    ),
}
"""The programs of findings that one mends."""


class AdvisedRemedy(NamedTuple):
    """The remedy for a finding, its command alone, and what speaks for it."""

    text: str
    command: str = ""
    evidence: tuple[str, ...] = ()


def advised_remedy(name: str, statistics: PairStatistics, first: str = "", program: str = "") -> AdvisedRemedy:
    """The remedy for a finding in these files.

    `first` is the fix that reading reports for the first such line; `program` mends a table source TAB target.
    """
    paths = statistics.files.paths
    if (advice := statistics.advice.get(name)) is not None:
        return AdvisedRemedy(advice.full_fix, advice.command, (advice.what, *advice.evidence))
    if name in statistics.faults.commands:
        return AdvisedRemedy(first, statistics.faults.commands[name])
    if statistics.advice and FINDING_TYPES[name].severity == "error":
        return AdvisedRemedy(
            "first correct the format of the whole file, as said under another finding, then check again"
        )
    kind = FINDING_TYPES[name].remedy
    is_clean_most = len(statistics) >= statistics.faults.unusable
    if kind == CLEAN or (kind == LEAVE_OUT and is_clean_most):
        return _clean_copy(name, paths, first)
    if kind == LEAVE_OUT:
        return AdvisedRemedy(f"{first or 'correct them'}; no clean copy, since most lines would be left out")
    if kind == SHELL:
        if name == "html" and is_json(paths[0]):
            return AdvisedRemedy("unescape the entities in the strings before writing JSON")
        command = " && ".join(piped(str(path), PROGRAMS[name], "-mended.tsv") for path in paths)
        return AdvisedRemedy(command, command)
    if program and len(paths) == 1 and not is_json(paths[0]):
        command = piped(str(paths[0]), program, "-mended.tsv")
        return AdvisedRemedy(f"{kind}: {command}", command)
    return AdvisedRemedy(kind or first or "correct them")


def _clean_copy(name: str, paths: Sequence[Path], first: str) -> AdvisedRemedy:
    files = " ".join(quoted_path(str(path)) for path in paths)
    output = "clean.tsv" if not os.path.lexists("clean.tsv") else new_file(str(paths[0]), "-clean.tsv")
    command = f"seq2see check {files} --fix -o {quoted(output)}"
    if FINDING_TYPES[name].remedy == LEAVE_OUT:
        return AdvisedRemedy(
            f"{first or 'correct them'}, or drop such lines: {command} (or train with --skip-bad)", command
        )
    if name == "duplicates":
        return AdvisedRemedy(f"{command} (drops repeated pairs; --keep-duplicates keeps them)", command)
    return AdvisedRemedy(command, command)
