"""How long a person waits: for help, for the first update of a training run, for the demo's answer.

SEQ2SEE_DATA=… python benchmarks/start_up.py
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def seconds(run: Callable[[], object], times: int = 5) -> str:
    """The median of some runs, and their range."""
    measured = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        measured.append(time.perf_counter() - start)
    return f"{statistics.median(measured):.2f} s ({min(measured):.2f} to {max(measured):.2f})"


def python(*arguments: str) -> Callable[[], object]:
    """A Python process run to its end."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def first_update(out: Path) -> None:
    """Training on book_date from typing to the first update written down."""
    train = Path(os.environ["SEQ2SEE_DATA"]) / "book_date" / "train.tsv"
    process = subprocess.Popen(
        [sys.executable, "-m", "seq2see", "train", str(train), "--out", str(out), "--force"], stderr=subprocess.DEVNULL
    )
    metrics = out / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and "update" in metrics.read_text()):
        time.sleep(0.01)
    process.kill()
    process.wait()
    shutil.rmtree(out)


def main() -> None:
    """Print a line a measurement."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        print("python -c 'import numpy':", seconds(python("-c", "import numpy")))
        print("python -c 'import seq2see':", seconds(python("-c", "import seq2see")))
        print("seq2see --help:", seconds(python("-m", "seq2see", "--help")))
        print("python -c 'import torch':", seconds(python("-c", "import torch")))
        print("seq2see train (42,500 pairs) to its first update:", seconds(lambda: first_update(out / "first"), 3))
        print("seq2see demo:", seconds(python("-m", "seq2see", "demo", "--out", str(out / "demo")), 3))


if __name__ == "__main__":
    main()
