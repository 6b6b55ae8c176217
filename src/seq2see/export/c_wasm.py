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
from seq2see.export.c_target import c_source, weights_file
from seq2see.export.checking import NO_NODE, Check, check_in_node, find_node
from seq2see.export.javascript import resource
from seq2see.inference.predictor import Predictor

NEEDED = ("clang", "wasm-ld")
# Unrolled loops take clang five times longer, and answers hardly less.
OPTIMIZED = ("-O3", "-fno-unroll-loops", "-fno-math-errno", "-msimd128", "-mbulk-memory")
FLAGS = ("--target=wasm32", "-std=c11", "-ffreestanding", *OPTIMIZED)
LINKED = ("-nostdlib", "-Wl,--no-entry", "-Wl,--stack-first", "-Wl,-z,stack-size=262144", "-Wl,--strip-all")
MODULE_ENDING = ".wasm.mjs"
WITHOUT_ENDING = "model"
"""Of the module in `run_in_node`: what the module takes for the file."""


def missing() -> str:
    """What of the compiler isn't installed; empty if nothing is missing."""
    return " and ".join(name for name in NEEDED if shutil.which(name) is None)


def wasm(bundle: Bundle) -> bytes:
    """The content of the file. ConfigError without clang and its linker."""
    if missing():
        what = f".wasm needs {missing()}, which is not installed"
        raise ConfigError(
            what, where="export", fix="apt-get install clang lld, or export to .mjs, which needs no compiler"
        )
    # Not with what was checked, which only a comment says: it is built once.
    c = c_source(bundle._replace(facts={**bundle.facts, "checked": []}), system="wasm")
    return built(c, weights_file(bundle, "wasm"))


@lru_cache(maxsize=1)
def built(c: str, weights: bytes) -> bytes:
    """The file of C text and the weights."""
    with tempfile.TemporaryDirectory() as folder:
        source, file, out = (Path(folder) / name for name in ("model.c", "model.weights", "model.wasm"))
        source.write_text(c, encoding="utf-8")
        file.write_bytes(weights)
        of_weights = (f'-DWEIGHTS_FILE="{file}"', f'-DWEIGHTS_SIZE="{len(weights)}"')
        command = [NEEDED[0], *FLAGS, *of_weights, *LINKED, str(source), "-o", str(out)]
        build(command, fix="install clang 14 or newer, and lld")
        return out.read_bytes()


def loader() -> str:
    """The ES module beside it, which has its name and `.mjs`."""
    return "".join(map(resource, ("options.js", "wasm.js", "wasm_module.js")))


def check_wasm(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Compare the answers in Node.js with the model's; what prevents it, if there is no node."""
    node = find_node()
    if node is None:
        return NO_NODE
    return check_in_node(loader(), model, texts, node, {WITHOUT_ENDING: wasm(bundle)})
