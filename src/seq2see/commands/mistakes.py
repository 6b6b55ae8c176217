"""Mistakes in a command line, as its parser finds them, told as all others are: what, where, and a fix."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from os.path import isfile
from typing import Any, Literal, get_args, get_origin

from cyclopts import CycloptsError
from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from seq2see.commands import RUN_FIRST
from seq2see.commands.boxes import EXAMPLES
from seq2see.errors import ConfigError, DataError, did_you_mean
from seq2see.printable import quoted
from seq2see.usual_names import is_called

SECTIONS = {
    "train": ("data", "text", "model", "training"),
    "compare": ("text", "model", "training"),
    "models": ("model",),
    "prepare": ("text", "data"),
}
"""What can be set with --set, by verb."""

OWN_FLAGS = {
    "model.name": "--model",
    "data.dev": "--dev",
    "data.also_source": "--also-source",
    "data.also_target": "--also-target",
    "training.start_from": "--from",
}
"""Settings that have a flag of their own."""


FILE_ARGUMENTS = ("check", "prepare", "cross", "tune", "evaluate", "score", "align")
"""Verbs whose files of pairs are arguments."""
_FILE_OPTIONS = ("data", "train", "test", "test_file", "eval_file", "input", "file", "pairs")
"""What an option is called that names such a file, in other commands and in other toolkits."""
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_TABLE_OPTION = "--(?:source|target|delimiter|encoding|header|quotes|names)"
_CHOICE = re.compile(_TABLE_OPTION + r" (?!…|and\b)(?:'[^']*'|[^\s,;)']|,(?=\S))+")
_OPEN_CHOICE = re.compile(_TABLE_OPTION + " …")
_OTHERS = re.compile(r" \(choose others with [^)]*\)")


def without_options_of_others(error: DataError, flags: Collection[str]) -> DataError:
    """The error for a command with these flags: options that it lacks are left out of the fix.

    If nothing else is left, the fix is a copy of the file that needs none. What reads a file of pairs doesn't know for
    which command, and not every command can say how a file is to be read.
    """
    from seq2see.data.advice import new_file, quoted_path

    if "--model language_model" in error.fix and not flags:  # for text without any columns
        fix = "give a file of pairs: a source, a TAB and its target in each line"
        return DataError(error.what, where=error.where, fix=fix)
    own = re.sub(r"seq2see [a-z]+ .*", "", error.fix, flags=re.DOTALL)  # a command has options of its own
    path = re.sub(r":\d+$", "", error.where)
    foreign = set(_OPTION.findall(own)) - set(flags)
    if not foreign:
        return error
    if not isfile(path):
        kept = [each for each in error.fix.split("; ") if not foreign & set(_OPTION.findall(each))]
        return DataError(error.what, where=error.where, fix="; ".join(kept or [error.fix]))
    choices = _CHOICE.findall(own.partition(", or")[0]) or _OPEN_CHOICE.findall(own)
    if error.fix.endswith("rename them in the file") and ("…" in choices[0] or "," in choices[0]):
        return DataError(error.what, where=error.where, fix="rename them in the file")  # a copy keeps several names
    choice = "".join(f" {each}" for each in dict.fromkeys(choices))
    command = f"seq2see check {quoted_path(path)}{choice} --fix -o {quoted_path(new_file(path, '-clean.tsv'))}"
    fix = f"correct the file, or make a copy that can be read: {command}"
    return DataError(_OTHERS.sub("", error.what), where=error.where, fix=fix)


@contextmanager
def read_as_found() -> Iterator[None]:
    """Around the reading of a file beside the texts, which no option describes: those of the command are of the texts.

    The fix of its DataError is a copy that can be read without any.
    """
    try:
        yield
    except DataError as error:
        raise without_options_of_others(error, ()) from None


def explained(error: CycloptsError, words: Sequence[str]) -> ConfigError:
    """The error of the parser for these words as a ConfigError that says what to do."""
    verb = words[0] if words and words[0] in EXAMPLES else ""
    help_page = f"see seq2see {verb} --help" if verb else "see seq2see --help"
    where = f"seq2see {verb}".rstrip()
    match error:
        case UnknownCommandError(unused_tokens=[name, *_]):
            return ConfigError(f"unknown command {name!r}", where=where, fix=did_you_mean(name, [*EXAMPLES, "--help"]))
        case UnknownOptionError():
            return unknown_option(error, verb, words, help_page)
        case RepeatArgumentError(token=token) if token.keyword is not None:
            return ConfigError("is given twice", where=token.keyword, fix="give it once")
        case MissingArgumentError(argument=argument) if argument is not None:
            example = f"such as: {EXAMPLES[verb][0]}" if verb else help_page
            if error.keyword is not None:
                return ConfigError("needs a value", where=error.keyword, fix=help_page)
            return ConfigError(f"{argument.name} is missing", where=where, fix=f"add it, {example}")
        case CoercionError(token=token, target_type=kind) if token is not None and kind is not None:
            where = token.keyword or (error.argument.name if error.argument is not None else where)
            return wrong_value(token.value, kind, where=where, fix=help_page)
        case UnusedCliTokensError(unused_tokens=[name, *_]):
            return ConfigError(f"unexpected argument {name!r}", where=where, fix=f"leave it out; {help_page}")
    return ConfigError(str(error).rstrip("."), where=where, fix=help_page)


def wrong_value(value: str, kind: Any, *, where: str, fix: str) -> ConfigError:
    """The error for a value that is none of the choices, or of another type."""
    if get_origin(kind) is Literal:
        choices = list(map(str, get_args(kind)))
        near = did_you_mean(value, choices)
        listed = f"one of: {', '.join(choices)}"
        return ConfigError(
            f"invalid value {value!r}", where=where, fix=near if near == listed else f"{near} ({listed})"
        )
    if kind is bool:
        return ConfigError(f"takes no value, not {value!r}", where=where, fix=f"give {where} alone, or leave it out")
    wanted = {int: "a whole number", float: "a number"}.get(kind)
    return ConfigError(f"must be {wanted or kind}, not {value!r}", where=where, fix=f"give {wanted}" if wanted else fix)


def unknown_option(error: UnknownOptionError, verb: str, words: Sequence[str], help_page: str) -> ConfigError:
    """The error for an unknown option: with the setting or option that other toolkits call so, or the nearest one."""
    typed = error.token.keyword or error.token.value
    name, _, value = typed.partition("=")
    flags = [flag for argument in error.argument_collection if argument.show for flag in argument.names]
    given = value or next((word for word in following(words, typed) if not word.startswith("-")), "")
    usual = [flag for flag in flags if flag.startswith("--") and is_called(plain(flag), plain(name))]
    near = did_you_mean(name, flags) if flags else ""
    if {"--source", "--target"} <= set(usual):
        fix = "write them as --source … --target …"
    elif usual:
        fix = f"it is called {' or '.join(usual)} here"
    elif verb in FILE_ARGUMENTS and plain(name) in _FILE_OPTIONS:
        fix = f"the file is an argument: {as_argument(verb, words, typed, given) or EXAMPLES[verb][0]}"
    elif setting := as_setting(name, given, verb):
        fix = setting
    else:
        fix = near if near.startswith("did you mean") else help_page
    return ConfigError(f"unknown option {name}", where=f"seq2see {verb}".rstrip(), fix=fix)


def as_setting(name: str, value: str, verb: str) -> str:
    """The words that set what other toolkits call `name`; empty where the verb takes no such setting."""
    from seq2see.config import key_of, make_config, parse_setting

    key = key_of(name)
    if key is None or key.partition(".")[0] not in SECTIONS.get(verb, ()):
        return ""
    if key == "data.train":
        return f"name the files without an option, such as: {EXAMPLES[verb][0]}"
    if key in OWN_FLAGS:
        return f"it is called {OWN_FLAGS[key]} here"
    setting = f"{key}={value}"
    try:
        make_config({}, dict([parse_setting(setting)]))
    except ConfigError:
        return f"it is {key} here: --set {key}=…, and seq2see settings {key} says what it takes"
    return f"write it as --set {quoted(setting)}"


def as_argument(verb: str, words: Sequence[str], typed: str, value: str) -> str:
    """The command of these words with the value of an option as its file, which comes after the run, if there is one.

    Empty without a value, where the run is missing before the options, and where a file is there.
    """
    first = next((place for place, word in enumerate(words) if word.startswith("-")), 0)
    if not value or first != (2 if verb in RUN_FIRST else 1) or typed not in words:
        return ""
    place = words.index(typed)
    after = words[place + (1 if "=" in typed else 2) :]
    return " ".join(["seq2see", *map(quoted, [*words[:first], value, *words[first:place], *after])])


def following(words: Sequence[str], word: str) -> Sequence[str]:
    """The one word after another, if there is one."""
    place = words.index(word) + 1 if word in words else len(words)
    return words[place : place + 1]


def plain(flag: str) -> str:
    """The name of a flag as other toolkits write it in a configuration."""
    return flag.lstrip("-").replace("-", "_").lower()
