"""All settings: what each is, what it takes, its default. `seq2see settings` prints them, a page of docs/ has them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from fnmatch import fnmatch
from typing import Any, NamedTuple

import tomli_w
from docstring_parser import parse_from_object
from msgspec.inspect import BoolType, FloatType, IntType, StrType, VarTupleType
from rich.table import Table

from seq2see.config import Config, key_of, kinds_of, option, option_choices, option_names
from seq2see.console import Terminal
from seq2see.errors import ConfigError, did_you_mean

WIDE = 120
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
UNBOUNDED = 1e9
"""From here on a bound is that of the computer's numbers."""


class Setting(NamedTuple):
    """An option of a run."""

    key: str
    type: str
    """In words, with its range."""
    choices: list[str]
    """The words it takes; empty if it is not limited to some."""
    default: Any
    """None: chosen from the data or the architecture, as the description says."""
    description: str


def all_settings() -> list[Setting]:
    """Every setting, in the order of the configuration."""
    defaults = Config()
    found = []
    for section in fields(Config):
        kinds = [kind for kind in type(getattr(defaults, section.name)).__mro__ if is_dataclass(kind)]
        described = [each for kind in kinds for each in parse_from_object(kind).params]
        descriptions = {each.arg_name: " ".join((each.description or "").split()) for each in described}
        for key in option_names(Config):
            part, _, name = key.partition(".")
            if part == section.name:
                choices = list(map(str, option_choices(key)))
                found.append(Setting(key, type_of(key), choices, option(defaults, key), descriptions.get(name, "")))
    return found


def type_of(key: str) -> str:
    """The type and range of a setting in words; empty if it takes only certain words."""
    for kind in kinds_of(key):
        if isinstance(kind, IntType | FloatType):
            word = "whole number" if isinstance(kind, IntType) else "number"
            bounds = [(words, getattr(kind, name)) for name, words in BOUNDS.items()]
            ranges = [f"{words} {bound:,}" for words, bound in bounds if bound is not None and bound < UNBOUNDED]
            number = ", ".join(filter(None, [word, " and ".join(ranges)]))
            return f"text, or a {number}" if any(isinstance(each, StrType) for each in kinds_of(key)) else number
        if isinstance(kind, BoolType):
            return "true or false"
        if isinstance(kind, VarTupleType):
            return "path, or a list of them" if key in ("data.train", "data.dev") else "text, or a list of them"
    return "" if option_choices(key) else "text"


def matching(pattern: str | None) -> list[Setting]:
    """The settings whose key contains the pattern or matches it as a glob, or that other toolkits call so."""
    known = all_settings()
    if pattern is None:
        return known
    wanted = pattern.lower()
    found = [each for each in known if wanted in each.key or fnmatch(each.key, wanted)]
    found = found or [each for each in known if each.key == key_of(pattern)]
    if not found:
        fix = did_you_mean(pattern, [each.key for each in known])
        fix = fix if fix.startswith("did you mean") else "seq2see settings lists all"
        raise ConfigError(f"no setting matches {pattern!r}", where="PATTERN", fix=fix)
    return found


def takes(setting: Setting) -> str:
    """What a setting can be set to."""
    return ", or ".join(filter(None, [setting.type, ", ".join(setting.choices)]))


def default_text(setting: Setting) -> str:
    """The default as it is written after --set; empty if it is chosen."""
    return "" if setting.default in (None, ()) else json.dumps(setting.default).strip('"')


def print_table(settings: Iterable[Setting]) -> None:
    """The settings for a reader."""
    table = Table(box=None, pad_edge=False)
    table.add_column("setting", style="bold", no_wrap=True)
    table.add_column("what it is")
    table.add_column("takes")
    table.add_column("default")
    for each in settings:
        table.add_row(each.key, each.description, takes(each), default_text(each))
    console = Terminal(highlight=False, markup=False)
    if not console.is_terminal:
        console = Terminal(width=WIDE, highlight=False, markup=False)
    console.print(table)


def as_json(settings: Iterable[Setting]) -> str:
    """A list of objects."""
    return json.dumps([each._asdict() for each in settings], indent=1, ensure_ascii=False)


def as_toml(settings: Iterable[Setting]) -> str:
    """A recipe that changes nothing: every setting in a comment, at its default if it has one."""
    lines = ["# A recipe: remove the # before what you set, then seq2see train recipe.toml"]
    sections: list[str] = []
    for each in settings:
        section, _, name = each.key.partition(".")
        if section not in sections:
            sections.append(section)
            lines += ["", f"[{section}]"]
        lines += ["", f"# {each.description}", f"# It takes: {takes(each)}"]
        has_default = each.default not in (None, ())
        lines.append("# " + (tomli_w.dumps({name: each.default}).strip() if has_default else f"{name} = …"))
    return "\n".join(lines)
