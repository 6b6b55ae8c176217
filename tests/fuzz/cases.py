"""Random calls of the command: a verb, its arguments and the files that it reads, each a function of one number.

The options are those that the command itself declares, so a new one is tried without a change here.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from seq2see.commands.application import app
from seq2see.config import Config
from seq2see.storage.archive import SUFFIX, pack
from seq2see.storage.files import MANIFEST, hash_of, manifest_of
from seq2see.storage.saved_model import MODEL_FILES

WORDS = ["alpha", "bravo", "delta", "echo", "golf", "hotel", "india", "kilo", "lima", "mike"]
PAIRS = [(word, word[::-1].upper()) for word in WORDS]
FEW = ["training.max_updates=2", "training.evaluate_every=1", "model.width=8", "training.precision=float32"]
SMALL = ["--set", *FEW]

TEMPLATES: dict[str, list[list[str]]] = {
    "bench": [["run", "--data", "dev.tsv", "--threads", "1", "--seconds", "0.001"]],
    "align": [["run", "pairs.tsv"], ["transformer", "pairs.jsonl", "--format", "jsonl", "--output", "out.jsonl"]],
    "attend": [
        ["run", "alpha"],
        ["transformer", "--input", "texts.txt", "--output", "out.html"],
        ["run", "--heads", "echo"],
    ],
    "chat": [["run"], ["packed.seq2see", "--seed", "3", "--turns", "0"]],
    "check": [
        ["pairs.tsv"],
        ["pairs.tsv", "--fix", "--output", "out.tsv"],
        ["source.txt", "target.txt"],
        ["pairs.jsonl"],
    ],
    "compare": [["pairs.tsv", "--dev", "dev.tsv", "--models", "plain,attention", "--out", "out", *SMALL]],
    "completion": [["bash"], ["zsh"], ["fish"]],
    "cross": [["pairs.tsv", "--folds", "2", "--out", "out", *SMALL]],
    "curves": [["run", "--output", "out.png"], ["run", "transformer"]],
    "distill": [["run", "transformer", "--data", "pairs.tsv", "--dev", "dev.tsv", "--out", "out", *SMALL]],
    "evaluate": [
        ["run", "pairs.tsv"],
        ["packed.seq2see", "labels.tsv", "--by", "3"],
        ["run", "transformer", "dev.tsv"],
    ],
    "export": [["run", "--output", "out.json"], ["packed.seq2see", "--data", "dev.tsv", "--output", "out.html"]],
    "generate": [["writer"], ["writer", "--prompt", "al", "--count", "2", "--max-length", "9"]],
    "models": [[], SMALL],
    "new": [["chat", "out"], ["captions", "out"]],
    "pack": [["run", "--output", "out.seq2see"], ["transformer", "--output", "out", "--weights", "int8"]],
    "predict": [
        ["run", "alpha"],
        ["packed.seq2see", "--input", "texts.txt"],
        ["run", "transformer", "alpha", "--beam", "3"],
    ],
    "prepare": [["pairs.tsv", "--out", "out"]],
    "report": [["run", "--output", "out.html"], ["transformer", "dev.tsv", "--output", "out.html"]],
    "score": [["run", "pairs.tsv"], ["packed.seq2see", "pairs.jsonl", "--format", "tsv"], ["writer", "texts.txt"]],
    "settings": [[], ["--format", "json"]],
    "tune": [["pairs.tsv", "--dev", "dev.tsv", "--trials", "1", "--out", "out", *SMALL]],
    "train": [
        ["pairs.tsv", "--dev", "dev.tsv", "--out", "out", *SMALL],
        ["recipe.toml", "--out", "out"],
        ["--resume", "--out", "run"],
        ["pairs.tsv", "--dev", "dev.tsv", "--from", "run", "--out", "out", *SMALL],
        ["corpus", "--out", "out", *SMALL],
    ],
}
"""Calls that succeed with the files of `make_home`."""

LONG_RUNNING = {"bench", "demo", "serve", "tune"}
"""Verbs that take as long as they are told or end with a signal: `--help`, mistakes, and the templates as they are."""

EXIT_CODES = {0, 2, 130}
EXIT_CODES_OF_CHECK = EXIT_CODES | {1}
"""`check` exits with 1 for data that `train` would refuse, as linters do."""

TEXTS = [
    *(
        "",
        " ",
        "alpha",
        "ALPHA",
        "al pha",
        "\t",
        "a\tb",
        "a\tb\tc",
        "ß",
        "é",
        "e\u0301",
        "日本語",
        "שלום",
        "🙂🏽",
        "\x1b[31mred",
    ),
    *(
        "\x00",
        "\x85",
        "\u202ereversed",
        "\ufeffmark",
        "#comment",
        '"quoted"',
        "'",
        "$(false)",
        "-1",
        "--",
        "<eos>",
        "<unk>",
    ),
    *("nan", "inf", "1e400", "0x10", "a" * 300, "😀" * 200, "a b " * 500, "\udcff", "%s", "[bold]", "..", "~", "C:\\x"),
]
INTEGERS = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "64",
    "1000000",
    "1000001",
    "2147483648",
    str(2**64),
    "9" * 5000,
    "1.5",
    "x",
    "",
]
NUMBERS = ["0", "0.0", "0.5", "1", "1.0", "2", "-0.1", "1e-300", "1e300", "nan", "inf", "-inf", "x", ""]
RUNS = {"run", "transformer", "writer"}
INPUTS = [
    *(
        "pairs.tsv",
        "dev.tsv",
        "labels.tsv",
        "pairs.jsonl",
        "source.txt",
        "target.txt",
        "texts.txt",
        "empty.txt",
        "recipe.toml",
    ),
    *("run", "run/model", "transformer", "writer", "packed.seq2see", "corpus", "run/config.toml", "run/metrics.jsonl"),
]
"""What stands in the folder of `make_home`."""
PATHS = [
    *INPUTS,
    *(
        "missing",
        "missing/there.tsv",
        ".",
        "..",
        "/",
        "/dev/null",
        "/dev/full",
        "loop",
        "deep/" * 60 + "x",
        "n" * 300,
        "\udcff",
    ),
    *("with blank.tsv", "out", "out.html", "out.svg", "out.json", "out.tsv", "out.seq2see", "out.toml", "-", ""),
]
OUTPUT_FLAGS = ("--output", "--out", "--errors", "--tensorboard", "-o")
BYTES = [
    *(
        b"\xff",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x00",
        b"\r\n",
        b"\r",
        b"\t",
        b"\n",
        b"\n\n",
        b"\t\t",
        b'"',
        b"\\",
        b"{",
        b"[",
        b"=",
    ),
    *(
        b"\x1b[2J",
        b"\xe2\x80\xae",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x99\x82",
        b"\x85",
        b"[" * 3000,
        b"9" * 5000,
        b"a" * 70000,
    ),
    *(
        b"source\ttarget\n",
        b"#x\n",
        b"\x1f\x8b\x08\x00",
        b"PK\x03\x04",
        "абв\n".encode("cp1251"),
        "日本\t語\n".encode("utf-16"),
    ),
]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 3, 7, 2**31, 2**63, 10**30, 0.5, -1.0, 1e308, float("nan"), float("inf")),
    *(
        "",
        "x",
        "\x1b[31m",
        "a" * 5000,
        [],
        {},
        [[]],
        ["x"],
        {"x": 1},
        "transformer",
        "plain",
        "language_model",
        "sinusoidal",
    ),
]


@dataclass
class Case:
    """One call: how it is reproduced, and what has to be done to the files first."""

    number: int
    verb: str
    arguments: list[str]
    changes: list[Callable[[Path], None]] = field(default_factory=list)
    stdin: bytes = b""

    def __str__(self) -> str:
        return shlex.join(["seq2see", self.verb, *self.arguments])

    @property
    def exit_codes(self) -> set[int]:
        """What the command may exit with."""
        return EXIT_CODES_OF_CHECK if self.verb == "check" else EXIT_CODES

    @property
    def outputs(self) -> set[str]:
        """What the call may write: the values of its output options, and the default places."""
        named = {"runs", "seq2see-report.html", ".cache"}  # the last is matplotlib's, in the folder of the person
        for place, argument in enumerate(self.arguments):
            flag, _, value = argument.partition("=")
            if flag in OUTPUT_FLAGS:
                named.add(value or "".join(self.arguments[place + 1 : place + 2]))
        if self.verb == "distill":  # its pairs are beside the run
            named |= {f"{each}-data" for each in named if each}
        if self.verb == "train" and "--resume" in self.arguments:  # the run that is named goes on
            named |= RUNS & set(self.arguments)
        if self.verb == "new":  # its folder has no option, and must be new
            named |= set(self.arguments) - set(INPUTS)
        return named

    @property
    def writes_anywhere(self) -> bool:
        """Whether an output is the folder of the files, or one around it: what is new there is its own."""
        return not {os.path.normpath(each) for each in self.outputs if each}.isdisjoint((".", "..", "/"))


def make_case(number: int) -> Case:
    """The call of this number: a template, some more options, some mistakes, and damage to what it reads."""
    chance = random.Random(number)
    verbs = sorted(name for name in app if not name.startswith("-"))
    verb = chance.choice(verbs)
    arguments = list(chance.choice(TEMPLATES.get(verb, [[]])))
    is_as_told = verb in LONG_RUNNING and bool(arguments) and chance.random() < 0.3
    if verb in LONG_RUNNING and not is_as_told:
        arguments = ["--help"] if chance.random() < 0.3 else ["--nonsense"]
    if not is_as_told:
        for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
            arguments[chance.randint(0, len(arguments)) :] = option(chance, verb)
        if chance.random() < 0.25:
            mistake(chance, arguments)
        if verb in LONG_RUNNING and arguments[:1] != ["--help"]:
            arguments.append("--nonsense")
    if verb in ("train", "compare", "cross", "distill") and "--resume" not in arguments and FEW[0] not in arguments:
        arguments += ["--set", *FEW]
    changes = [damage(chance) for _ in range(chance.choice([0, 0, 1, 1, 2]))]
    lines = [chance.choice(TEXTS) for _ in range(chance.randint(0, 5))]
    stdin = (
        "\n".join(lines).encode("utf-8", "surrogateescape")
        if chance.random() < 0.5
        else b"".join(chance.sample(BYTES, 3))
    )
    return Case(number, verb, [each.replace("\x00", "") for each in arguments], changes, stdin)


def option(chance: random.Random, verb: str) -> list[str]:
    """A random option of the verb with a random value."""
    declared = [each for each in app[verb].assemble_argument_collection() if each.names and each.parse]
    if not declared:
        return []
    chosen = chance.choice(declared)
    name = chance.choice(chosen.names)
    if not name.startswith("-"):
        return [value_of(chance, chosen.hint)]
    if chosen.hint is bool or name.startswith("--empty-"):
        return [name]
    if "--set" in chosen.names:
        return [name, setting(chance)]
    return [name, value_of(chance, chosen.hint)]


def value_of(chance: random.Random, hint: Any) -> str:
    """A value of this type, or something like one."""
    if get_origin(hint) is Literal and chance.random() < 0.9:
        return str(chance.choice(get_args(hint)))
    inner = [each for each in get_args(hint) if each is not type(None)]
    if inner and get_origin(hint) is not Literal:
        return value_of(chance, inner[0])
    if hint is int:
        return chance.choice(INTEGERS)
    if hint is float:
        return chance.choice(NUMBERS)
    return chance.choice(PATHS if hint is Path or chance.random() < 0.2 else TEXTS)


def setting(chance: random.Random) -> str:
    """A random setting; sizes stay small enough to be trained in a moment."""
    section = chance.choice(["model", "text", "data", "training"])
    keys = list(Config.__annotations__) if chance.random() < 0.02 else known_settings()[section]
    key = chance.choice(keys)
    value = chance.choice(
        [*INTEGERS[:7], *NUMBERS, "true", "none", "[]", "{}", '"x"', "attention", "transformer", "\x1b", "[" * 2000]
    )
    if key in ("max_updates", "max_epochs"):
        value = chance.choice(["0", "1", "2", "x", "-1"])
    return chance.choice(
        [f"{section}.{key}={value}"] * 12 + [f"{section}.{key}", f"{key}={value}", "=", f"{section}.{key}x={value}"]
    )


def known_settings() -> dict[str, list[str]]:
    """The names of the settings by section."""
    from dataclasses import fields

    return {each.name: [key.name for key in fields(type(getattr(Config(), each.name)))] for each in fields(Config)}


def mistake(chance: random.Random, arguments: list[str]) -> None:
    """Drop, double, swap or replace an argument."""
    if not arguments:
        arguments.append(chance.choice(TEXTS))
        return
    place = chance.randrange(len(arguments))
    match chance.randrange(4):
        case 0:
            del arguments[place]
        case 1:
            arguments.insert(place, arguments[place])
        case 2:
            arguments[place] = chance.choice(TEXTS)
        case _:
            arguments[place] = chance.choice(PATHS)


# --- damage to files ----------------------------------------------------------------------------------------------


def damage(chance: random.Random) -> Callable[[Path], None]:
    """A change of the files, drawn now and made later, so that the case stays a function of its number."""
    seed = chance.getrandbits(32)
    return lambda home: change(random.Random(seed), home)


def change(chance: random.Random, home: Path) -> None:
    """Change one file: its bytes, a value in its JSON, or what kind of thing it is."""
    files = sorted(path for path in home.rglob("*") if path.is_file() and not path.is_symlink())
    texts = [path for path in files if path.parent == home and path.suffix != SUFFIX]
    path = chance.choice(texts if chance.random() < 0.5 else files)
    content = path.read_bytes()
    kind = chance.randrange(12)
    if path.suffix == ".json" and path.name != MANIFEST and chance.random() < 0.8:
        path.write_bytes(json.dumps(with_another_value(chance, json.loads(content))).encode())
        if chance.random() < 0.8:
            renew_manifest(path.parent)
    elif path.suffix == SUFFIX and chance.random() < 0.6:
        repack(chance, home / "run" / "model", path)
    elif kind == 0:
        path.unlink()
    elif kind == 1:
        path.unlink()
        path.mkdir()
    elif kind == 2:
        path.unlink()
        path.symlink_to(path.name)
    elif kind == 3:
        path.write_bytes(gzip.compress(content)[: chance.choice([5, 20, None])])
    elif kind == 4:
        path.write_bytes(content[: chance.randint(0, len(content))])
    elif kind == 5:
        path.write_bytes(content * chance.choice([0, 2, 30]))
    elif kind == 6:
        path.write_bytes(
            content.decode("utf-8", "replace").encode(
                chance.choice(["utf-16", "utf-32", "cp500", "utf-16-le"]), "replace"
            )
        )
    else:
        for _ in range(chance.choice([1, 1, 2, 5])):
            place = chance.randint(0, len(content))
            content = content[:place] + chance.choice(BYTES) + content[place + chance.choice([0, 0, 1, 10]) :]
        path.write_bytes(content)
        if chance.random() < 0.5 and (path.parent / MANIFEST).is_file():
            renew_manifest(path.parent)


def with_another_value(chance: random.Random, document: Any) -> Any:
    """The document with a random value somewhere, a key more, or a key less."""
    inner = list(document.values()) if isinstance(document, dict) else document
    if not isinstance(inner, list):
        inner = []
    if not inner or chance.random() < 0.05:
        return chance.choice(VALUES)
    if isinstance(document, list):
        place = chance.randrange(len(document))
        return [*document[:place], with_another_value(chance, document[place]), *document[place + 1 :]]
    key = chance.choice(sorted(document))
    match chance.randrange(10):
        case 0:
            return {name: value for name, value in document.items() if name != key}
        case 1:
            return document | {chance.choice(["x", "", "\x1b", "name"]): chance.choice(VALUES)}
        case _:
            return document | {key: with_another_value(chance, document[key])}


def renew_manifest(folder: Path) -> None:
    """Make the manifest agree with the files, so that the content itself is read."""
    files = [path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST]
    (folder / MANIFEST).write_bytes(manifest_of({path.name: hash_of(path.read_bytes()) for path in sorted(files)}))


def repack(chance: random.Random, folder: Path, path: Path) -> None:
    """Write a packed model whose hashes are right and whose content is not."""
    files = {
        name: (folder / name).read_bytes()
        for name in sorted(set(MODEL_FILES) - {MANIFEST})
        if (folder / name).is_file()
    }
    if not files:
        return
    name = chance.choice(sorted(files))
    if name.endswith(".json"):
        files[name] = json.dumps(with_another_value(chance, json.loads(files[name] or b"0"))).encode()
    else:
        place = chance.randint(0, len(files[name]))
        files[name] = files[name][:place] + chance.choice(BYTES) + files[name][place + chance.choice([0, 1, 8]) :]
    files[MANIFEST] = manifest_of({each: hash_of(files[each]) for each in sorted(files)})
    path.write_bytes(pack(files))
