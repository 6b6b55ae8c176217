"""Texts that get no answer: each is said with its line, and the command exits with an error at its end."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seq2see.console import say
from seq2see.errors import DataError

if TYPE_CHECKING:
    from seq2see.inference.requests import Request

NUM_SHOWN = 5
EXIT_UNANSWERED = 2
"""Exit code if a text has no answer although all others have: as for other errors in the input."""


class Unanswered:
    """Counts the texts, or pairs, without a result, and says the first few with their place."""

    def __init__(self, what: str) -> None:
        self.what = what
        """Such as "answer"."""
        self.waiting: deque[str] = deque()
        """The places of the texts that have been read and are not answered yet."""
        self.places: set[str] = set()

    @property
    def count(self) -> int:
        """How many texts have no result."""
        return len(self.places)

    def refuse(self, error: DataError) -> None:
        """Say that a line can't be read."""
        self.add(error.where, f"{error.what}; {error.fix}")

    def add(self, place: str, why: str) -> None:
        """Say that the text at this place has no result, unless that is known."""
        is_new = place not in self.places
        self.places.add(place)
        if is_new and self.count <= NUM_SHOWN:
            say(f"no {self.what}: {place}: {why}")

    def noting(self, requests: Iterable[Request]) -> Iterator[Request]:
        """The requests, whose places are kept until they are answered."""
        for request in requests:
            self.waiting.append(request.place)
            yield request

    def next_place(self) -> str:
        """Where the text is that is answered next."""
        return self.waiting.popleft()

    def exit_code(self, total: int, unit: str) -> int:
        """0, or the code of an error after saying how many of the texts have no result."""
        if not self.count:
            return 0
        say(f"{unit} without {self.what}: {self.count:,} of {total:,}; --strict stops at the first")
        return EXIT_UNANSWERED


@contextmanager
def said_by_us() -> Iterator[None]:
    """Texts without an answer are said one by one, not as a warning of the library."""
    from seq2see.inference.reading import UnansweredTextWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnansweredTextWarning)
        yield
