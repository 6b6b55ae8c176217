"""The verb that starts a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token, convert

from seq2see.commands.options import read_output
from seq2see.console import say
from seq2see.printable import quoted
from seq2see.recipes.kinds import OTHER_NAMES, Kind


def read_kind(kind: Any, tokens: Sequence[Token]) -> Any:
    """The kind by its name, in British spelling, too."""
    return convert(kind, [token.evolve(value=OTHER_NAMES.get(token.value, token.value)) for token in tokens])


def new(
    kind: Annotated[Kind, Parameter(converter=read_kind)], folder: Annotated[Path, Parameter(converter=read_output)], /
) -> None:
    """Write a started project: a recipe, a small made-up data set, a README with the commands, and a notebook.

    Parameters
    ----------
    kind
        What the pairs are.
    folder
        A new or empty folder.
    """
    from seq2see.recipes import new_project

    for path in new_project(kind, folder)[:6]:
        say(f"wrote {path}")
    say(f"begin with: {quoted(folder / 'README.md')}")
