"""The ladder, each rung one function; the names and parts are those of `seq2see.model.architectures`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from seq2see.errors import ConfigError, did_you_mean
from seq2see.scratch.attention import SCORES, Score
from seq2see.scratch.decoder_layers import Attention, ReadContext, Recurrent, Residual, Stack
from seq2see.scratch.decoders import (
    AttentionDecoder,
    Decoder,
    InputFeedingDecoder,
    PeekyDecoder,
    PlainDecoder,
    recurrent,
)
from seq2see.scratch.encoder import BothWays, Encoder, EncoderLayer, NoSource, OneWay, ResidualEncoding
from seq2see.scratch.initialize import initialize
from seq2see.scratch.layers import Embedding
from seq2see.scratch.seq2seq import Seq2seq
from seq2see.scratch.stream import Layer
from seq2see.scratch.transformer import (
    ACTIVATIONS,
    CrossAttention,
    EncoderSelfAttention,
    FeedForward,
    Norm,
    PostNorm,
    PreNorm,
    SelfAttention,
    Sinusoidal,
    TransformerEncoder,
)


@dataclass(frozen=True)
class Plan:
    """What a model is made from; `source` and `target` are its tables of embeddings."""

    source: Embedding
    target: Embedding
    width: int
    layers: int
    direction: str
    merge: str
    score: str
    heads: int
    feed_forward: int
    norm: str
    activation: str
    tied: bool


def plain(p: Plan) -> Seq2seq:
    """The encoder's last state starts the decoder, and that is all it sees; `reverse` reads the source backward."""
    return Seq2seq(encoder(p), PlainDecoder(p.target, p.width, p.layers, tied=p.tied))


def peeky(p: Plan) -> Seq2seq:
    """The decoder sees the encoder's last h at every step."""
    return Seq2seq(encoder(p), PeekyDecoder(p.target, p.width, p.layers, tied=p.tied))


def attention(p: Plan) -> Seq2seq:
    """The decoder looks at all of the encoder's states; `bidirectional` and `stacked` differ in the encoder alone."""
    return Seq2seq(encoder(p), attending(p, recurrent(p.target.width, p.width, p.layers)))


def residual(p: Plan) -> Seq2seq:
    """`stacked`, each layer from the second on adding to what it was given."""
    first, *above = recurrent(p.target.width, p.width, p.layers)
    return Seq2seq(encoder(p, residual_from=1), attending(p, [first, *(Residual(layer) for layer in above)]))


def gnmt(p: Plan) -> Seq2seq:
    """The bottom decoder layer looks, all layers above read what it saw (Wu et al. 2016, figure 1)."""
    above = [ReadContext(Recurrent(2 * p.width, p.width)) for _ in range(1, p.layers)]
    layers = [Recurrent(p.target.width, p.width), Attention(score(p)), above[0], *map(Residual, above[1:])]
    return Seq2seq(encoder(p, one_way_from=1, residual_from=2), Decoder(p.target, layers, p.width, tied=p.tied))


def input_feeding(p: Plan) -> Seq2seq:
    """What the decoder made of what it saw goes into its next step."""
    return Seq2seq(encoder(p), InputFeedingDecoder(p.target, p.width, p.layers, score(p), tied=p.tied))


def transformer(p: Plan) -> Seq2seq:
    """Attention alone: each side looks at itself, the decoder at the source too (Vaswani et al. 2017, figure 1)."""
    return Seq2seq(transformer_encoder(p), transformer_decoder(p))


def transformer_lstm(p: Plan) -> Seq2seq:
    """A Transformer reads, LSTMs with attention write (Chen et al. 2018, section 5.1)."""
    return Seq2seq(transformer_encoder(p), attending(p, recurrent(p.target.width, p.width, p.layers)))


def lstm_transformer(p: Plan) -> Seq2seq:
    """LSTMs read both ways, a Transformer writes (Chen et al. 2018, section 5.1)."""
    return Seq2seq(encoder(p), transformer_decoder(p))


def language_model(p: Plan) -> Seq2seq:
    """A decoder without a source: each token from those before it."""
    return Seq2seq(NoSource(), PlainDecoder(p.target, p.width, p.layers, tied=p.tied))


def transformer_language_model(p: Plan) -> Seq2seq:
    """`language_model` made of Transformer blocks that look at the text so far (Radford et al. 2018)."""
    return Seq2seq(NoSource(), transformer_decoder(p, has_source=False))


def encoder(p: Plan, *, one_way_from: int | None = None, residual_from: int | None = None) -> Encoder:
    """`p.layers` recurrent layers; from the given heights on reading forward only, or adding to their input."""
    layers: list[EncoderLayer] = []
    for height in range(p.layers):
        input_width = p.width if height else p.source.width
        if one_way_from is not None and height >= one_way_from:
            layer: EncoderLayer = OneWay(input_width, p.width)
        elif p.direction == "both":
            layer = BothWays(input_width, p.width, merge=p.merge)
        else:
            layer = OneWay(input_width, p.width, backward=p.direction == "backward")
        layers.append(ResidualEncoding(layer) if residual_from is not None and height >= residual_from else layer)
    return Encoder(p.source, layers)


def attending(p: Plan, layers: list[Layer]) -> Decoder:
    """A decoder of these layers, and attention on top."""
    return AttentionDecoder(p.target, p.width, layers, score(p), tied=p.tied)


def score(p: Plan) -> Score:
    """The chosen score function."""
    return SCORES[p.score](p.width)


