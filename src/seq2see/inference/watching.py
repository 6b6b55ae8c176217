"""Looking on while texts are searched for: giving up those that nobody waits for, and seeing tokens as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from seq2see.search import Choose
from seq2see.search.contract import IMPOSSIBLE, Array, Ids, Mask

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Watch(Protocol):
    """What looks on. Rows are those of the requests that are answered, from 0, each as often as it has hypotheses."""

    def given_up(self, rows: Int[Ids, " R"]) -> Mask | None:
        """Which rows nobody waits for any more [R], asked once per step; None if all are waited for.

        They leave the search at this step, and their answers mean nothing.
        """
        ...

    def chosen(self, rows: Int[Ids, " R"], ids: Int[Ids, " R"], log_probs: Float[Array, " R"]) -> None:
        """The next token of each row of a greedy search or of sampling, and its log-probability."""
        ...


class Watched:
    """The filter of a batch that is looked on; `rows` [B] are its texts in the numbering of the watch.

    A filter sees every step of either search, and a hypothesis with no token left ends, so that neither search needs to
    know of this. `shows_tokens` is False where an answer may still be replaced by another.
    """

    def __init__(self, watch: Watch, rows: Ids, *, shows_tokens: bool = True) -> None:
        self.watch = watch
        self.rows = rows
        self.live = rows
        self.shows_tokens = shows_tokens
        self.gone: set[int] = set()
        """Rows that have been given up."""

    def __call__(self, log_probs: Array, emitted: Ids, sentences: Ids) -> Array:
        """Leave no token to rows that are given up."""
        self.live = self.rows[sentences]
        gone = self.watch.given_up(self.live)
        if gone is not None:
            log_probs[gone] = IMPOSSIBLE
            self.gone.update(self.live[gone].tolist())
        return log_probs

    def choosing(self, choose: Choose) -> Choose:
        """The same choice, seen."""
        if not self.shows_tokens:
            return choose

        def chosen(log_probs: Array, numbers: Ids, position: int) -> Ids:
            ids = choose(log_probs, numbers, position)
            self.watch.chosen(self.live, ids, log_probs[np.arange(len(ids)), ids])
            return ids

        return chosen
