"""A few of the executions that `scripts/fuzz-c` makes by the hundred thousand, and proof that it finds faults."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.c_fuzzing import MISSING, OPTION_BYTES, build, find_fuzzer, fuzz, try_once
from fuzz.c_models import MODELS, Side
from seq2see.export.c_text import FORMS, UNITS

FEW = "-runs=300"
SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz-c"


@pytest.fixture(scope="module")
def clang() -> str:
    found = find_fuzzer()
    if found is None:
        pytest.skip(MISSING)
    return found


def test_every_unit_and_normal_form_is_fuzzed() -> None:
    read = [model.source or model.target for model in MODELS.values()]
    written = [model.target for model in MODELS.values()]
    assert {unit for side in read for unit in units_of(side)} == set(UNITS)
    assert {unit for side in written for unit in units_of(side)} == set(UNITS)
    assert {side.normalization for side in read} == set(FORMS)
    assert {side.case for side in read} == {"keep", "fold"}


def units_of(side: Side) -> tuple[str, ...]:
    return (side.unit,) if isinstance(side.unit, str) else side.unit


@pytest.mark.parametrize("name", ["fields", "a file, int8"])
def test_bytes_break_no_rule(name, clang, tmp_path: Path) -> None:
    found = fuzz(name, build(MODELS[name], tmp_path, clang), FEW)
    assert found.crash is None, str(found)
    assert found.executions >= 300
    reached, lines = found.lines
    assert reached > lines / 3 or not lines


BROKEN = {
    "heap-buffer-overflow": ("(work, text.length + 1, sizeof(uint32_t))", "(work, text.length / 2, sizeof(uint32_t))"),
    "broken rule": ("  end_work(&work);\n  if (error)", "  if (error)"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_broken_rule_is_found_and_repeated_from_its_bytes(rule, clang, tmp_path: Path) -> None:
    name = "characters"
    program = build(MODELS[name], tmp_path, clang, BROKEN[rule])
    found = fuzz(name, program, "-runs=5000")
    assert found.crash is not None and rule in found.crash.said
    assert len(found.crash.data) > OPTION_BYTES
    printed = re.search(r"input ([0-9a-f]+) \(text ", str(found))
    assert printed is not None
    again = try_once(name, program, bytes.fromhex(printed[1]))
    assert again.crash is not None and rule in again.crash.said


def test_the_script_tries_one_input_and_says_what_it_needs(clang) -> None:
    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), *arguments]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=600)

    once = ran("--only", "continued bytes", "--input", "05000000000000" + b"abc".hex())
    assert once.returncode == 0, once.stderr
    assert once.stdout.splitlines()[-1].startswith("1 executions") and once.stdout.endswith("0 crashes\n")
    for arguments in ((), ("--input", "00"), ("--minutes", "1", "--only", "bpe", "--input", "00")):
        assert ran(*arguments).returncode == 2
