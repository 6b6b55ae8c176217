"""Console output of the library."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text


def say_to(console: Console) -> Callable[[str], None]:
    """A function that prints a line to the console, without interpreting markup."""
    return lambda line: console.print(Text(line), soft_wrap=True)


def invalid_lines(count: int) -> str:
    """ "1 invalid line", "2 invalid lines"."""
    return f"{count:,} invalid line{'' if count == 1 else 's'}"
