"""A run that is named after what it is asked: the command as it should be typed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import takewhile

from seq2see.blueprint import ARCHITECTURES
from seq2see.commands import RUN_FIRST
from seq2see.commands.named_files import way_to_answer
from seq2see.commands.terminal import is_model
from seq2see.data.advice import quoted_path
from seq2see.errors import ConfigError
from seq2see.printable import quoted

FILES = {
    **dict.fromkeys(("evaluate", "score", "align"), ""),
    **dict.fromkeys(("predict", "attend"), "--input"),
    **dict.fromkeys(("pack", "export", "bench"), "--data"),
    "report": "--test",
}
"""By verb that takes a run first: the option before a file, if there is one."""
TEXTS = {"predict": "", "attend": "", "generate": "--prompt"}
"""By verb: the option before a text."""
OUTPUTS = {
    "report": (".html",),
    "pack": (".seq2see",),
    "export": (".html", ".js", ".mjs", ".c", ".wasm", ".json", ".onnx", ".ctranslate2"),
    "curves": (".png", ".svg", ".pdf"),
}
"""By verb: how the names of files end that it writes."""


def require_run_first(words: Sequence[str]) -> None:
    """ConfigError for a command in which a run follows what it is asked."""
    verb, *rest = words
    arguments = list(takewhile(lambda word: not word.startswith("-"), rest))
    options = rest[len(arguments) :]
    if verb == "compare":
        require_architectures(arguments, options)
    if verb not in RUN_FIRST or not arguments or is_model(arguments[0]):
        return
    others = list(takewhile(lambda word: not is_model(word), arguments))
    runs = arguments[len(others) :]
    if not runs or not all(map(is_model, runs)) or not all(could_be_asked(verb, word) for word in others):
        return
    what, where = "is no run, and stands where one is expected", others[0]
    begin = ["seq2see", verb, *map(quoted_path, runs)]
    end = list(map(quoted, options))
    if verb in ("predict", "attend") and len(others) == 1 and os.path.isfile(others[0]):
        way = way_to_answer(others[0], " ".join([*begin, *end]))
        raise ConfigError(what, where=where, fix=f"name the run first, and {way}")
    placed = [part for word in others for part in (option_of(verb, word), quoted_path(word)) if part]
    raise ConfigError(what, where=where, fix=f"the run comes first: {' '.join([*begin, *placed, *end])}")


def could_be_asked(verb: str, word: str) -> bool:
    """Whether a run may be asked this: a file, an output or a text, and no mistyped or damaged run."""
    if os.path.isdir(word) or word.startswith("hf://"):
        return False
    if word.endswith(OUTPUTS.get(verb, ())) or (verb in FILES and os.path.exists(word)):
        return True
    return verb in TEXTS and not os.path.isdir(os.path.dirname(word))


def option_of(verb: str, word: str) -> str:
    """The option that takes this; empty for what stands alone."""
    if word.endswith(OUTPUTS.get(verb, ())):
        return "-o"
    return FILES[verb] if verb in FILES and os.path.isfile(word) else TEXTS.get(verb, "")


def require_architectures(arguments: Sequence[str], options: Sequence[str]) -> None:
    """ConfigError for runs or files of pairs among what `compare` trains, or for architectures after an option."""
    named, options = without_models(options)
    arguments = [*named, *arguments]
    own = [word for word in arguments if word not in ARCHITECTURES and not word.endswith(".toml")]
    files = [word for word in own if os.path.isfile(word) and not is_model(word)]
    if runs := [word for word in own if is_model(word)]:
        after = [*options, ""][options.index("--test") + 1] if "--test" in options else ""
        test = after or next((word for word in (*files, *options) if os.path.isfile(word)), "test.tsv")
        finished = " ".join(map(quoted_path, (*runs, test)))
        what = "is a run, and compare trains architectures and recipes"
        raise ConfigError(what, where=runs[0], fix=f"finished runs are compared by: seq2see evaluate {finished}")
    if (files and "--data" not in options) or named:
        pairs = own if named else files  # beside named architectures even a mistyped name is one of pairs
        models = [word for word in arguments if word not in pairs] or ["plain", "attention"]
        data = ["--data", *map(quoted_path, pairs or ["pairs.tsv"])] if "--data" not in options else []
        place = [] if {"-o", "--out"} & set(options) else ["-o", "runs/compare"]
        line = " ".join(["seq2see compare", *map(quoted, models), *data, *map(quoted, options), *place])
        if named:
            raise ConfigError("unknown option --models", where="seq2see compare", fix=f"name the models first: {line}")
        what = "is a file, and stands where an architecture is expected"
        raise ConfigError(what, where=files[0], fix=f"name the pairs after --data: {line}")


def without_models(options: Sequence[str]) -> tuple[list[str], list[str]]:
    """The architectures and recipes that are named after --models or --model, and the other options."""
    place = next((at for at, word in enumerate(options) if word.partition("=")[0] in ("--models", "--model")), None)
    if place is None:
        return [], list(options)
    value, after = options[place].partition("=")[2], list(options[place + 1 :])
    values = [value] if value else list(takewhile(lambda word: not word.startswith("-"), after))
    names = [name for each in values for name in each.split(",") if name]
    if not names or not all(name in ARCHITECTURES or name.endswith(".toml") for name in names):
        return [], list(options)
    return names, [*options[:place], *(after if value else after[len(values) :])]
