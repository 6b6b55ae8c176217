"""The ids that each row has emitted so far, in an array that grows by doubling."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from seq2see.search.contract import Ids

if TYPE_CHECKING:
    from jaxtyping import Int


class Emitted(NamedTuple):
    """Ids [R t] in a table with spare capacity."""

    table: Int[Ids, "R capacity"]
    length: int

    @classmethod
    def none(cls, num_rows: int) -> Self:
        """No ids yet."""
        return cls(np.empty((num_rows, 32), np.int64), 0)

    @property
    def ids(self) -> Int[Ids, "R t"]:
        """All ids so far."""
        return self.table[:, : self.length]

    def followed_by(self, ids: Int[Ids, " R"]) -> Self:
        """These with one more id per row; the original must not be used afterwards."""
        table = self.table
        if self.length == table.shape[1]:
            table = np.concatenate([table, np.empty_like(table)], 1)
        table[:, self.length] = ids
        return self._replace(table=table, length=self.length + 1)

    def select(self, rows: Int[Ids, " N"]) -> Self:
        """The ids of the selected rows."""
        return self._replace(table=self.table[rows])
