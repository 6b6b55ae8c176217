"""How much memory there is, and how many tokens of a batch fit into it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from seq2see.data.examples import Examples
from seq2see.model import Seq2Seq
from seq2see.training.footprint import WEIGHT_COPIES, footprint_of, length_blocks

MEMORY_SHARE = 0.6
"""Share of the memory for what the forward pass saves for the backward pass; the rest is for temporary tensors."""
MIN_UPDATES_PER_EPOCH = 50
"""Batches are no larger than leaves this many updates per epoch; larger ones teach hardly more per update."""
MIN_PAIRS = 32
"""A batch holds at least this many average pairs, if they fit."""


def largest_batch(
    model: Seq2Seq,
    examples: Examples,
    device: torch.device,
    processes: int = 1,
    attention_losses: Mapping[str, float] = MappingProxyType({}),
) -> int:
    """Padded source and target tokens that fit into memory in one pass, with `processes` on this machine.

    A power of two, from the size of the memory and not from what is free at the moment: the batch decides what is
    learned, so it is the same whatever else is running.
    """
    size = total_memory(device) / (1 if device.type == "cuda" else processes)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    room = MEMORY_SHARE * (size - WEIGHT_COPIES * weights)
    tokens = max(1, int(room / bytes_per_token(model, examples, attention_losses)))
    return 1 << tokens.bit_length() - 1


def max_useful_tokens(examples: Examples) -> int:
    """The number of tokens per batch above which an epoch would have too few updates."""
    tokens = int(examples.source_offsets[-1] + examples.target_offsets[-1])
    return max(1, tokens // MIN_UPDATES_PER_EPOCH, tokens * min(MIN_PAIRS, len(examples)) // len(examples))


def bytes_per_token(
    model: Seq2Seq, examples: Examples, attention_losses: Mapping[str, float] = MappingProxyType({})
) -> float:
    """Bytes that the forward pass saves for the backward pass, per padded token of the longest example."""
    index = longest_example(examples)
    source, target = len(examples.source(index)), len(examples.target(index))
    footprint = footprint_of(
        model, longest=max(source, target), has_source=source > 0, attention_losses=attention_losses
    )
    one = footprint.batch(np.ones(1), np.array([source]), np.array([target]))
    return float(one[0] - footprint.weights) / (source + target)


def longest_example(examples: Examples) -> int:
    """The index of the first example with the most ids."""
    longest, max_tokens = 0, -1
    for start, sources, targets in length_blocks(examples):
        lengths = sources + targets
        index = int(np.argmax(lengths))
        if lengths[index] > max_tokens:
            longest, max_tokens = start + index, int(lengths[index])
    return longest


def total_memory(device: torch.device) -> int:
    """Bytes of memory: of the GPU, or of the machine, or what its container or this process may use."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 1 << 32
    limits = (read_number(Path("/sys/fs/cgroup/memory.max")), address_space())
    return min([machine, *(limit for limit in limits if limit is not None)])


def address_space() -> int | None:
    """The most memory that this process may ask for (`ulimit -v`); None without such a limit."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def free_memory(device: torch.device) -> int:
    """Free bytes: of the GPU, or of the machine and the container that this process runs in."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = []
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        values = dict(line.split(":") for line in meminfo.read_text().splitlines())
        free.append(int(values["MemAvailable"].split()[0]) * 1024)
    elif hasattr(os, "sysconf"):
        free.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    cgroup = Path("/sys/fs/cgroup")
    limit = read_number(cgroup / "memory.max")
    if limit is not None:
        free.append(limit - (read_number(cgroup / "memory.current") or 0))
    return max(0, min(free, default=1 << 30))


def read_number(path: Path) -> int | None:
    """The number in a file of one line; None if there is no such file or it says `max`."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
