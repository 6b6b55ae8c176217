"""How many threads the libraries use below the command."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from seq2see import cli

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({}, {"OPENBLAS_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000"}),
        ({"OMP_NUM_THREADS": "4"}, {"OMP_NUM_THREADS": "4", "GOMP_SPINCOUNT": "1000"}),
        ({"OPENBLAS_NUM_THREADS": "2"}, {"OPENBLAS_NUM_THREADS": "2", "GOMP_SPINCOUNT": "1000"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "5"}, {"OPENBLAS_NUM_THREADS": "1", "GOMP_SPINCOUNT": "5"}),
    ],
)
def test_what_the_environment_says_comes_first(
    given: dict[str, str], chosen: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "0")  # so that it is as it was at the end
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    cli.choose_threads()
    assert {name: os.environ[name] for name in NAMES if name in os.environ} == chosen


def test_they_are_chosen_before_a_library_reads_them() -> None:
    code = "import sys, seq2see.cli; sys.exit(any(name in sys.modules for name in ('numpy', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    code = (
        "import os, sys, seq2see.cli as cli\n"
        "cli.run = lambda *_, **__: print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['GOMP_SPINCOUNT'])\n"
        "sys.argv = ['seq2see']; cli.main()"
    )
    bare = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True)
    assert done.stdout == "1 1000\n"
