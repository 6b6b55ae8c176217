"""float32 or bfloat16: training speed and accuracy of each.

    SEQ2SEE_DATA=… python benchmarks/precision.py speed [--threads 1 2] [--rounds 40] [--updates 5]
    SEQ2SEE_DATA=… python benchmarks/precision.py accuracy [--seeds 1] [--jobs 2] [--out runs/precision]

Both train on the Dutch words of SIGMORPHON 2021 with seq2see's own recipe, `accuracy` for fewer updates. `speed` runs
the two precisions in turn, a few updates each on the same batches, so that other load on the machine
slows both alike; a figure is the median over the stretches, a ratio the median of the ratios of two that lie side by
side. Beside it stands what `precision = "auto"` chooses. `accuracy` trains each to its end through the
`seq2see` command; an existing run is only evaluated again. `--models attention-256` leaves the others out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from seq2see.config import Config
from seq2see.data import read_pairs
from seq2see.model import ModelOptions, build
from seq2see.run.plan import RunPlan
from seq2see.run.planning import plan_run
from seq2see.training import TrainingOptions, choose_precision
from seq2see.training.bare import updates

FOLDER = Path(os.environ.get("SEQ2SEE_DATA", "data")) / "g2p_sig21" / "medium" / "dut"
MODELS = {"attention-256": 1500, "attention-512": 600, "gnmt-256": 600, "transformer-256": 1500}
"""Name and width, and the updates that `accuracy` trains it for; seq2see's own recipe has 6,000."""
PRECISIONS = ("float32", "bfloat16")
WARM_UP = 10.0
"""Seconds; under bfloat16 oneDNN compiles a kernel for every new batch shape."""


def speed(models: list[str], threads: list[int], rounds: int, updates: int) -> None:
    """The two precisions of each model side by side, at each number of threads."""
    pairs = read_pairs([FOLDER / "train.tsv"]).pairs
    dev = read_pairs([FOLDER / "dev.tsv"]).pairs
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} processors, load average {load}; {rounds} turns of {updates} updates each")
    print("| model | threads | float32, target tokens/s | bfloat16, target tokens/s | ratio | auto chooses |")
    print("|---|---|---|---|---|---|", flush=True)
    for model in models:
        name, _, width = model.partition("-")
        plan = plan_run(Config(model=ModelOptions(name=name, width=int(width))), pairs, dev)
        for number in threads:
            torch.set_num_threads(number)
            rates = side_by_side(plan, rounds, updates)
            ratios = [fast / slow for slow, fast in zip(*rates.values(), strict=True)]
            chosen = choose_precision(torch.device("cpu"), plan.blueprint)
            cells = [f"`{name}` {width}", str(number), *(spread(values, ",.0f") for values in rates.values())]
            cells += [spread(ratios, ".2f"), chosen]
            print("| " + " | ".join(cells) + " |", flush=True)


def side_by_side(plan: RunPlan, rounds: int, updates: int) -> dict[str, list[float]]:
    """Target tokens per second of every turn, by precision."""
    running = {precision: target_tokens(plan, precision) for precision in PRECISIONS}
    for trained in running.values():
        warm = time.perf_counter() + WARM_UP
        while time.perf_counter() < warm:
            next(trained)
    rates: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for _ in range(rounds):
        for precision, trained in running.items():
            start = time.perf_counter()
            tokens = sum(islice(trained, updates))
            rates[precision].append(tokens / (time.perf_counter() - start))
    return rates


def target_tokens(plan: RunPlan, precision: str) -> Iterator[int]:
    """The target tokens of each update of the real trainer, one update per step of the iterator."""
    options = TrainingOptions(**(vars(plan.config.training) | {"precision": precision, "schedule": "constant"}))
    torch.manual_seed(options.seed)
    trained = updates(build(plan.blueprint, plan.sizes), plan.examples, options)
    return (batch.target_tokens for batch in trained)


def spread(values: list[float], form: str) -> str:
    """The median, and the middle half of all values."""
    low, high = np.percentile(values, [25, 75])
    return f"{statistics.median(values):{form}} ({low:{form}} to {high:{form}})"


def accuracy(models: list[str], seeds: list[int], jobs: int, out: Path) -> None:
    """Exact match on dev and test of the best model of each run."""
    print("| model | precision | seed | updates | dev | test |")
    print("|---|---|---|---|---|---|", flush=True)
    runs: list[tuple[str, str, int]] = [
        (model, precision, seed) for seed in seeds for model in models for precision in PRECISIONS
    ]
    with ThreadPoolExecutor(jobs) as pool:
        for row in pool.map(lambda run: trained_to_the_end(run[0], run[1], run[2], out), runs):
            print(row, flush=True)


def trained_to_the_end(model: str, precision: str, seed: int, out: Path) -> str:
    """One line of the table: train unless the run exists, then evaluate greedily."""
    name, _, width = model.partition("-")
    folder = out / f"{model}-{precision}-{seed}"
    metrics = folder / "metrics.jsonl"
    if not metrics.exists() or '"event": "end"' not in metrics.read_text(encoding="utf-8"):
        settings = [f"model.width={width}", f"training.max_updates={MODELS[model]}"]
        settings += [f"training.precision={precision}", f"training.seed={seed}"]
        files = [FOLDER / "train.tsv", "--dev", FOLDER / "dev.tsv"]
        seq2see("train", *files, "--out", folder, "--force", "--model", name, "--set", *settings)
    end = json.loads(metrics.read_text(encoding="utf-8").splitlines()[-1])
    scores = [
        json.loads(seq2see("evaluate", folder, FOLDER / part, "--json"))["exact_match"]
        for part in ("dev.tsv", "test.tsv")
    ]
    cells = [f"`{name}` {width}", precision, str(seed), f"{end['update']:,}"]
    return "| " + " | ".join(cells + [f"{100 * score:.1f}" for score in scores]) + " |"


def seq2see(*arguments: object) -> str:
    """The output of the command, run with one thread; its progress is discarded."""
    command = [sys.executable, "-m", "seq2see", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "accuracy"))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--updates", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/precision"))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.models, arguments.threads, arguments.rounds, arguments.updates)
    else:
        accuracy(arguments.models, arguments.seeds, arguments.jobs, arguments.out)


if __name__ == "__main__":
    main()
