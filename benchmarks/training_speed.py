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
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from seq2see.data import Examples, read_pairs
from seq2see.model import ModelOptions, Sizes, build, resolve
from seq2see.text import Codec, make_tokenizer
from seq2see.training import DevEvaluation, Trainer, TrainingOptions

BATCH, EMBEDDING, WIDTH = 128, 16, 256


class HandWritten(nn.Module):
    """The model as a tutorial has it."""

    def __init__(self, num_source: int, num_target: int) -> None:
        super().__init__()
        self.source = nn.Embedding(num_source, EMBEDDING)
        self.target = nn.Embedding(num_target, EMBEDDING)
        self.encoder = nn.LSTM(EMBEDDING, WIDTH, batch_first=True)
        self.decoder = nn.LSTM(EMBEDDING, WIDTH, batch_first=True)
        self.dense = nn.Linear(2 * WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, num_target)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits [B T V]."""
        states, final = self.encoder(self.source(source))
        x, _ = self.decoder(self.target(target), final)
        weights = (x @ states.transpose(1, 2)).softmax(-1)
        return self.output(torch.tanh(self.dense(torch.cat([x, weights @ states], -1))))


def hand_written(examples: Examples, sizes: Sizes) -> Iterator[None]:
    """One update at a time."""
    sources = [torch.tensor(examples.source(i), dtype=torch.long) for i in range(len(examples))]
    targets = [torch.tensor(examples.target(i), dtype=torch.long) for i in range(len(examples))]
    model = HandWritten(*sizes)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loss_of = nn.CrossEntropyLoss(ignore_index=0)
    bos = torch.tensor([2])
    while True:
        for rows in torch.randperm(len(examples)).split(BATCH):
            source = pad_sequence([sources[i] for i in rows], batch_first=True)
            target = pad_sequence([targets[i] for i in rows], batch_first=True)
            read = torch.cat([bos.expand(len(rows), 1), target[:, :-1]], 1)
            loss = loss_of(model(source, read).flatten(0, 1), target.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            yield


def ours(examples: Examples, sizes: Sizes) -> Iterator[None]:
    """One update at a time."""
    options = ModelOptions(name="attention", width=WIDTH, embedding=EMBEDDING, dropout=0.0, score="dot")
    trainer = Trainer(
        build(resolve(options), sizes),
        examples,
        TrainingOptions(
            rate=1e-3,
            max_updates=10**9,
            batch_size=BATCH,
            evaluate_every=10**9,
            metric="loss",
            precision="float32",
            label_smoothing=0.0,
            schedule="constant",
        ),
        device=torch.device("cpu"),
        evaluate=lambda _: DevEvaluation({}, ()),
        save_best=lambda *_: None,
        save_checkpoint=lambda _: None,
        callback=lambda _: None,
    )
    for _, batch in trainer.batches.after():
        trainer._update(batch)
        yield


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
    makers: dict[str, Callable[[Examples, Sizes], Iterator[None]]] = {"hand-written": hand_written, "seq2see": ours}
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
