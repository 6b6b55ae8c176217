"""The same work in this package and in other toolkits, by turns: `python benchmarks/peers`.

Makes an environment per peer with pinned versions, measures training and answering, writes the figures of all rounds
to a JSON file, and prints their medians as a Markdown table. docs/benchmarks.md says what each row is. It needs Python
alone; pip downloads the peers at the first time.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from environments import HERE, default_folder, environment, quietly, versions
from machine import described
from table import lines, name_of
from turns import measured


class Peer(NamedTuple):
    """A column of the table."""

    script: str
    environment: str
    arguments: tuple[str, ...] = ()


PEERS = {
    "Seq2See": Peer("seq2see_peer.py", "seq2see", ("torch",)),
    "Seq2See, NumPy": Peer("seq2see_peer.py", "seq2see", ("numpy",)),
    "Seq2See, C": Peer("seq2see_peer.py", "seq2see", ("c",)),
    "eole": Peer("eole_peer.py", "eole"),
    "CTranslate2": Peer("ctranslate2_peer.py", "ctranslate2"),
    "PyTorch by hand": Peer("pytorch_peer.py", "pytorch"),
}
ALONE = ("-E", "-W", "ignore")
"""Options of a peer's Python: without PYTHONPATH, which names packages of another environment."""
BATCH = 128
PRODUCTS = 50
"""Products of matrices per round: the ceiling of training."""


def tasks(updates: int, texts: int, alone: int) -> list[tuple[dict[str, Any], int]]:
    """The rows, and how much of each is done per turn."""
    models = ("lstm", "transformer")
    found: list[tuple[dict[str, Any], int]] = []
    for precision in ("float32", "bfloat16"):
        found.append(({"do": "product", "batch": BATCH, "precision": precision}, PRODUCTS))
    for model in models:
        for precision in ("float32", "default"):
            found.append(({"do": "train", "model": model, "batch": BATCH, "precision": precision}, updates))
    answered = [
        ("lstm", 1, "float32"),
        ("lstm", 5, "float32"),
        ("transformer", 5, "float32"),
        ("transformer", 5, "int8"),
        ("lstm", 1, "bfloat16"),
        ("lstm", 5, "bfloat16"),
        ("transformer", 5, "bfloat16"),
    ]
    for model, beam, precision in answered:
        for batch, amount in ((1, alone), (BATCH, texts)):
            task = {"do": "answer", "model": model, "beam": beam, "batch": batch, "precision": precision}
            found.append((task, amount))
    return found


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=default_folder(), help="where the environments are kept")
    parser.add_argument("--out", type=Path, default=Path("results.json"))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--threads", type=at_least_1, default=1)
    parser.add_argument("--rounds", type=at_least_1, default=7)
    parser.add_argument("--batches", type=at_least_1, default=28, help=f"of {BATCH} different pairs each")
    parser.add_argument("--updates", type=at_least_1, default=20, help="of training, per turn")
    parser.add_argument("--texts", type=at_least_1, default=2 * BATCH, help="answered in batches, per turn")
    parser.add_argument("--alone", type=at_least_1, default=20, help="texts answered one by one, per turn")
    parser.add_argument("--length", type=at_least_1, help="tokens of an answer; by default the mean of the targets")
    parser.add_argument("--width", type=at_least_1, default=256)
    parser.add_argument("--layers", type=at_least_1, default=3, help="of the Transformer, per side")
    chosen = parser.parse_args()
    try:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.open("a").close()
    except OSError as error:
        parser.error(f"--out {chosen.out} can't be written: {error.strerror}")
    peers = {name: peer for name, peer in PEERS.items() if name in chosen.peers}
    needed = dict.fromkeys(("seq2see", *(peer.environment for peer in peers.values())))
    pythons = {name: environment(name, chosen.environments.absolute()) for name in needed}
    sizes = {"embedding": 16, "width": chosen.width, "layers": chosen.layers, "heads": 4}
    asked = json.dumps({"pairs": BATCH * chosen.batches, "length": chosen.length, "sizes": sizes})
    with tempfile.TemporaryDirectory() as folder:
        quietly([str(pythons["seq2see"]), *ALONE, str(HERE / "prepare.py"), folder, asked])
        given = json.loads((Path(folder) / "facts.json").read_text("utf-8"))
        commands = {
            name: [str(pythons[peer.environment]), *ALONE, str(HERE / peer.script), folder, *peer.arguments]
            for name, peer in peers.items()
        }
        results: dict[str, Any] = {
            "machine": described(),
            "versions": {name: versions(python) for name, python in pythons.items()},
            "given": given,
            "threads": chosen.threads,
            "rounds": chosen.rounds,
            "peers": list(peers),
            "products_per_repetition": round(given["mean_tokens"][1] * BATCH) * 4 * chosen.width**2,
            "rows": [],
        }
        work = tasks(chosen.updates, chosen.texts, chosen.alone)
        for task, amount, cells in measured(commands, work, threads=chosen.threads, rounds=chosen.rounds):
            results["rows"].append({"task": task, "amount": amount, "cells": cells})
            chosen.out.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", "utf-8")
            print(f"measured: {name_of(task)}", file=sys.stderr, flush=True)
    print("\n".join(lines(results)))


def at_least_1(text: str) -> int:
    """A positive whole number."""
    if not re.fullmatch(r"[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return int(text)


if __name__ == "__main__":
    main()
