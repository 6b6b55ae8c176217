"""What is wrong with a whole file, and a command that mends it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from seq2see.data.standard_input import STDIN_FILE
from seq2see.printable import quoted

STDIN = "<stdin>"
"""The name of the standard input in messages."""


class Advice(NamedTuple):
    """What was found in a file as a whole, what it was concluded from, and how to mend it."""

    what: str
    fix: str
    command: str = ""
    """For a POSIX shell, in the working directory; it reads the file and writes another one. Empty if there is none."""
    evidence: tuple[str, ...] = ()

    @property
    def full_fix(self) -> str:
        """The fix with its command."""
        return f"{self.fix}: {self.command}" if self.command else self.fix

    @property
    def full_what(self) -> str:
        """What was found, with the evidence in lines of their own."""
        return "\n".join([self.what, *(f"  {each}" for each in self.evidence)])


def piped(path: str, program: str, ending: str) -> str:
    """The command that sends a file through a program, such as `tr a b`, to a new file with this ending of its name.

    The new file is beside the old one, or in the working directory if that folder can't be written. For the standard
    input it is the program alone, which goes before this one in the pipe.
    """
    if path in (STDIN, str(STDIN_FILE)):
        return program
    return _piped_to(new_file(path, ending), path, program)


def piped_each(paths: Sequence[str], program: str, endings: Sequence[str]) -> str:
    """The command that sends each of these files through a program, to new files of different names."""
    made: list[str] = []
    for path, ending in zip(paths, endings, strict=True):
        made.append(new_file(path, ending, made))
    return " && ".join(_piped_to(new, path, program) for new, path in zip(made, paths, strict=True))


def _piped_to(new: str, path: str, program: str) -> str:
    quoted = quoted_path(path)
    source = f"gzip -dc {quoted} | {program}" if path.endswith(".gz") else f"{program} < {quoted}"
    return f"{source} > {quoted_path(new)}"


def quoted_path(path: str) -> str:
    """The path for a shell, never read as an option."""
    return quoted(f"./{path}" if path.startswith("-") else path)


def for_language_model(path: str) -> str:
    """What to do with a file of text that has no sources."""
    return f"if it is text for a language model: seq2see train {quoted_path(path)} --model language_model"


def new_file(path: str, ending: str, taken: Collection[str] = ()) -> str:
    """A file that does not exist yet, named after this one: `words.csv`, `-pairs.tsv` → `words-pairs.tsv`.

    It is none of those `taken` for other files.
    """
    folder, name = os.path.split(path)
    stem = name.removesuffix(".gz")
    stem = stem.removesuffix(Path(stem).suffix) or "data"
    if folder and not os.access(folder, os.W_OK):
        folder = ""
    number = 1
    while (made := os.path.join(folder, f"{stem}{_numbered(ending, number)}")) in taken or os.path.lexists(made):
        number += 1
    return made


def _numbered(ending: str, number: int) -> str:
    if number == 1:
        return ending
    first, dot, rest = ending.partition(".")
    return f"{first}-{number}{dot}{rest}"
