"""Every architecture in every target beside the model in PyTorch: the same answers, the same log-probabilities.

    SEQ2SEE_DATA=… python benchmarks/targets.py [--out runs/targets] [--count 1000] [--models attention transformer]

Each architecture is trained briefly on the Hungarian words of SIGMORPHON 2020 (a language model on the words alone),
long enough that answers depend on the source. Then `count` words (dev, test, and the first of train) are answered
greedily and with a beam of 5, from float32 weights: in PyTorch, by the programs replayed in NumPy and in ONNX Runtime
in batches of 64, as an ES module in Node.js and in C one at a time. A cell has the identical answers, greedy and with
the beam, and the largest difference between the log-probabilities of identical answers. Every answer that differs is
listed after the table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import cast

os.environ.setdefault("OMP_NUM_THREADS", "1")

from parity import train

import seq2see
from export import BEAM, Exported, in_c, in_node
from seq2see.data import read_pairs
from seq2see.export.bundle import Bundle, bundle_of
from seq2see.export.c_target import c_source
from seq2see.export.javascript import module
from seq2see.export.onnx import network
from seq2see.inference.engine import NumpyEngine, make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.inference.predictor import Predictor
from seq2see.model import ARCHITECTURES
from seq2see.program import Replay
from seq2see.runtime import Network
from seq2see.storage.saved_model import SavedModel, load_model

warnings.simplefilter("ignore", UserWarning)
DATA = Path(os.environ.get("SEQ2SEE_DATA", "data")) / "g2p_sig20" / "hun"
TARGETS = ("replay", "ES module", "ONNX Runtime", "C")
Answer = tuple[str, float]


class Replayed(Replay):
    """Programs in NumPy, as an engine takes a network."""

    def __init__(self, bundle: Bundle, saved: SavedModel) -> None:
        super().__init__(bundle.programs, saved.tensors)
        self.has_attention = bundle.programs.has_attention
        self.max_positions = bundle.limits["maxPositions"]

    def start(self, ids, lengths, *_):  # type: ignore[no-untyped-def]
        """See `Replay`."""
        return super().start(ids, lengths)


def in_python(model: Predictor, texts: Sequence[str], beam: int) -> list[Answer]:
    """Answers of a predictor."""
    return [(found.text, found.log_prob) for found in model.predict(list(texts), beam=beam)]


def answers(target: str, bundle: Bundle, saved: SavedModel, texts: Sequence[str], beam: int) -> list[Answer]:
    """Answers of a target."""
    original = model_of(saved, make_numpy_engine)
    if target == "replay":
        engine = NumpyEngine(cast(Network, Replayed(bundle, saved)))
        codecs = original.source_codec, original.target_codec
        limits = {"max_length": original.max_length, "length_penalty": original.length_penalty}
        return in_python(Predictor(engine, *codecs, **limits), texts, beam)
    if target == "ONNX Runtime":
        return in_python(network.predictor(bundle, original), texts, beam)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("model.c" if target == "C" else "model.mjs")
        path.write_text(c_source(bundle) if target == "C" else module(bundle), encoding="utf-8")
        found = (in_c if target == "C" else in_node)(Exported(path), texts, beam)
    return list(zip(found.texts, found.log_probs, strict=True))


def compare(run: Path, texts: Sequence[str]) -> tuple[str, list[str]]:
    """A row of the table, and what differs."""
    saved = load_model(run)
    torch = seq2see.load(run, engine="torch", device="cpu")
    bundle = bundle_of(saved, torch, "float32", name=run.name)
    expected = {beam: in_python(torch, texts, beam) for beam in (1, BEAM)}
    cells, exceptions = [], []
    for target in TARGETS:
        numbers, difference = [], 0.0
        for beam, theirs in expected.items():
            own = answers(target, bundle, saved, texts, beam)
            same = 0
            for text, one, other in zip(texts, own, theirs, strict=True):
                if one[0] == other[0]:
                    same += 1
                    difference = max(difference, abs(one[1] - other[1]) if one[1] != other[1] else 0.0)
                else:
                    exceptions.append(f"{run.name}, {target}, beam {beam}: {text}: {one}, and in torch {other}")
            numbers.append(f"{same:,}")
        cells.append(f"{', '.join(numbers)}; {difference:.1e}")
    varied = len({text for text, _ in expected[1]})
    return f"| `{run.name}` | {varied:,} | " + " | ".join(cells) + " |", exceptions


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/targets"))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--models", nargs="+", default=list(ARCHITECTURES), choices=list(ARCHITECTURES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    files = [DATA / f"{part}.tsv" for part in ("dev", "test", "train")]
    words = [pair.source for path in files for pair in read_pairs([path]).pairs][: arguments.count]
    print(f"{len(words):,} words\n\n| model | different answers | {' | '.join(TARGETS)} |")
    print("|" + "---|" * (len(TARGETS) + 2), flush=True)
    exceptions = []
    for name in arguments.models:
        run = arguments.out / name
        if not (run / "model").exists():
            train(name, run, arguments.updates, DATA, arguments.width)
        texts = words if ARCHITECTURES[name].has_source else [word[:2] for word in words]
        row, more = compare(run, texts)
        print(row, flush=True)
        exceptions += more
    print("\n" + ("\n".join(exceptions) or "All answers are identical."))


if __name__ == "__main__":
    main()
