"""One step of the decoder in every target, beside reading its weights once.

    python benchmarks/steps.py RUN texts.tsv [--count 20] [--rounds 7]

A text is answered greedily with exactly 10 and with exactly 60 tokens; the difference of the CPU times, divided by 50,
is the time of a step: median over the texts and rounds. PyTorch, NumPy, ONNX Runtime and C take turns in this process,
with one thread; the ES module and WebAssembly do the same work in Node.js, on its own clock. The weights are the
matrices that the program of a step multiplies, each read once by a product with a vector in NumPy. Answers of 10 tokens
have to be the same everywhere.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import seq2see
from export import Exported, library_of, module_of
from seq2see.data import read_pairs
from seq2see.export import export_run
from seq2see.export.bundle import Bundle, bundle_of
from seq2see.export.checking import find_node, run_in_node
from seq2see.export.onnx import network
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.inference.predictor import Predictor
from seq2see.native import NativeModel
from seq2see.storage.saved_model import load_model

SHORT, LONG = 10, 60
Answer = Callable[[str, int], str]
"""The answer to a text, of exactly so many tokens."""


def answer_of(model: Predictor | NativeModel) -> Answer:
    """Of a model in this process."""
    return lambda text, length: model.predict(text, min_length=length, max_length=length)[0].text


def timed(answers: dict[str, Answer], texts: Sequence[str], rounds: int) -> dict[str, float]:
    """Microseconds of a step of each, by turns."""
    found: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(rounds):
        for text in texts:
            for name, answer in answers.items():
                clock = [time.process_time()]
                for length in (SHORT, LONG):
                    answer(text, length)
                    clock.append(time.process_time())
                short, long = (after - before for before, after in pairwise(clock))
                found[name].append(1e6 * (long - short) / (LONG - SHORT))
    return {name: median(each) for name, each in found.items()}


def timed_in_node(exported: Exported, texts: Sequence[str], rounds: int) -> tuple[list[str], float]:
    """Short answers, and microseconds of a step: of each call all texts in one, after a call that warms up."""
    node = find_node()
    assert node is not None, "install Node.js"
    module, beside = module_of(exported.path)
    taken: dict[int, list[float]] = {SHORT: [], LONG: []}
    answers: list[str] = []
    for _ in range(rounds):
        for length, times in taken.items():
            options = {"minLength": length, "maxLength": length}
            (found, *_), milliseconds = run_in_node(module, texts, [options] * 5, node, beside)
            times.append(1000 * milliseconds / 5 / len(texts))
            answers = [each["text"] for each in found] if length == SHORT else answers
    return answers, (median(taken[LONG]) - median(taken[SHORT])) / (LONG - SHORT)


def weights_of_step(bundle: Bundle) -> list[tuple[int, int]]:
    """The shapes of the matrices that a step multiplies and that depend on no input."""
    program = bundle.programs.step
    found = {}
    for operation in program.operations:
        for value in operation.inputs if operation.kind == "matmul" else ():
            shape = program.type(value).shape
            is_weight = value < len(program.inputs) and program.inputs[value][0].startswith("prepared.")
            if is_weight and len(shape) == 2 and all(isinstance(size, int) for size in shape):
                found[value] = (int(shape[0]), int(shape[1]))  # type: ignore[arg-type] # sizes that are numbers
    return list(found.values())


def time_of_weights(shapes: Sequence[tuple[int, int]], rounds: int) -> float:
    """Microseconds for a vector times each matrix."""
    work = [(np.ones(rows, np.float32), np.ones((rows, width), np.float32)) for rows, width in shapes]
    out = [np.empty(width, np.float32) for _, width in shapes]
    taken = []
    for _ in range(rounds * 20):
        start = time.process_time()
        for _ in range(50):
            for (vector, matrix), place in zip(work, out, strict=True):
                np.dot(vector, matrix, place)
        taken.append(1e6 * (time.process_time() - start) / 50)
    return median(taken)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    pairs = read_pairs([options.data]).pairs[: options.count]
    texts = [pair.source for pair in pairs]
    saved = load_model(options.run)
    original = model_of(saved, make_numpy_engine)
    bundle = bundle_of(saved, original, "float32", name=options.run.name)
    with tempfile.TemporaryDirectory() as folder:

        def exported(ending: str, weights: str = "float32") -> Exported:
            kept = {"separate_weights": True} if ending == ".c" else {}
            made = export_run(options.run, Path(folder) / f"{weights}{ending}", weights=weights, data=pairs[:2], **kept)
            return Exported(made.path, weights)

        models: dict[str, Predictor | NativeModel] = {
            "NumPy": original,
            "torch": seq2see.load(options.run, engine="torch", device="cpu"),
            "ONNX Runtime": network.predictor(bundle, original),
            "C": library_of(exported(".c")),
            "C, int8": library_of(exported(".c", "int8")),
        }
        answers = {name: answer_of(model) for name, model in models.items()}
        expected = [answers["torch"](text, SHORT) for text in texts]
        for name, answer in answers.items():
            if "int8" not in name:
                assert [answer(text, SHORT) for text in texts] == expected, f"{name} has other answers"
        times = timed(answers, texts, options.rounds)
        for name, ending in (("ES module", ".mjs"), ("WebAssembly", ".wasm")):
            found, times[name] = timed_in_node(exported(ending), texts, min(3, options.rounds))
            assert found == expected, f"{name} has other answers"
    shapes = weights_of_step(bundle)
    bound = time_of_weights(shapes, options.rounds)
    size = 4 * sum(rows * width for rows, width in shapes)
    print("| | µs a step | times reading the weights |\n|---|---|---|")
    for name, taken in sorted(times.items(), key=lambda each: each[1]):
        print(f"| {name} | {taken:.1f} | {taken / bound:.2f} |")
    print(f"| its {len(shapes)} matrices ({size / 2**20:.2f} MiB), each multiplied once in NumPy | {bound:.1f} | 1 |")


if __name__ == "__main__":
    main()
