"""What the library prints: messages on stderr, results on stdout; everything that reaches a terminal is `printable`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.console.messages import (
        LOSSES,
        Writable,
        counted,
        results,
        say,
        show,
        show_json,
        shown_counts,
        shown_tokens,
    )
    from seq2see.console.terminal import Terminal, print_line, say_to

__all__ = [
    "LOSSES",
    "Terminal",
    "Writable",
    "counted",
    "print_line",
    "results",
    "say",
    "say_to",
    "show",
    "show_json",
    "shown_counts",
    "shown_tokens",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "messages": "LOSSES Writable counted results say show show_json shown_counts shown_tokens",
        "terminal": "Terminal print_line say_to",
    },
)
