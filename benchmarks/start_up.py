"""How long a person waits: for help, for one answer, for the first update of a training run, for the demo.

SEQ2SEE_DATA=… python benchmarks/start_up.py model.seq2see [--rounds 7] [--demo]

CPU seconds, user and system, of whole processes, one after the other in each round, so that other programs affect all
alike; the medians of the rounds, with their range.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As after an installation by pip, which compiles the modules."""


def cpu_of(run: Callable[[], object]) -> float:
    """What the processes that it starts and waits for take."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def python(*arguments: str) -> Callable[[], object]:
    """A Python process run to its end."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=ENVIRONMENT)


def first_update(out: Path) -> None:
    """Training on book_date from typing to the first update written down."""
    train = Path(os.environ["SEQ2SEE_DATA"]) / "book_date" / "train.tsv"
    process = subprocess.Popen(
        [sys.executable, "-m", "seq2see", "train", str(train), "--out", str(out), "--force"],
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    metrics = out / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and "update" in metrics.read_text()):
        time.sleep(0.01)
    process.kill()
    process.wait()
    shutil.rmtree(out)


def main() -> None:
    """Print a line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a packed model")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--demo", action="store_true", help="the demo too")
    arguments = parser.parse_args()
    answer = f"import seq2see; seq2see.load({arguments.model!r}).predict(['word'])"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        runs = {
            "python -c 'import numpy'": python("-c", "import numpy"),
            "python -c 'import seq2see'": python("-c", "import seq2see"),
            "seq2see --help": python("-m", "seq2see", "--help"),
            f"seq2see predict {arguments.model} word": python("-m", "seq2see", "predict", arguments.model, "word"),
            "seq2see.load(…).predict(['word'])": python("-W", "ignore", "-c", answer),
            "python -c 'import torch'": python("-c", "import torch"),
            "seq2see train (42,500 pairs) to its first update": lambda: first_update(out / "first"),
        }
        if arguments.demo:
            runs["seq2see demo"] = python("-m", "seq2see", "demo", "--out", str(out / "demo"))
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(arguments.rounds + 1):
            for name, run in runs.items():
                taken = cpu_of(run)
                if number:  # the first compiles modules and fills the cache of the disk
                    seconds[name].append(taken)
    for name, each in seconds.items():
        print(f"{name}: {statistics.median(each):.2f} s ({min(each):.2f} to {max(each):.2f})")


if __name__ == "__main__":
    main()
