"""What a model answers: text, the tokens it is made of, how probable they are, and where the model looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Prediction(NamedTuple):
    """What the model answers to one text."""

    text: str
    """For a language model: the given text, continued."""
    source_tokens: list[str]
    """The columns of `weights`; EOS closes them, because the model may look at it too."""
    target_tokens: list[str]
    """The generated tokens, the rows of `weights`; ends with EOS unless the answer was cut off."""
    log_prob: float
    """Summed over the generated tokens, in nats; -inf where nothing was found that keeps to what was asked for."""
    score: float
    """`log_prob` per generated token: what can be compared between texts of unequal length. With a length or coverage
    penalty it is what the beam ranked by instead (Wu et al. 2016, eq. 14)."""
    weights: np.ndarray | None
    """Where the decoder looked, [T S], each row summing to 1; None for models without attention."""
    finished: bool
    """False if the answer was cut off, at the hard maximum or because nothing could follow."""
    alternatives: tuple[Prediction, ...] = ()
    """The other answers where several were asked for: in the order of a beam's ranking, or of drawing."""

    @property
    def all(self) -> tuple[Prediction, ...]:
        """This answer and the others, best first."""
        return (self._replace(alternatives=()), *self.alternatives)

    def alignment(self) -> list[tuple[int, int]]:
        """Pairs (source place, target place), counted from 0, of each target token and where it looked most.

        EOS is no word: a token that looked most at EOS is aligned with nothing, and neither is EOS itself. Empty for a
        model without attention.
        """
        if self.weights is None:
            return []
        looked = self.weights.argmax(1)
        return [
            (int(place), row)
            for row, place in enumerate(looked)
            if place < len(self.source_tokens) - 1 and (row < len(looked) - 1 or not self.finished)
        ]


EMPTY = Prediction("", [], [], 0.0, 0.0, None, True)
"""The answer to an empty text."""


class PairScore(NamedTuple):
    """How probable a model finds a given target."""

    log_prob: float
    """Summed over the target's tokens, EOS included, in nats."""
    score: float
    """`log_prob` per token."""
    num_tokens: int


def loss_of(scores: Sequence[PairScore]) -> float:
    """Nats per target token, EOS counted."""
    return -sum(score.log_prob for score in scores) / sum(score.num_tokens for score in scores)
