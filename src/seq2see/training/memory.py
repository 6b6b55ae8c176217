"""How many tokens of a batch the memory holds: measured on a few of the longest examples."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seq2see.data.batch import collate
from seq2see.data.examples import Examples
from seq2see.model import Seq2Seq
from seq2see.training.batch import to_tensors
from seq2see.training.objective import batch_loss

ROWS = 4
"""Copies of the longest example that are tried."""
SHARE = 0.6
"""Of what is free, what a batch may take: beside what it keeps for the way back there is what each step needs."""
COPIES = 4
"""Of the weights while training: themselves, gradients and two moments."""
BLOCK = 2**20
"""Offsets looked at at once."""
FEWEST_UPDATES = 50
"""Updates an epoch that are left in any case: in larger batches each teaches hardly more."""
USUAL_PAIRS = 32
"""A batch holds so many average pairs in any case, if they fit."""


def largest_batch(model: Seq2Seq, examples: Examples, device: torch.device, processes: int = 1) -> int:
    """Padded source and target tokens for which this process has room in one pass, several sharing a machine."""
    free = free_memory(device) / (1 if device.type == "cuda" else processes)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    room = SHARE * (free - COPIES * weights)
    return max(1, int(room / bytes_a_token(model.to(device), examples, device)))


def most_useful(examples: Examples) -> int:
    """Tokens of a batch beyond which an epoch would have too few updates."""
    tokens = int(examples.source_offsets[-1] + examples.target_offsets[-1])
    return max(1, tokens // FEWEST_UPDATES, tokens * min(USUAL_PAIRS, len(examples)) // len(examples))


def bytes_a_token(model: Seq2Seq, examples: Examples, device: torch.device) -> float:
    """What the forward pass keeps for the backward one, for each padded token of the longest example."""
    batch = to_tensors(collate(examples, np.full(ROWS, longest_example(examples))), device)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = batch_loss(model, batch)
    for parameter in model.parameters():
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    del loss
    return sum(kept.values()) / (batch.source.ids.numel() + batch.target.ids.numel())


def longest_example(examples: Examples) -> int:
    """The first with the most ids; of a corpus the offsets are on the disk, and are gone through in blocks."""
    longest, most = 0, -1
    for start in range(0, len(examples), BLOCK):
        borders = slice(start, start + BLOCK + 1)
        lengths = np.diff(examples.source_offsets[borders]) + np.diff(examples.target_offsets[borders])
        place = int(np.argmax(lengths))
        if lengths[place] > most:
            longest, most = start + place, int(lengths[place])
    return longest


def free_memory(device: torch.device) -> int:
    """Bytes that are still to be had: of the GPU, or of the machine and of the container that this runs in."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = []
    known = Path("/proc/meminfo")
    if known.exists():
        values = dict(line.split(":") for line in known.read_text().splitlines())
        free.append(int(values["MemAvailable"].split()[0]) * 1024)
    elif hasattr(os, "sysconf"):
        free.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    container = Path("/sys/fs/cgroup")
    limit = read_number(container / "memory.max")
    if limit is not None:
        free.append(limit - (read_number(container / "memory.current") or 0))
    return max(0, min(free, default=1 << 30))


def read_number(path: Path) -> int | None:
    """The number in a file of one line; None where there is no such file or it says `max`."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
