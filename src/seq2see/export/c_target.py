"""The target C: one C99 file without dependencies, and its header.

It holds the model, or reads its weights from a file beside it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from seq2see.export.bundle import Bundle
from seq2see.export.c_program import write_programs
from seq2see.export.c_text import TextWriter
from seq2see.export.c_weights import PANEL, CWeights, c_weights
from seq2see.export.javascript import one_line

PARTS = ("core.c", "weights.c", "text.c", "unicode.c", "units.c", "subwords.c", "search.c", "api.c", "main.c", "wasm.c")
INCLUDES = ("limits.h", "math.h", "setjmp.h", "stdint.h", "stdlib.h", "string.h")
ORDER = (
    *("rows", "int8", "float16", "gather", "exp", "tanh"),
    *("matmul", "matmul_columns", "panels", "in_panels", "matmul_panels", "matmul_int8"),
    *("product", "product_panels", "product_int8", "lstm", "gru"),
)
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


System = Literal["libc", "wasm"]


def weights_for(bundle: Bundle, system: System, *, separate: bool = True) -> CWeights:
    """The weights as the code has them.

    WebAssembly has few registers for sums, and its products take up to four times longer with int8: no panels there.
    """
    return c_weights(bundle, separate=separate or system == "wasm", in_panels=system != "wasm")


def weights_file(bundle: Bundle, system: System = "libc") -> bytes:
    """The file of the weights, for `c_source` with them `separate`, and for WebAssembly."""
    return weights_for(bundle, system).file


def c_source(bundle: Bundle, *, separate: bool = False, system: System = "libc") -> str:
    """The file; with `separate` it reads its weights from another.

    On the system `wasm` there is no C library, and the weights are of `weights_file`, which the assembler reads.
    """
    is_wasm = system == "wasm"
    codecs = [codec for codec in (bundle.source_codec, bundle.target_codec) if codec is not None]
    text = TextWriter(codecs)
    weights = weights_for(bundle, system, separate=separate)
    programs = write_programs(weights)
    kernels = {*programs.kernels, *weights.kinds, "rows"}
    if "product_int8" in kernels:
        kernels.discard("product_panels")  # the other one reads float too
    assert sum(name.startswith("product") for name in kernels) <= 1, "all recurrent layers multiply in the same way"
    source = bundle.source_codec
    lines = [
        *comment(bundle),
        *header().rstrip("\n").split("\n"),
        "",
        *(section("wasm system") if is_wasm else [*(f"#include <{name}>" for name in INCLUDES), ""]),
        *limit_lines(bundle),
        *section("memory"),
        *section("wasm fail" if is_wasm else "fail"),
        *section("blocks"),
        *section("wasm release" if is_wasm else "release"),
        *(line for name in ORDER if name in kernels for line in section(name)),
        *weights.constants,
        "",
        *section("wasm weights" if is_wasm else "weights in a file" if separate else "weights in the source"),
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
        *section("wasm api" if is_wasm else "main"),
    ]
    return "\n".join(lines)


def comment(bundle: Bundle) -> list[str]:
    """What the file is."""
    lines = [f"{bundle.facts['name']}: {bundle.facts['architecture']}, written by seq2see export.", *bundle.checked()]
    lines += [
        "C99; needs libc and libm: cc -O3 -march=native -c NAME.c. Without -ffast-math. A program that answers the",
        "lines of its input: cc -O3 -march=native -DSEQ2SEE_MAIN NAME.c -lm -o NAME.",
        "Only seq2see_init changes a variable, so threads may call all other functions at once; memory comes from",
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
        "PANEL": PANEL,
        "HAS_WEIGHTS": int(bundle.programs.has_attention),
    }
    return [
        *(f"#define {name} {value}" for name, value in values.items()),
        f"#define LENGTH_PENALTY {float(bundle.length_penalty)!r}",
        "",
    ]
