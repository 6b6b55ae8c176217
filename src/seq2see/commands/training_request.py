"""What a training is asked for: files, flags, settings and a recipe, as one configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from seq2see.commands.options import parsed
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError
from seq2see.printable import quoted

if TYPE_CHECKING:
    from seq2see.config import Config


def training_request(
    verb: str,
    data: Sequence[Path],
    model: str | None,
    set_: list[str] | None,
    table: TableOptions,
    *,
    skip_bad: bool = False,
    own: Mapping[str, tuple[str, Any]] = MappingProxyType({}),
    recipe: str | None = None,
) -> tuple[Config, frozenset[str]]:
    """The configuration of a training on these files, or on a recipe, and the keys that are given.

    `own` are further flags of the verb: by key, what the flag is called, and its value. `recipe` is a recipe for these
    files, by its name in the catalog or its file.
    """
    from seq2see.config import given_keys, make_config, read_toml
    from seq2see.recipes import recipe_values

    settings_given = parsed(set_)  # first: it takes files that follow --set
    require_some(verb, data)
    if misplaced := [str(path) for path in data if SETTING.match(str(path)) and not os.path.exists(path)]:
        fix = f"write it after --set: --set {' '.join(map(quoted, misplaced))}"
        raise ConfigError("is a setting, and stands where a file of pairs is expected", where=misplaced[0], fix=fix)
    is_recipe = data[0].suffix == ".toml"
    if is_recipe and len(data) > 1:
        raise ConfigError(
            f"a recipe names its own data, so {data[1]} is one too many", where=str(data[0]), fix="set data.train in it"
        )
    if recipe is not None and is_recipe:
        raise ConfigError(f"conflicts with {data[0]}, a recipe too", where="--recipe", fix="give one of the two")
    if not is_recipe and (also := next((path for path in data[1:] if path.suffix == ".toml"), None)):
        fix = f"name it after --recipe: --recipe {quoted(also)}"
        raise ConfigError("is a recipe, and stands where a file of pairs is expected", where=str(also), fix=fix)
    values = read_toml(data[0]) if is_recipe else recipe_values(recipe) if recipe is not None else {}
    if not is_recipe:
        values.get("data", {}).pop("dev", None)
    settings: dict[str, tuple[str, Any]] = {}
    if not is_recipe:
        settings["data.train"] = (str(data[0]), [str(path.absolute()) for path in data])
    settings |= own
    if model is not None:
        settings["model.name"] = ("--model", model)
    settings |= table_settings(table)
    if skip_bad:
        settings["data.skip_bad"] = ("--skip-bad", True)
    chosen = merged(settings, settings_given)
    return make_config(values, chosen, where=recipe or str(data[0])), frozenset(given_keys(values, chosen))


SETTING = re.compile(r"(data|text|model|training)\.\w+=")
"""The beginning of what --set takes."""


def require_some(verb: str, data: Sequence[Path]) -> None:
    """ConfigError for a training without data."""
    if not data:
        fix = f"name a file, before any --dev or --set: seq2see {verb} pairs.tsv"
        raise ConfigError("no data were given", where=f"seq2see {verb}", fix=fix)


def merged(flags: Mapping[str, tuple[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values of flags, each with what it is called, and of --set. ConfigError for a key that both give."""
    for key, (flag, _) in flags.items():
        if key in settings:
            fix = f"give one of the two: {flag} or --set {key}"
            raise ConfigError(f"is given twice, by {flag} too", where=f"--set {key}", fix=fix)
    return {key: value for key, (_, value) in flags.items()} | dict(settings)


def table_settings(table: TableOptions) -> dict[str, tuple[str, Any]]:
    """The settings of the flags of a table, each with its flag."""
    given = table.given().items()
    return {f"data.{name}": (f"--{name}", list(value) if isinstance(value, tuple) else value) for name, value in given}
