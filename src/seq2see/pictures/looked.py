"""Texts to answers with all that is known of where the model looked: `attend`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.data import Batch
from seq2see.data.batch import Padded
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import Prediction
from seq2see.text import EOS

Weights = npt.NDArray[np.floating[Any]]


class Panel(NamedTuple):
    """One head of one layer."""

    title: str
    layer: int
    """From 1, the bottom one."""
    head: int
    weights: Weights
    """[T S]"""


class Attention(NamedTuple):
    """A text, its answer, and where the model looked."""

    source: str
    prediction: Prediction
    heads: Weights | None = None
    """[layers heads T S], bottom layer first; None where they were not asked for."""
    shown_layer: int = 0
    """The layer, from 0, whose heads' mean is `weights`."""

    @property
    def weights(self) -> Weights:
        """[T S], each row summing to 1. UserError for a model that has none, or an empty text."""
        return attention_of(self.prediction)

    @property
    def mean_title(self) -> str:
        """What `weights` are, where the heads stand beside them."""
        assert self.heads is not None
        return f"mean of the heads of layer {self.shown_layer + 1}"

    @property
    def darkest(self) -> float:
        """The largest of all weights: the dark end of the scale."""
        return float(max(self.weights.max(), 0 if self.heads is None else self.heads.max()))

    def panels(self) -> Iterator[Panel]:
        """Each head by itself, a layer after the other; none where they were not asked for."""
        for layer, heads in enumerate(() if self.heads is None else self.heads, start=1):
            for head, weights in enumerate(heads, start=1):
                yield Panel(f"layer {layer}, head {head}", layer, head, weights)


def attend(
    model: Predictor, texts: str | Sequence[str], *, heads: bool = False, beam: int = 1, max_length: int | None = None
) -> list[Attention]:
    """The best answer to each text and where the model looked; with `heads`, of every head of every layer.

    Raises ConfigError for a model without attention, or heads of an ensemble; DataError for a text without an answer.
    """
    if not model.has_attention:
        raise no_attention()
    if heads and len(model.members) > 1:
        raise ConfigError("an ensemble has no heads of its own", where="heads", fix="ask each of its models by itself")
    given = [texts] if isinstance(texts, str) else list(texts)
    if not given:
        raise DataError("there are no texts", where="attend", fix="give at least one")
    answers = model.predict(given, beam=beam, max_length=max_length)
    for number, answer in enumerate(answers, start=1):
        if not answer.target_tokens:
            raise DataError("no answer, so nothing was looked at", where=f"text {number}", fix="give a text to answer")
    if not heads:
        return [Attention(*each) for each in zip(given, answers, strict=True)]
    shown_layer = model.engine.shown_layer
    return [
        Attention(text, answer, heads_of(model, text, answer), shown_layer)
        for text, answer in zip(given, answers, strict=True)
    ]


def heads_of(model: Predictor, text: str, answer: Prediction) -> Weights:
    """Where each head looked while this answer was written [layers heads T S]: the answer is read once more."""
    assert model.source_codec is not None
    known = model.target_codec.vocabulary.id
    target = [known(token) for token in answer.target_tokens]
    if answer.finished:
        target[-1] = EOS
    found: Weights = model.engine.heads(Batch(one_row(model.source_codec.encode(text)), one_row(target)))[:, 0]
    return found


def one_row(ids: Sequence[int]) -> Padded:
    """One sequence as a batch."""
    return Padded(np.array([ids], dtype=np.int64), np.array([len(ids)], dtype=np.int64))


def attention_of(prediction: Prediction) -> Weights:
    """The weights [T S]; UserError for a model that has none, or an empty text."""
    if not prediction.target_tokens:
        raise UserError("an empty text has no attention to show", fix="give a text")
    if prediction.weights is None:
        raise no_attention()
    return prediction.weights


def no_attention() -> UserError:
    """What is said of a model that doesn't look."""
    return ConfigError("this model has no attention to show", fix="train one that looks: --model attention")
