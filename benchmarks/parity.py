"""Agreement of the NumPy and torch engines for every architecture, and the loss of accuracy with int8 weights.

    SEQ2SEE_DATA=… python benchmarks/parity.py [--out runs/parity] [--count 1000]

Each architecture is trained briefly on the Dutch words of SIGMORPHON 2021 (a language model on the words alone), long
enough that predictions depend on the source. Then both engines predict `count` dev words, greedily and with beam 5 (a
language model continues the first two letters of each), and score their targets; and the model is packed as int8.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import seq2see
from seq2see.data import Pair, read_pairs
from seq2see.model import ARCHITECTURES
from seq2see.storage.saved_model import load_model, write_packed

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data")) / "g2p_sig21" / "medium" / "dut"


def train(name: str, out: Path, updates: int, data: Path = DATA, width: int = 128) -> None:
    """One run of the `seq2see train` command."""
    files = [str(data / "train.tsv"), "--dev", str(data / "dev.tsv")]
    if not ARCHITECTURES[name].has_source:
        for part in ("train", "dev"):
            lines = (data / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
            (out.parent / f"{part}.txt").write_text("".join(line.split("\t")[0] + "\n" for line in lines), "utf-8")
        files = [str(out.parent / "train.txt"), "--dev", str(out.parent / "dev.txt")]
    settings = [f"training.max_updates={updates}", f"training.evaluate_every={updates}", f"model.width={width}"]
    if ARCHITECTURES[name].has_blocks:
        settings.append("training.rate=1e-3")
    command = [sys.executable, "-m", "seq2see", "train", *files, "--model", name, "--out", str(out), "--set", *settings]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def compare(name: str, run: Path, count: int) -> str:
    """A row of the table."""
    pairs = read_pairs([DATA / "dev.tsv"]).pairs[:count]
    has_source = ARCHITECTURES[name].has_source
    texts = [pair.source if has_source else pair.source[:2] for pair in pairs]
    targets = pairs if has_source else [Pair("", pair.source, "") for pair in pairs]
    write_packed(run / "int8.seq2see", load_model(run), weights="int8")
    models = [
        seq2see.load(run, engine="torch", device="cpu"),
        seq2see.load(run, engine="numpy"),
        seq2see.load(run / "int8.seq2see", engine="numpy"),
    ]
    cells = []
    for options in ({}, {"beam": 5}):
        theirs, ours = ([each.target_tokens for each in model.predict(texts, **options)] for model in models[:2])
        cells.append(f"{sum(map(list.__eq__, theirs, ours)):,} of {len(texts):,}")
    scores = [[each.counted[0] for each in model.score(targets)] for model in models[:2]]
    cells.append(f"{max(abs(one - other) for one, other in zip(*scores, strict=True)):.1e}")
    figures = [model.evaluate(targets) for model in (models[1], models[2])]
    for found in figures:
        cells.append(f"{found.loss:.4f}" if found.exact_match is None else f"{100 * found.exact_match:.1f} %")
    return f"| `{name}` | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/parity"))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--updates", type=int, default=400)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("| model | identical predictions, greedy | beam 5 | largest difference, nats | exact match, float32 | int8 |")
    print("|---|---|---|---|---|---|")
    for name in ARCHITECTURES:
        run = arguments.out / name
        if not (run / "model").exists():
            train(name, run, arguments.updates)
        print(compare(name, run, arguments.count), flush=True)


if __name__ == "__main__":
    main()
