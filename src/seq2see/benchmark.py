"""`seq2see bench`: how fast a model is on this machine, beside the machine's own matrix product, and what follows.

Libraries read once, at their start, how many threads to use, so each engine with each number of threads is measured in
a process of its own: answering one text at a time, answering many, and, with PyTorch, training.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from seq2see.console import counted
from seq2see.data import Examples, Pair, collate
from seq2see.data.options import known_from
from seq2see.errors import ConfigError, UserError
from seq2see.inference.loading import engine_maker, model_of
from seq2see.packing import pairs_to_compare
from seq2see.run.folder import is_run, stored_config
from seq2see.storage.saved_model import SavedModel, load_model
from seq2see.storage.weights import as_weights, read_weights, write_weights

ONE, MANY, TRAINING = "one text at a time", "many texts", "training"
BATCH = 64
"""Texts answered together of many, and pairs of an update."""
MOST_PAIRS = 128
MOST_ALONE = 8
"""Pairs that are read, and texts answered one at a time."""
SIDE = 1024
"""Rows and columns of the matrices whose product is the ceiling."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables that set the number of threads."""
MOST_THREADS = 1_024
BFLOAT16 = "torch-bfloat16"
ROUNDED = ("numpy int8", BFLOAT16)
"""Engines whose answers differ from those of the others."""
CLEAR = 1.1
"""Advice follows from ratios of at least this: smaller ones may be noise."""


class Speed(NamedTuple):
    """What was measured of one kind of work."""

    work: str
    engine: str
    threads: int
    tokens: float
    """Source and target tokens per second."""
    share: float
    """Of the ceiling: multiplications by weights, per second, divided by those of a product of two large matrices."""


def bench_run(
    run: Path, data: Sequence[Path] | Sequence[Pair] = (), *, threads: Sequence[int] = (1, 2), seconds: float = 3.0
) -> list[Speed]:
    """The speed of the model of `run` on `data`, by default its dev pairs, for `seconds` per kind of work.

    Raises ConfigError for a language model, without pairs, and for numbers out of range, CheckpointError for a model
    that can't be read.
    """
    if not threads or not all(1 <= number <= MOST_THREADS for number in threads):
        what = f"must be at least 1 and at most {MOST_THREADS:,}, not {list(threads)}"
        raise ConfigError(what, where="threads", fix="give 1 2, or leave it out")
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"must be a positive number, not {seconds}", where="seconds", fix="give 3")
    saved = load_model(run)
    if saved.source_codec is None:
        raise ConfigError("is a language model, which answers no texts", where=str(run), fix="name another model")
    known = known_from(saved.config.get("columns"))
    pairs = pairs_to_compare(run, data, (saved.source_codec, saved.target_codec), known)[:MOST_PAIRS]
    if not pairs:
        raise ConfigError("no pairs to measure with", where="bench", fix="give a file of pairs: --data pairs.tsv")
    given = json.dumps([[pair.source, pair.target] for pair in pairs])
    optimizer = stored_config(run).training.optimizer if is_run(run) else None
    engines = ["numpy", "numpy int8", *(["torch", BFLOAT16] if find_spec("torch") else [])]
    found = []
    for engine in engines:
        for number in threads:
            environment = os.environ | dict.fromkeys(THREADS, str(number))
            command = [sys.executable, "-c", "from seq2see.benchmark import measure_here; measure_here()"]
            arguments = [str(run.absolute()), engine, str(number), str(seconds), optimizer or "adam"]
            ended = subprocess.run(
                [*command, *arguments], input=given, env=environment, capture_output=True, encoding="utf-8", check=False
            )
            if ended.returncode:
                said = ended.stderr.strip().rpartition("\n")[2]
                raise UserError(
                    f"measuring {engine} failed: {said}", where="bench", fix="see what seq2see predict says"
                )
            found += [Speed(*values) for values in json.loads(ended.stdout)]
    return found


def measure_here() -> None:
    """Measure in this process what `bench_run` asks for, and print it as JSON."""
    run, engine, threads, seconds, optimizer = sys.argv[1:]
    warnings.simplefilter("ignore")
    pairs = [Pair(*each) for each in json.load(sys.stdin)]
    speeds = measured(load_model(Path(run)), pairs, engine, int(threads), float(seconds), optimizer)
    print_json(list(speeds))


def print_json(speeds: list[Speed]) -> None:
    """Print to stdout what the process that asked reads."""
    from seq2see.console import show_json

    show_json(speeds)


def measured(
    saved: SavedModel, pairs: Sequence[Pair], engine: str, threads: int, seconds: float, optimizer: str
) -> Iterator[Speed]:
    """The speeds of one engine, in this process; none of bfloat16 on a processor that has no instructions for it."""
    if engine == BFLOAT16:
        from seq2see.training.precision import has_instructions

        if not has_instructions():
            return
    if engine == "numpy int8":
        weights = as_weights("int8")
        tensors = read_weights(write_weights(saved.tensors, weights), weights, where=saved.origin)
        saved = saved._replace(tensors=tensors)
    kind = engine.partition(" ")[0]
    model = model_of(saved, engine_maker(kind, "cpu"))
    examples = Examples.encode(pairs, saved.source_codec, saved.target_codec)
    ceiling = median(rates(product_of(kind), 2 * SIDE**3, seconds / 3))
    weights_met = multiplied(saved)

    def speed(work: str, do: Callable[[], object], tokens: tuple[int, int], passes: int = 1) -> Speed:
        rate = median(rates(do, sum(tokens), seconds))
        products = sum(number * size for number, size in zip(tokens, weights_met, strict=True))
        return Speed(work, engine, threads, rate, rate * passes * 2 * products / sum(tokens) / ceiling)

    for work, texts, batch_size in ((ONE, pairs[:MOST_ALONE], 1), (MANY, pairs, BATCH)):
        sources = [pair.source for pair in texts]
        answers = model.predict(sources, batch_size=batch_size)
        tokens = int(examples.source_lengths[: len(texts)].sum()), sum(len(each.target_tokens) + 1 for each in answers)
        yield speed(work, partial(model.predict, sources, batch_size=batch_size), tokens)
    if kind == "torch":
        do = update_of(saved, examples, threads, optimizer)
        tokens = int(examples.source_lengths[:BATCH].sum()), int(examples.target_lengths[:BATCH].sum())
        yield speed(TRAINING, do, tokens, 3)  # products with weights: forward, gradients of inputs and of weights


