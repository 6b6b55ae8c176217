"""Which weights of a run to keep, which length penalty, which search: the tables of docs/defaults.md on these.

    SEQ2SEE_DATA=… python benchmarks/choosing.py g2p_sig20/dut:800 translit_ar2en:2000 --seeds 3 --dev 100

Each row is one training with nothing set but the seed and the model, on a random cut of the training file, with a
sample of the dev file as dev. The weights of each evaluation are kept. Every rule chooses among them by dev, or
averages some; with --penalties every length penalty is tried with a beam of 5 on the weights that training kept, with
--searches every search. All are scored on the test file, or on the rest of the dev file if there is no test file:
percentage of answers that are right (or chrF with --chrf), for searches also the character error rate.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import seq2see
from seq2see.config import parse_setting
from seq2see.curves.history import read_history
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.inference.predictor import Predictor
from seq2see.metrics import METRICS
from seq2see.storage.checkpoints import checkpoints, read_checkpoint, update_of
from seq2see.storage.saved_model import SavedModel, load_model

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data"))
PENALTIES = (0.0, 0.2, 0.4, 0.6, 1.0, 1.5, 2.0)
SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beam 5": {"beam": 5},
    "beam 10": {"beam": 10},
    "beam 10, mbr cer": {"beam": 10, "mbr": "cer"},
    "beam 10, mbr chrf": {"beam": 10, "mbr": "chrf"},
    "beam 10 in 5 groups, mbr cer": {"beam": 10, "beam_groups": 5, "mbr": "cer"},
    "50 samples, mbr cer": {"sample": True, "mbr": "cer"},
    "50 samples, mbr chrf": {"sample": True, "mbr": "chrf"},
}
TextPairs = list[tuple[str, str]]


def pairs_of(folder: Path, name: str) -> TextPairs:
    """The pairs of a file; none if there is no such file."""
    for path in (folder / f"{name}.tsv", folder / f"{name}.tsv.gz"):
        if path.exists():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            columns = (line.split("\t") for line in content.decode().splitlines())
            return [(source, target) for source, target, *_ in columns]
    return []


def score(model: Predictor, pairs: TextPairs, metric: str, **options: Any) -> float:
    """The metric on these pairs, in percent."""
    answers = [each.text for each in model.predict([source for source, _ in pairs], **options)]
    targets = [(model.target_codec.normalize(target),) for _, target in pairs]
    return (
        100 * METRICS[metric](answers, targets).value if metric != "chrf" else METRICS[metric](answers, targets).value
    )


def with_tensors(saved: SavedModel, tensors: dict[str, np.ndarray]) -> Predictor:
    """The model with other weights."""
    return model_of(saved._replace(tensors=tensors), make_numpy_engine)


def mean_of(weights: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The mean of several weights."""
    return {name: np.mean([each[name] for each in weights], axis=0, dtype=np.float32) for name in weights[0]}


def chosen_by_rules(exact: Sequence[float], loss: Sequence[float], num_dev: int) -> dict[str, int]:
    """By rule, the number of the evaluation whose weights it keeps."""
    numbers = range(len(loss))
    best = max(exact)
    margin = math.sqrt(best * (1 - best) / num_dev)
    return {
        "exact": max(numbers, key=lambda i: (exact[i], -loss[i])),
        "1se": min((i for i in numbers if exact[i] >= best - margin), key=lambda i: loss[i]),
        "loss": min(numbers, key=lambda i: loss[i]),
        "last": len(loss) - 1,
    }


def measure(name: str, size: int, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One training, the score of each rule and of each length penalty."""
    folder = DATA / name
    train, dev, test = (pairs_of(folder, each) for each in ("train", "dev", "test"))
    shuffled = random.Random(1000 + size).sample(dev, len(dev))
    dev, test = shuffled[: options.dev], (test or shuffled[options.dev :])[: options.tested]
    train = random.Random(size).sample(train, min(size, len(train)))
    settings = {"training.seed": seed, "training.keep_checkpoints": 1000, **dict(map(parse_setting, options.set))}
    if options.model != "default":
        settings["model.name"] = options.model
    metric = "chrf" if options.chrf else "exact_match"
    with tempfile.TemporaryDirectory() as temporary:
        run, started = Path(temporary) / "run", time.process_time()
        seq2see.train(train, dev=dev, out=run, settings=settings, quiet=True)
        seconds = time.process_time() - started
        saved, history = load_model(run), read_history(run)
        evaluated = {point.update for point in history.dev_loss}
        places = (place for place in checkpoints(run / "checkpoints") if update_of(place) in evaluated)
        kept = [read_checkpoint(place) for place in sorted(places, key=update_of)]
        weights = [{key: each.tensors[f"model.{key}"] for key in saved.tensors} for each in kept]
    facts = {"set": name, "pairs": len(train), "model": saved.blueprint.name, "seed": seed, "seconds": round(seconds)}
    found: dict[str, float] = {}
    if history.exact_match:
        exact, loss = ([point.value for point in points] for points in (history.exact_match, history.dev_loss))
        assert len(exact) == len(weights), (len(exact), len(weights))
        chosen = chosen_by_rules(exact, loss, len(dev))
        scores = {i: score(with_tensors(saved, weights[i]), test, metric) for i in sorted(set(chosen.values()))}
        found = {rule: scores[i] for rule, i in chosen.items()}
        for number in (3, 5):
            found[f"mean{number}"] = score(with_tensors(saved, mean_of(weights[-number:])), test, metric)
    model = model_of(saved, make_numpy_engine)
    penalties, searches = {}, {}
    if options.searches:
        for search, asked in SEARCHES.items():
            searches[search] = [score(model, test, each, **asked) for each in (metric, "cer")]
    if options.penalties:
        for penalty in PENALTIES:
            penalties[penalty] = [score(model, pairs, metric, beam=5, length_penalty=penalty) for pairs in (dev, test)]
    return {**facts, "rules": found, "penalties": penalties, "searches": searches, "num_test": len(test)}


def main() -> None:
    """Measure; a line of JSON per training, then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cuts", nargs="+", help="FOLDER:PAIRS, folders of SEQ2SEE_DATA with train and dev")
    parser.add_argument("--model", default="default")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--dev", type=int, default=100, help="dev pairs")
    parser.add_argument("--tested", type=int, default=1000, help="most pairs to score on")
    parser.add_argument("--chrf", action="store_true", help="score by chrF instead of exact match")
    parser.add_argument("--penalties", action="store_true")
    parser.add_argument("--searches", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], help="further settings, key=value")
    options = parser.parse_args()
    rows = []
    for cut in options.cuts:
        name, _, size = cut.rpartition(":")
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            rows.append(measure(name, int(size), seed, options))
            print(json.dumps(rows[-1]), flush=True)
    for which in rows[0]["rules"]:
        print(f"rule {which}: {statistics.mean(row['rules'][which] for row in rows):.2f}")
    for key in ("penalties", "searches"):
        for which in rows[0][key]:
            means = (statistics.mean(row[key][which][place] for row in rows) for place in (0, 1))
            print(f"{key} {which}: {', '.join(f'{mean:.2f}' for mean in means)}")


if __name__ == "__main__":
    main()
