"""Corpora larger than memory: speed of the preparation, memory and start-up time of training.

    python benchmarks/corpus.py [--pairs 5000000] [--workers 2] [--folder FOLDER]

Generates two files of synthetic pairs, one a tenth of the other, prepares both and trains on them for a few hundred
updates. Prints pairs per second, the memory of the training process (RSS, own memory and mapped files separately; the
system can reclaim the latter), and the seconds from the start of a resumed run to its first update.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import numpy as np

AT = (50, 300)
"""Updates after which memory is reported."""


def make_pairs(path: Path, count: int) -> None:
    """Write words of random letters and the same reversed, as long as the words of a pronunciation dictionary."""
    rng = np.random.default_rng(1)
    with path.open("w", encoding="ascii") as file:
        for _ in range(0, count, 100_000):
            rows = min(100_000, count)
            letters = rng.integers(97, 123, (rows, 12), np.uint8).tobytes().decode()
            lengths = rng.integers(3, 13, rows).tolist()
            words = [letters[12 * row : 12 * row + length] for row, length in enumerate(lengths)]
            file.write("".join(f"{word}\t{word[::-1]}\n" for word in words))


def memory() -> dict[str, float]:
    """Memory of this process in MB: its own, and mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return {"anonymous": int(values["RssAnon"]) / 1024, "mapped": int(values["RssFile"]) / 1024}


def child(corpus: str, run: str, began: float, resume: bool, workers: int) -> None:
    """Train, and print the measurements as JSON."""
    from rich.console import Console

    from seq2see.config import make_config
    from seq2see.run.train import train
    from seq2see.training.trainer import Trainer

    found: dict[str, object] = {}
    recent: deque[dict[str, float]] = deque(maxlen=10)
    update, last = Trainer._update, 350 if resume else 320

    def measured(trainer: Trainer, *arguments: object) -> None:
        found.setdefault("imports_to_first", time.time() - began)
        found.setdefault("processor_to_first", time.process_time())
        update(trainer, *arguments)  # type: ignore[arg-type]
        number = trainer.progress.update
        recent.append(memory())  # mapped files are released at every tenth update: take the maximum since then
        if number in AT:
            found[str(number)] = {name: max(each[name] for each in recent) for name in recent[0]}
            found[f"at {number}"] = time.perf_counter()
        found["last"] = number

    Trainer._update = measured  # type: ignore[method-assign,assignment]
    settings = {
        "data.train": corpus, "data.workers": workers, "model.width": 64, "training.max_updates": last,
        "training.evaluate_every": 100_000, "training.checkpoint_every": 310, "training.precision": "float32",
    }  # fmt: skip
    quiet = Console(quiet=True)
    config = make_config({}, settings)
    train(config, Path(run), given=set(settings), resume=resume, allow_changes=resume, device="cpu", console=quiet)
    if not resume:
        found["updates_a_second"] = (AT[1] - AT[0]) / (found["at 300"] - found["at 50"])  # type: ignore[operator]
    print(json.dumps(found))


def trained(corpus: Path, run: Path, *, resume: bool = False, workers: int = 0) -> dict[str, object]:
    """The measurements of a training run in a new process."""
    command = [sys.executable, __file__, "--child", str(corpus), str(run), str(time.time()), str(int(resume))]
    done = subprocess.run([*command, str(workers)], check=True, capture_output=True, text=True)
    measured: dict[str, object] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Generate, prepare, train, print."""
    if sys.argv[1:2] == ["--child"]:
        corpus, run, began, resume, workers = sys.argv[2:]
        return child(corpus, run, float(began), resume == "1", int(workers))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="seq2see-corpus-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    for count in (options.pairs // 10, options.pairs):
        source, corpus = folder / f"{count}.tsv", folder / f"corpus-{count}"
        make_pairs(source, count)
        began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "seq2see", "prepare", str(source), "--out", str(corpus)]
        subprocess.run([*command, "--workers", str(options.workers)], check=True, capture_output=True)
        seconds, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        size = sum(path.stat().st_size for path in corpus.iterdir())
        print(
            f"{count:,} pairs ({source.stat().st_size / 1e6:.0f} MB of text, {size / 1e6:.0f} MB prepared): "
            f"{seconds:.0f} s, {count / seconds:,.0f} pairs/s with {options.workers} processes; "
            f"{cpu:.0f} CPU seconds, {count / cpu:,.0f} pairs/s per core; "
            f"peak memory of one process {now.ru_maxrss / 1024:.0f} MB",
            flush=True,
        )
        for workers in (0, 2):
            run = folder / f"run-{count}-{workers}"
            shutil.rmtree(run, ignore_errors=True)
            found = trained(corpus, run, workers=workers)
            said = [
                f"after {at}: {values['anonymous']:.0f} MB own, {values['mapped']:.0f} MB mapped"  # type: ignore[index]
                for at in AT
                if (values := found[str(at)])
            ]
            rate, first = found["updates_a_second"], found["imports_to_first"]
            print(
                f"  workers {workers}: {'; '.join(said)}; {rate:.1f} updates/s, first update after {first:.1f} s "
                f"({found['processor_to_first']:.1f} CPU seconds)",
                flush=True,
            )
        again = trained(corpus, folder / f"run-{count}-0", resume=True)
        print(
            f"  resumed: first update after {again['imports_to_first']:.1f} s "
            f"({again['processor_to_first']:.1f} CPU seconds)",
            flush=True,
        )
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
