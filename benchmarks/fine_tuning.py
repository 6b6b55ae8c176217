"""The table of docs/fine-tuning.md: a model fine-tuned on new pairs at several rates, compared with a new model.

    SEQ2SEE_DATA=… OMP_NUM_THREADS=1 python benchmarks/fine_tuning.py [--out runs/fine_tuning] [--seeds 2]

Pronunciation (g2p_sig20, width 128). "another": 3,000 Dutch words, then 300 Icelandic ones; "few": 3,000 Dutch words,
then 300 others; "many": 1,000 Dutch words, then 1,000 others. Exact match on the 450 test words of the second language,
and after Icelandic on those of the first, too; dev has 450 others. Existing runs are only evaluated again.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import seq2see
from seq2see.data import Pair, read_pairs

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data")) / "g2p_sig20"
MODELS: dict[str, tuple[float, dict[str, Any]]] = {
    "bidirectional": (4e-3, {"model.width": 128, "model.embedding": 64}),
    "transformer": (1e-3, {"model.width": 128, "model.layers": 2}),
}
"""The usual rate and the sizes of each."""
SHARES = (1.0, 0.5, 0.25, 0.125)
UPDATES, FURTHER = 1500, 500


class Task(NamedTuple):
    """Numbers of words: `first` of Dutch, then `second` of `language`."""

    first: int
    second: int
    language: str


TASKS = {"another": Task(3000, 300, "ice"), "few": Task(3000, 300, "dut"), "many": Task(1000, 1000, "dut")}


def pairs_of(language: str, part: str) -> list[Pair]:
    """A file of the data."""
    return read_pairs([DATA / language / f"{part}.tsv"]).pairs


def trained(out: Path, pairs: list[Pair], dev: list[Pair], settings: dict[str, Any]) -> seq2see.Model:
    """The model of the run in `out`, which is trained unless it exists."""
    if not (out / "model").exists():
        fixed = {"training.precision": "float32", "training.evaluate_every": settings["training.max_updates"] // 5}
        seq2see.train(pairs, dev=dev, out=out, settings=fixed | settings, device="cpu", quiet=True, force=out.exists())
    return seq2see.load(out)


def exact_match(model: seq2see.Model, language: str) -> float:
    """On test, in percent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the first model doesn't know all letters of the second language
        return 100 * float(model.evaluate(pairs_of(language, "test")).exact_match or 0)


def run_task(out: Path, name: str, task: Task, seed: int) -> dict[str, list[float]]:
    """By model, exact match on the second language and, if it differs, on the first."""
    rate, sizes = MODELS[name]
    dutch = pairs_of("dut", "train")
    random.Random(seed).shuffle(dutch)
    new = dutch[task.first : task.first + task.second]
    if task.language != "dut":
        new = random.Random(seed).sample(pairs_of(task.language, "train"), task.second)
    base_settings = {"model.name": name, "training.seed": seed} | sizes
    base = out / f"{name}-{seed}-{task.first}"
    second = out / f"{base.name}-{task.language}-{task.second}"
    dev = pairs_of(task.language, "dev")
    models = {
        "the first model": trained(
            base, dutch[: task.first], pairs_of("dut", "dev"), base_settings | {"training.max_updates": UPDATES}
        ),
        "new model, new words": trained(
            second.with_name(f"{second.name}-anew"), new, dev, base_settings | {"training.max_updates": FURTHER}
        ),
    }
    if task.first == task.second:
        both, longer = dutch[: task.first] + new, base_settings | {"training.max_updates": UPDATES + FURTHER}
        models["new model, all words"] = trained(second.with_name(f"{second.name}-all"), both, dev, longer)
    for share in SHARES:
        further: dict[str, Any] = {"training.start_from": str(base), "training.rate": share * rate}
        further |= {"training.seed": seed, "training.max_updates": FURTHER}
        models[f"further, rate × {share:g}"] = trained(second.with_name(f"{second.name}-{share:g}"), new, dev, further)
    languages = dict.fromkeys([task.language, "dut"])
    return {row: [exact_match(model, language) for language in languages] for row, model in models.items()}


def main() -> None:
    """All runs, then one table per task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/fine_tuning"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    arguments = parser.parse_args()
    for name in arguments.models:
        for task in arguments.tasks:
            rows: dict[str, list[list[float]]] = defaultdict(list)
            for seed in range(1, arguments.seeds + 1):
                for row, figures in run_task(arguments.out, name, TASKS[task], seed).items():
                    rows[row].append(figures)
            print(f"\n{name}, {task}: {TASKS[task]}", flush=True)
            for row, of_seeds in rows.items():
                columns = [
                    f"{statistics.mean(column):.1f} ({', '.join(f'{value:.1f}' for value in column)})"
                    for column in zip(*of_seeds, strict=True)
                ]
                print(f"{row:30} " + "  ".join(f"{column:>20}" for column in columns), flush=True)


if __name__ == "__main__":
    main()
