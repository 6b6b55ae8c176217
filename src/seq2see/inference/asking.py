"""The requests of a call, and what a network reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2see.data import Examples
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
    numbers: Sequence[int]
    """The number of each of them in its call, from 0."""
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
        return cls(requests, read, rules, range(first_row, first_row + len(requests)), is_prompt)

    @classmethod
    def joined(cls, parts: Sequence[Asked]) -> Asked:
        """The requests of several calls of one model, part after part."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(len(part.requests) for part in parts)]).tolist()
        own = list(zip(parts, starts, strict=False))
        read = Readable(
            Examples.joined([part.read.examples for part in parts]),
            [start + row for part, start in own for row in part.read.rows],
            {start + row: error for part, start in own for row, error in part.read.refused.items()},
        )
        return cls(
            [request for part in parts for request in part.requests],
            read,
            [rules for part in parts for rules in part.rules],
            [number for part in parts for number in part.numbers],
            parts[0].is_prompt,
        )

    def examine(self, notes: InputNotes) -> None:
        """Note what is unlike the training data in the rows that the network reads."""
        examples, rows = self.read.examples, self.read.rows
        ids = [examples.target(index) if self.is_prompt else examples.source(index)[:-1] for index in range(len(rows))]
        places = [f"text {self.numbers[row] + 1}" for row in rows]
        notes.add([self.requests[row].text for row in rows], ids, places)

    def prompt(self, index: int) -> str:
        """The text that the answer of an example continues; empty if it is a source."""
        return self.requests[self.read.rows[index]].text if self.is_prompt else ""
