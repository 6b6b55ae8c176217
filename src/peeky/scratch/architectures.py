"""The ladder, each rung one function; the names and what they are made of are those of `peeky.model.architectures`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from peeky.errors import ConfigError, did_you_mean
from peeky.scratch.attention import SCORES, Score
from peeky.scratch.decoder_layers import Attention, ReadContext, Recurrent, Residual
from peeky.scratch.decoders import (
    AttentionDecoder,
    Decoder,
    InputFeedingDecoder,
    PeekyDecoder,
    PlainDecoder,
    recurrent,
)
from peeky.scratch.encoder import BothWays, Encoder, EncoderLayer, NoSource, OneWay, ResidualEncoding
from peeky.scratch.initialize import initialize
from peeky.scratch.seq2seq import Seq2seq
from peeky.scratch.stream import Layer


@dataclass(frozen=True)
class Plan:
    """What a model is made from: vocabularies and widths, layers a side, how the source is read and looked at."""

    source: int
    target: int
    embedding: int
    width: int
    layers: int
    direction: str
    merge: str
    score: str


def plain(p: Plan) -> Seq2seq:
    """The encoder's last state starts the decoder, and that is all it sees; `reverse` reads the source backward."""
    return Seq2seq(encoder(p), PlainDecoder(p.target, p.embedding, p.width, p.layers))


def peeky(p: Plan) -> Seq2seq:
    """The decoder sees the encoder's last h at every step."""
    return Seq2seq(encoder(p), PeekyDecoder(p.target, p.embedding, p.width, p.layers))


def attention(p: Plan) -> Seq2seq:
    """The decoder looks at all of the encoder's states; `bidirectional` and `stacked` differ in the encoder alone."""
    return Seq2seq(encoder(p), looking(p, recurrent(p.embedding, p.width, p.layers)))


def residual(p: Plan) -> Seq2seq:
    """`stacked`, each layer from the second on adding to what it was given."""
    first, *above = recurrent(p.embedding, p.width, p.layers)
    return Seq2seq(encoder(p, residual_from=1), looking(p, [first, *(Residual(layer) for layer in above)]))


def gnmt(p: Plan) -> Seq2seq:
    """The bottom decoder layer looks, all layers above read what it saw (Wu et al. 2016, figure 1)."""
    above = [ReadContext(Recurrent(2 * p.width, p.width)) for _ in range(1, p.layers)]
    layers = [Recurrent(p.embedding, p.width), Attention(score(p)), above[0], *map(Residual, above[1:])]
    return Seq2seq(encoder(p, one_way_from=1, residual_from=2), Decoder(p.target, p.embedding, layers, p.width))


def input_feeding(p: Plan) -> Seq2seq:
    """What the decoder made of what it saw goes into its next step."""
    return Seq2seq(encoder(p), InputFeedingDecoder(p.target, p.embedding, p.width, p.layers, score(p)))


def language_model(p: Plan) -> Seq2seq:
    """A decoder without a source: each token from those before it."""
    return Seq2seq(NoSource(), PlainDecoder(p.target, p.embedding, p.width, p.layers))


def encoder(p: Plan, *, one_way_from: int | None = None, residual_from: int | None = None) -> Encoder:
    """`p.layers` recurrent layers; from the given heights on reading forward only, or adding to their input."""
    layers: list[EncoderLayer] = []
    for height in range(p.layers):
        input_width = p.width if height else p.embedding
        if one_way_from is not None and height >= one_way_from:
            layer: EncoderLayer = OneWay(input_width, p.width)
        elif p.direction == "both":
            layer = BothWays(input_width, p.width, merge=p.merge)
        else:
            layer = OneWay(input_width, p.width, backward=p.direction == "backward")
        layers.append(ResidualEncoding(layer) if residual_from is not None and height >= residual_from else layer)
    return Encoder(p.source, p.embedding, layers)


def looking(p: Plan, layers: list[Layer]) -> Decoder:
    """A decoder of these layers, and attention on top."""
    return AttentionDecoder(p.target, p.embedding, p.width, layers, score(p))


def score(p: Plan) -> Score:
    """The chosen score function."""
    return SCORES[p.score](p.width)


class Rung(NamedTuple):
    """How a rung is built, and what it takes where nothing is said."""

    build: Callable[[Plan], Seq2seq]
    direction: str = "forward"
    layers: int = 1


ARCHITECTURES: dict[str, Rung] = {
    "plain": Rung(plain),
    "reverse": Rung(plain, "backward"),
    "peeky": Rung(peeky),
    "attention": Rung(attention),
    "bidirectional": Rung(attention, "both"),
    "stacked": Rung(attention, "both", 2),
    "residual": Rung(residual, "both", 3),
    "gnmt": Rung(gnmt, "both", 4),
    "input_feeding": Rung(input_feeding, "both"),
    "language_model": Rung(language_model),
}
"""Every architecture by name, in the order in which one learns them."""


def build(
    name: str,
    source: int,
    target: int,
    *,
    embedding: int = 128,
    width: int = 256,
    layers: int | None = None,
    direction: str | None = None,
    merge: str = "concat",
    score: str = "scaled_dot",
    seed: int = 1,
) -> Seq2seq:
    """A new model of float32 for vocabularies of `source` and `target` tokens (0: no source), initial values drawn.

    What is None is what the architecture usually has. The words are those of `peeky.model.Blueprint`, and a torch model
    built with the same ones has tensors of the same names and shapes. ConfigError for a word that is not known.
    """
    check("model.name", name, ARCHITECTURES)
    check("model.merge", merge, ("concat", "sum", "mean"))
    check("model.score", score, SCORES)
    rung = ARCHITECTURES[name]
    direction = direction or rung.direction
    check("model.direction", direction, ("forward", "backward", "both"))
    if name == "gnmt" and layers == 1:
        raise ConfigError("gnmt needs two layers or more", where="model.layers", fix="set model.layers=2")
    plan = Plan(source, target, embedding, width, layers or rung.layers, direction, merge, score)
    model = rung.build(plan)
    initialize(model, seed)
    return model


def check(where: str, word: str, known: Iterable[str]) -> None:
    """Raise ConfigError unless the word is one of those known."""
    if word not in known:
        raise ConfigError(f"there is no {word!r}", where=where, fix=did_you_mean(word, known))
