"""The requests of a call, and what a network reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from seq2see.inference.notes import InputNotes
from seq2see.inference.reading import InputLimits, Readable, read_sources
from seq2see.inference.requests import Request
from seq2see.inference.rules import RuleMaker, Rules
from seq2see.text import Codec


class Asked(NamedTuple):
    """Some of the requests of a call, and what the network reads of them."""

    requests: Sequence[Request]
    read: Readable
    rules: Sequence[Rules]
    """By request; of those that can't be answered any."""
    first_row: int
    """The number of the first of them in the call, from 0."""
    is_prompt: bool
    """Whether the texts are what a language model continues."""

    @classmethod
    def of(
        cls,
        requests: Sequence[Request],
        maker: RuleMaker,
        codec: Codec,
        limits: InputLimits,
        *,
        is_prompt: bool,
        first_row: int,
    ) -> Asked:
        """What is read with the codec of the texts; they are numbered from `first_row` in errors."""
        places = [f"text {first_row + row + 1}" for row in range(len(requests))]
        rules, refused = maker.rules_of_all(requests, places)
        texts = [request.text for request in requests]
        read = read_sources(texts, codec, limits, places, is_prompt=is_prompt, refused=refused)
        return cls(requests, read, rules, first_row, is_prompt)

    def examine(self, notes: InputNotes) -> None:
        """Note what is unlike the training data in the rows that the network reads."""
        examples, rows = self.read.examples, self.read.rows
        ids = [examples.target(index) if self.is_prompt else examples.source(index)[:-1] for index in range(len(rows))]
        places = [f"text {self.first_row + row + 1}" for row in rows]
        notes.add([self.requests[row].text for row in rows], ids, places)

    def prompt(self, index: int) -> str:
        """The text that the answer of an example continues; empty if it is a source."""
        return self.requests[self.read.rows[index]].text if self.is_prompt else ""
