"""Models on cuts of the data: the tables of docs/defaults.md on what is chosen for few pairs.

    SEQ2SEE_DATA=… python benchmarks/small_data.py g2p_sig20/dut translit_ar2en --sizes 800 --models default --seeds 3

Each row is one training with nothing set but the seed and the model (`default`: none), on a random cut of the training
file, evaluated on the test file of the set, or on its dev file if it has no test file. Error rates are over different
sources, an answer being right if it is one of the targets of its source.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import seq2see
from seq2see.config import parse_setting

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data"))
PRONUNCIATION = [f"g2p_sig20/{language}" for language in ("dut", "fre", "geo", "hun", "jpn")]


def pairs_of(folder: Path, name: str) -> list[tuple[str, str]]:
    """The pairs of a file; none if there is no such file."""
    for path in (folder / f"{name}.tsv", folder / f"{name}.tsv.gz"):
        if path.exists():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            columns = (line.split("\t") for line in content.decode().splitlines())
            return [(source, target) for source, target, *_ in columns]
    return []


def error_rate(model: seq2see.Model, targets: dict[str, set[str]], **options: Any) -> float:
    """Percentage of sources whose answer is none of their targets."""
    answers = zip(targets.values(), model.predict(list(targets), **options), strict=True)
    return 100 * statistics.mean(answer.text not in known for known, answer in answers)


def measure(
    name: str,
    size: int,
    model: str,
    seed: int,
    settings: dict[str, Any],
    *,
    most: int | None = None,
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """One training and its error rates on at most `most` different sources, greedy and with a beam of 5.

    `also` are the sides of the other pairs of the training file whose texts are given, without the other side.
    """
    train, dev = (pairs_of(DATA / name, each) for each in ("train", "dev"))
    test = pairs_of(DATA / name, "test") or dev
    rest: list[tuple[str, str]] = []
    if size < len(train):
        whole, train = train, random.Random(size).sample(train, size)
        rest = [pair for pair in whole if pair not in set(train)]
    targets: dict[str, set[str]] = {}
    for source, target in test:
        targets.setdefault(source, set()).add(target)
    if most is not None and most < len(targets):
        targets = {source: targets[source] for source in random.Random(0).sample(list(targets), most)}
    chosen = {"training.seed": seed, **settings} | ({} if model == "default" else {"model.name": model})
    with tempfile.TemporaryDirectory() as folder:
        for side in also:
            path = Path(folder) / f"{side}.txt"
            path.write_text("".join(f"{pair[side == 'target']}\n" for pair in rest), encoding="utf-8")
            chosen[f"data.also_{side}"] = str(path)
        started = time.process_time()
        trained = seq2see.train(train, dev=dev, out=Path(folder) / "run", settings=chosen, quiet=True)
        seconds = time.process_time() - started
        greedy, beam = (error_rate(trained, targets, beam=width) for width in (1, 5))
    facts = {"set": name, "pairs": len(train), "model": trained.name, "seed": seed}
    return {**facts, "greedy": round(greedy, 2), "beam": round(beam, 2), "cpu_seconds": round(seconds)}


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The measurements, in the order of the options; each is printed as JSON when it is made."""
    settings = dict(map(parse_setting, options.set))
    for name in options.sets or PRONUNCIATION:
        for size in options.sizes:
            for model in options.models:
                for seed in range(1, options.seeds + 1):
                    row = measure(name, size, model, seed, settings, most=options.most, also=options.also)
                    print(json.dumps(row), flush=True)
                    yield row


def main() -> None:
    """Measure, then print a table of means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help="folders of SEQ2SEE_DATA with train and dev")
    parser.add_argument("--sizes", nargs="+", type=int, default=[800])
    parser.add_argument("--models", nargs="+", default=["default", "bidirectional"])
    parser.add_argument("--seeds", type=int, default=1)
    also = "sides of the pairs beyond the cut whose texts are given too: a warm-up"
    parser.add_argument("--also", nargs="*", default=[], choices=["source", "target"], help=also)
    parser.add_argument("--most", type=int, help="different sources to answer; by default all")
    parser.add_argument("--set", nargs="*", default=[], help="further settings, key=value")
    found: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for row in rows(parser.parse_args()):
        found.setdefault((row["set"], row["pairs"], row["model"]), []).append(row)
    print("\n| set | pairs | model | seeds | greedy | beam 5 | CPU seconds |\n|---|---|---|---|---|---|---|")
    for key, group in found.items():
        means = (statistics.mean(row[name] for row in group) for name in ("greedy", "beam", "cpu_seconds"))
        greedy, beam, seconds = means
        print(f"| {' | '.join(map(str, key))} | {len(group)} | {greedy:.1f} | {beam:.1f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
