"""rich's console, for progress bars, tables and styles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import IO, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from seq2see.console.messages import Forgiving
from seq2see.printable import printable


class Terminal(Console):
    """rich's console, with every text made printable; what can't be written to stderr is dropped.

    `keep` are characters that `printable` leaves as they are.
    """

    def __init__(self, *, keep: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._kept = keep

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable: text printable, control codes of rich's own as they are."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text, keep=self._kept), style, control)

    @property
    def file(self) -> IO[str]:
        """Where it writes."""
        found = super().file
        return Forgiving(found) if self.stderr else found  # type: ignore[return-value] # has the methods that are used

    @file.setter
    def file(self, file: IO[str]) -> None:
        self._file = file

    def on_broken_pipe(self) -> None:
        """Leave the decision to the caller; rich would exit with code 1."""
        raise


def say_to(console: Console) -> Callable[[str], None]:
    """A function that prints a line to the console; see `print_line`."""
    return lambda line: print_line(console, line)


HANGING = 4
"""Columns by which the continuation of a long line is indented."""


def print_line(console: Console, line: str, style: str = "") -> None:
    """Print a line without interpreting markup: on a terminal broken between words, elsewhere whole."""
    line = line.expandtabs()
    if not console.is_terminal or cell_len(line) <= console.width or console.width < 4 * HANGING:
        console.print(Text(line, style=style), soft_wrap=True)
        return
    indent = len(line) - len(line.lstrip(" ")) + HANGING
    first = Text(line).wrap(console, console.width)[0].plain.rstrip()
    rest = Text(line[len(first) :].lstrip()).wrap(console, console.width - indent)
    for part in (first, *(" " * indent + part.plain.rstrip() for part in rest)):
        console.print(Text(part, style=style), soft_wrap=True)
