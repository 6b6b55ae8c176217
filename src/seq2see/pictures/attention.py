"""Predictions together with their attention: `attend`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np
import numpy.typing as npt

from seq2see.data import Batch, Sequences
from seq2see.data.batch import pad
from seq2see.data.given import Source
from seq2see.data.values import encode_text
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.pictures.heat_map import plot
from seq2see.pictures.labels import CROSS, DECODER, ENCODER, START
from seq2see.pictures.svg import inline_svg
from seq2see.pictures.tables import attention_dict, attention_dicts
from seq2see.text import EOS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from seq2see.inference.options import GenerationArguments, GenerationOptions
    from seq2see.inference.predictor import Predictor
    from seq2see.inference.results import Prediction

Weights = npt.NDArray[np.floating[Any]]


class AttentionHead(NamedTuple):
    """One head of one layer."""

    kind: str
    """`cross`, `encoder` or `decoder`."""
    layer: int
    """From 1, the bottom layer first."""
    head: int
    """From 1."""
    weights: Weights
    """[T S], [S S] or [T T], by kind."""

    @property
    def title(self) -> str:
        """Layer and head."""
        return f"layer {self.layer}, head {self.head}"


class Attention(NamedTuple):
    """A text, its prediction, and the attention weights. A notebook shows it as a heat map."""

    source: str
    prediction: Prediction
    heads: Weights | None = None
    """Of the attention to the source [layers heads T S], bottom layer first; None unless requested."""
    shown_layer: int = 0
    """The layer, from 0, whose heads are averaged in `weights`."""
    encoder_heads: Weights | None = None
    """Of the encoder's self-attention [layers heads S S]; None unless requested, or for another encoder."""
    decoder_heads: Weights | None = None
    """Of the decoder's self-attention [layers heads T T], None likewise. Row t belongs to the t-th target token, and
    column p to `decoder_input[p]`."""

    @property
    def weights(self) -> Weights:
        """[T S], each row summing to 1. UserError for a model without attention, or an empty text."""
        return attention_of(self.prediction)

    @property
    def mean_title(self) -> str:
        """The title of `weights` if the heads are shown too."""
        assert self.heads is not None
        return f"mean of the heads of layer {self.shown_layer + 1}"

    @property
    def decoder_input(self) -> list[str]:
        """The tokens that the decoder read: BOS, and all target tokens but the last."""
        return [START, *self.prediction.target_tokens[:-1]]

    def tokens_of(self, kind: str) -> tuple[list[str], list[str]]:
        """The tokens of the rows and of the columns of a head of this kind."""
        source, target = self.prediction.source_tokens, self.prediction.target_tokens
        return {CROSS: (target, source), ENCODER: (source, source), DECODER: (target, self.decoder_input)}[kind]

    def each_head(self, *kinds: str) -> Iterator[AttentionHead]:
        """Every head of these kinds (by default of all), layer by layer; empty unless the heads were requested."""
        found = {CROSS: self.heads, ENCODER: self.encoder_heads, DECODER: self.decoder_heads}
        for kind in kinds or found:
            layers = found[kind]
            for layer, heads in enumerate(() if layers is None else layers, start=1):
                for head, weights in enumerate(heads, start=1):
                    yield AttentionHead(kind, layer, head, weights)

    def to_dict(self) -> dict[str, Any]:
        """Tokens, weights, alignment and heads as plain lists, as in the JSON of `seq2see attend`."""
        return attention_dict(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat dict per cell of the heat map (with heads: per head and cell), for `pandas.DataFrame`."""
        return attention_dicts(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the heat map with matplotlib on `ax`, by default on a new figure; returns the axes.

        UserError if matplotlib isn't installed.
        """
        return plot(self, ax)

    def _repr_html_(self) -> str:
        return inline_svg(self)


def attend(
    model: Predictor,
    texts: str | Iterable[Source],
    options: GenerationOptions | None = None,
    *,
    heads: bool = False,
    **changes: Unpack[GenerationArguments],
) -> list[Attention]:
    """The best prediction for each text with its attention; with `heads`, that of every head of every layer.

    The heads of a Transformer include those of its encoder's and decoder's self-attention. Texts whose prediction is
    empty are left out with a warning, as are those that the model can't read; with `strict`, and if no text is left,
    they raise DataError. Raises ConfigError for a model without attention and for the heads of an ensemble.
    """
    require_attention(model, (options.n_best if options else changes.get("n_best", 1)), heads=heads)
    answered = list(model.stream([texts] if isinstance(texts, str) else texts, options, **changes))
    if not answered:
        raise DataError("no texts were given", where="attend", fix="give at least one")
    shown = []
    is_strict = options.strict if options else changes.get("strict", False)
    for number, (text, prediction) in enumerate(answered, start=1):
        if prediction.target_tokens:
            shown.append((text, prediction))
            continue
        error = without_attention(prediction, f"text {number}")
        if is_strict or (number == len(answered) and not shown):
            raise error
        if not prediction.error:  # of which `stream` warns
            warnings.warn(f"left out: {error.where}: {error.what}", stacklevel=2)
    return [attention_to(model, *each, heads=heads) for each in shown]


def require_attention(model: Predictor, n_best: int, *, heads: bool) -> None:
    """ConfigError for a model without attention, for the heads of an ensemble, and for several answers per text."""
    if not model.has_attention:
        raise no_attention()
    if heads and model.target_codec.step is not None:
        what = "a transducer reads one source token at a time, without attention heads"
        raise ConfigError(what, where="heads", fix="leave heads out")
    if heads and len(model.members) > 1:
        raise ConfigError("an ensemble has no heads of its own", where="heads", fix="use one of its models")
    if n_best != 1:
        raise ConfigError("must be 1: only the best answer is shown", where="n_best", fix="leave n_best out")


def attention_to(model: Predictor, text: str, prediction: Prediction, *, heads: bool) -> Attention:
    """The attention of a prediction that isn't empty, with that of each head if requested."""
    return with_heads(model, text, prediction) if heads else Attention(text, prediction)


def without_attention(prediction: Prediction, place: str) -> DataError:
    """The error for an empty prediction."""
    if prediction.error:
        what, _, fix = prediction.error.partition("; ")
        return DataError(what, where=place, fix=fix)
    fix = "give a text that isn't empty" if prediction.finished else "relax the options, which no answer satisfies"
    return DataError("the prediction is empty, so there is no attention", where=place, fix=fix)


def with_heads(model: Predictor, text: str, prediction: Prediction) -> Attention:
    """The attention with that of each head, from a teacher-forced pass over the prediction."""
    assert model.source_codec is not None
    known = model.target_codec.vocabulary.id
    target = [known(token) for token in prediction.target_tokens]
    if prediction.finished:
        target[-1] = EOS
    source = Sequences.of(model.source_codec, [encode_text(model.source_codec, text)])
    found = model.engine.heads(Batch(pad(source, np.array([0])), pad(Sequences.pack([target]), np.array([0]))))
    cross, encoder, decoder = (None if each is None else each[:, 0] for each in found)
    return Attention(text, prediction, cross, model.engine.shown_layer, encoder, decoder)


def attention_of(prediction: Prediction) -> Weights:
    """The weights [T S]; UserError for a model without attention, or an empty text."""
    if not prediction.target_tokens:
        raise UserError("an empty text has no attention to show", fix="give a text")
    if prediction.weights is None:
        raise no_attention()
    return prediction.weights


def no_attention() -> UserError:
    """The error for a model without attention."""
    return ConfigError("this model has no attention", fix='train one that has: --model attention (model="attention")')
