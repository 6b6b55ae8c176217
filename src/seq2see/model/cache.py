"""Keys and values of a decoder's past, in memory that the steps of a search fill and rearrange.

Letters: R rows, H heads, P positions, E the width of a head.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

INITIAL_CAPACITY = 32
"""In positions; doubled whenever it is full."""


class KeyValueCache:
    """Keys and values of all positions so far [2 R H P E], with capacity for more.

    `origins` [R P] has the row in which those of each position were computed: where two rows of the same position have
    the same, they hold the same, so that a search moves only what its hypotheses don't share. They are NumPy's, whose
    operations on little take a fraction of the time.
    """

    __slots__ = ("entries", "length", "origins", "rows")

    def __init__(self, entries: Float[Tensor, "2 R H _C E"], origins: NDArray[Any], length: int) -> None:
        self.entries = entries
        self.origins = origins
        self.rows = np.arange(len(origins))
        self.length = length

    @classmethod
    def of(cls, keys: Float[Tensor, "R H P E"], values: Float[Tensor, "R H P E"]) -> KeyValueCache:
        """The cache of a past, of which nothing is known to be shared."""
        rows, _, length, _ = keys.shape
        cache = cls(torch.stack([keys, values]), np.arange(rows)[:, None].repeat(length, 1), length)
        cache._enlarge(max(INITIAL_CAPACITY, length))
        return cache

    def append(
        self, keys: Float[Tensor, "R H 1 E"], values: Float[Tensor, "R H 1 E"]
    ) -> tuple[Float[Tensor, "R H P E"], Float[Tensor, "R H P E"]]:
        """The keys and values of all positions, those of one more at the end; they are views, valid until the next."""
        if self.length == self.origins.shape[1]:
            self._enlarge(2 * self.length)
        of_keys, of_values = self.entries.unbind()
        of_keys[:, :, self.length] = keys[:, :, 0]
        of_values[:, :, self.length] = values[:, :, 0]
        self.origins[:, self.length] = self.rows
        self.length += 1
        return of_keys[:, :, : self.length], of_values[:, :, : self.length]

    def select(self, rows: Int[Tensor, " N"]) -> KeyValueCache:
        """The selected rows, in new memory."""
        entries = self.entries[:, :, :, : self.length].index_select(1, rows)
        chosen = KeyValueCache(entries, self.origins[rows.cpu().numpy(), : self.length], self.length)
        chosen._enlarge(self.origins.shape[1])
        return chosen

    def moved(self, rows: Int[Tensor, " N"]) -> KeyValueCache:
        """As `select`, but in place if there remain as many rows."""
        origins, chosen = self.origins[:, : self.length], rows.cpu().numpy()
        if len(chosen) != len(origins):
            return self.select(rows)
        wanted = origins[chosen]
        to, positions = (wanted != origins).nonzero()
        if len(to):
            place = rows.device
            into, at, of = (torch.from_numpy(each).to(place) for each in (to, positions, chosen[to]))
            self.entries[:, into, :, at] = self.entries[:, of, :, at]
            origins[:] = wanted
        return self

    def _enlarge(self, capacity: int) -> None:
        """Move what is known into new memory for this many positions."""
        kinds, rows, heads, _, width = self.entries.shape
        entries = self.entries.new_empty(kinds, rows, heads, capacity, width)
        origins = np.empty((rows, capacity), self.origins.dtype)
        entries[:, :, :, : self.length] = self.entries[:, :, :, : self.length]
        origins[:, : self.length] = self.origins[:, : self.length]
        self.entries, self.origins = entries, origins
