"""The ids that each row has emitted so far, in memory that is copied only now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from seq2see.search.contract import Ids

if TYPE_CHECKING:
    from jaxtyping import Int


class Emitted(NamedTuple):
    """Ids [R t] in a table with room for more."""

    table: Int[Ids, "R room"]
    length: int

    @classmethod
    def none(cls, num_rows: int) -> Self:
        """Nothing yet."""
        return cls(np.empty((num_rows, 32), np.int64), 0)

    @property
    def ids(self) -> Int[Ids, "R t"]:
        """All so far."""
        return self.table[:, : self.length]

    def followed_by(self, ids: Int[Ids, " R"]) -> Self:
        """With one more of each row; what these were is then no longer to be used."""
        table = self.table
        if self.length == table.shape[1]:
            table = np.concatenate([table, np.empty_like(table)], 1)
        table[:, self.length] = ids
        return self._replace(table=table, length=self.length + 1)

    def select(self, rows: Int[Ids, " N"]) -> Self:
        """Those of the chosen rows."""
        return self._replace(table=self.table[rows])
