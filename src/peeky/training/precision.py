"""Whether bfloat16 pays on this machine: measured, because it depends on the processor more than on the model."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import torch

WORTH = 1.05
"""bfloat16 must be this many times faster to be taken. Where a processor has it, it is 1.2 to 3 times faster, where it
lacks it, many times slower: the bound lies well between, so that one machine always chooses alike."""


def choose_precision(device: torch.device, width: int) -> Literal["float32", "bfloat16"]:
    """`bfloat16` or `float32`: whichever runs an LSTM of this width, forward and backward, faster (0.1 s).

    Anywhere but on the CPU it is float32: cuDNN's LSTM under autocast is one of float16, whose loss would need scaling.
    """
    if device.type != "cpu":
        return "float32"
    with torch.random.fork_rng(devices=[]):
        lstm = torch.nn.LSTM(width, width, batch_first=True).to(device)
        x = torch.randn(32, 8, width, device=device)

    def run(enabled: bool) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
            outputs, _ = lstm(x)
        outputs.float().sum().backward()

    slow, fast = (fastest(lambda enabled=enabled: run(enabled)) for enabled in (False, True))  # type: ignore[misc]
    return "bfloat16" if slow > WORTH * fast else "float32"


def fastest(run: Callable[[], None], times: int = 7) -> float:
    """Seconds of the fastest of several runs, the first (which warms up) aside."""
    run()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
