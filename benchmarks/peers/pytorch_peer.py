"""Plain PyTorch, as tutorials write it."""

from __future__ import annotations

from itertools import islice

import torch
from protocol import Given, Task, UnableError, Work, require_float32, serve
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from tutorial import HandWritten, Transformer, updates

SPECIALS = 4
"""Padding, unknown, begin and end."""
given = Given()
torch.manual_seed(1)


def ids(side: str, texts: list[list[str]]) -> list[Tensor]:
    """The ids of each text, and of its end."""
    numbers = {token: number for number, token in enumerate(given.vocabulary(side), start=SPECIALS)}
    return [torch.tensor([*(numbers[token] for token in text), SPECIALS - 1]) for text in texts]


def built(model: str) -> nn.Module:
    """A model with random weights."""
    sizes = given.sizes
    numbers = [SPECIALS + len(given.vocabulary(side)) for side in ("source", "target")]
    if model == "lstm":
        return HandWritten(*numbers, sizes["embedding"], sizes["width"])
    return Transformer(*numbers, sizes["width"], sizes["layers"], sizes["heads"])


def train(task: Task) -> Work:
    """Updates of a loop."""
    require_float32(task)
    both = (ids(side, given.tokens[side]) for side in ("source", "target"))
    running = updates(built(task["model"]), *both, task["batch"])
    return Work(lambda amount: list(islice(running, amount)))


def answer(task: Task) -> Work:
    """A greedy loop."""
    if task["beam"] > 1:
        raise UnableError("has no beam search")
    require_float32(task)
    model = built(task["model"]).eval()

    def predict(amount: int) -> None:
        sources = ids("source", given.sources(amount))
        for start in range(0, amount, task["batch"]):
            batch = pad_sequence(sources[start : start + task["batch"]], batch_first=True)
            given.require_length([model.greedy(batch, given.length).size(1)])

    return Work(predict)


if __name__ == "__main__":
    serve({"train": train, "answer": answer})
