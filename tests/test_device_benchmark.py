"""benchmarks/device.py, which is made for GPUs: all of it on the CPU, in the smallest size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "device.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_everything_is_measured_on_a_cpu(tmp_path: Path) -> None:
    done = run("--device", "cpu", "--size", "tiny", "--out", str(tmp_path / "results.json"))
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["precision"] for row in results["products"]] == ["float32", "bfloat16"]
    assert all(row["tera_per_second"] > 0 for row in results["products"])
    trained = [row for row in results["training"] if row["precision"] == "float32"]
    assert [row["model"] for row in trained] == ["bidirectional", "transformer"]
    assert all(row["target_tokens_per_second"] > 0 and row["share_of_product"] > 0 for row in trained)
    assert [(row["model"], row["beam"], row["batch"]) for row in results["answers"]] == [
        (model, beam, batch) for model in ("bidirectional", "transformer") for beam in (1, 5) for batch in (1, 128)
    ]
    assert all(row["texts_per_second"] > 0 for row in results["answers"])
    answered = results["same_answers"]
    assert len(answered) == 4
    for row in answered:
        assert row["other_texts"] == {"in a batch": 0, "with padding": 0}
        assert row["largest_difference"] < 1e-4
    assert [(row["deterministic"], row["same_bits"]) for row in results["same_weights"]] == [
        *((False, True), (True, True)) * 2
    ]
    assert all(row["parameters"] > 0 for row in results["models"])
    # A CPU lacks some kernels: the reason stands in place of the time.
    assert all(("reason" in row) != ("microseconds" in row) for row in results["kernels"])
    assert any("microseconds" in row for row in results["kernels"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_device_that_is_not_there() -> None:
    done = run("--device", "cuda")
    assert done.returncode == 2
    assert "cuda is unavailable" in done.stderr
