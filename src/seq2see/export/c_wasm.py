"""The target WebAssembly: the C file built by clang without a C library, and an ES module that calls it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from seq2see.errors import ConfigError
from seq2see.export.bundle import Bundle
from seq2see.export.c_checking import build
from seq2see.export.c_target import c_source
from seq2see.export.checking import NO_NODE, Check, check_in_node, find_node
from seq2see.export.javascript import resource
from seq2see.inference.predictor import Predictor

NEEDED = ("clang", "wasm-ld")
FLAGS = ("--target=wasm32", "-std=c11", "-O3", "-msimd128", "-mbulk-memory", "-ffreestanding", "-fno-math-errno")
LINKED = ("-nostdlib", "-Wl,--no-entry", "-Wl,--stack-first", "-Wl,-z,stack-size=262144", "-Wl,--strip-all")
MODULE_ENDING = ".wasm.mjs"
WITHOUT_ENDING = "model"
"""Of the module in `run_in_node`: what the module takes for the file."""


def wasm(bundle: Bundle) -> bytes:
    """The content of the file. ConfigError without clang and its linker."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        what = f".wasm needs {' and '.join(missing)}, which is not installed"
        raise ConfigError(
            what, where="export", fix="apt-get install clang lld, or export to .mjs, which needs no compiler"
        )
    # Not with what was checked, which only a comment says: it is built once.
    return built(c_source(bundle._replace(facts={**bundle.facts, "checked": []}), system="wasm"))


@lru_cache(maxsize=1)
def built(c: str) -> bytes:
    """The file of C text."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "model.c", Path(folder) / "model.wasm"
        source.write_text(c, encoding="utf-8")
        build([NEEDED[0], *FLAGS, *LINKED, str(source), "-o", str(out)], fix="install clang 14 or newer, and lld")
        return out.read_bytes()


def loader() -> str:
    """The ES module beside it, which has its name and `.mjs`."""
    return resource("wasm.js")


def check_wasm(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Compare the answers in Node.js with the model's; what prevents it, if there is no node."""
    node = find_node()
    if node is None:
        return NO_NODE
    return check_in_node(loader(), model, texts, node, {WITHOUT_ENDING: wasm(bundle)})
