"""The recipes that come with Seq2See, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from seq2see.config import read_toml
from seq2see.errors import ConfigError, did_you_mean
from seq2see.recipes.kinds import OTHER_NAMES, Kind

RECIPES = {kind: Path(__file__).with_name(f"{kind}.toml") for kind in get_args(Kind)}
"""The file of each."""


def recipe_values(name: str, *, where: str = "--recipe") -> dict[str, Any]:
    """The tables of a recipe by its name, or of a file .toml. ConfigError for an unknown name."""
    name = OTHER_NAMES.get(name, name)
    if name in RECIPES:
        return read_toml(RECIPES[name])
    if not name.endswith(".toml"):
        what, also = f"unknown recipe {name!r:.80}", "; or give a file .toml"
        raise ConfigError(what, where=where, fix=did_you_mean(name, RECIPES) + also)
    return read_toml(Path(name))
