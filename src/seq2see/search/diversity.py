"""Groups of hypotheses that choose different ids, for diverse beam search (Vijayakumar et al. 2016, section 3).

Letters: B groups still searched, K hypotheses of each, R = B·K rows, V vocabulary, C candidates of each group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seq2see.search.candidates import Candidates, best_candidates
from seq2see.search.constraints import Progress
from seq2see.search.contract import IMPOSSIBLE, Array, Hypothesis, Ids
from seq2see.search.finished import take_along

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Groups(NamedTuple):
    """How the groups of a sentence, which are searched side by side, choose: one after another."""

    number: int
    """Of each sentence: group g of sentence n has the index n · number + g."""
    strength: float
    """Nats that an id costs for each hypothesis of earlier groups that has just chosen it."""
    free: tuple[int, ...]
    """The ids that never cost anything."""

    def sentences_of(self, live: Int[Ids, " B"]) -> Int[Ids, " B"]:
        """The sentence of each group."""
        return live // self.number

    def best_candidates(self, live: Int[Ids, " B"]) -> Callable[..., Candidates]:
        """`candidates.best_candidates` for these groups, in ascending order."""
        return partial(self._best_candidates, live)

    def _best_candidates(
        self,
        live: Int[Ids, " B"],
        log_probs: Float[Array, "B K"],
        next_log_probs: Float[Array, "R V"],
        num: int,
        progress: Progress | None,
        eos: int,
    ) -> Candidates:
        """As there; the candidates are in the order in which they were chosen, with log_probs as they are."""
        width = log_probs.shape[1]
        sentences, of_group = np.unique(self.sentences_of(live), return_inverse=True)  # [N], [B]
        costs = np.zeros((len(sentences), next_log_probs.shape[1]), next_log_probs.dtype)  # [N V]
        members, parts = [], []
        for group in range(self.number):
            own = np.flatnonzero(live % self.number == group)  # at most one of each sentence
            if not len(own):
                continue
            rows = (own[:, None] * width + np.arange(width)).ravel()
            costly = next_log_probs[rows] - costs[of_group[own]].repeat(width, 0)
            found = best_candidates(
                log_probs[own], costly, num, None if progress is None else progress.select(rows), eos
            )
            found = found._replace(rows=rows[found.rows])
            before = log_probs.ravel()[found.rows] + next_log_probs[found.rows, found.ids].astype(np.float64)
            found = found._replace(log_probs=np.where(found.log_probs == IMPOSSIBLE, IMPOSSIBLE, before))
            # As the search does, which continues the first that don't end.
            grown = (found.ids == eos).argsort(1, kind="stable")[:, : num // 2]
            chosen, possible = take_along(found.ids, grown), take_along(found.log_probs, grown) != IMPOSSIBLE
            np.add.at(costs, (np.broadcast_to(of_group[own][:, None], chosen.shape), chosen), self.strength * possible)
            costs[:, list(self.free)] = 0
            members.append(own)
            parts.append(found)
        order = np.concatenate(members).argsort()
        return Candidates(*(np.concatenate(part)[order] for part in zip(*parts, strict=True)))


def merged(groups: Sequence[Sequence[Hypothesis]]) -> list[Hypothesis]:
    """The different hypotheses of the groups of a sentence: finished ones first, then by score."""
    ranked = sorted(chain.from_iterable(groups), key=lambda each: (not each.finished, -each.score))
    found: dict[tuple[int, ...], Hypothesis] = {}
    for each in ranked:
        found.setdefault(tuple(each.ids), each)
    return list(found.values())
