"""Padded sequences and carries: the tensor structures that modules exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2see.model.cache import KeyValueCache

Carry: TypeAlias = Tensor | tuple[Any, ...]
"""Nested tuples of tensors whose first axis is the row: a layer's state between two chunks of a sequence.

Between the steps of a search there may be a `KeyValueCache` in place of tensors, which every step overwrites."""


class FieldValues(NamedTuple):
    """The numbers of a field in a batch, of the P rows that have any: vectors [P L D] or pictures [P C H W]."""

    array: Float[Tensor, "P ..."]
    sizes: Int[Tensor, "P _K"]
    """The number of vectors [P 1], or height and width [P 2]; what is beyond is padding."""


class Padded(NamedTuple):
    """Sequences of different lengths in one array; positions beyond a row's length are padding."""

    ids: Int[Tensor, "B L"]
    lengths: Int[Tensor, " B"]
    values: tuple[FieldValues, ...] = ()
    """Of each field of a source that has values."""

    @property
    def mask(self) -> Bool[Tensor, "B L"]:
        """True at real tokens."""
        return torch.arange(self.ids.size(1), device=self.ids.device) < self.lengths[:, None]


def map_carry(function: Callable[[Tensor], Tensor], carry: Carry) -> Carry:
    """Apply `function` to every tensor of a carry."""
    return function(carry) if isinstance(carry, Tensor) else tuple(map_carry(function, part) for part in carry)


def select_rows(carry: Carry, rows: Int[Tensor, " N"], *, in_place: bool = False) -> Carry:
    """The carry of the selected rows, in that order; a row may be selected more than once.

    With `in_place` the given carry is not used again, so that a cache may move its rows.
    """
    match carry:
        case Tensor():
            return carry.index_select(0, rows)
        case (KeyValueCache() as cache,):
            return (cache.moved(rows) if in_place else cache.select(rows),)
    return tuple(select_rows(part, rows, in_place=in_place) for part in carry)


def at_least_float32(x: Tensor) -> Tensor:
    """x, converted to float32 if it is 16-bit: softmax and loss need the precision."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
