"""Whether bfloat16 pays on this machine for this model: measured, because it depends on both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch

from seq2see.model import Blueprint, Padded, Sizes, build, find, longest
from seq2see.training.batch import TensorBatch
from seq2see.training.objective import batch_loss

WORTH = 1.1
"""bfloat16 must be this many times faster to be taken. Where a processor has it, it is 1.2 to 3 times faster for models
of the usual widths and no faster for narrow ones, where it lacks it, many times slower."""

ROWS, LENGTH = 32, 8
"""Of the batch that is tried: as many pairs as an update usually has, and rather short ones."""

TURNS, SECONDS = 2, 0.1
"""How often, and for how long in all, the two are tried at least, the warm-up aside."""


def choose_precision(device: torch.device, blueprint: Blueprint, sizes: Sizes) -> Literal["float32", "bfloat16"]:
    """`bfloat16` or `float32`: whichever takes such a model forward and backward faster (0.2 s; more if wide).

    What is tried has as few layers as the architecture can have: all others are like them. Anywhere but on the CPU it
    is float32: cuDNN's LSTM under autocast is one of float16, whose loss would need scaling.
    """
    if device.type != "cpu":
        return "float32"
    with torch.random.fork_rng(devices=[]):
        model = build(replace(blueprint, layers=find(blueprint.name).fewest_layers), sizes)
        length = min(LENGTH, longest(blueprint) or LENGTH)
        batch = TensorBatch(made_up(sizes.source, length), made_up(sizes.target, length))

        def run(enabled: bool) -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                loss = batch_loss(model, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            model.zero_grad(set_to_none=True)

        slow, fast = fastest(lambda: run(False), lambda: run(True))
    return "bfloat16" if slow > WORTH * fast else "float32"


def made_up(vocabulary: int, length: int) -> Padded:
    """Sequences of any tokens; of none where there is no vocabulary, because a language model reads nothing."""
    length = length if vocabulary else 0
    return Padded(torch.randint(max(1, vocabulary), (ROWS, length)), torch.full((ROWS,), length))


def fastest(*runs: Callable[[], None]) -> list[float]:
    """Seconds of the fastest time that each took, by turns, the first turn (which warms up) aside."""
    for run in runs:
        run()
    seconds: list[list[float]] = [[] for _ in runs]
    began = time.perf_counter()
    while len(seconds[0]) < TURNS or time.perf_counter() - began < SECONDS:
        for run, own in zip(runs, seconds, strict=True):
            start = time.perf_counter()
            run()
            own.append(time.perf_counter() - start)
    return [min(own) for own in seconds]
