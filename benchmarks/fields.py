"""Sources of two fields beside the same sources as one text: the tables of docs/sources.md.

    SEQ2SEE_DATA=… python benchmarks/fields.py babi_en10k/qa01_single-supporting-fact --seeds 3
    SEQ2SEE_DATA=… python benchmarks/fields.py infl_sig22_large/tur --train train_small --score dev --seeds 3

The fields are a story and a question, or a lemma and its tags. Each row is one training with nothing set but the seed,
and its exact match on the test file of the set (or another that `--score` names), greedy. For inflection also by
whether the lemma (L) and the set of tags (T) are in the training pairs (+) or not (-). With two seeds and more, the two
are also compared by item, for each set and over all: the difference in points, with its 95 % interval over items and
seeds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from small_data import by_seed, difference_of

import seq2see
from seq2see.config import parse_setting
from seq2see.metrics import METRICS, Measured

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data"))


class Item(NamedTuple):
    """A pair whose source has two fields."""

    first: str
    second: str
    target: str


def items_of(name: str, part: str) -> list[Item]:
    """The pairs of a file of a set."""
    lines = gzip.decompress((DATA / name / f"{part}.tsv.gz").read_bytes()).decode().splitlines()
    divided = inflection if name.startswith("infl") else question
    return [divided(*line.split("\t")) for line in lines]


def question(source: str, target: str) -> Item:
    """A story and the question about it, which is the last sentence."""
    story, asked = source.rsplit(" . ", 1)
    return Item(f"{story} .", asked, target)


def inflection(source: str, target: str) -> Item:
    """The letters of a lemma and <TAGS> behind them, separated by blanks; `▁` is a blank."""
    tags = re.findall(r"(?<= )<([^<> ]+)>(?= |$)", source)
    lemma = source[: len(source) - sum(len(tag) + 3 for tag in tags)]
    return Item(spelled(lemma), ";".join(tags), spelled(target))


def spelled(letters: str) -> str:
    """The text of letters separated by blanks."""
    return letters.replace(" ", "").replace("▁", " ")


def source_of(item: Item, way: str, name: str) -> Any:
    """The source as two fields, or as one text: of words, or of letters and tags separated by blanks."""
    if way == "fields":
        return item[:2]
    if name.startswith("infl"):
        return " ".join([*item.first.replace(" ", "▁"), *(f"<{tag}>" for tag in item.second.split(";"))])
    return f"{item.first} {item.second}"


class Row(NamedTuple):
    """One training."""

    facts: dict[str, Any]
    """What is printed."""
    exact: Measured
    """Which answers are right."""


def measure(name: str, way: str, seed: int, options: argparse.Namespace) -> Row:
    """One training, and its exact match in per cent."""
    train, dev, scored = (items_of(name, part) for part in (options.train, "dev", options.score))
    pairs, dev_pairs = ([(source_of(item, way, name), item.target) for item in items] for items in (train, dev))
    settings = {"training.seed": seed, **dict(map(parse_setting, options.set))}
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        model = seq2see.train(pairs, dev=dev_pairs, out=Path(folder) / "run", settings=settings, quiet=not options.log)
        seconds = time.process_time() - started
        answers = model.predict([source_of(item, way, name) for item in scored])
    known = [{item[column] for item in train} for column in (0, 1)]
    groups: dict[str, list[bool]] = {"all": []}
    for item, answer in zip(scored, answers, strict=True):
        groups["all"].append(answer.text == item.target)
        if name.startswith("infl"):
            group = "".join(f"{mark}{'-+'[item[column] in known[column]]}" for column, mark in enumerate("LT"))
            groups.setdefault(group, []).append(answer.text == item.target)
    exact = METRICS["exact_match"]([answer.text for answer in answers], [[item.target] for item in scored])
    found = {group: round(100 * statistics.mean(right), 2) for group, right in sorted(groups.items())}
    facts = {"set": name, "pairs": len(train), "sources": way, "model": model.name, "seed": seed}
    return Row({**facts, **found, "cpu_seconds": round(seconds)}, exact)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """The measurements, in the order of the options; each is printed as JSON when it is made."""
    for name in options.sets:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for way in options.sources:
                row = measure(name, way, seed, options)
                print(json.dumps(row.facts), flush=True)
                yield row


def main() -> None:
    """Measure, then print a table of means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", help="folders of SEQ2SEE_DATA: of babi_en10k or infl_sig22_large")
    parser.add_argument("--train", default="train", help="the file to train on, without its endings")
    parser.add_argument("--score", default="test", help="the file to score, without its endings")
    parser.add_argument("--sources", nargs="+", default=["fields", "text"], choices=["fields", "text"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], help="further settings, key=value")
    parser.add_argument("--log", action="store_true", help="print what training says")
    measured = list(rows(parser.parse_args()))
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row, _ in measured:
        found.setdefault((row["set"], str(row["pairs"]), row["sources"], row["model"]), []).append(row)
    print("\n| set | pairs | sources | model | seeds | exact match | CPU seconds |\n|---|---|---|---|---|---|---|")
    for key, group in found.items():
        mean = statistics.mean(row["all"] for row in group)
        seconds = statistics.mean(row["cpu_seconds"] for row in group)
        print(f"| {' | '.join(key)} | {len(group)} | {mean:.1f} | {seconds:.0f} |")
    names = list(dict.fromkeys(row["set"] for row, _ in measured))
    for sets in [[name] for name in names] + [names] * (len(names) > 1):
        fields, text = (pooled(measured, way, sets) for way in ("fields", "text"))
        if min(len(fields), len(text)) > 1:
            print(f"fields against text, {', '.join(sets)}: {difference_of(fields, text)} items")


def pooled(measured: Sequence[Row], way: str, names: Sequence[str]) -> list[Measured]:
    """For each seed the answers to the items of these sets, in the same order both ways."""
    return by_seed(
        (facts["seed"], exact) for facts, exact in measured if facts["sources"] == way and facts["set"] in names
    )


if __name__ == "__main__":
    main()
