"""Handwritten formulas to LaTeX: the table of docs/sources.md.

    SEQ2SEE_DATA=… python benchmarks/formulas.py --longest 10 --run runs/formulas

Trains on the pictures of `crohme2014` whose formulas have at most so many symbols, and prints the share of its dev
formulas that are right in every symbol, by length, with the best checkpoint: in PyTorch, and packed, in NumPy.
"""

from __future__ import annotations

import argparse
import os
import tarfile
import tempfile
import time
from pathlib import Path

import seq2see
from seq2see.config import parse_setting

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data")) / "crohme2014"
GROUPS = ((1, 5), (6, 10), (11, 20), (21, 1_000))
"""Numbers of symbols."""


def pairs_of(part: str, folder: Path, longest: int) -> list[tuple[str, str]]:
    """The pictures of a part, unpacked into the folder, and their formulas of at most so many symbols."""
    with tarfile.open(DATA / f"{part}_images.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    lines = (line.split("\t") for line in (DATA / f"{part}.tsv").read_text(encoding="utf-8").splitlines())
    return [(str(folder / name), formula) for name, formula in lines if len(formula.split()) <= longest]


def main() -> None:
    """Train and score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--longest", type=int, default=10, help="symbols of a formula to train on")
    parser.add_argument("--longest-dev", type=int, default=10, help="symbols of a formula of dev")
    parser.add_argument("--run", type=Path, help="the run folder; by default a temporary one")
    parser.add_argument("--set", nargs="*", default=[], help="settings, key=value")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = pairs_of("train", folder, options.longest)
        dev = pairs_of("dev", folder, options.longest_dev)
        settings = dict(map(parse_setting, options.set))
        started, cpu_started = time.perf_counter(), time.process_time()
        model = seq2see.train(train, dev=dev, out=options.run or folder / "run", settings=settings)
        minutes, cpu_minutes = (time.perf_counter() - started) / 60, (time.process_time() - cpu_started) / 60
        print(f"{len(train):,} pairs, {minutes:.0f} minutes, {cpu_minutes:.0f} of one CPU")
        model.pack(folder / "formulas.seq2see", data=dev)
        sources = [source for source, _ in dev]
        for engine in ("torch", "numpy"):
            answers = seq2see.load(folder / "formulas.seq2see", engine=engine).predict(sources)
            right = [answer.text == formula for answer, (_, formula) in zip(answers, dev, strict=True)]
            print(f"{engine}: {sum(right)} of {len(dev)}, {100 * sum(right) / len(dev):.1f} %")
            lengths = [len(formula.split()) for _, formula in dev]
            for least, most in GROUPS:
                own = [each for each, length in zip(right, lengths, strict=True) if least <= length <= most]
                if own:
                    print(f"  {least} to {most} symbols: {sum(own)} of {len(own)}, {100 * sum(own) / len(own):.1f} %")


if __name__ == "__main__":
    main()
