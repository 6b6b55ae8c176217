"""The target JavaScript: one ES module without dependencies, which holds the model, and its TypeScript declarations."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from importlib.resources import files

from seq2see.export.bundle import Bundle
from seq2see.program import to_json

PARTS = ("base64.js", "interpreter.js", "text.js", "search.js", "options.js", "model.js")
"""The runtime, one part after the other, each with the names of those before it."""


def resource(name: str) -> str:
    """A file of the runtime."""
    return files("seq2see.export").joinpath("javascript", name).read_text(encoding="utf-8")


@cache
def runtime() -> str:
    """The runtime: the class `Model`, and what it needs."""
    return "\n".join(resource(name) for name in PARTS)


def data(bundle: Bundle) -> str:
    """The model as JSON, its weights in base64; safe inside of a script element."""
    values = json.dumps(bundle.values(), ensure_ascii=False, separators=(",", ":"))
    weights = b64encode(bundle.weights).decode()
    text = f'{{"programs":{to_json(bundle.programs)},"weights":"{weights}",{values[1:]}'
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def module(bundle: Bundle) -> str:
    """The ES module."""
    lines = [f"{bundle.facts['name']}: {bundle.facts['architecture']}, written by seq2see export.", *bundle.checked()]
    head = "".join(f"// {one_line(line)}\n" for line in lines)
    load = (
        "\n/** The model in this file. */\n"
        "export async function load() {\n"
        "  return Model.of(MODEL);\n"
        "}\n"
        "export { Model };\n"
    )
    return f"{head}{runtime()}\nconst MODEL = {data(bundle)};\n{load}"


def one_line(text: str) -> str:
    """A name as it may stand in a comment."""
    return "".join(character if character.isprintable() else " " for character in text)


def declarations() -> str:
    """The types of the module, for TypeScript."""
    return resource("model.d.ts")
