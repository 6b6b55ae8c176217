"""Work that harms the worker which computes it, for texts that say so; a worker imports it by name."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seq2see.serving.work import Answering


@dataclass(frozen=True)
class Harmful(Answering):
    """Answers to texts, but for these: bug, memory, death, print."""

    def run(self, model: Any, items: Sequence[Any], watch: Any) -> Iterator[list[tuple[int, Any]]]:
        for item in items:
            match item.requests[0].text:
                case "bug":
                    raise ZeroDivisionError("made for a test")
                case "memory":
                    raise MemoryError
                case "death":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "print":
                    print("a library prints this")
        return super().run(model, items, watch)
