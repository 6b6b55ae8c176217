"""Messages on stderr and results on stdout, without rich."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import IO, Any, Protocol

from seq2see.printable import SURROGATES, escape, printable


class Losses:
    """How many messages of this process could not be written to stderr."""

    def __init__(self) -> None:
        self.count = 0


LOSSES = Losses()


class Forgiving:
    """A stream that forgets what can't be written: a message that nobody can read is no reason to stop."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: the stream was closed
            LOSSES.count += 1
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Writable(Protocol):
    """What answers are written to: a file, or a `Screen`."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def writelines(self, lines: Iterable[str], /) -> object:
        """Write several texts."""

    def flush(self) -> object:
        """Pass on what was written."""


class Screen:
    """stdout on a terminal, where answers are `printable`."""

    def write(self, text: str) -> None:
        """Write a text."""
        sys.stdout.write(printable(text))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        sys.stdout.writelines(map(printable, lines))

    def flush(self) -> None:
        """Pass on what was written."""
        sys.stdout.flush()


def results() -> Writable:
    """stdout for answers: as they are in a file or a pipe, printable on a terminal."""
    return Screen() if sys.stdout.isatty() else sys.stdout


def show(result: object) -> None:
    """Print a line of results to stdout."""
    results().write(f"{result}\n")


def show_json(values: object, *, ascii_only: bool = False) -> None:
    r"""Print one JSON object to stdout. A byte of a name that isn't UTF-8 becomes `\xff`: JSON has no bytes."""
    text = json.dumps(values, ensure_ascii=False)
    text = SURROGATES.sub(lambda found: escape(found[0]).replace("\\", "\\\\"), text)
    show(json.dumps(json.loads(text)) if ascii_only else text)


def say(message: object) -> None:
    """Print a message to stderr."""
    stream = sys.stderr or io.StringIO()  # None if it is closed
    Forgiving(stream).write(printable(f"{message}") + "\n")


def counted(count: int, noun: str) -> str:
    """Such as `1 update` and `1,200 updates`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shown_tokens(token_lists: Iterable[Iterable[str]], most: int = 5) -> str:
    """In how many of the lists each token is, the most frequent first: "'ß' in 3, 'ʒ' in 1, and 2 others"."""
    return shown_counts(Counter(token for tokens in token_lists for token in set(tokens)), most)


def shown_counts(counts: Mapping[str, int], most: int = 5) -> str:
    """As `shown_tokens`, from the numbers."""
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    shown = ", ".join(f"{token!r} in {count:,}" for token, count in ranked[:most])
    left = len(ranked) - most
    return shown if left < 1 else f"{shown}, and {left:,} other{'' if left == 1 else 's'}"
