"""What a model answers: text, its tokens, how probable they are, and where the model attended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from seq2see.data.values import ValueSpan
from seq2see.errors import DataError
from seq2see.search import Fate


class TokenChoice(NamedTuple):
    """A token that could stand at a place of an answer."""

    token: str
    log_prob: float
    """In nats, given the tokens before: the model's own, before options of the search."""
    text: str
    """The answer up to this token: as `prefix`, it continues from here."""


class BeamCandidate(NamedTuple):
    """A hypothesis that a step of a beam search considered: one that the step before kept, and one more token."""

    token: str
    """Its last token; of a transducer also `<step>`, which moves on to the next source token."""
    parent: int | None
    """The index of the hypothesis that it continues, among those of the step before; None at the first step."""
    log_prob: float
    """Summed over its tokens, in nats."""
    score: float
    """`log_prob` with the penalties for length and coverage, by which the answers of a beam are ranked."""
    fate: Fate
    """kept: the next step continues it; finished: it has ended, and is an answer to choose from; pruned: others were
    better; stopped: it would have been continued, but the search was over."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The model's answer to one text; `str` of it is the answer itself."""

    text: str
    """For a language model: the given text, continued."""
    source_tokens: list[str]
    """The columns of `weights`, EOS included, since the model may attend to it too."""
    target_tokens: list[str]
    """The generated tokens, the rows of `weights`; ends with EOS unless the answer was cut off."""
    log_prob: float
    """Sum over the generated tokens, in nats; -inf if nothing was found that satisfies the options."""
    score: float
    """`log_prob` per generated token, which can be compared between texts of different lengths. With a length or
    coverage penalty, the score by which the beam ranked (Wu et al. 2016, eq. 14); with `mbr`, the expected metric, an
    error rate being negative."""
    weights: np.ndarray | None
    """Attention weights [T S], each row summing to 1; None for models without attention."""
    finished: bool
    """False if the answer was cut off, at the maximum length or because nothing could follow."""
    token_log_probs: tuple[float, ...] = ()
    """Log-probability of each generated token, in nats; they add up to `log_prob`."""
    alternatives: tuple[Prediction, ...] = ()
    """With `n_best` above 1 the other answers: in the order of the beam's ranking, or of drawing."""
    top_tokens: tuple[tuple[TokenChoice, ...], ...] = ()
    """With the option `top_tokens`, the most probable tokens at the place of each generated token, best first."""
    beam_steps: tuple[tuple[BeamCandidate, ...], ...] = ()
    """With the option `beam_steps`, what each step of the search for this text considered, most probable first; of
    `beam_groups`, one group after the other."""
    source_values: tuple[ValueSpan, ...] = ()
    """The pictures and series in the source, and the positions of their cells and vectors."""
    error: str = ""
    """Why there is no answer, for a text that the model can't read: it is too long."""
    looked_up: bool = False
    """Whether it is from a lexicon, not from the model: it has no tokens and no probability."""

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prediction):
            return NotImplemented
        return self._compared() == other._compared() and (
            np.array_equal(self.weights, other.weights)
            if self.weights is not None and other.weights is not None
            else self.weights is other.weights
        )

    def __hash__(self) -> int:
        return hash((self.text, tuple(self.target_tokens), self.log_prob))

    def _compared(self) -> tuple[object, ...]:
        return (
            *(self.text, self.source_tokens, self.target_tokens, self.log_prob, self.score, self.finished),
            *(self.token_log_probs, self.alternatives, self.top_tokens, self.beam_steps, self.error, self.looked_up),
        )

    @property
    def all(self) -> tuple[Prediction, ...]:
        """This answer and its alternatives, best first."""
        return (replace(self, alternatives=()), *self.alternatives)

    def alignment(self) -> list[tuple[int, int]]:
        """Pairs (source position, target position), from 0: each target token with the source token of largest weight.

        EOS is not a word: a token that attends most to EOS is unaligned, and so is EOS itself. Empty for a model
        without attention.
        """
        if self.weights is None:
            return []
        attended = self.weights.argmax(1)
        return [
            (int(position), row)
            for row, position in enumerate(attended)
            if position < len(self.source_tokens) - 1 and (row < len(attended) - 1 or not self.finished)
        ]

    def _repr_html_(self) -> str:
        from seq2see.pictures.prediction import prediction_html

        return prediction_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON or a data frame: everything but the attention weights and the alternatives."""
        return {
            "text": self.text,
            "log_prob": self.log_prob if math.isfinite(self.log_prob) else None,
            "score": self.score if math.isfinite(self.score) else None,
            "finished": self.finished,
            "tokens": list(self.target_tokens),
            "token_log_probs": list(self.token_log_probs),
            **({"top_tokens": _plain(self.top_tokens)} if self.top_tokens else {}),
            **({"beam_steps": _plain(self.beam_steps)} if self.beam_steps else {}),
            **({"looked_up": True} if self.looked_up else {}),
            **({"error": self.error} if self.error else {}),
        }


def _plain(lists: Iterable[Iterable[TokenChoice | BeamCandidate]]) -> list[list[dict[str, Any]]]:
    return [[each._asdict() for each in own] for own in lists]


EMPTY = Prediction("", [], [], 0.0, 0.0, None, True)
"""The answer to an empty text."""


def unanswered(error: DataError) -> Prediction:
    """The answer to a text that can't be read."""
    return Prediction("", [], [], -math.inf, -math.inf, None, False, error=f"{error.what}; {error.fix}")


class PairScore(NamedTuple):
    """How probable a model finds a given target."""

    log_prob: float
    """Sum over the target's tokens, EOS included, in nats; -inf for a target with tokens that the model can't write."""
    score: float
    """`log_prob` per token."""
    num_tokens: int
    unknown: tuple[str, ...] = ()
    """The tokens that the model can't write, since its target vocabulary lacks them."""
    log_prob_of_others: float = 0.0
    """If there are any, the sum over the other tokens, before which the model reads them as `<unk>`."""
    error: str = ""
    """Why there is no score, for a pair that the model can't read: it is too long."""

    @property
    def counted(self) -> tuple[float, int]:
        """What counts for a loss: the log-probability of the tokens that the model can write, and their number."""
        if self.error:
            return 0.0, 0
        if not self.unknown:
            return self.log_prob, self.num_tokens
        return self.log_prob_of_others, self.num_tokens - len(self.unknown)


def unscored(error: DataError) -> PairScore:
    """The score of a pair that can't be read."""
    return PairScore(math.nan, math.nan, 0, error=f"{error.what}; {error.fix}")


def loss_of(scores: Sequence[PairScore]) -> float:
    """Nats per target token, EOS counted. DataError if no pair has a score.

    Tokens that the model can't write are left out, as language models are usually compared: each would make it
    infinite. So are pairs that it can't read.
    """
    counted = [score.counted for score in scores]
    total = sum(num_tokens for _, num_tokens in counted)
    if not total:
        fix = "give at least one" if not scores else scores[0].error
        raise DataError("there are no pairs that can be scored", where="loss", fix=fix)
    return -sum(log_prob for log_prob, _ in counted) / total
