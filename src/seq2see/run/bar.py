"""The progress bar of training: on a terminal of any width, or in a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from seq2see.console import counted
from seq2see.markup import Markup, element, escaped, joined

BAR_WIDTH, MIN_BAR_WIDTH = 20, 6
"""Columns of the bar, and what is left of them on a narrow terminal."""
IMPORTANT = 3
"""The number of facts for which the bar is shortened."""


class Bar(Protocol):
    """A bar that can be moved."""

    def show(self, completed: int, facts: Sequence[str]) -> None:
        """Show the number of finished updates, and facts in the order of their importance."""

    def stop(self) -> None:
        """Remove the bar."""


class TerminalBar:
    """One line that fits the terminal: percentage, bar and time left, then as many facts as there is room for."""

    def __init__(
        self, console: Console, total: int, *, label: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self.label = label
        self.clock = clock
        self.completed = 0
        self.facts: Sequence[str] = ()
        self.began: tuple[int, float] | None = None
        """The number of updates first shown, and when."""
        self.live = Live(self, console=console, transient=True, refresh_per_second=4)
        self.live.start()

    def show(self, completed: int, facts: Sequence[str]) -> None:
        """Show the number of finished updates, and facts in the order of their importance."""
        self.began = self.began or (completed, self.clock())
        self.completed, self.facts = completed, facts

    def stop(self) -> None:
        """Remove the bar."""
        self.live.stop()

    def time_left(self) -> str:
        """Such as "2:05 left"; empty until two points in time are known."""
        if self.began is None or self.completed <= self.began[0]:
            return ""
        first, began = self.began
        seconds = (self.clock() - began) / (self.completed - first) * (self.total - self.completed)
        minutes, seconds = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        share = min(1.0, self.completed / self.total)
        head = " ".join(filter(None, (self.label, f"{share:>4.0%}")))
        left = self.time_left()
        room = options.max_width - cell_len(head) - len(left) - 4
        shown: list[str] = []
        for number, fact in enumerate((f"{self.completed:,}/{counted(self.total, 'update')}", *self.facts), start=1):
            needed = MIN_BAR_WIDTH if number <= IMPORTANT else BAR_WIDTH
            if cell_len(", ".join([*shown, fact])) > room - needed:
                break
            shown.append(fact)
        facts = ", ".join(shown)
        width = max(MIN_BAR_WIDTH, min(BAR_WIDTH, room - cell_len(facts)))
        full, empty = ("#", "-") if options.ascii_only else ("━", "━")
        done = round(share * width)
        parts = [
            Text(head),
            Text.assemble((full * done, "bar.complete"), (empty * (width - done), "bar.back")),
            Text(left, style="progress.remaining"),
            Text(facts),
        ]
        yield Text(" ", no_wrap=True, overflow="crop").join(part for part in parts if part)


class NotebookBar:
    """A bar in the output of a notebook's cell."""

    def __init__(self, total: int) -> None:
        ipython: Any = import_module("IPython.display")  # which a notebook has
        self.total = total
        self.html = ipython.HTML
        self.handle = ipython.display(self.html(self.markup(0, ())), display_id=True)

    def show(self, completed: int, facts: Sequence[str]) -> None:
        """Show the number of finished updates and the facts."""
        self.handle.update(self.html(self.markup(completed, facts)))

    def stop(self) -> None:
        """Remove the bar."""
        self.handle.update(self.html(""))

    def markup(self, completed: int, facts: Sequence[str]) -> Markup:
        """The bar as HTML."""
        bar = element("progress", "", value=str(completed), max=str(self.total))
        return joined([bar, escaped(f" {completed:,}/{counted(self.total, 'update')} {', '.join(facts)}")])


def bar_for(console: Console, total: int, *, label: str = "") -> Bar | None:
    """The bar for this console, behind the label; None for a file or a pipe."""
    if console.is_terminal:
        return TerminalBar(console, total, label=label)
    return NotebookBar(total) if console.is_jupyter and not console.quiet else None
