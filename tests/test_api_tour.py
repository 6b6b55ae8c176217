"""docs/api-tour.md is a program: it passes `mypy --strict`, names the whole public surface, and runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import seq2see

ROOT = Path(__file__).parent.parent
PROGRAM = "\n".join(
    re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "api-tour.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
)


def test_every_public_name_is_on_the_page() -> None:
    missing = [name for name in seq2see.__all__ if not re.search(rf"\b{name}\b", PROGRAM)]
    assert not missing
    public = [name for name in dir(seq2see.Model) if not name.startswith("_")]
    methods = [name for name in public if callable(getattr(seq2see.Model, name))]
    assert not [name for name in methods if f".{name}(" not in PROGRAM]


def test_the_page_passes_a_strict_type_checker(tmp_path: Path) -> None:
    (tmp_path / "tour.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(
        "import seq2see\n"
        'model = seq2see.load("run")\n'
        'model.predict("a", beam="5")\n'
        'model.predict("a", beem=5)\n'
        "model.predict(None)\n"
        "model.score([1])\n"
        'model.evaluate([("a", "b")], beam=None)\n'
        'model.pack("m", weights="int4")\n'
        'seq2see.load("run", engine="jax")\n',
        encoding="utf-8",
    )
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "tour.py", "wrong.py"],
        capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False,
    )  # fmt: skip
    lines = ran.stdout.splitlines()
    assert not [line for line in lines if line.startswith("tour.py")], ran.stdout
    assert {int(line.split(":")[1]) for line in lines if line.startswith("wrong.py")} == set(range(3, 10)), ran.stdout


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "must be at least 1, not 0" in ran.stdout
