"""An exported C file beside the model in Python: compiled here, the same texts, the same answers."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from seq2see.errors import ConfigError
from seq2see.export.checking import BEAM, SECONDS, Check
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import Prediction

COMPILERS = ("cc", "gcc", "clang")
NO_COMPILER = "not checked, because there is no C compiler on this machine: install gcc or clang, and export again"
FLAGS = ("-std=c99", "-O2", "-DSEQ2SEE_MAIN")
NUM_VECTORS = 20
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def find_compiler() -> list[str] | None:
    """The command of a C compiler: that of the variable CC, or the first that is installed."""
    chosen = shlex.split(os.environ.get("CC", ""))
    return chosen or next(([found] for name in COMPILERS if (found := shutil.which(name))), None)


def compiled(source: str, folder: Path, compiler: Sequence[str], flags: Sequence[str] = FLAGS) -> Path:
    """The program of a C file. ConfigError if it can't be compiled."""
    path = folder / "model.c"
    path.write_text(source, encoding="utf-8")
    program = folder / "model"
    fix = "set the variable CC to gcc or clang; with one of them, this is a defect of seq2see"
    build([*compiler, *flags, str(path), "-lm", "-o", str(program)], fix)
    return program


def build(command: Sequence[str], fix: str) -> None:
    """Run a compiler. ConfigError if it can't compile, with this fix."""
    try:
        ran = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=SECONDS)
    except OSError as error:
        what = f"can't run the compiler: {error.strerror}"
        raise ConfigError(what, where=command[0], fix="set the variable CC to a C compiler, or unset it") from error
    except subprocess.TimeoutExpired as error:
        what = f"compiles the exported model for more than {SECONDS // 60} minutes"
        raise ConfigError(what, where=command[0], fix="--weights int8, or --separate-weights for .c") from error
    if ran.returncode:
        said = next((line for line in ran.stderr.splitlines() if "error" in line), "no message")
        raise ConfigError(f"can't compile the exported model: {said}", where=command[0], fix=fix)


def run_program(
    program: Path, texts: Sequence[str], beam: int, n_best: int = 1, weights: Path | None = None
) -> list[list[tuple[str, float]]]:
    """The answers to each text, each with its log-probability. ConfigError if it ends early.

    A text without an answer has "error" with its number, and the program then ends with 1.
    """
    given = "".join(f"{text.translate(ESCAPES)}\n" for text in texts)
    command = [str(program), *([] if weights is None else [str(weights)]), "escaped", str(beam), str(n_best)]
    ran = subprocess.run(command, input=given, capture_output=True, encoding="utf-8", check=False, timeout=SECONDS)
    lines = ran.stdout.split("\n")[:-1]
    if ran.returncode not in (0, 1) or len(lines) != len(texts):
        said = next(iter(ran.stderr.splitlines()), "no message")
        raise ConfigError(f"the exported model ended with {ran.returncode}: {said}", where="export", fix="report this")
    rows = [line.split("\t") for line in lines]
    return [[(text, float(number)) for text, number in zip(row[::2], row[1::2], strict=True)] for row in rows]


def check_in_c(source: str, model: Predictor, texts: Sequence[str], weights: bytes = b"") -> Check | str:
    """Compare the file's answers with the model's; what prevents it, if there is no compiler.

    `weights` is what is in the file of the weights, if they are in one.
    """
    compiler = find_compiler()
    if compiler is None:
        return NO_COMPILER
    same, difference, seconds = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(source, Path(folder), compiler)
        path = Path(folder) / "model.weights" if weights else None
        if path is not None:
            path.write_bytes(weights)
        for beam in (1, BEAM):
            start = time.perf_counter()
            answers = run_program(program, texts, beam, weights=path)
            seconds += time.perf_counter() - start
            number = 0
            for expected, ((text, log_prob), *_) in zip(model.predict(list(texts), beam=beam), answers, strict=True):
                if expected.text.translate(ESCAPES) == text:
                    number += 1
                    if math.isfinite(expected.log_prob):
                        difference = max(difference, abs(expected.log_prob - log_prob))
            same.append(number)
    milliseconds = 1000 * seconds / max(1, 2 * len(texts))
    return Check(len(texts), (same[0], same[1]), difference, milliseconds, Path(compiler[0]).name)


def vectors(model: Predictor, texts: Sequence[str]) -> str:
    """Answers for a self-check on another machine: beam, text, answer, log-probability."""
    chosen = list(texts[:: max(1, -(-len(texts) // NUM_VECTORS))])
    lines = []
    for beam in (1, BEAM):
        for text, answer in zip(chosen, model.predict(chosen, beam=beam), strict=True):
            lines.append(vector(beam, text, answer))
    return "".join(lines)


def vector(beam: int, text: str, answer: Prediction) -> str:
    """One line of them."""
    return f"{beam}\t{text.translate(ESCAPES)}\t{answer.text.translate(ESCAPES)}\t{answer.log_prob!r}\n"
