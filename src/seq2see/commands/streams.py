"""stdin, stdout and stderr of the command: missing ones are replaced, and a failing one is reported once.

A service or a job may start a command without them. The next file to be opened would then get the number of a standard
stream, and whatever is printed would land in that file.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from seq2see.console import LOSSES
from seq2see.data.standard_input import STDIN_FILE
from seq2see.errors import ConfigError, UserError
from seq2see.system_errors import system_error

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDIN, STDOUT, STDERR = 0, 1, 2
PIPE_BYTES = 2**16
"""What a pipe of Linux holds by default."""
READ_OPTIONS = frozenset(
    {"--input", "--lexicon", "--glossary", "--test", "--data", "--dev", "--sources", "--also-source", "--also-target"}
)
"""Options whose values are files that are read."""


class StandardOutput(io.FileIO):
    """stdout. What can't be written is a UserError, once: the interpreter tries again when it exits."""

    has_failed = False

    def write(self, content: ReadableBuffer, /) -> int:
        """Write some bytes. UserError, or BrokenPipeError if the reader has exited."""
        if self.has_failed:
            return memoryview(content).nbytes
        try:
            return super().write(content)
        except BrokenPipeError:
            self.has_failed = True
            raise
        except OSError as error:
            self.has_failed = True
            raise system_error(error, "stdout", "written", UserError) from error


class StandardError(io.FileIO):
    """stderr. What can't be written is dropped: a message that nobody can read is no reason to stop."""

    def write(self, content: ReadableBuffer, /) -> int:
        """Write what can be written."""
        try:
            return super().write(content)
        except OSError:
            LOSSES.count += 1
            return memoryview(content).nbytes


def open_streams() -> None:
    """Replace missing streams, and make stdout and stderr what they are above, in UTF-8 whatever the locale.

    A missing stdin or stdout fails when it is used, as if it were still closed; a missing stderr swallows messages.
    Streams that a program has put in place of the standard ones stay as they are.
    """
    for number, mode in ((STDIN, os.O_WRONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        reserve(number, mode)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(STDIN, closefd=False)), encoding="utf-8")
    elif sys.stdin is sys.__stdin__:
        raw = io.FileIO(STDIN, closefd=False)  # with room for all that a pipe holds, which is answered together
        sys.stdin = io.TextIOWrapper(io.BufferedReader(raw, PIPE_BYTES), encoding="utf-8")
    if sys.stdout is sys.__stdout__:
        sys.stdout = text_stream(StandardOutput(STDOUT, "w", closefd=False), errors="surrogateescape")
    if sys.stderr is sys.__stderr__:
        sys.stderr = text_stream(StandardError(STDERR, "w", closefd=False), errors="backslashreplace")
        sys.stderr.reconfigure(line_buffering=True)


def with_named_stdin(words: Sequence[str], options: Callable[[], Mapping[str, bool]]) -> list[str]:
    """The words of a command in which - names standard input, as a file that can be opened.

    - stays where it is the value of an option that takes no file to read, and after --. `options` are those of the
    command, and whether each takes a value.
    """
    end = words.index("--") if "--" in words else len(words)
    named = list(words)
    for place, word in enumerate(words[:end]):
        option, equals, value = word.partition("=")
        if equals and value == "-" and option in READ_OPTIONS:
            named[place] = f"{option}={STDIN_FILE}"
        elif word == "-" and place:
            before = words[place - 1]
            if before in READ_OPTIONS or not options().get(before, False):
                named[place] = str(STDIN_FILE)
    if sum(str(STDIN_FILE) in word for word in named[:end]) > 1:
        what = "can be read only once, and is named twice"
        raise ConfigError(what, where="standard input", fix="write its content to a file, and name that")
    return named


def reserve(number: int, mode: int) -> None:
    """If no file has this number, open the null device as it."""
    try:
        os.fstat(number)
    except OSError:
        with suppress(OSError):
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)


def text_stream(raw: io.FileIO, errors: str) -> io.TextIOWrapper:
    """A stream of text over a standard stream; lines are written at once on a terminal."""
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors=errors, line_buffering=raw.isatty())