def transformer_encoder(p: Plan) -> Encoder:
    """`p.layers` blocks of a Transformer, each looking at all of the source."""
    blocks = [
        Stack([sublayer(p, EncoderSelfAttention(p.width, p.heads)), sublayer(p, feed_forward(p))])
        for _ in range(p.layers)
    ]
    return Encoder(p.source, [TransformerEncoder([Sinusoidal(), *blocks, *last_norm(p)])])


def transformer_decoder(p: Plan, *, has_source: bool = True) -> Decoder:
    """`p.layers` blocks of a Transformer, each looking at the past and, where there is one, at the source.

    The last block but one is that which shows where it looks.
    """

    def block(height: int) -> Stack:
        source = CrossAttention(p.width, p.width, p.heads, shows=height == max(0, p.layers - 2))
        return Stack(
            [
                sublayer(p, SelfAttention(p.width, p.heads)),
                *([sublayer(p, source)] if has_source else []),
                sublayer(p, feed_forward(p)),
            ]
        )

    layers = [Sinusoidal(), *(block(height) for height in range(p.layers)), *last_norm(p)]
    return Decoder(p.target, layers, p.width, tied=p.tied)


def sublayer(p: Plan, inner: Layer) -> Layer:
    """The layer with its residual connection and its norm."""
    return (PreNorm if p.norm == "pre" else PostNorm)(inner, p.width)


def feed_forward(p: Plan) -> Layer:
    """The feed-forward layer of a block."""
    return FeedForward(p.width, p.feed_forward, p.activation)


def last_norm(p: Plan) -> list[Layer]:
    """Pre-norm leaves the sum of all sublayers as it is; it is normalised once at the end."""
    return [Norm(p.width)] if p.norm == "pre" else []


class Rung(NamedTuple):
    """How a rung is built, and what it takes where nothing is said."""

    build: Callable[[Plan], Seq2seq]
    direction: str = "forward"
    layers: int = 1
    tie: str = "none"
    looks_around: bool = False
    """Whether a side of it is a Transformer, whose embeddings are scaled and as wide as the model."""


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
    "transformer": Rung(transformer, layers=4, tie="target", looks_around=True),
    "transformer_lstm": Rung(transformer_lstm, layers=2, looks_around=True),
    "lstm_transformer": Rung(lstm_transformer, "both", 2, tie="target", looks_around=True),
    "language_model": Rung(language_model),
    "transformer_language_model": Rung(transformer_language_model, layers=4, tie="target", looks_around=True),
}
"""Every architecture by name, in the order in which one learns them."""


def build(
    name: str,
    source: int,
    target: int,
    *,
    embedding: int | None = None,
    width: int = 256,
    layers: int | None = None,
    direction: str | None = None,
    merge: str = "concat",
    score: str = "scaled_dot",
    heads: int = 4,
    feed_forward: int | None = None,
    norm: str = "pre",
    activation: str = "relu",
    tie: str | None = None,
    seed: int = 1,
) -> Seq2seq:
    """A new model of float32 for vocabularies of `source` and `target` tokens (0: no source), initial values drawn.

    What is None is what the architecture usually has. The words are those of `seq2see.model.Blueprint`, and a torch
    model built with the same ones has tensors of the same names and shapes. ConfigError for what can't be.
    """
    check("model.name", name, ARCHITECTURES)
    rung = ARCHITECTURES[name]
    direction, tie = direction or rung.direction, tie or rung.tie
    check("model.direction", direction, ("forward", "backward", "both"))
    check("model.merge", merge, ("concat", "sum", "mean"))
    check("model.score", score, SCORES)
    check("model.norm", norm, ("pre", "post"))
    check("model.activation", activation, ACTIVATIONS)
    check("model.tie", tie, ("none", "target", "all"))
    if name == "gnmt" and layers == 1:
        raise ConfigError("gnmt needs two layers or more", where="model.layers", fix="set model.layers=2")
    shared = {"heads": heads} if rung.looks_around else {}
    shared |= {"direction": 2} if direction == "both" and merge == "concat" else {}
    for key, number in shared.items():
        if width % number:
            what = f"a width of {width} can't be shared by {number} {'directions' if key == 'direction' else key}"
            raise ConfigError(what, where=f"model.{key}", fix=f"set model.width={-(-width // number) * number}")
    as_wide = 2 * width if name == "peeky" else width  # what the output layer of a tied table reads
    has_to_fit = rung.looks_around or tie != "none"
    embedding = embedding or (as_wide if has_to_fit else 128)
    if has_to_fit and embedding != as_wide:
        what = f"an embedding of width {embedding} is used where {as_wide} is needed"
        raise ConfigError(what, where="model.embedding", fix=f"set model.embedding={as_wide}, or leave it out")
    scale = embedding**0.5 if has_to_fit else 1.0
    target_table = Embedding(target, embedding, scale=scale)
    source_table = target_table if tie == "all" else Embedding(source, embedding, scale=scale)
    plan = Plan(
        source_table,
        target_table,
        width,
        layers or rung.layers,
        direction,
        merge,
        score,
        heads,
        feed_forward or 4 * width,
        norm,
        activation,
        tie != "none",
    )
    model = rung.build(plan)
    initialize(model, seed)
    return model


def check(where: str, word: str, known: Iterable[str]) -> None:
    """Raise ConfigError unless the word is one of those known."""
    if word not in known:
        raise ConfigError(f"there is no {word!r} here", where=where, fix=did_you_mean(word, known))
