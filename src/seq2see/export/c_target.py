"""The target C: one C99 file without dependencies, which holds the model, and its header."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import safetensors.numpy

from seq2see.export.bundle import Bundle
from seq2see.export.c_program import write_programs
from seq2see.export.c_text import TextWriter, numbers
from seq2see.export.javascript import one_line
from seq2see.storage.weights import SCALE

PARTS = ("core.c", "text.c", "unicode.c", "units.c", "subwords.c", "search.c", "api.c", "main.c")
INCLUDES = ("limits.h", "math.h", "setjmp.h", "stdint.h", "stdlib.h", "string.h")
ORDER = ("rows", "int8", "float16", "gather", "exp", "tanh", "matmul", "matmul_columns", "lstm", "gru")
"""Of the functions that programs call."""


def header() -> str:
    """What programs that use the model include."""
    return files("seq2see.export").joinpath("c", "seq2see.h").read_text(encoding="utf-8")


def section(name: str) -> list[str]:
    """The lines of a part."""
    return list(sections()[name])


@cache
def sections() -> dict[str, list[str]]:
    """The parts of the C text by name; a part begins with a line `//// name`."""
    found: dict[str, list[str]] = {}
    for part in PARTS:
        text = files("seq2see.export").joinpath("c", part).read_text(encoding="utf-8")
        for each in text.split("//// ")[1:]:
            name, _, lines = each.partition("\n")
            found[name] = [*lines.rstrip("\n").split("\n"), ""]
    return found


def c_source(bundle: Bundle) -> str:
    """The file."""
    codecs = [codec for codec in (bundle.source_codec, bundle.target_codec) if codec is not None]
    text = TextWriter(codecs)
    constants, restored, names, kinds = weight_lines(bundle)
    programs = write_programs(bundle.programs, names, restored)
    kernels = {*programs.kernels, *kinds, "rows"}
    source = bundle.source_codec
    lines = [
        *comment(bundle),
        *header().rstrip("\n").split("\n"),
        "",
        *(f"#include <{name}>" for name in INCLUDES),
        "",
        *limit_lines(bundle),
        *section("memory"),
        *(line for name in ORDER if name in kernels for line in section(name)),
        *constants,
        "",
        *programs.declarations,
        *programs.functions,
        *section("text"),
        *text.unicode_lines(section),
        *text.unit_lines(section, bundle.target_codec),
        *section("codecs"),
        *([] if source is None else text.codec_lines(source, "source", joins=False)),
        *text.codec_lines(bundle.target_codec, "target", joins=True),
        *(["#define SOURCE TARGET", ""] if source is None else []),
        *section("search"),
        *section("api"),
        *section("main"),
    ]
    return "\n".join(lines)


def comment(bundle: Bundle) -> list[str]:
    """What the file is."""
    lines = [f"{bundle.facts['name']}: {bundle.facts['architecture']}, written by seq2see export.", *bundle.checked()]
    lines += [
        "C99; needs libc and libm: cc -O3 -march=native -c NAME.c. Without -ffast-math. A program that answers the",
        "lines of its input: cc -O3 -march=native -DSEQ2SEE_MAIN NAME.c -lm -o NAME.",
        "No variable is changed after it is defined, so threads may call everything at once; memory comes from",
        "SEQ2SEE_MALLOC and SEQ2SEE_FREE, by default malloc and free.",
    ]
    return ["/*", *(f" * {in_comment(line)}" for line in lines), " */"]


def in_comment(text: str) -> str:
    """A name or a sentence without what ends a comment, or what compilers warn of in one."""
    return one_line(text).replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


def limit_lines(bundle: Bundle) -> list[str]:
    """The constants of the model."""
    limits = bundle.limits
    values = {
        "VOCABULARY": len(bundle.target_codec.vocabulary),
        "MAX_LENGTH": limits["maxLength"],
        "LONGEST_INPUT": limits["maxInput"],
        "MAX_POSITIONS": limits["maxPositions"] or 0,
        "HAS_SOURCE": int(bundle.source_codec is not None),
        "HAS_WEIGHTS": int(bundle.programs.has_attention),
    }
    return [
        *(f"#define {name} {value}" for name, value in values.items()),
        f"#define LENGTH_PENALTY {float(bundle.length_penalty)!r}",
        "",
    ]


def weight_lines(bundle: Bundle) -> tuple[list[str], list[str], dict[str, str], set[str]]:
    """The arrays of the weights, what restores them, their names in `prepare`, and the functions for that."""
    stored = safetensors.numpy.load(bundle.weights)
    constants, restored, names, kinds = [], [], {}, set()
    for number, (name, _) in enumerate(bundle.programs.prepare.inputs):
        tensor, own = stored[name], f"weights_{number}"
        names[name] = own
        shape = " x ".join(map(str, tensor.shape))
        constants.append(f"/* {one_line(name)}: {shape} */")
        if tensor.dtype == np.int8:
            kinds.add("int8")
            rows, width = len(tensor), tensor.size // max(1, len(tensor))
            constants += numbers(f"static const signed char {own}_steps[]", tensor.ravel().tolist())
            constants += numbers(f"static const float {own}_scales[]", map(c_float, stored[name + SCALE]))
            restored.append(f"const float *const {own} = from_int8(work, {own}_steps, {own}_scales, {rows}, {width});")
        elif tensor.dtype == np.float16:
            kinds.add("float16")
            constants += numbers(f"static const uint16_t {own}_halves[]", tensor.ravel().view(np.uint16).tolist())
            restored.append(f"const float *const {own} = from_float16(work, {own}_halves, {tensor.size});")
        else:
            constants += numbers(f"static const float {own}[]", map(c_float, tensor.ravel()))
    return constants, restored, names, kinds


def c_float(value: np.float32) -> str:
    """The shortest number that is read as this one."""
    written = str(value)
    return f"{written}f" if "." in written or "e" in written else f"{written}.0f"
