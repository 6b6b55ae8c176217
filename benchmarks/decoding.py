"""Decoding speed and memory of a trained model on a test set, by batch size.

    python benchmarks/decoding.py RUN texts.tsv [--engines torch numpy] [--beam 5] [--batch-sizes 1 8 64] [--profile]

Each batch size runs in its own process, with one thread, so that its peak memory is separate. Times are CPU seconds,
which other programs affect less than wall time. --profile shows where they are spent.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import os
import pstats
import resource
import subprocess
import sys
import time
from pathlib import Path


def measure(run: str, texts: list[str], engine: str, beam: int, batch_size: int, *, profile: bool) -> dict[str, float]:
    """Answer all texts once, after a warm-up on a few of them."""
    import seq2see

    model = seq2see.load(run, engine=engine)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.predict(texts[: 2 * batch_size], beam=beam, batch_size=batch_size)
    cpu, clock = time.process_time(), time.perf_counter()
    if profile:
        profiler = cProfile.Profile()
        profiler.runcall(model.predict, texts, beam=beam, batch_size=batch_size)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    else:
        model.predict(texts, beam=beam, batch_size=batch_size)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "cpu": time.process_time() - cpu,
        "clock": time.perf_counter() - clock,
        "before": before / 1024,
        "peak": after / 1024,
    }


def main() -> None:
    """Print one row per batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("texts", type=Path)
    parser.add_argument("--engines", nargs="+", default=["torch", "numpy"], choices=["torch", "numpy"])
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    texts = [line.split("\t")[0] for line in arguments.texts.read_text().splitlines()][: arguments.limit]
    if arguments.one:
        engine, batch_size = arguments.one
        found = measure(arguments.run, texts, engine, arguments.beam, int(batch_size), profile=arguments.profile)
        print(json.dumps(found))
        return
    print(f"{len(texts):,} texts, beam {arguments.beam}")
    print(f"{'engine':>6} {'batch':>6} {'texts / s':>10} {'wall time':>13} {'peak MB':>8} {'above the model':>16}")
    for engine, batch_size in itertools.product(arguments.engines, arguments.batch_sizes):
        command = [sys.executable, "-W", "ignore", *sys.argv, "--one", engine, str(batch_size)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        *table, line = told.splitlines()
        print("\n".join(table), end="\n" if table else "")
        found = json.loads(line)
        print(
            f"{engine:>6} {batch_size:6} {len(texts) / found['cpu']:10.1f} {len(texts) / found['clock']:13.1f} "
            f"{found['peak']:8.0f} {found['peak'] - found['before']:16.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
