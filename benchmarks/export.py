"""Exported models beside the model in PyTorch: the same answers, how fast, how large.

    python benchmarks/export.py RUN dev.tsv… [--count 1000] [--targets js int8.js page]

The sources of the files are answered greedily and with a beam of 5. Each row is one target: the size of its file, the
identical answers, the largest difference between the log-probabilities of identical answers, and the milliseconds an
answer, without loading. int8 weights are compared with the same weights in NumPy.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import seq2see
from seq2see.data import read_pairs
from seq2see.export import export_run
from seq2see.export.bundle import bundle_of
from seq2see.export.c_checking import find_compiler
from seq2see.export.c_wasm import MODULE_ENDING, WITHOUT_ENDING
from seq2see.export.checking import find_node, run_in_node
from seq2see.export.onnx import network
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.inference.predictor import Predictor
from seq2see.native import NativeModel, load
from seq2see.native.library import BUILD
from seq2see.storage.saved_model import load_model

BEAM = 5


class Answers(NamedTuple):
    """What a target says."""

    texts: list[str]
    log_probs: list[float]
    milliseconds: float
    """Per answer."""


class Exported(NamedTuple):
    """A model in a target."""

    path: Path
    weights: str = "float32"
    run: Path = Path()
    """What was exported, for a target that isn't run from its file."""


Runner = Callable[[Exported, Sequence[str], int], Answers]
"""Of an exported model, the texts and the beam."""


def module_of(path: Path) -> tuple[str, dict[str, bytes]]:
    """The ES module of an exported file, and the files that it needs beside it."""
    if path.suffix == ".wasm":
        return path.with_name(path.stem + MODULE_ENDING).read_text("utf-8"), {WITHOUT_ENDING: path.read_bytes()}
    return path.read_text("utf-8"), {}


def in_node(exported: Exported, texts: Sequence[str], beam: int) -> Answers:
    """An ES module, or WebAssembly with its module, in Node.js."""
    node = find_node()
    assert node is not None, "install Node.js"
    module, beside = module_of(exported.path)
    (answers,), milliseconds = run_in_node(module, texts, [{"beam": beam}], node, beside)
    log_probs = [each["logProb"] for each in answers]
    return Answers([each["text"] for each in answers], log_probs, milliseconds / len(texts))


def in_onnx(exported: Exported, texts: Sequence[str], beam: int) -> Answers:
    """The two graphs in ONNX Runtime, with the search of Seq2See."""
    saved = load_model(exported.run)
    original = model_of(saved, make_numpy_engine)
    bundle = bundle_of(saved, original, exported.weights, name=exported.run.name)
    return in_python(network.predictor(bundle, original), texts, beam)


def library_of(exported: Exported) -> NativeModel:
    """A C file as a shared library, compiled for this machine, with its weights inside or beside it."""
    library, weights = exported.path.with_suffix(".so"), exported.path.with_suffix(".weights")
    compiler = find_compiler()
    assert compiler is not None, "install gcc"
    options = [part.replace("NAME", str(exported.path.with_suffix(""))) for part in BUILD.split()[1:]]
    subprocess.run([*compiler, *options], check=True)
    return load(library, weights=weights if weights.exists() else None)


def in_c(exported: Exported, texts: Sequence[str], beam: int) -> Answers:
    """A C file as a shared library."""
    model = library_of(exported)
    start = time.perf_counter()
    found = [model.predict(text, beam=beam)[0] for text in texts]
    each = 1000 * (time.perf_counter() - start) / len(texts)
    return Answers([answer.text for answer in found], [answer.log_prob for answer in found], each)


def in_chromium(exported: Exported, texts: Sequence[str], beam: int) -> Answers:
    """A page in Chromium, by its own model; needs the extra `browser`."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(0)
        page.goto(exported.path.absolute().as_uri())
        found = page.evaluate(IN_PAGE, [list(texts), beam])
        browser.close()
    return Answers(found["texts"], found["logProbs"], found["milliseconds"] / len(texts))


IN_PAGE = """async ([texts, beam]) => {
  const model = await Model.of(JSON.parse(document.getElementById("model").textContent));
  const start = performance.now();
  const answers = texts.map((text) => model.predict(text, { beam }));
  const milliseconds = performance.now() - start;
  return { texts: answers.map((each) => each.text), logProbs: answers.map((each) => each.logProb), milliseconds };
}"""

TARGETS: dict[str, tuple[str, str, Runner]] = {
    "onnx": (".onnx", "float32", in_onnx),
    "js": (".mjs", "float32", in_node),
    "int8.js": (".mjs", "int8", in_node),
    "wasm": (".wasm", "float32", in_node),
    "c": (".c", "float32", in_c),
    "int8.c": (".c", "int8", in_c),
    "page": (".html", "int8", in_chromium),
}
"""The ending of the file, the format of the weights, and what runs it."""


def in_python(model: Predictor, texts: Sequence[str], beam: int) -> Answers:
    """One text at a time, as the targets answer."""
    model.predict(texts[0], beam=beam)
    start = time.perf_counter()
    found = [model.predict(text, beam=beam)[0] for text in texts]
    each = 1000 * (time.perf_counter() - start) / len(texts)
    return Answers([answer.text for answer in found], [answer.log_prob for answer in found], each)


def row(name: str, size: int | None, own: Sequence[Answers], expected: Sequence[Answers]) -> str:
    """A row of the table: greedy and of a beam."""
    cells, difference = [], 0.0
    for ours, theirs in zip(own, expected, strict=True):
        same = [one == other for one, other in zip(ours.texts, theirs.texts, strict=True)]
        cells.append(f"{sum(same):,} of {len(same):,}")
        for is_same, one, other in zip(same, ours.log_probs, theirs.log_probs, strict=True):
            if is_same and math.isfinite(one):
                difference = max(difference, abs(one - other))
    times = " | ".join(f"{answers.milliseconds:.2f}" for answers in own)
    return f"| {name} | {'' if size is None else f'{size:,}'} | {' | '.join(cells)} | {difference:.1e} | {times} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    arguments = parser.parse_args()
    pairs = [pair for path in arguments.data for pair in read_pairs([path]).pairs][: arguments.count]
    texts = [pair.source for pair in pairs]
    beams = (1, BEAM)

    print("| target | bytes | same, greedy | same, beam 5 | largest difference, nats | ms, greedy | ms, beam 5 |")
    print("|---|---|---|---|---|---|---|")
    torch_model = seq2see.load(arguments.run, engine="torch", device="cpu")
    original = [in_python(torch_model, texts, beam) for beam in beams]
    print(row("torch", None, original, original), flush=True)
    numpy_model = seq2see.load(arguments.run, engine="numpy")
    print(row("NumPy", None, [in_python(numpy_model, texts, beam) for beam in beams], original), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        expected = {"float32": original}
        for name in arguments.targets:
            ending, weights, run = TARGETS[name]
            exported = export_run(arguments.run, Path(folder) / f"model{ending}", weights=weights, data=pairs[:2])
            if weights not in expected:
                packed = Path(folder) / f"{weights}.seq2see"
                numpy_model.pack(packed, weights=weights, data=pairs[:2])
                stored = seq2see.load(packed, engine="numpy")
                expected[weights] = [in_python(stored, texts, beam) for beam in beams]
            made = Exported(exported.path, weights, arguments.run)
            own = [run(made, texts, beam) for beam in beams]
            print(row(name, exported.size, own, expected[weights]), flush=True)


if __name__ == "__main__":
    main()
