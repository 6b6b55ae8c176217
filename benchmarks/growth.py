"""How the time of an update, of an answer and of a start grows with each size: exponents as a table, and a picture.

    python benchmarks/growth.py [--only length width] [--rounds 5] [--picture growth.png] [--out growth.json]

One size of a small model at a time grows: tokens per side, width, vocabulary, pairs per batch, hypotheses of the beam,
pairs of the corpus. An update is one of several within an epoch; a start encodes the texts of a corpus and does the
first update. Hypotheses matter to answers alone, pairs to updates and starts. Models have random weights, texts are
made up and all of one length. Times are CPU seconds of one thread, medians over rounds in which all sizes of a curve
take turns.

An exponent e says that a size twice as large takes 2^e times as long: over the whole curve (least squares), and over
its last step. "At most" has the exponent that the calculation explains where it dominates: attention grows with the
product of both lengths, products with weights grow with the square of the width, everything else in proportion.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

import seq2see
from seq2see.blueprint import Blueprint
from seq2see.data import Examples, Pair
from seq2see.model import ModelOptions, Seq2Seq, Sizes, build, resolve
from seq2see.storage.saved_model import FORMAT, save_model
from seq2see.text import EOS, Codec, make_tokenizer
from seq2see.training.bare import UNENDING, updates

Work = Callable[[], object]


class Size(NamedTuple):
    """What is measured with; one of these is varied."""

    length: int = 20
    width: int = 128
    vocabulary: int = 1000
    batch: int = 32
    hypotheses: int = 5
    pairs: int = 2048


class Axis(NamedTuple):
    """The values of a size, and by kind of work the largest exponent that the calculation explains."""

    values: tuple[int, ...]
    most: dict[str, int]
    unit: str


AXES = {
    "length": Axis((10, 20, 40, 80, 160), {"update": 2, "answer": 2}, "tokens per side"),
    "width": Axis((64, 128, 256, 512), {"update": 2, "answer": 2}, "width"),
    "vocabulary": Axis((1000, 4000, 16_000, 64_000), {"update": 1, "answer": 1}, "tokens of the vocabulary"),
    "batch": Axis((4, 8, 16, 32, 64, 128), {"update": 1, "answer": 1}, "pairs per batch"),
    "hypotheses": Axis((1, 2, 4, 8, 16), {"answer": 1}, "hypotheses"),
    "pairs": Axis((1024, 4096, 16_384, 65_536), {"update": 0, "start": 1}, "pairs of the corpus"),
}
LEAST = 0.1
"""Seconds for which a work is repeated in a round."""
TINY = Size(length=3, width=8, vocabulary=20, batch=2, hypotheses=2, pairs=8)
"""To see whether everything runs: with its double."""
MODELS = ("bidirectional", "transformer")
ENGINES = ("numpy", "torch")


def texts_of(size: Size, number: int) -> list[str]:
    """Made-up texts; each word of the vocabulary may come."""
    words = np.random.default_rng(1).integers(size.vocabulary, size=(number, size.length))
    return [" ".join(f"w{word}" for word in text) for text in words]


def codec_of(size: Size) -> Codec:
    """All words of the vocabulary."""
    return Codec.build(make_tokenizer("words"), [" ".join(f"w{word}" for word in range(size.vocabulary))])


def blueprint_of(model: str, size: Size) -> Blueprint:
    """Two layers per side."""
    return resolve(ModelOptions(name=model, width=size.width, embedding=size.width, layers=2))


def network_of(blueprint: Blueprint, codec: Codec) -> Seq2Seq:
    """A model with random weights, always the same."""
    torch.manual_seed(1)
    return build(blueprint, Sizes(len(codec.vocabulary), len(codec.vocabulary)))


def update(model: str, size: Size, folder: Path) -> Work:
    """One update of the trainer."""
    codec, texts = codec_of(size), texts_of(size, size.pairs)
    examples = Examples.encode([Pair(text, text) for text in texts], codec, codec)
    running = updates(network_of(blueprint_of(model, size), codec), examples, replace(UNENDING, batch_size=size.batch))
    return lambda: next(running)


def start(model: str, size: Size, folder: Path) -> Work:
    """The encoding of all texts, and the first update."""
    codec, texts = codec_of(size), texts_of(size, size.pairs)
    pairs, blueprint = [Pair(text, text) for text in texts], blueprint_of(model, size)

    def begin() -> object:
        examples = Examples.encode(pairs, codec, codec)
        return next(updates(network_of(blueprint, codec), examples, replace(UNENDING, batch_size=size.batch)))

    return begin


def answer(model: str, size: Size, folder: Path, engine: Any) -> Work:
    """The answers of one batch, each as long as the sources."""
    codec, blueprint = codec_of(size), blueprint_of(model, size)
    tensors = {name: tensor.detach().numpy().copy() for name, tensor in network_of(blueprint, codec).tensors().items()}
    tensors["decoder.output.bias"][:EOS] = -30  # PAD, UNK and BOS, which a trained model hardly ever writes
    config = {"format": FORMAT, "model": asdict(blueprint), "max_length": size.length}
    path = Path(tempfile.mkdtemp(dir=folder))
    save_model(path, config=config, tensors=tensors, source_codec=codec, target_codec=codec, card="random")
    loaded, texts = seq2see.load(path, engine=engine, device="cpu"), texts_of(size, size.batch)
    length, beam = size.length, size.hypotheses
    return lambda: loaded.predict(texts, beam=beam, batch_size=len(texts), min_length=length, max_length=length)


WORKS: dict[str, Callable[[str, Size, Path], Work]] = {
    "update": update,
    "start": start,
    **{f"answer, {engine}": partial(answer, engine=engine) for engine in ENGINES},
}


class Curve(NamedTuple):
    """One work of one model by one size."""

    work: str
    model: str
    axis: str
    values: list[int]
    seconds: list[float]
    most: int

    def exponent(self, points: int = 0) -> float:
        """Of the last points, or of all (0): the slope of the logarithm of seconds by that of sizes."""
        values, seconds = (np.log(each[-points:]) for each in (self.values, self.seconds))
        return float(np.polyfit(values, seconds, 1)[0])


def seconds_of(works: Sequence[Work], rounds: int, least: float) -> list[float]:
    """The median CPU seconds of each; in a round all take turns, each repeated for at least these seconds."""
    amounts = []
    for work in works:
        work()
        start = time.process_time()
        work()
        amounts.append(max(1, round(least / max(time.process_time() - start, 1e-6))))
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, amount, own in zip(works, amounts, found, strict=True):
            start = time.process_time()
            for _ in range(amount):
                work()
            own.append((time.process_time() - start) / amount)
    return [statistics.median(own) for own in found]


def curves(axes: Sequence[str], rounds: int, *, tiny: bool) -> Iterator[Curve]:
    """All curves by these sizes."""
    for name in axes:
        axis, base = AXES[name], TINY if tiny else Size()
        values = [getattr(base, name) * factor for factor in (1, 2)] if tiny else list(axis.values)
        for work, make in WORKS.items():
            most = axis.most.get(work.partition(",")[0])
            for model in MODELS if most is not None else ():
                with tempfile.TemporaryDirectory() as folder:
                    works = [make(model, base._replace(**{name: value}), Path(folder)) for value in values]
                    yield Curve(work, model, name, values, seconds_of(works, rounds, 0 if tiny else LEAST), most or 0)


def draw(found: Sequence[Curve], path: Path) -> None:
    """Times by size, in logarithms, beside the steepest line that the calculation explains."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes = list(dict.fromkeys(curve.axis for curve in found))
    rows = -(-len(axes) // 3)
    figure, grid = pyplot.subplots(rows, 3, figsize=(12, 3.6 * rows), squeeze=False, layout="constrained")
    colors = dict(zip(WORKS, ("C0", "C3", "C1", "C2"), strict=True))
    for place, panel in enumerate(grid.flat):
        panel.set_visible(place < len(axes))
    for name, panel in zip(axes, grid.flat, strict=False):
        for curve in (each for each in found if each.axis == name):
            style = "o-" if curve.model == MODELS[0] else "s--"
            panel.loglog(curve.values, curve.seconds, style, color=colors[curve.work], markersize=4)
        own = [curve for curve in found if curve.axis == name]
        most, value = max(curve.most for curve in own), np.array(own[0].values)
        line = 2 * max(max(curve.seconds) for curve in own) * (value / value[-1]) ** most
        panel.loglog(value, line, ":", color="gray")
        panel.annotate(
            f"exponent {most}",
            (value[-1], line[-1]),
            ha="right",
            va="top",
            color="gray",
            xytext=(-12, 0),
            textcoords="offset points",
        )
        panel.set_xlabel(AXES[name].unit)
        panel.set_ylabel("CPU seconds")
        panel.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.0f}"))
        panel.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        panel.set_xticks(own[0].values)
    lines = [matplotlib.lines.Line2D([], [], color=color) for color in colors.values()]
    lines += [matplotlib.lines.Line2D([], [], color="black", linestyle=each) for each in ("-", "--")]
    figure.legend(lines, [*colors, *MODELS], loc="outside lower center", ncols=len(lines))
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print a table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(AXES), choices=AXES, help="the sizes that grow")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="to see whether everything runs")
    parser.add_argument("--picture", type=Path, help="a PNG, SVG or PDF file; needs matplotlib")
    parser.add_argument("--out", type=Path, help="a JSON file for the seconds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: list[Curve] = []
    print("| size | work | model | from | to | ms | exponent | last step | at most |\n" + "|---" * 9 + "|")
    for curve in curves(options.only, options.rounds, tiny=options.tiny):
        found.append(curve)
        first, *_, last = curve.values
        times = " ".join(f"{1e3 * each:.3g}" for each in curve.seconds)
        exponents = f"{curve.exponent():.2f} | {curve.exponent(2):.2f} | {curve.most}"
        print(
            f"| {curve.axis} | {curve.work} | {curve.model} | {first:,} | {last:,} | {times} | {exponents} |",
            flush=True,
        )
    if options.out:
        options.out.write_text(json.dumps([curve._asdict() for curve in found], indent=1) + "\n")
    if options.picture:
        draw(found, options.picture)


if __name__ == "__main__":
    main()
