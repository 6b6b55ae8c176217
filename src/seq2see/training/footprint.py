"""The memory that training takes for sentences of any length, estimated before any long one is computed.

What a model keeps of a sentence grows with S, T and, for attention weights, S·T. The coefficients come from measuring a
few short sentences on the model itself, so no architecture needs a formula of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2see.data.batch import Batch, Padded
from seq2see.data.examples import Examples
from seq2see.model import Seq2Seq
from seq2see.text import EOS
from seq2see.training.batch import to_tensors
from seq2see.training.objective import batch_loss

WEIGHT_COPIES = 4
"""Copies of the weights during training: weights, gradients and two moments."""
BLOCK_OFFSETS = 2**20
"""Offsets read at a time: those of a corpus are on disk."""
UNIT, ROWS = 16, 2
"""Positions and sentences of the smallest test batch."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that training keeps: of the weights, and of a batch from its forward to its backward pass."""

    weights: int
    sentence: float = 0.0
    source: float = 0.0
    """Per source position."""
    target: float = 0.0
    """Per target position."""
    cell: float = 0.0
    """Per pair of a source and a target position."""
    copies: float = 0.0
    """What every batch keeps, however many rows it has: weights in another form."""

    def batch(self, rows: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Bytes of weights and batches of these numbers of rows and padded lengths, EOS included."""
        s, t = sources.astype(float), targets.astype(float)
        each = self.sentence + self.source * s + self.target * t + self.cell * s * t
        return np.asarray(self.weights + self.copies + rows * each)

    def peak(self, rows: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """As `batch`, with the gradients of attention weights and of their scores, which the backward pass needs."""
        cells = rows * sources.astype(float) * targets
        return np.asarray(self.batch(rows, sources, targets) + 2 * self.cell * cells)

    def evaluation(self, rows: int, source: int, target: int) -> float:
        """Bytes for scoring targets without gradients: scores and weights of attention, and the weights."""
        return self.weights / WEIGHT_COPIES + 2 * min(self.cell, 4.0) * rows * source * target


def footprint_of(
    model: Seq2Seq,
    *,
    longest: int,
    has_source: bool = True,
    is_bfloat16: bool = False,
    attention_losses: Mapping[str, float] = MappingProxyType({}),
) -> Footprint:
    """The footprint of a model on the CPU, measured on sentences of at most `longest` ids (but at least 3).

    `attention_losses` are the weights of further losses of `batch_loss`. Neither the model nor torch's random generator
    changes.
    """
    u = max(1, min(UNIT, longest // 3))
    was_training = model.training
    model.train()

    def kept(source: int, target: int) -> float:
        return saved_bytes(model, source * u if has_source else 0, target * u, attention_losses) / ROWS

    with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16, enabled=is_bfloat16):
        torch.manual_seed(0)
        first = kept(1, 1)
        twice = saved_bytes(model, u if has_source else 0, u, attention_losses, rows=2 * ROWS)
        copies = max(0.0, 2 * ROWS * first - twice)
        # Of sums of functions of S or of T alone, this difference is 0.
        cell = (kept(2, 2) - kept(2, 1) - kept(1, 2) + first) / u**2 if has_source else 0.0
        source = (kept(3, 1) - first) / (2 * u) - cell * u if has_source else 0.0
        target = (kept(1, 3) - first) / (2 * u) - cell * u
    model.train(was_training)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    sentence = max(0.0, first - copies / ROWS - u * (source + target) - cell * u * u)
    return Footprint(WEIGHT_COPIES * weights, sentence, max(0.0, source), max(0.0, target), max(0.0, cell), copies)


def saved_bytes(
    model: Seq2Seq,
    source: int,
    target: int,
    attention_losses: Mapping[str, float] = MappingProxyType({}),
    *,
    rows: int = ROWS,
) -> int:
    """Bytes that the forward pass saves for the backward pass, weights not counted, for sentences of EOS."""
    sides = (Padded(np.full((rows, length), EOS), np.full(rows, length)) for length in (source, target))
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = batch_loss(model, to_tensors(Batch(*sides)), **attention_losses)
    for parameter in model.parameters():
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    del loss
    return sum(kept.values())


class LargestBatch(NamedTuple):
    """The batch that takes the most memory: that of one example, with others padded to its lengths."""

    example: int
    """Its index."""
    rows: int
    source: int
    target: int
    """Lengths in ids, EOS included."""
    bytes: int


@dataclass(frozen=True)
class BatchLimits:
    """What limits the batch of one pass."""

    batch_size: int | None
    batch_tokens: int | None
    passes: int = 1
    """Parts into which an update is split: processes and accumulation."""

    def rows(self, lengths: np.ndarray, total: int) -> np.ndarray:
        """The most rows of a pass with this padded length, both sides together, of `total` examples."""
        rows = np.full(len(lengths), min(self.batch_size or total, total))
        if self.batch_tokens is not None:
            rows = np.minimum(rows, np.maximum(1, self.batch_tokens // np.maximum(1, lengths)))
        return np.asarray(-(-rows // self.passes))


def largest_batch_of(examples: Examples, footprint: Footprint, limits: BatchLimits) -> LargestBatch:
    """The largest batch that can occur in training on these examples."""
    largest = LargestBatch(0, 0, 0, 0, -1)
    for first, sources, targets in length_blocks(examples):
        rows = limits.rows(sources + targets, len(examples))
        each = footprint.peak(rows, sources, targets)
        index = int(np.argmax(each))
        if each[index] > largest.bytes:
            lengths = int(sources[index]), int(targets[index])
            largest = LargestBatch(first + index, int(rows[index]), *lengths, int(each[index]))
    return largest


def length_blocks(examples: Examples) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """The lengths of both sides, a block of examples at a time, each with the index of its first."""
    for start in range(0, len(examples), BLOCK_OFFSETS):
        block = slice(start, start + BLOCK_OFFSETS + 1)
        yield start, np.diff(examples.source_offsets[block]), np.diff(examples.target_offsets[block])
