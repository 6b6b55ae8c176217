"""The verb that starts a project."""

from __future__ import annotations

from pathlib import Path

from seq2see.console import say
from seq2see.printable import quoted
from seq2see.recipes.kinds import Kind


def new(kind: Kind, folder: Path, /) -> None:
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
