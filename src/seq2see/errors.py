"""Errors that the user can cause: each says what is wrong, where, and how to fix it.

The command prints a `UserError` and exits with code 2; programs can catch it. Our own bugs stay ordinary exceptions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from seq2see.printable import one_line, printable


class UserError(Exception):
    """Something the user can fix. It can be pickled and copied.

    `what` is one sentence; `where` is a place (`train.tsv:17`, `training.rate`); `fix` says what to do. As a string it
    can be printed anywhere: see `printable`.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)  # pickle calls the class with these arguments, then restores the attributes
        self.what = what
        self.where = where
        self.fix = fix
        self.is_said = False
        """Another process of the same run reports it."""

    def __str__(self) -> str:
        lines = [f"{one_line(self.where)}: {self.what}" if self.where else self.what]
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return printable("\n".join(lines))


class DataError(UserError, ValueError):
    """An invalid data file or input line."""


class ConfigError(UserError, ValueError):
    """An option that is unknown, invalid, or in conflict with another."""


class CheckpointError(UserError):
    """A run or model folder that is missing, damaged, or of an unsupported version."""


class WorldError(UserError):
    """The processes of a distributed run can't work together: one is missing, was lost, or has different files."""


MAX_WORD = 100
"""Characters of a word that are compared; no known word has as many."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The closest known word as a question ("did you mean 'rate'?"), or the list of all known words.

    A word with half as many letters again as a known one is no misspelling of it: meteor is not ter.
    """
    choices, word = list(known), str(word)[:MAX_WORD]
    long_enough = [choice for choice in choices if 3 * len(choice) > 2 * len(word)]
    near = difflib.get_close_matches(word, long_enough, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(choices)}"
