"""Exported C files under libFuzzer, which looks for bytes that reach more of the code, and the sanitizers of clang."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from export.test_text import PIECES, random_texts
from fuzz.c_models import FuzzModel
from seq2see.export.c_target import c_source, weights_file

HARNESS = Path(__file__).with_name("c_harness.c")
FLAGS = ("-std=gnu99", "-O2", "-g", "-w", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
# Records of every comparison make it eight times slower, most of them those of log-probabilities.
FLAGS += ("-fno-sanitize-coverage=trace-cmp", "-fprofile-instr-generate", "-fcoverage-mapping")
LIMITS = ("-max_len=300", "-timeout=60", "-rss_limit_mb=2048")
MISSING = "there is no clang with libFuzzer: apt-get install clang libclang-rt-dev"
OPTION_BYTES = 7
"""Before the text."""


class Crash(NamedTuple):
    """Bytes that break a rule."""

    data: bytes
    said: str
    """What a sanitizer or the harness reported."""


class Fuzzed(NamedTuple):
    """What became of one model."""

    name: str
    executions: int
    lines: tuple[int, int]
    """Of code in the exported file: those that were reached, and all; 0 without llvm-cov, or after a crash."""
    crash: Crash | None

    def __str__(self) -> str:
        reached, lines = self.lines
        line = f"{self.name}: {self.executions:,} executions"
        line += f", {reached:,} of {lines:,} lines of C reached" if lines else ""
        if self.crash is None:
            return line
        data, said = self.crash
        text = f"text {data[OPTION_BYTES:]!r}" if len(data) > OPTION_BYTES else "no text"
        return f"{line}\n{said}\n{self.name}: input {data.hex()} ({text})"


@cache
def find_fuzzer() -> str | None:
    """The command of a clang that has libFuzzer."""
    clang = shutil.which("clang")
    if clang is None:
        return None
    empty = "int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size) { return data[0] + size > 9; }"
    with tempfile.TemporaryDirectory() as folder:
        command = [clang, *FLAGS, "-xc", "-", "-o", f"{folder}/empty"]
        ran = subprocess.run(command, input=empty, capture_output=True, encoding="utf-8", check=False)
    return None if ran.returncode else clang


def build(model: FuzzModel, folder: Path, clang: str, broken: tuple[str, str] | None = None) -> Path:
    """The program of a model. `broken` replaces text in the C file, to see whether that is found."""
    bundle = model.bundle()
    source = c_source(bundle, separate=model.reads_a_file)
    if broken is not None:
        assert broken[0] in source
        source = source.replace(*broken)
    defined = [f'-DINCLUDED_MODEL="{folder}/model.c"']
    if model.reads_a_file:
        # Whoever changes a file can compute its checksum, too.
        forged = r"#define WEIGHTS_CHECKSUM (is_forged ? checksum(bytes, number) : \1)"
        source = re.sub(r"#define WEIGHTS_CHECKSUM (\d+u)", forged, source)
        (folder / "right.weights").write_bytes(weights_file(bundle))
        defined += ["-DFUZZ_WEIGHTS", f'-DRIGHT_WEIGHTS="{folder}/right.weights"']
    (folder / "model.c").write_text(source, encoding="utf-8")
    program = folder / "fuzz"
    subprocess.run([clang, *FLAGS, *defined, str(HARNESS), "-lm", "-o", str(program)], check=True)
    return program


def write_seeds(folder: Path) -> None:
    """Texts of many scripts to begin with, each behind options."""
    folder.mkdir(exist_ok=True)
    chance = random.Random(1)
    for number, text in enumerate(random_texts(60)):
        options = bytes([*chance.choices(range(256), k=OPTION_BYTES - 2), 0, 0])
        (folder / f"seed-{number}").write_bytes(options + text.encode())


def dictionary() -> str:
    """Pieces of texts for libFuzzer to put together."""
    escaped = ("".join(rf"\x{byte:02x}" for byte in piece.encode()) for piece in dict.fromkeys(PIECES))
    return "".join(f'"{each}"\n' for each in escaped)


def fuzz(name: str, program: Path, until: str) -> Fuzzed:
    """Let libFuzzer try bytes until this option of it says so."""
    folder = program.parent
    write_seeds(folder / "corpus")
    (folder / "pieces").write_text(dictionary(), encoding="utf-8")
    return ran(name, program, until, *LIMITS, f"-dict={folder}/pieces", f"{folder}/corpus")


def try_once(name: str, program: Path, data: bytes) -> Fuzzed:
    """Only these bytes."""
    path = program.with_name("input")
    path.write_bytes(data)
    found = ran(name, program, str(path))
    return found._replace(executions=1, crash=found.crash and found.crash._replace(data=data))


def ran(name: str, program: Path, *arguments: str) -> Fuzzed:
    """Run the program of a model, and read what libFuzzer says."""
    folder = program.parent
    command = [program, f"-artifact_prefix={folder}/found-", *arguments]
    environment = {**os.environ, "LLVM_PROFILE_FILE": f"{folder}/profile"}
    ended = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, env=environment
    )
    said, crash = ended.stderr, None
    if ended.returncode:
        first = re.search("ERROR:|runtime error:|SUMMARY:", said)
        start = first.start() if first else 0
        found = next(folder.glob("found-*"), None)
        crash = Crash(b"" if found is None else found.read_bytes(), said[said.rfind("\n", 0, start) + 1 :][:3000])
    numbers = [int(each) for each in re.findall(r"^#(\d+)\t", said, re.MULTILINE)]
    return Fuzzed(name, max(numbers, default=0), lines_reached(program), crash)


def lines_reached(program: Path) -> tuple[int, int]:
    """Of the exported file; see `Fuzzed`."""
    profile = program.with_name("profile")
    if not (shutil.which("llvm-profdata") and shutil.which("llvm-cov") and profile.exists() and profile.stat().st_size):
        return 0, 0
    merged = f"{profile}.merged"
    subprocess.run(["llvm-profdata", "merge", profile, "-o", merged], check=True)
    command = ["llvm-cov", "export", "-summary-only", f"-instr-profile={merged}", program]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["data"]
    (lines,) = (each["summary"]["lines"] for each in found["files"] if each["filename"].endswith("model.c"))
    return lines["covered"], lines["count"]
