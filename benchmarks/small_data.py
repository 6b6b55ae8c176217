"""Models on cuts of the data: the tables of docs/defaults.md on what is chosen for few pairs.

    SEQ2SEE_DATA=… python benchmarks/small_data.py g2p_sig20/dut translit_ar2en --sizes 800 --models default --seeds 3

Each row is one training with nothing set but the seed and the model (`default`: none), on a random cut of the training
file, evaluated on the test file of the set, or on its dev file if it has no test file. Error rates are over different
sources, an answer being right if it is one of the targets of its source.

A model may be followed by settings of its own, `transducer,model.dropout=0.4`. With two seeds and more each model is
also compared with the first one, paired by source, for each size of the cuts: the difference of the error rates over
all sets, with its 95 % interval over sources and seeds.
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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import seq2see
from seq2see.config import parse_setting
from seq2see.metrics import METRICS, Measured, seed_difference, spread

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data"))
BEAMS = (1, 5)
PRONUNCIATION = [f"g2p_sig20/{language}" for language in ("dut", "fre", "geo", "hun", "jpn")]


def pairs_of(folder: Path, name: str) -> list[tuple[str, str]]:
    """The pairs of a file; none if there is no such file."""
    for path in (folder / f"{name}.tsv", folder / f"{name}.tsv.gz"):
        if path.exists():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            columns = (line.split("\t") for line in content.decode().splitlines())
            return [(source, target) for source, target, *_ in columns]
    return []


class Row(NamedTuple):
    """One training."""

    asked: str
    """The model that was asked for, with its settings."""
    size: int
    """Of the cut."""
    facts: dict[str, Any]
    """What is printed."""
    exact: dict[int, Measured]
    """Which answers are right, by beam."""


def error_rate(exact: Measured) -> float:
    """Percentage of sources whose answer is none of their targets."""
    return 100 * (1 - exact.value)


def measure(
    name: str,
    size: int,
    model: str,
    seed: int,
    settings: dict[str, Any],
    *,
    most: int | None = None,
    also: Sequence[str] = (),
) -> Row:
    """One training of a model and its error rates on at most `most` different sources, greedy and with a beam of 5.

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
    architecture, *own = model.split(",")
    chosen = {"training.seed": seed, **settings, **dict(map(parse_setting, own))}
    if architecture != "default":
        chosen["model.name"] = architecture
    with tempfile.TemporaryDirectory() as folder:
        for side in also:
            path = Path(folder) / f"{side}.txt"
            path.write_text("".join(f"{pair[side == 'target']}\n" for pair in rest), encoding="utf-8")
            chosen[f"data.also_{side}"] = str(path)
        started = time.process_time()
        trained = seq2see.train(train, dev=dev, out=Path(folder) / "run", settings=chosen, quiet=True)
        seconds = time.process_time() - started
        references = [sorted(known) for known in targets.values()]
        exact = {
            width: METRICS["exact_match"](
                [answer.text for answer in trained.predict(list(targets), beam=width)], references
            )
            for width in BEAMS
        }
    named = model if architecture == trained.name else ",".join([f"{architecture} ({trained.name})", *own])
    facts = {"set": name, "pairs": len(train), "model": named, "seed": seed}
    rates = {"greedy": round(error_rate(exact[1]), 2), "beam": round(error_rate(exact[5]), 2)}
    return Row(model, size, {**facts, **rates, "cpu_seconds": round(seconds)}, exact)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """The measurements, in the order of the options; each is printed as JSON when it is made."""
    settings = dict(map(parse_setting, options.set))
    for name in options.sets or PRONUNCIATION:
        for size in options.sizes:
            for model in options.models:
                for seed in range(options.first_seed, options.first_seed + options.seeds):
                    row = measure(name, size, model, seed, settings, most=options.most, also=options.also)
                    print(json.dumps(row.facts), flush=True)
                    yield row


def main() -> None:
    """Measure, then print a table of means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help="folders of SEQ2SEE_DATA with train and dev")
    parser.add_argument("--sizes", nargs="+", type=int, default=[800])
    parser.add_argument("--models", nargs="+", default=["default", "bidirectional"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=1)
    also = "sides of the pairs beyond the cut whose texts are given too: a warm-up"
    parser.add_argument("--also", nargs="*", default=[], choices=["source", "target"], help=also)
    parser.add_argument("--most", type=int, help="different sources to answer; by default all")
    parser.add_argument("--set", nargs="*", default=[], help="further settings, key=value")
    print_tables(list(rows(parser.parse_args())))


def print_tables(found: Sequence[Row]) -> None:
    """Means and standard deviations over seeds, and each model beside the first."""
    groups: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for row in found:
        groups.setdefault((row.facts["set"], row.facts["pairs"], row.facts["model"]), []).append(row.facts)
    print("\n| set | pairs | model | seeds | greedy | beam 5 | CPU seconds |\n|---|---|---|---|---|---|---|")
    for key, group in groups.items():
        greedy, beam = (spread_of([each[name] for each in group]) for name in ("greedy", "beam"))
        seconds = statistics.mean(each["cpu_seconds"] for each in group)
        print(f"| {' | '.join(map(str, key))} | {len(group)} | {greedy} | {beam} | {seconds:.0f} |")
    first, *others = dict.fromkeys(row.asked for row in found)
    for size in dict.fromkeys(row.size for row in found):
        for model in others:
            for width in BEAMS:
                ours, theirs = (pooled(found, each, size, width) for each in (model, first))
                if len(ours) > 1:
                    difference = difference_of(theirs, ours)
                    print(f"{model} against {first}, {size:,} pairs, beam {width}: {difference} sources")


def spread_of(values: Sequence[float]) -> str:
    """The mean, and the standard deviation if there is one."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    mean, deviation = spread(values)
    return f"{mean:.1f} ± {deviation:.1f}"


def pooled(found: Sequence[Row], model: str, size: int, beam: int) -> list[Measured]:
    """For each seed the answers to the sources of all sets, in the same order for all models."""
    return by_seed((row.facts["seed"], row.exact[beam]) for row in found if (row.asked, row.size) == (model, size))


def by_seed(measured: Iterable[tuple[int, Measured]]) -> list[Measured]:
    """For each seed the answers to the items of all its measurements."""
    found: dict[int, list[Measured]] = {}
    for seed, exact in measured:
        found.setdefault(seed, []).append(exact)
    return [replace(own[0], statistics=np.concatenate([each.statistics for each in own])) for own in found.values()]


def difference_of(ours: Sequence[Measured], theirs: Sequence[Measured]) -> str:
    """The difference of the means over seeds in points, its 95 % interval, p, and the number of items."""
    value, (low, high), p = seed_difference(ours, theirs)
    return f"{100 * value:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}], p = {p:.4f}, {len(ours[0].statistics):,}"


if __name__ == "__main__":
    main()
