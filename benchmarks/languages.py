"""One model for several languages, told apart by a column: a small one beside the same pairs alone.

    SEQ2SEE_DATA=… python benchmarks/languages.py g2p_sig20/fre --size 800 --helpers g2p_sig20/dut --temperatures 1 5

Each row is one training on a random cut of the first set, alone or joined with all pairs of the helpers, with nothing
set but the seed, the columns and the temperature. The error rate is that of whole words on the test file of the first
set, greedy, an answer being right if it is one of the targets of its source.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from small_data import DATA, pairs_of

import seq2see
from seq2see.config import parse_setting

Rows = list[tuple[tuple[str, str], str]]


def rows_of(name: str, part: str, size: int | None = None) -> Rows:
    """The pairs of a file with the name of their set as a second field of the source; a random cut of `size`."""
    pairs = pairs_of(DATA / name, part)
    if size is not None and size < len(pairs):
        pairs = random.Random(size).sample(pairs, size)
    return [((source, name.replace("/", "-")), target) for source, target in pairs]


def measure(
    name: str, helpers: Sequence[str], temperature: float, size: int, seed: int, further: dict[str, Any]
) -> dict[str, Any]:
    """One training and its error rate; without helpers the sources have one field."""
    train, dev, test = rows_of(name, "train", size), rows_of(name, "dev"), rows_of(name, "test")
    train += [row for helper in helpers for row in rows_of(helper, "train")]
    settings: dict[str, Any] = {"training.seed": seed, **further}
    if helpers:
        settings |= {"text.source": ["characters", "tags"], "data.balance": 2, "data.temperature": temperature}
    known: dict[Any, set[str]] = {}
    for source, target in test:
        known.setdefault(source if helpers else source[0], set()).add(target)

    def pairs(rows: Rows) -> list[tuple[Any, str]]:
        return [(source if helpers else source[0], target) for source, target in rows]

    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        out = Path(folder) / "run"
        model = seq2see.train(pairs(train), dev=pairs(dev), out=out, settings=settings, quiet=True)
        seconds = time.process_time() - started
        answers = model.predict(list(known))
    wrong = 100 * statistics.mean(a.text not in own for a, own in zip(answers, known.values(), strict=True))
    facts = {"set": name, "pairs": len(train), "helpers": " ".join(helpers), "temperature": temperature}
    return {**facts, "model": model.name, "seed": seed, "greedy": round(wrong, 2), "cpu_seconds": round(seconds)}


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The measurements; each is printed as JSON when it is made."""
    settings = dict(map(parse_setting, options.set))
    ways: list[tuple[list[str], float]] = [([], 1.0), *((options.helpers, each) for each in options.temperatures)]
    for helpers, temperature in ways:
        for seed in range(1, options.seeds + 1):
            row = measure(options.name, helpers, temperature, options.size, seed, settings)
            print(json.dumps(row), flush=True)
            yield row


def main() -> None:
    """Measure, then print a table of means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a folder of SEQ2SEE_DATA with train, dev and test")
    parser.add_argument("--helpers", nargs="+", required=True, help="folders whose training pairs are added")
    parser.add_argument("--size", type=int, default=800)
    parser.add_argument("--temperatures", nargs="+", type=float, default=[1.0, 5.0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], help="further settings, key=value")
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows(parser.parse_args()):
        key = tuple(str(row[name]) for name in ("set", "pairs", "helpers", "temperature", "model"))
        found.setdefault(key, []).append(row)
    print("\n| set | pairs | helpers | temperature | model | seeds | greedy |\n|---|---|---|---|---|---|---|")
    for key, group in found.items():
        print(f"| {' | '.join(key)} | {len(group)} | {statistics.mean(row['greedy'] for row in group):.1f} |")


if __name__ == "__main__":
    main()
