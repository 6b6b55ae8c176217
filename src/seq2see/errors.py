"""What a person can get wrong, said so that they can put it right.

Everything a user can cause ends as a `UserError`: the command prints it and exits with code 2, a program can catch it.
Mistakes of our own stay ordinary exceptions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right: what was found, where, and what to do about it.

    `what` is one sentence; `where` is a place (`train.tsv:17`, `training.rate`); `fix` says what to do.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where, fix)
        self.what = what
        self.where = where
        self.fix = fix
        self.is_said = False
        """Another process of the same run says it."""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class DataError(UserError):
    """A file of pairs or a line of input that can't be used."""


class ConfigError(UserError):
    """An option that is unknown, out of range, or at odds with another."""


class CheckpointError(UserError):
    """A run or model folder that is missing, damaged, or of another version."""


class WorldError(UserError):
    """Something between the processes of one run: one of them is missing, lost, or has other files."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest known word as a sentence ("did you mean 'rate'?"), or the list of all known words."""
    choices = list(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(choices)}"
