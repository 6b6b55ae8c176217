"""What a beam search considers at each step, recorded by an observer that changes nothing.

Letters: B sentences still searched, K hypotheses of each, C candidates of each sentence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from seq2see.search.candidates import Candidates
from seq2see.search.contract import IMPOSSIBLE, Array, Ids, Mask
from seq2see.search.finished import take_along

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

Fate: TypeAlias = Literal["kept", "finished", "pruned", "stopped"]
"""What becomes of a hypothesis. kept: the next step continues it; finished: it has ended, as an answer to choose from;
pruned: others are better; stopped: it would have been kept, but the search of its sentence is over."""


class Considered(NamedTuple):
    """A hypothesis that a step considers: one that the step before kept, and one more id."""

    id: int
    """Its last."""
    parent: int | None
    """The index of the one that it continues, among those of the step before; None at the first step."""
    log_prob: float
    """Summed over its ids, in nats."""
    score: float
    """`log_prob` with the penalties for length and coverage: what it would be ranked by if it ended here."""
    fate: Fate


class Recorder:
    """The steps of one beam search."""

    def __init__(self) -> None:
        self._steps: defaultdict[int, list[list[Considered]]] = defaultdict(list)
        self._parents: Ids | None = None
        """Of each row of the next step, the index of the hypothesis that it continues, within its sentence."""

    def add(
        self,
        live: Int[Ids, " B"],
        found: Candidates,
        scores: Float[Array, "B C"],
        ended: Bool[Mask, "B C"],
        grown: Int[Ids, "B K"],
        stopped: Bool[Mask, " B"],
    ) -> None:
        """The next step: the candidates of each sentence, those that go on (`grown`), and whose search is over."""
        possible = found.log_probs > IMPOSSIBLE
        goes_on = np.zeros_like(ended)
        np.put_along_axis(goes_on, grown, values=True, axis=1)
        fates = np.full(ended.shape, "pruned", dtype="<U8")
        fates[goes_on & ~ended] = "kept"
        fates[goes_on & ~ended & stopped[:, None]] = "stopped"
        fates[:, : grown.shape[1]][ended[:, : grown.shape[1]]] = "finished"
        parents = None if self._parents is None else self._parents[found.rows]
        for row, sentence in enumerate(live.tolist()):
            own = possible[row]
            before = [None] * int(own.sum()) if parents is None else parents[row, own].tolist()
            ids, *others = (each[row, own].tolist() for each in (found.ids, found.log_probs, scores, fates))
            self._steps[sentence].append([Considered(*each) for each in zip(ids, before, *others, strict=True)])
        places = possible.cumsum(1) - 1
        self._parents = take_along(places, grown)[~stopped].ravel()

    def steps_of(self, sentence: int, groups: int = 1) -> list[list[Considered]]:
        """What each step of a sentence considers, best first; of groups those of each, one after the other."""
        own = [self._steps[sentence * groups + group] for group in range(groups)]
        return own[0] if groups == 1 else _side_by_side(own)


def _side_by_side(groups: Sequence[Sequence[Sequence[Considered]]]) -> list[list[Considered]]:
    """The steps of groups that are searched side by side as the steps of one search."""
    steps: list[list[Considered]] = []
    offsets = [0] * len(groups)
    for of_groups in zip_longest(*groups, fillvalue=()):
        step: list[Considered] = []
        for group, own in enumerate(of_groups):
            start, offsets[group] = offsets[group], len(step)
            step += [each if each.parent is None else each._replace(parent=each.parent + start) for each in own]
        steps.append(step)
    return steps
