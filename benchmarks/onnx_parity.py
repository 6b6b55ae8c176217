"""A model in ONNX Runtime, and a Transformer in CTranslate2, beside the NumPy and torch engines.

    python benchmarks/onnx_parity.py RUN dev.tsv test.tsv [--count 1000] [--timed 100]

Prints, for float32 and int8 weights: the size of the folder; identical answers, greedy and with beam 5, and the largest
difference in the log-probability of an identical answer, against NumPy with the same weights and against torch with the
model's own; milliseconds per answer, one text at a time with one thread, each text with one engine after the other.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import seq2see
from seq2see.data import read_pairs
from seq2see.export import ctranslate2
from seq2see.export.bundle import Bundle, bundle_of
from seq2see.export.onnx import files, network
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.storage.saved_model import load_model
from seq2see.storage.weights import read_weights

warnings.simplefilter("ignore", UserWarning)
Answer = Callable[[str, int], tuple[str, float]]
BEAM = 5


def of_model(model: seq2see.Model) -> Answer:
    """The answer and its log-probability."""

    def answer(text: str, beam: int) -> tuple[str, float]:
        (found,) = model.predict(text, beam=beam, length_penalty=0.0)
        return found.text, found.log_prob

    return answer


def of_ctranslate2(bundle: Bundle, folder: str) -> Answer:
    """The answer, with the log-probability that CTranslate2 gives it as a target."""
    own = ctranslate2.network(bundle, folder)
    return lambda text, beam: own.scored(text, own.answer(text, beam))


def compared(own: list[tuple[str, float]], other: list[tuple[str, float]]) -> str:
    """Identical answers, and the largest difference among them."""
    same = [abs(one[1] - another[1]) for one, another in zip(own, other, strict=True) if one[0] == another[0]]
    return f"{len(same):,} of {len(own):,}, {max(same, default=0):.1e}"


def timed(engines: dict[str, Answer], texts: Sequence[str], beam: int) -> dict[str, float]:
    """The median of milliseconds per answer of each engine."""
    found: dict[str, list[float]] = {name: [] for name in engines}
    for text in texts:
        for name, answer in engines.items():
            start = time.perf_counter()
            answer(text, beam)
            found[name].append(1000 * (time.perf_counter() - start))
    return {name: median(each) for name, each in found.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--timed", type=int, default=100)
    arguments = parser.parse_args()
    texts = [pair.source for path in arguments.files for pair in read_pairs([path]).pairs][: arguments.count]
    saved = load_model(arguments.run)
    original = model_of(saved, make_numpy_engine)
    torch = of_model(seq2see.load(arguments.run, engine="torch", device="cpu"))
    expected = {beam: [torch(text, beam) for text in texts] for beam in (1, BEAM)}
    for weights in ("float32", "int8"):
        bundle = bundle_of(saved, original, weights, name=arguments.run.name)
        tensors = read_weights(bundle.weights, weights, where="weights")
        engines: dict[str, Answer] = {"numpy": of_model(model_of(saved._replace(tensors=tensors), make_numpy_engine))}
        with tempfile.TemporaryDirectory() as folder:
            sizes = {"onnx": sum(map(len, files.files(bundle).values()))}
            engines["onnx"] = of_model(network.predictor(bundle, original))
            if saved.blueprint.name.startswith("transformer"):
                content = ctranslate2.files(bundle)
                sizes["ctranslate2"] = sum(map(len, content.values()))
                for name, each in content.items():
                    (Path(folder) / name).write_bytes(each)
                engines["ctranslate2"] = of_ctranslate2(bundle, folder)
            print(f"{weights}: packed {len(bundle.weights):,} bytes, {sizes}")
            for beam in (1, BEAM):
                found = {name: [answer(text, beam) for text in texts] for name, answer in engines.items()}
                for name, answers in found.items():
                    own = compared(answers, found["numpy"])
                    print(f"  beam {beam}, {name}: as numpy {own}; as torch {compared(answers, expected[beam])}")
                times = timed({**engines, "torch": torch}, texts[: arguments.timed], beam)
                print(f"  beam {beam}, ms an answer:", {name: round(each, 2) for name, each in times.items()})


if __name__ == "__main__":
    main()
