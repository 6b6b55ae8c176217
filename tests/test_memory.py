"""Files of any length go through `seq2see predict` in bounded memory, and come out in their order."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

import seq2see

FEW, MANY = 20_000, 200_000
MOST = 1.1
"""How many times as much the many lines may take: the lines alone, kept, would take 12 MB of these 60."""

WORDS = ["".join(letters) for length in (1, 2, 3) for letters in product("abcde", repeat=length)]


MEASURE = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(usage.ru_maxrss)
sys.exit(child.returncode)
"""
"""By a small process between: what a process took is never less than what the one that started it held."""


def peak_of(*arguments: object) -> int:
    """Runs `seq2see`, and says the most memory that it held, in the units of the system."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, "-m", "seq2see", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system doesn't say what a process took")
def test_ten_times_the_lines_take_no_more_memory(tiny_run: Path, tmp_path: Path) -> None:
    chance = random.Random(0)
    answers = seq2see.load(tiny_run, engine="numpy").predict(WORDS)
    expected = {word: answer.text for word, answer in zip(WORDS, answers, strict=True)}
    assert len(set(expected.values())) > 20, "answers that are alike have no order"
    peaks = {}
    for number in (FEW, MANY):
        given = chance.choices(WORDS, k=number)
        path, output = tmp_path / f"{number}.txt", tmp_path / f"{number}.out"
        path.write_text("".join(word + "\n" for word in given))
        flags = ["--engine", "numpy", "--batch-size", "1024", "--format", "jsonl", "--input", path, "--output", output]
        peaks[number] = peak_of("predict", tiny_run, *flags)
        with output.open(encoding="utf-8") as lines:
            for place, (word, line) in enumerate(zip(given, lines, strict=True), start=1):
                found = json.loads(line)
                assert (found["number"], found["source"]) == (place, word)
                assert found["answers"][0]["text"] == expected[word]
    assert peaks[MANY] <= MOST * peaks[FEW], peaks
