"""Files of any length go through `peeky predict` in bounded memory, and come out in their order."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

import peeky

FEW, MANY = 20_000, 200_000
MOST = 1.2
"""How many times as much the many lines may take. All answers kept would take some five times as much."""

WORDS = ["".join(letters) for length in (1, 2, 3) for letters in product("abcde", repeat=length)]


def peak_of(*arguments: object) -> int:
    """Runs `peeky`, and says the most memory that it held, in the units of the system."""
    child = subprocess.Popen(
        [sys.executable, "-m", "peeky", *map(str, arguments)],
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.stderr.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    assert (child.returncode, said) == (0, b"")
    return usage.ru_maxrss


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system doesn't say what a process took")
def test_ten_times_the_lines_take_no_more_memory(tiny_run: Path, tmp_path: Path) -> None:
    chance = random.Random(0)
    answers = peeky.load(tiny_run, engine="numpy").predict(WORDS)
    expected = {word: answer.text for word, answer in zip(WORDS, answers, strict=True)}
    assert len(set(expected.values())) > 50, "answers that are alike have no order"
    assert all(answer.finished for answer in answers)
    peaks = {}
    for number in (FEW, MANY):
        given = chance.choices(WORDS, k=number)
        path, output = tmp_path / f"{number}.txt", tmp_path / f"{number}.out"
        path.write_text("".join(word + "\n" for word in given))
        flags = ["--engine", "numpy", "--batch-size", "1024", "--input", path, "--output", output]
        peaks[number] = peak_of("predict", tiny_run, *flags)
        assert output.read_text().splitlines() == [expected[word] for word in given]
    assert peaks[MANY] <= MOST * peaks[FEW], peaks
