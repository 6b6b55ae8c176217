"""Training samples per second, compared with a minimal hand-written PyTorch loop of the same model, in one run.

Both train attention over a forward encoder (embedding 16, width 256, dot product, tanh layer) on book_date's dates with
batches of 128 in float32. The hand-written loop is what one writes first: one nn.LSTM call per side, batches of random
order padded to the longest, cross-entropy that ignores padding, Adam. It does not mask the padding in encoder state or
attention.

    SEQ2SEE_DATA=… python benchmarks/training_speed.py [--threads 2] [--rounds 5] [--updates 60]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from peers import ours, tutorial
from peers.tutorial import HandWritten

from seq2see.data import Examples, read_pairs
from seq2see.model import ModelOptions, Sizes
from seq2see.text import Codec, make_tokenizer

BATCH, EMBEDDING, WIDTH = 128, 16, 256


def hand_written(examples: Examples, sizes: Sizes) -> Iterator[None]:
    """One update at a time."""
    numbers = range(len(examples))
    sources = [torch.tensor(examples.source(i), dtype=torch.long) for i in numbers]
    targets = [torch.tensor(examples.target(i), dtype=torch.long) for i in numbers]
    model = HandWritten(sizes.source, sizes.target, EMBEDDING, WIDTH)
    return tutorial.updates(model, sources, targets, BATCH)


def seq2see(examples: Examples, sizes: Sizes) -> Iterator[None]:
    """One update at a time."""
    options = ModelOptions(name="attention", width=WIDTH, embedding=EMBEDDING, dropout=0.0, score="dot")
    return ours.updates(examples, options, sizes, BATCH)


def seconds(updates: Iterator[None], number: int) -> float:
    """The time that `number` updates take."""
    start = time.perf_counter()
    for _ in islice(updates, number):
        pass
    return time.perf_counter() - start


def main() -> None:
    """Alternate between the two, and compare the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    np.random.seed(1)
    pairs = read_pairs([Path(os.environ["SEQ2SEE_DATA"]) / "book_date" / "train.tsv"]).pairs
    source = Codec.build(make_tokenizer("characters"), [pair.source for pair in pairs])
    target = Codec.build(make_tokenizer("characters"), [pair.target or "" for pair in pairs])
    examples = Examples.encode(pairs, source, target)
    sizes = Sizes(len(source.vocabulary), len(target.vocabulary))
    makers: dict[str, Callable[[Examples, Sizes], Iterator[None]]] = {"hand-written": hand_written, "seq2see": seq2see}
    running = {name: make(examples, sizes) for name, make in makers.items()}
    for updates in running.values():
        seconds(updates, 10)
    rates: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(arguments.rounds):
        for name, updates in running.items():
            rates[name].append(BATCH * arguments.updates / seconds(updates, arguments.updates))
    for name, values in rates.items():
        rounds = ", ".join(f"{value:,.0f}" for value in values)
        print(f"{name:>12}: {statistics.median(values):,.0f} samples/s (rounds: {rounds})")
    ratios = [ours / theirs for ours, theirs in zip(rates["seq2see"], rates["hand-written"], strict=True)]
    print(f"ratio: {statistics.median(ratios):.2f} (rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
