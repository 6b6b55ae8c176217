"""The tables of docs/ladder.md: every row is a training run of the `seq2see` command, evaluated on a test set.

    SEQ2SEE_DATA=… python benchmarks/ladder.py addition date pronunciation [--out runs/ladder] [--jobs 2]

Existing runs are only evaluated again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data"))
BOOK_SIZES = [
    "model.embedding=16", "model.width=128", "model.dropout=0", "training.batch_size=128", "training.max_epochs=25",
    "training.label_smoothing=0",
]  # fmt: skip


class Job(NamedTuple):
    """One training run and its test file."""

    name: str
    train: Path
    dev: Path
    test: Path
    arguments: list[str]


def addition() -> list[Job]:
    """Sums with the book's model sizes; exact match on test."""
    folder = DATA / "book_addition"
    variants = {"plain": ["plain"], "reverse": ["reverse"], "reverse + peeky": ["peeky", "model.direction=backward"]}
    return [
        job(f"addition {name}", folder, ["--model", model, "--set", *BOOK_SIZES, *settings])
        for name, (model, *settings) in variants.items()
    ]


def date() -> list[Job]:
    """Dates within three epochs; exact match on test, and on the test lines that are not in the training data."""
    folder = DATA / "book_date"
    return [
        job(f"date {model}", folder, ["--model", model, "--set", "training.max_epochs=3", "model.width=256"])
        for model in ("attention", "bidirectional", "peeky", "plain")
    ]


def pronunciation() -> list[Job]:
    """Graphemes to phonemes with attention and default options; word error rate on test."""
    sets = [f"g2p_sig20/{language}" for language in ("hun", "dut", "fre")]
    sets += [f"g2p_sig21/medium/{language}" for language in ("hun", "dut")]
    attention = ["--model", "bidirectional"]
    return [
        job(f"pronunciation {name} seed {seed}", DATA / name, [*attention, "--set", f"training.seed={seed}"])
        for name in sets
        for seed in (1, 2, 3)
    ]


def job(name: str, folder: Path, arguments: list[str]) -> Job:
    """A run on the train and dev files of a folder, with its test file."""
    return Job(name, folder / "train.tsv", folder / "dev.tsv", folder / "test.tsv", arguments)


def run(job: Job, out: Path, threads: int) -> str:
    """Train unless finished, evaluate greedily and with beam 5; returns a row of the table."""
    folder = out / job.name.replace(" ", "-").replace("/", "-")
    if not finished(folder):
        seq2see("train", job.train, "--dev", job.dev, "--out", folder, "--force", *job.arguments, threads=threads)
    events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    greedy, beam = (
        json.loads(seq2see("evaluate", folder, job.test, "--json", "--beam", width, threads=threads))
        for width in (1, 5)
    )
    cells = [job.name, f"{events[-1]['update']:,}", f"{events[-1]['seconds']:.0f}"]
    cells += [f"{100 * scores['exact_match']:.2f}" for scores in (greedy, beam)]
    unseen = unseen_lines(job, folder / "unseen.tsv")
    if unseen is not None:
        scores = json.loads(seq2see("evaluate", folder, unseen, "--json", threads=threads))
        cells.append(f"unseen lines ({scores['count']:,}): {100 * scores['exact_match']:.2f}")
    return "| " + " | ".join(cells) + " |"


def finished(folder: Path) -> bool:
    """Whether the run in this folder has ended."""
    metrics = folder / "metrics.jsonl"
    return metrics.exists() and '"event": "end"' in metrics.read_text(encoding="utf-8")


def unseen_lines(job: Job, path: Path) -> Path | None:
    """A file of the test lines that are not in train or dev; None if that is all of them."""
    seen = set(job.train.read_text(encoding="utf-8").splitlines()) | set(
        job.dev.read_text(encoding="utf-8").splitlines()
    )
    lines = job.test.read_text(encoding="utf-8").splitlines()
    unseen = [line for line in lines if line not in seen]
    if len(unseen) == len(lines):
        return None
    path.write_text("\n".join(unseen) + "\n", encoding="utf-8")
    return path


def seq2see(*arguments: object, threads: int) -> str:
    """The output of the command, without its progress."""
    done = subprocess.run(
        [sys.executable, "-m", "seq2see", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def means(rows: Iterable[str]) -> list[str]:
    """The mean over seeds of each pronunciation set, as word error rates."""
    by_set: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        name, _, _, greedy, beam = (cell.strip() for cell in row.strip("| ").split("|")[:5])
        if " seed " in name:
            by_set.setdefault(name.partition(" seed ")[0], []).append((100 - float(greedy), 100 - float(beam)))
    lines = []
    for name, rates in by_set.items():
        greedy_mean, beam_mean = map(statistics.mean, zip(*rates, strict=True))
        lines.append(f"| {name} | greedy {greedy_mean:.2f} | beam 5 {beam_mean:.2f} |")
    return lines


def main() -> None:
    """Run the chosen tables."""
    tables = {"addition": addition, "date": date, "pronunciation": pronunciation}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", choices=list(tables))
    parser.add_argument("--out", type=Path, default=Path("runs/ladder"))
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    threads = max(1, (os.cpu_count() or 1) // arguments.jobs)
    jobs = [job for table in arguments.tables for job in tables[table]()]
    print("| run | updates | seconds | exact match, greedy | exact match, beam 5 |")
    print("|---|---|---|---|---|", flush=True)
    rows = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for row in pool.map(lambda job: run(job, arguments.out, threads), jobs):
            print(row, flush=True)
            rows.append(row)
    print("\n".join(["", "mean word error rates:", *means(rows)]) if means(rows) else "")


if __name__ == "__main__":
    main()
