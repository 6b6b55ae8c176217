"""benchmarks/growth.py: everything once, in its smallest size, and what its exponents say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_every_size_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results, picture = tmp_path / "growth.json", tmp_path / "growth.png"
    options = ("--tiny", "--rounds", "1", "--out", results, "--picture", picture)
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "growth.py", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(results.read_text())
    works = ["update", "answer, numpy", "answer, torch"]
    assert [(curve["axis"], curve["work"]) for curve in found[::2]] == [
        *((axis, work) for axis in ("length", "width", "vocabulary", "batch") for work in works),
        *(("hypotheses", work) for work in works[1:]),
        ("pairs", "update"),
        ("pairs", "start"),
    ]
    assert [curve["model"] for curve in found] == ["bidirectional", "transformer"] * (len(found) // 2)
    assert all(second > 0 for curve in found for second in curve["seconds"])
    assert len(done.stdout.splitlines()) == 2 + len(found)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_exponents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from growth import Curve

    curve = Curve("update", "bidirectional", "width", [1, 2, 4, 8], [3.0, 3.0, 3.0, 12.0], 2)
    assert curve.exponent(2) == pytest.approx(2)  # the last step: four times as long for twice the size
    assert curve.exponent() == pytest.approx(0.6)  # least squares by hand: Σ x·y / Σ x² = (1.5 · 2) / 5
