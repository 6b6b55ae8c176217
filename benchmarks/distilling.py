"""What distillation keeps of an ensemble, and what further texts without targets add: the table of docs/prediction.md.

    SEQ2SEE_DATA=… python benchmarks/distilling.py g2p_sig20/dut g2p_sig20/fre --size 800 --members 5 --seeds 3

On a random cut of each training file, `members` seeds are trained with nothing set but the seed. They answer together,
and teach one model from the sources of the cut alone, and another one from those of the rest of the file too, without
their targets. The error rate is that of different sources of the test file (of dev, if there is none), greedy, an
answer being right if it is one of the targets of its source. Differences are over all sets, paired by source, with
their 95 % interval over sources and seeds. Each of the `seeds` has an ensemble of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from small_data import DATA, by_seed, difference_of, error_rate, pairs_of, spread_of

import seq2see
from seq2see.metrics import METRICS, Measured

WAYS = ("one member", "ensemble", "distilled", "distilled, further sources")


class Row(NamedTuple):
    """One model on one set."""

    name: str
    way: str
    seed: int
    exact: Measured


def measure(name: str, size: int, members: int, seed: int, most_sources: int | None) -> Iterator[Row]:
    """An ensemble, its first member, and the two models that it teaches."""
    train, dev = (pairs_of(DATA / name, part) for part in ("train", "dev"))
    test = pairs_of(DATA / name, "test") or dev
    chooser = random.Random(size)
    cut = chooser.sample(train, min(size, len(train)))
    taken = {source for source, _ in (*cut, *dev, *test)}
    further = [source for source in dict.fromkeys(source for source, _ in train) if source not in taken]
    if most_sources is not None and most_sources < len(further):
        further = chooser.sample(further, most_sources)
    targets: dict[str, set[str]] = {}
    for source, target in test:
        targets.setdefault(source, set()).add(target)

    def row(way: str, model: seq2see.Model) -> Row:
        answers = [answer.text for answer in model.predict(list(targets))]
        exact = METRICS["exact_match"](answers, [sorted(known) for known in targets.values()])
        facts = {"set": name, "pairs": len(cut), "further": len(further), "way": way, "seed": seed}
        print(json.dumps({**facts, "greedy": round(error_rate(exact), 2)}), flush=True)
        return Row(name, way, seed, exact)

    with tempfile.TemporaryDirectory() as folder:
        first, runs = 1 + (seed - 1) * members, Path(folder) / "members"
        settings = {"training.seed": first}
        ensemble = seq2see.train(cut, dev=dev, out=runs, seeds=members, settings=settings, quiet=True)
        member = runs / f"seed-{first}"
        yield row(WAYS[0], seq2see.load(member))
        yield row(WAYS[1], ensemble)
        for way, sources in zip(WAYS[2:], ([], further), strict=True):
            out = Path(folder) / way.replace(", ", "-")
            yield row(
                way, seq2see.distill(runs, data=cut, dev=dev, sources=sources, out=out, settings=settings, quiet=True)
            )


def print_tables(found: list[Row], seeds: int) -> None:
    """Means and standard deviations over seeds, and each way beside a single member."""
    print(f"\n| set | {' | '.join(WAYS)} |\n|---|{'---|' * len(WAYS)}")
    for name in dict.fromkeys(row.name for row in found):
        rates = [[error_rate(row.exact) for row in found if (row.name, row.way) == (name, way)] for way in WAYS]
        print(f"| `{name}` | {' | '.join(map(spread_of, rates))} |")
    means = [statistics.mean(error_rate(row.exact) for row in found if row.way == way) for way in WAYS]
    print(f"| mean | {' | '.join(f'{mean:.1f}' for mean in means)} |")
    if seeds > 1:
        measured = {way: by_seed((row.seed, row.exact) for row in found if row.way == way) for way in WAYS}
        for way in WAYS[1:]:
            print(f"{way} against {WAYS[0]}: {difference_of(measured[WAYS[0]], measured[way])} sources")


def main() -> None:
    """Measure, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", help="folders of SEQ2SEE_DATA with train and dev")
    parser.add_argument("--size", type=int, default=800, help="pairs of each cut")
    parser.add_argument("--members", type=int, default=5, help="models of an ensemble")
    parser.add_argument("--seeds", type=int, default=1, help="ensembles")
    parser.add_argument("--most-sources", type=int, help="further sources at most; by default all")
    options = parser.parse_args()
    found = [
        row
        for seed in range(1, options.seeds + 1)
        for name in options.sets
        for row in measure(name, options.size, options.members, seed, options.most_sources)
    ]
    print_tables(found, options.seeds)


if __name__ == "__main__":
    main()