def multiplied(saved: SavedModel) -> tuple[int, int]:
    """Weights that each source token and each target token is multiplied by: all matrices but tables of embeddings."""
    sizes = [0, 0]
    for name, tensor in saved.tensors.items():
        if tensor.ndim == 2 and "embedding" not in name:
            sizes[not name.startswith("encoder.")] += tensor.size
    return sizes[0], sizes[1]


def update_of(saved: SavedModel, examples: Examples, threads: int, optimizer_name: str) -> Callable[[], None]:
    """An update of a copy of the model by this optimizer, in the precision that training would choose."""
    import torch

    from seq2see.inference.torch_engine import make_torch_engine
    from seq2see.training import TrainingOptions, batch_loss, choose_precision, to_tensors
    from seq2see.training.optimizer import optimizer_of

    torch.set_num_threads(threads)
    device = torch.device("cpu")
    network = make_torch_engine(saved, device).network.train()
    precision = choose_precision(device, saved.blueprint)
    is_half = precision == "bfloat16"
    options = TrainingOptions(rate=1e-5, optimizer=optimizer_name, precision=precision)  # type: ignore[arg-type]
    optimizer = optimizer_of(network, options)
    batch = to_tensors(collate(examples, np.arange(min(BATCH, len(examples)))), device)

    def update() -> None:
        network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
            loss = batch_loss(network, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        network.zero_grad()

    return update


def product_of(engine: str) -> Callable[[], object]:
    """The product of two large matrices as the engine computes it, in its format."""
    if engine.startswith("torch"):
        import torch

        one = torch.ones(SIDE, SIDE, dtype=torch.bfloat16 if engine == BFLOAT16 else torch.float32)
        return lambda: one @ one
    both = np.ones((SIDE, SIDE), np.float32)
    return lambda: both @ both


def rates(do: Callable[[], object], amount: float, seconds: float) -> list[float]:
    """The amount per second of each of several repetitions, after one that isn't counted."""
    do()
    found = list[float]()
    began = time.perf_counter()
    while len(found) < 3 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        do()
        found.append(amount / max(time.perf_counter() - start, 1e-9))
    return found


def lines(speeds: Sequence[Speed]) -> Iterator[str]:
    """The table, and the advice that follows from it."""
    yield f"{'task':20}{'engine':16}{'threads':>8}{'tokens/s':>12}{'of matmul peak':>16}"
    for each in sorted(speeds, key=lambda speed: (ONE, MANY, TRAINING).index(speed.work)):
        yield f"{each.work:20}{each.engine:16}{each.threads:8}{each.tokens:12,.0f}{each.share:16.1%}"
    yield ""
    yield from advice(speeds)


def advice(speeds: Sequence[Speed]) -> Iterator[str]:
    """One line per work: what is fastest, and whether threads pay."""
    for work in (ONE, MANY, TRAINING):
        own = [speed for speed in speeds if speed.work == work and speed.engine not in ROUNDED]
        if not own:
            continue
        best = max(own, key=lambda speed: speed.tokens)
        others = [speed for speed in own if speed.engine != best.engine]
        fewest = min((speed for speed in own if speed.engine == best.engine), key=lambda speed: speed.threads)
        if best.tokens < CLEAR * fewest.tokens:
            best = fewest
            is_compared = len({speed.threads for speed in own}) > 1
            pays = "more threads don't pay: use other cores for other processes" if is_compared else ""
        else:
            pays = f"{best.threads} threads are {best.tokens / fewest.tokens:.1f} times as fast as {fewest.threads}"
        choice = f"{work}: {counted(best.threads, 'thread')}"
        if others:
            ratio = best.tokens / max(speed.tokens for speed in others)
            choice = f"{work}: --engine {best.engine}" + (f" ({ratio:.1f} times the other)" if ratio >= CLEAR else "")
        yield f"{choice}; {pays}" if pays else choice
    exact = [speed for speed in speeds if speed.engine not in ROUNDED]
    alone, together = (max((s.tokens for s in exact if s.work == work), default=0) for work in (ONE, MANY))
    if alone and together >= CLEAR * alone:
        yield f"answer texts together where you can: {together / alone:.1f} times the tokens per second"
    ratios = [
        (each.tokens / max(s.tokens for s in exact if (s.work, s.threads) == (MANY, each.threads)), each)
        for each in speeds
        if (each.work, each.engine) == (MANY, BFLOAT16) and each.tokens > together
    ]
    if ratios:
        ratio, rounded = max(ratios)
        if ratio >= CLEAR:
            times = f"{ratio:.1f} times as fast with {counted(rounded.threads, 'thread')}"
            yield f"--engine {BFLOAT16} answers many texts {times}; it rounds, so a few answers differ"
    yield "int8 makes the file smaller, not the model faster: it is computed in float32"
