"""What a GPU, or another device, does with this package, in one run.

    python benchmarks/device.py --device cuda [--size full] [--out results.json]

It makes its own data, so it needs nothing but the package, and prints each figure when it is measured:

- products: two large matrices, in float32 (as PyTorch multiplies by default) and bfloat16: the ceiling
- training: target tokens per second of updates, their products as a share of that ceiling, peak memory of the device
- answers: texts per second, greedily and with a beam of 5, alone and in batches of 128
- same answers: whether answers alone, in a batch and with more padding beside them are the same texts, and how far
  their log-probabilities differ
- same weights: whether the same training twice gives the same weights to the bit, as it is and with PyTorch's
  deterministic algorithms
- attention: which kernels of scaled dot-product attention run in each precision, forward

What a device can't do has its reason in place of a figure.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic algorithms need, before CUDA starts

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

import seq2see
from seq2see.data import Examples, Pair
from seq2see.model import ModelOptions, Sizes, build, resolve
from seq2see.text import Codec, make_tokenizer
from seq2see.training.bare import UNENDING, updates
from seq2see.training.options import TrainingOptions


class Size(NamedTuple):
    """How much is measured."""

    matrix: int
    width: int
    layers: int
    words: int
    batch_tokens: int
    updates: int
    texts: int
    alone: int


SIZES = {
    "full": Size(8192, 512, 6, 8000, 16_384, 40, 1024, 32),
    "small": Size(1024, 128, 2, 500, 2048, 10, 128, 8),
    "tiny": Size(64, 16, 1, 40, 256, 2, 8, 2),
}
MODELS = ("bidirectional", "transformer")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ROUNDS = 3


def made_pairs(size: Size, number: int) -> list[tuple[str, str]]:
    """Sentences of 5 to 40 made-up words, and the same words with other endings in reverse order."""
    random = np.random.default_rng(1)
    sentences = (random.integers(size.words, size=random.integers(5, 41)) for _ in range(number))
    return [(" ".join(f"w{word}" for word in each), " ".join(f"v{word}" for word in each[::-1])) for each in sentences]


def examples_of(pairs: list[tuple[str, str]]) -> tuple[Examples, Sizes]:
    """The pairs as ids of words."""
    words = make_tokenizer("words")
    codecs = [Codec.build(words, [pair[side] for pair in pairs]) for side in (0, 1)]
    source, target = codecs
    return Examples.encode([Pair(*pair) for pair in pairs], source, target), Sizes(
        len(source.vocabulary), len(target.vocabulary)
    )


def options_of(name: str, size: Size) -> ModelOptions:
    """A Transformer as in the paper, or two LSTMs per side with attention."""
    if name == "transformer":
        return ModelOptions(name=name, width=size.width, layers=size.layers, feed_forward=4 * size.width, dropout=0.1)
    return ModelOptions(name=name, width=size.width, embedding=size.width, layers=2, dropout=0.1)


def of_batches(size: Size) -> TrainingOptions:
    """Updates of this many tokens."""
    return replace(UNENDING, batch_size=size.batch_tokens, batch_tokens=size.batch_tokens)


def finish(device: torch.device) -> None:
    """Wait until the device has done all that it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """The median of some rounds, after one that isn't timed."""
    taken = []
    for _ in range(ROUNDS + 1):
        finish(device)
        start = time.perf_counter()
        work()
        finish(device)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def measured(row: dict[str, Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row with what was measured, or with the reason why it could not be."""
    try:
        return row | work()
    except Exception as error:  # whatever a device can't do: the next row may be possible
        return row | {"reason": f"{type(error).__name__}: {error}".splitlines()[0][:120]}


def products(size: Size, device: torch.device) -> Iterator[dict[str, Any]]:
    """Rows of the ceiling: operations per second of a product of two square matrices."""
    for precision, dtype in PRECISIONS.items():

        def work(dtype: torch.dtype = dtype) -> dict[str, Any]:
            matrix = torch.ones(size.matrix, size.matrix, dtype=dtype, device=device)
            return {"tera_per_second": 2 * size.matrix**3 / seconds(lambda: matrix @ matrix, device) / 1e12}

        yield measured({"precision": precision}, work)


def trainings(size: Size, device: torch.device, ceilings: dict[str, float]) -> Iterator[dict[str, Any]]:
    """Rows of updates."""
    examples, sizes = examples_of(made_pairs(size, 20 * size.texts))
    for name in MODELS:
        for precision in PRECISIONS:
            if (name, precision, device.type) == ("bidirectional", "bfloat16", "cuda"):
                yield {"model": name, "precision": precision, "reason": "cuDNN's LSTM runs in float16 there"}
                continue

            def work(name: str = name, precision: Any = precision) -> dict[str, Any]:
                network = build(resolve(options_of(name, size)), sizes)
                options = replace(of_batches(size), precision=precision)
                running = updates(network, examples, options, device=device)
                list(islice(running, 3))
                if device.type == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                finish(device)
                start = time.perf_counter()
                tokens = sum(batch.target_tokens for batch in islice(running, size.updates))
                finish(device)
                rate = tokens / (time.perf_counter() - start)
                weights = sum(each.numel() for each in network.parameters() if each.dim() > 1)
                tables = [each.weight for each in network.modules() if isinstance(each, torch.nn.Embedding)]
                output = network.decoder.output.weight  # may be the table of the target's tokens
                multiplied = weights - sum(each.numel() for each in tables if each is not output)
                # Forward and twice that backward, 2 operations each; a pair has about as many tokens on each side.
                share = 6 * multiplied * rate / 1e12 / ceilings[precision] if precision in ceilings else None
                row = {"target_tokens_per_second": rate, "share_of_product": share}
                return row | ({"peak_mib": torch.cuda.max_memory_allocated() / 2**20} if device.type == "cuda" else {})

            yield measured({"model": name, "precision": precision}, work)


def trained(name: str, size: Size, device: torch.device, folder: Path) -> seq2see.Model:
    """A model after a few updates, on the device: it takes as long for its answers as a better one."""
    options = options_of(name, size)
    chosen = {key: getattr(options, key) for key in ("width", "layers", "dropout")}
    settings = {f"model.{key}": value for key, value in chosen.items()} | {"training.max_updates": 2 * size.updates}
    kind = {"text.source": "words", "text.target": "words", "text.min_count": 1, "training.batch_tokens": 2048}
    pairs = made_pairs(size, 4 * size.texts)
    on: Any = device.type
    seq2see.train(pairs, dev=pairs[:20], model=name, out=folder, settings=settings | kind, device=on, quiet=True)
    return seq2see.load(folder, engine="torch", device=on)


def answers(model: seq2see.Model, name: str, size: Size, device: torch.device) -> Iterator[dict[str, Any]]:
    """Rows of answers of exactly 20 tokens."""
    texts = [source for source, _ in made_pairs(size, size.texts)]
    for beam in (1, 5):
        for batch, number in ((1, size.alone), (128, size.texts)):

            def work(beam: int = beam, batch: int = batch, number: int = number) -> dict[str, Any]:
                def predict() -> None:
                    model.predict(texts[:number], beam=beam, batch_size=batch, min_length=20, max_length=20)

                return {"texts_per_second": number / seconds(predict, device)}

            yield measured({"model": name, "beam": beam, "batch": batch}, work)


def same_answers(model: seq2see.Model, name: str, size: Size) -> Iterator[dict[str, Any]]:
    """Rows of the law that an answer doesn't depend on what is answered beside it."""
    texts = [source for source, _ in made_pairs(size, size.alone)]
    longest = " ".join(["w1"] * 200)
    for beam in (1, 5):

        def work(beam: int = beam) -> dict[str, Any]:
            def found(batch: int, *more: str) -> list[Any]:
                with warnings.catch_warnings(action="ignore", category=UserWarning):  # the text is longer than any
                    return model.predict([*texts, *more], beam=beam, batch_size=batch, max_length=40)[: len(texts)]

            alone = found(1)
            ways = {"in a batch": found(128), "with padding": found(128, longest)}
            both = {way: list(zip(alone, each, strict=True)) for way, each in ways.items()}
            differ = {way: sum(a.text != b.text for a, b in each) for way, each in both.items()}
            farthest = max(abs(a.log_prob - b.log_prob) for each in both.values() for a, b in each)
            return {"texts": len(texts), "other_texts": differ, "largest_difference": farthest}

        yield measured({"model": name, "beam": beam}, work)


def same_weights(name: str, size: Size, device: torch.device) -> Iterator[dict[str, Any]]:
    """Rows of whether the same training twice gives the same bits."""
    examples, sizes = examples_of(made_pairs(size, 4 * size.texts))

    def work() -> dict[str, Any]:
        found = []
        for _ in range(2):
            torch.manual_seed(1)
            network = build(resolve(options_of(name, size)), sizes)
            list(islice(updates(network, examples, of_batches(size), device=device), size.updates))
            found.append([each.detach().cpu() for each in network.parameters()])
        first, second = found
        return {"same_bits": all(torch.equal(a, b) for a, b in zip(first, second, strict=True))}

    for is_deterministic in (False, True):
        torch.use_deterministic_algorithms(is_deterministic, warn_only=True)
        try:
            yield measured({"model": name, "deterministic": is_deterministic}, work)
        finally:
            torch.use_deterministic_algorithms(False)


def kernels(size: Size, device: torch.device) -> Iterator[dict[str, Any]]:
    """Rows of the kernels of attention, without a mask and with one of True alone."""
    for precision, dtype in PRECISIONS.items():
        for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION):
            for masked in (False, True):

                def work(
                    dtype: torch.dtype = dtype, backend: SDPBackend = backend, masked: bool = masked
                ) -> dict[str, Any]:
                    x = torch.ones(8, 8, 64, max(16, size.width // 8), dtype=dtype, device=device)
                    mask = torch.ones(8, 1, 1, 64, dtype=torch.bool, device=device) if masked else None
                    with sdpa_kernel(backend):
                        taken = seconds(lambda: scaled_dot_product_attention(x, x, x, attn_mask=mask), device)
                    return {"microseconds": 1e6 * taken}

                yield measured({"precision": precision, "kernel": backend.name.lower(), "mask": masked}, work)


def shown(value: Any) -> str:
    """A cell."""
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure everything on one device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "mps", "cpu"])
    sizes = "of models and data: full for a GPU, small for a CPU, tiny to see whether everything runs"
    parser.add_argument("--size", default="full", choices=SIZES, help=sizes)
    parser.add_argument("--out", type=Path, help="a JSON file for the figures, written after each section")
    options = parser.parse_args()
    is_there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not is_there[options.device]:
        parser.error(f"{options.device} is unavailable on this machine, or in this build of PyTorch")
    size, device = SIZES[options.size], torch.device(options.device)
    about = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    print(f"# {about}, PyTorch {torch.__version__}, {options.size}")
    results: dict[str, Any] = {"device": about, "torch": torch.__version__, "size": options.size}

    def report(section: str, title: str, rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
        """Print each row when it is measured, with its own names, and add them to the file."""
        print(f"\n## {title}\n", flush=True)
        found = []
        for row in rows:
            cells = (f"{name.replace('_', ' ')}: {shown(value)}" for name, value in row.items())
            print("- " + "; ".join(cells), flush=True)
            found.append(row)
        results.setdefault(section, []).extend(found)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1) + "\n")
        return found

    rows = report("products", "Products", products(size, device))
    ceilings = {row["precision"]: row["tera_per_second"] for row in rows if "reason" not in row}
    report("training", "Training", trainings(size, device, ceilings))
    for name in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            models: list[seq2see.Model] = []

            def train(name: str = name, folder: str = folder, models: list[seq2see.Model] = models) -> dict[str, Any]:
                models.append(trained(name, size, device, Path(folder) / "run"))
                return {"parameters": models[0].num_parameters}

            report("models", f"Model: {name}", iter([measured({"model": name}, train)]))
            for model in models:
                report("answers", f"Answers: {name}", answers(model, name, size, device))
                report("same_answers", f"Same answers: {name}", same_answers(model, name, size))
        report("same_weights", f"Same weights: {name}", same_weights(name, size, device))
    report("kernels", "Attention", kernels(size, device))


if __name__ == "__main__":
    main()
