"""Arguments of the Python API held to their types and ranges, with one kind of message for all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from functools import lru_cache, wraps
from inspect import Parameter, Signature, signature
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from seq2see.data.pairs import joined_columns
from seq2see.errors import ConfigError, DataError, did_you_mean
from seq2see.printable import has_surrogates, one_line
from seq2see.usual_names import name_here

F = TypeVar("F", bound=Callable[..., Any])
Options = TypeVar("Options", bound=type)

NAMES = {"int": "a whole number", "float": "a number", "str": "a text", "array": "a list"}
"""What msgspec calls a type, and what a message calls it."""
BOUNDS = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}
_IN_JSON = ContextVar("in_json", default=False)
"""Whether messages are about values that were given as JSON."""


@contextmanager
def values_in_json() -> Iterator[None]:
    """Messages show values as JSON writes them (true, null), for whoever has given them so, and not as Python does."""
    token = _IN_JSON.set(True)
    try:
        yield
    finally:
        _IN_JSON.reset(token)


def shown(value: object) -> str:
    """A value in a message."""
    return as_json(value) if _IN_JSON.get() else repr(value)


def shown_argument(name: str, value: object) -> str:
    """An argument with its value in a message."""
    return f'"{name}": {as_json(value)}' if _IN_JSON.get() else f"{name}={value!r}"


def as_json(value: object) -> str:
    """The value in JSON."""
    return json.dumps(value, ensure_ascii=False, default=repr)


def require_types(options: Any) -> None:
    """ConfigError for the first field of a frozen dataclass whose value doesn't have the field's type or range.

    A list given for a tuple becomes one, and a NumPy number a Python number. NumPy itself isn't imported here: `--help`
    does without it.
    """
    own: type = type(options)
    for name, kind in hints_of(own).items():
        object.__setattr__(options, name, require_type(name, getattr(options, name), kind))


def require_type(name: str, given: Any, kind: Any) -> Any:
    """The value of an argument as the type says. ConfigError for another type, or a value out of range."""
    if hasattr(given, "dtype") and hasattr(given, "item") and not getattr(given, "shape", ()):
        given = given.item()  # a number of NumPy or of PyTorch
    try:
        return msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as error:
        if (words := words_of(kind)) and isinstance(given, str):
            what = f"must be one of {', '.join(words)}, not {shown(given)}"
            raise ConfigError(what, where=name, fix=did_you_mean(given, words)) from None
        raise invalid(name, given, str(error)) from None
    except (TypeError, ValueError, OverflowError):  # types that msgspec doesn't know, and integers beyond 64 bits
        raise invalid(name, given, "") from None


def words_of(kind: Any) -> list[str]:
    """The words that a type consists of, if it is made of such, perhaps beside None."""
    if get_origin(kind) is Literal:
        return [word for word in get_args(kind) if isinstance(word, str)]
    inner = [each for each in get_args(kind) if each is not type(None)]
    return words_of(inner[0]) if len(inner) == 1 else []


@lru_cache(maxsize=32)
def hints_of(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields, ranges included."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def invalid(name: str, given: object, message: str) -> ConfigError:
    """ "Expected `int` >= 1" as "must be at least 1, not 0"; an element of a list is named by its number."""
    expected, _, place = message.partition(" - at ")
    wanted = expected.removeprefix("Expected ").partition(", got")[0].replace("`", "").replace(" | null", "")
    found, where = given, name
    if match := re.search(r"\[(\d+)\]", place):
        found, where = list(given)[int(match[1])], f"{name}[{match[1]}]"  # type: ignore[call-overload]
    if isinstance(found, str) and "length" in wanted:
        return ConfigError("must not be an empty text", where=where, fix="leave it out")
    if isinstance(given, str) and "array" in wanted:
        fix = f"give {shown_argument(name, [given])}"
        return ConfigError(f"must be a list of texts, not {shown(given)}", where=name, fix=fix)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if (match := re.search(r"(>=|<=|>|<) ([\d.]+)", wanted)) and is_number:
        bound = f"{float(match[2]):,g}" if float(match[2]) < 1e6 else f"{float(match[2]):,.0f}"
        wanted = f"{BOUNDS[match[1]]} {bound}"
        fix = f"give a value of {wanted}" if match[1].endswith("=") else f"give a value {wanted}"
    else:
        names = NAMES | {"bool": f"{shown(True)} or {shown(False)}"}
        wanted = names.get(wanted.partition(" ")[0], "another type")
        fix = f"give {wanted}"
    return ConfigError(f"must be {wanted}, not {shown(found)}", where=where, fix=fix)


def texts_of(texts: object, *, where: str = "texts") -> Iterable[str]:
    """The texts one by one, a single one too: any iterable, such as a list, a file, a column of pandas or of polars.

    ConfigError for what isn't iterable, and for bytes; DataError, as they come, for the first item that isn't a text.
    """
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, Mapping | set | frozenset) or hasattr(texts, "columns"):
        fix = 'give a list of them, or one column of a data frame: frame["source"]'
        raise ConfigError(f"must be a text or several in order, not a {type(texts).__name__}", where=where, fix=fix)
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise ConfigError(f"must be a text or several, not {texts!r}", where=where, fix="give a str, or a list of them")
    return checked(texts)


def checked(texts: Iterable[object]) -> Iterable[str]:
    """The texts, several columns of one joined by TAB; DataError for the first item that is something else."""
    for number, text in enumerate(texts, start=1):
        if isinstance(text, tuple | list) and (joined := joined_columns(text)) is not None:
            text = joined
        if not isinstance(text, str):
            raise DataError(f"{text!r} is not a text", where=f"text {number}", fix="give a str, or a list of them")
        if not text.isascii() and has_surrogates(text):
            raise DataError(f"'{one_line(text):.80}' is not UTF-8", where=f"text {number}", fix="convert it to UTF-8")
        yield text


def require_known(given: Iterable[str], options: type, *, where: str) -> None:
    """ConfigError, with the nearest one, for a keyword argument that isn't a field of the options."""
    known = hints_of(options)
    for name in given:
        if name not in known:
            raise ConfigError(f"unknown option {name!r}", where=where, fix=name_here(name, known))


def with_known_names(options: Options) -> Options:
    """A decorator for a dataclass of options: an unknown one is a ConfigError with its name here, and no TypeError."""
    made = options.__init__  # type: ignore[misc]

    @wraps(made)
    def make(self: Any, *values: Any, **named: Any) -> None:
        require_known(named, options, where=options.__name__)
        made(self, *values, **named)

    options.__init__ = make  # type: ignore[misc]
    return options


def with_options(options: type, arguments: type) -> Callable[[F], F]:
    """A decorator for a function that takes the fields of a dataclass as `**options`: its signature names each of them.

    So `help()` and completion show what may be given, with defaults; the types are those of `arguments`, a TypedDict,
    which type checkers read from the function's own annotations.
    """
    kinds = {name: getattr(kind, "__forward_arg__", kind) for name, kind in arguments.__annotations__.items()}
    own = [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=kinds[field.name])
        for field in fields(options)
    ]

    def describe(function: F) -> F:
        described = signature(function)
        kept = [each for each in described.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        function.__signature__ = Signature(  # type: ignore[attr-defined]
            [*kept, *own], return_annotation=described.return_annotation
        )
        return function

    return describe
