"""The configuration of a run: the options of each part, from TOML and `key=value` settings, and back to TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from seq2see.data.options import DataOptions
from seq2see.errors import ConfigError, did_you_mean
from seq2see.model.options import ModelOptions
from seq2see.text.options import TextOptions
from seq2see.training.options import TrainingOptions


@dataclass(frozen=True)
class Config:
    """All options of a run; those that are None are chosen from the data."""

    data: DataOptions = field(default_factory=DataOptions)
    text: TextOptions = field(default_factory=TextOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; relative paths in it are resolved against the file's folder."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"can't be read: {error.strerror}", where=str(path), fix="give the path of a TOML file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"is not valid TOML: {error}", where=str(path), fix="correct the file at that place"
        ) from None
    set_data_folder(values, path.parent)
    return values


def set_data_folder(values: dict[str, Any], folder: Path) -> None:
    """Make the paths absolute, resolved against `folder`; a single path under `data` needs no brackets."""
    training = values.get("training")
    if isinstance(training, dict) and isinstance(training.get("start_from"), str | Path):
        training["start_from"] = str(folder.absolute() / training["start_from"])
    data = values.get("data")
    for key in ("train", "dev"):
        if isinstance(data, dict) and key in data:
            named = [data[key]] if isinstance(data[key], str) else data[key]
            if isinstance(named, list | tuple):
                named = [str(folder.absolute() / name) if isinstance(name, str) else name for name in named]
            data[key] = named


def parse_setting(setting: str) -> tuple[str, Any]:
    """`training.rate=2e-3` as ("training.rate", 0.002): the value is read as TOML, or else as text."""
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"must have the form key=value, not {setting!r}",
            where="--set",
            fix="write key=value, such as training.rate=2e-3; files come before --set",
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return key.strip(), value


def make_config(
    values: Mapping[str, Any], settings: Mapping[str, Any], *, where: str = "recipe", settings_where: str = "--set"
) -> Config:
    """The configuration from tables that came from `where`; `settings` (dotted keys) take precedence.

    Raises ConfigError with the place and the closest key or value.
    """
    known = list(option_names(Config))
    sections = {name.partition(".")[0] for name in known}
    merged: dict[str, Any] = {}
    for section, table in values.items():
        if section not in sections:
            raise unknown_key(
                f"{section}.{next(iter(table))}" if isinstance(table, Mapping) and table else section, where
            )
        if not isinstance(table, Mapping):
            raise ConfigError(
                f"must be a section, not {table!r}", where=section, fix=f"set one of its keys: [{section}]"
            )
        for name in table:
            if f"{section}.{name}" not in known:
                raise unknown_key(f"{section}.{name}", where)
        merged[section] = dict(table)
    for key, value in settings.items():
        if key not in known:
            raise unknown_key(key, settings_where)
        section, _, name = key.partition(".")
        merged.setdefault(section, {})[name] = value
    set_data_folder(merged, Path())
    try:
        return msgspec.convert(merged, Config, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_value(str(error), merged) from None
    except ValueError:
        keys = [
            f"{section}.{name}" for section, table in merged.items() for name, value in table.items() if beyond(value)
        ]
        raise ConfigError("must fit into 64 bits", where=keys[0], fix="give a smaller number") from None


def beyond(value: object) -> bool:
    """Whether the value is an integer beyond 64 bits, which msgspec can't check."""
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def given_keys(values: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
    """The dotted keys that were set explicitly."""
    return {f"{section}.{name}" for section, table in values.items() for name in table} | set(settings)


def option(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


def unknown_key(key: str, where: str) -> ConfigError:
    """The error for an unknown key, with the closest known key or those of its section."""
    known = list(option_names(Config))
    section, _, last = key.rpartition(".")
    same_name = [name for name in known if name.rpartition(".")[2] == last or name.startswith(f"{key}.")]
    own = [name for name in known if name.startswith(f"{section}.")]
    near = did_you_mean(key, known)
    fix = f"did you mean {same_name[0]!r}?" if same_name else near
    if not same_name and near.startswith("one of"):
        fix = did_you_mean(key, own or sorted({f"{name.partition('.')[0]}.…" for name in known}))
    return ConfigError(f"unknown option {key!r}", where=where, fix=fix)


WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list"}
"""msgspec's names of types in plain words."""


def invalid_value(message: str, values: Mapping[str, Any]) -> ConfigError:
    """msgspec's "Expected `float` > 0.0 - at `$.training.rate`" as a ConfigError with key, value and choices."""
    expected, _, place = message.partition(" - at ")
    keys = re.findall(r"\w+", place.strip("`$."))
    found: Any = values
    for key in keys[:2]:
        found = found[key]
    key = ".".join(keys[:2])
    choices = [str(choice) for choice in option_choices(key)]
    if choices:
        listed, near = f"one of: {', '.join(choices)}", did_you_mean(str(found), choices)
        if takes_numbers(key):
            wanted = f"a whole number >= 1, or {', '.join(choices)}"
            fix = near if near != listed else f"set {key} to {wanted}"
            return ConfigError(f"takes {wanted}, not {found!r}", where=key, fix=fix)
        fix = listed if near == listed else f"{near} ({listed})"
        return ConfigError(f"invalid value {found!r}", where=key, fix=fix)
    wanted = expected.removeprefix("Expected ").partition(", got")[0].replace("`", "").replace(" | null", "")
    for kind, words in WORDS.items():
        wanted = re.sub(rf"\b{kind}\b", words, wanted)
    return ConfigError(f"takes {wanted}, not {found!r}", where=key, fix=f"set {key} to {wanted}")


def option_names(kind: type, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a dataclass of dataclasses."""
    for item in fields(kind):
        inner = item.default_factory if callable(item.default_factory) else None
        if isinstance(inner, type) and is_dataclass(inner):
            yield from option_names(inner, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}"


def option_choices(key: str) -> Sequence[object]:
    """The allowed words of a key; empty if it is not limited to some."""
    return [value for kind in kinds_of(key) if isinstance(kind, msgspec.inspect.LiteralType) for value in kind.values]


def takes_numbers(key: str) -> bool:
    """Whether the key also takes a number."""
    return any(isinstance(kind, msgspec.inspect.IntType) for kind in kinds_of(key))


def kinds_of(key: str) -> Sequence[msgspec.inspect.Type | None]:
    """The types of the values of a key."""
    described: Any = msgspec.inspect.type_info(Config)
    for name in key.split("."):
        described = next((item.type for item in getattr(described, "fields", ()) if item.name == name), None)
    return getattr(described, "types", (described,))


def to_toml(config: Config) -> str:
    """The configuration as a recipe for `seq2see train`; options that are None are left out, since TOML has no null."""
    return tomli_w.dumps(
        {
            section: {key: value for key, value in table.items() if value is not None}
            for section, table in asdict(config).items()
        }
    )
