"""The ladder: each architecture is one function that puts the layers together as its figure shows.

E embedding, W width; a decoder's layers are listed in the order in which the stream passes them.
"""

from __future__ import annotations

from typing import NamedTuple

from seq2see.model.dropout import Dropout, SequenceDropout
from seq2see.model.embedding import Embedding
from seq2see.model.encoder import (
    BothWays,
    Encoder,
    EncoderLayer,
    NoSource,
    OneWay,
    ResidualEncoding,
    TransformerEncoder,
)
from seq2see.model.options import Blueprint
from seq2see.model.readers import SCORES, Attend, Peek, Score
from seq2see.model.recurrent import Recurrent
from seq2see.model.seq2seq import Decoder, Seq2Seq
from seq2see.model.stream import Layer
from seq2see.model.transformer import (
    CrossAttention,
    EncoderSelfAttention,
    FeedForward,
    Learned,
    Norm,
    PostNorm,
    PreNorm,
    SelfAttention,
    Sinusoidal,
)
from seq2see.model.wiring import Concat, Dense, InputFeeding, ReadContext, Residual, Stack


class Sizes(NamedTuple):
    """Numbers of tokens in the two vocabularies; a language model has no source."""

    source: int
    target: int


def plain(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The encoder's last state starts the decoder, and that is all it sees (Sutskever et al. 2014)."""
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, recurrent(o)))


def reverse(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`plain` with an encoder that reads backward, so that the first words lie close (Sutskever et al. 2014, 3.3)."""
    return plain(o, sizes)


def peeky(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The encoder's last h goes into every LSTM and into the output layer, at every step (Cho et al. 2014)."""
    first = ReadContext(Recurrent(o.embedding + o.width, o.width, o.dropout))
    above = [ReadContext(Recurrent(2 * o.width, o.width, o.dropout)) for _ in range(1, o.layers)]
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, [Peek(), first, *above, Concat()], 2 * o.width))


def attention(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The decoder's state looks at the source; what it sees joins it on the way to the output (Luong et al. 2015)."""
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, [*recurrent(o), *look(o)]))


def bidirectional(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` over an encoder that reads both ways (Schuster & Paliwal 1997; Bahdanau et al. 2014)."""
    return attention(o, sizes)


def stacked(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` with several LSTMs one above the other on each side."""
    return attention(o, sizes)


def residual(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`stacked`, each layer from the second on adding to what it was given (He et al. 2015)."""
    first, *above = recurrent(o)
    layers = [first, *(Residual(layer) for layer in above), *look(o)]
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding, residual_from=1), decoder(o, embedding, layers))


def gnmt(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The bottom decoder layer looks, all layers above read what it saw (Wu et al. 2016, figure 1).

    The encoder's bottom layer reads both ways, the others forward; from the third layer on, each adds to what it was
    given, on both sides. Unlike in the paper, the bottom decoder layer itself is not fed the previous context: that
    would need a loop over time.
    """
    bottom, *_ = recurrent(o)
    above = [ReadContext(Recurrent(2 * o.width, o.width, o.dropout)) for _ in range(1, o.layers)]
    layers = [bottom, Attend(score(o)), above[0], *(Residual(layer) for layer in above[1:])]
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding, one_way_from=1, residual_from=2), decoder(o, embedding, layers))


def input_feeding(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` whose attentional state is also an input of the next step (Luong et al. 2015, 3.3)."""
    step = Stack(*recurrent(o, o.embedding + o.width), *look(o))
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, [InputFeeding(step, o.width)]))


def transformer(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """Attention alone: each side looks at itself, the decoder at the source too (Vaswani et al. 2017, figure 1)."""
    embedding = embeddings(o, sizes, scaled=True)
    return Seq2Seq(transformer_encoder(o, embedding), transformer_decoder(o, embedding))


def transformer_lstm(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A Transformer reads, LSTMs with attention write (Chen et al. 2018, section 5.1)."""
    embedding = embeddings(o, sizes, scaled=True)
    return Seq2Seq(transformer_encoder(o, embedding), decoder(o, embedding, [*recurrent(o), *look(o)]))


def lstm_transformer(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """LSTMs read both ways, a Transformer writes (Chen et al. 2018, section 5.1)."""
    embedding = embeddings(o, sizes, scaled=True)
    return Seq2Seq(encoder(o, embedding), transformer_decoder(o, embedding))


def language_model(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A decoder without a source: each token from those before it (Mikolov et al. 2010)."""
    return Seq2Seq(NoSource(o.width), decoder(o, embeddings(o, sizes), recurrent(o)))


def transformer_language_model(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`language_model` made of Transformer blocks that look at the text so far (Radford et al. 2018)."""
    return Seq2Seq(NoSource(o.width), transformer_decoder(o, embeddings(o, sizes, scaled=True), has_source=False))


class Embeddings(NamedTuple):
    """The two tables, which are one where all is tied."""

    source: Embedding
    target: Embedding


def embeddings(o: Blueprint, sizes: Sizes, *, scaled: bool = False) -> Embeddings:
    """The tables of both sides; scaled where the table is the output layer too, and in every Transformer."""
    scaled = scaled or o.tie != "none"
    target = Embedding(sizes.target, o.embedding, scaled=scaled)
    return Embeddings(target if o.tie == "all" else Embedding(sizes.source, o.embedding, scaled=scaled), target)


def encoder(
    o: Blueprint, embedding: Embeddings, *, one_way_from: int | None = None, residual_from: int | None = None
) -> Encoder:
    """`o.layers` recurrent layers; above the given heights reading forward only, or adding to their input."""
    layers: list[EncoderLayer] = []
    for height in range(o.layers):
        input_width = o.width if height else o.embedding
        if one_way_from is not None and height >= one_way_from:
            layer: EncoderLayer = OneWay(input_width, o.width, o.dropout)
        elif o.direction == "both":
            layer = BothWays(input_width, o.width, o.dropout, merge=o.merge)
        else:
            layer = OneWay(input_width, o.width, o.dropout, backward=o.direction == "backward")
        layers.append(ResidualEncoding(layer) if residual_from is not None and height >= residual_from else layer)
    return Encoder(embedding.source, layers, SequenceDropout(o.dropout))


def decoder(o: Blueprint, embedding: Embeddings, layers: list[Layer], output_width: int | None = None) -> Decoder:
    """A decoder of these layers, the last of which is `output_width` (else W) wide."""
    return Decoder(embedding.target, layers, output_width or o.width, SequenceDropout(o.dropout), tied=o.tie != "none")


def transformer_encoder(o: Blueprint, embedding: Embeddings) -> Encoder:
    """`o.layers` blocks of a Transformer, each looking at all of the source."""
    blocks = [
        Stack(
            sublayer(o, EncoderSelfAttention(o.width, o.heads, rotary=o.positions == "rotary")),
            sublayer(o, FeedForward(o.width, o.feed_forward, o.activation)),
        )
        for _ in range(o.layers)
    ]
    return Encoder(embedding.source, [TransformerEncoder(*positions(o), *blocks, *last_norm(o))], Dropout(o.dropout))


def transformer_decoder(o: Blueprint, embedding: Embeddings, *, has_source: bool = True) -> Decoder:
    """`o.layers` blocks of a Transformer, each looking at the past and, where there is one, at the source.

    The last block but one is that which shows where it looks: the higher ones look past the words that they translate
    (Garg et al. 2019, section 4.1).
    """

    def block(height: int) -> Stack:
        source = CrossAttention(o.width, o.width, o.heads, shows=height == max(0, o.layers - 2))
        return Stack(
            sublayer(o, SelfAttention(o.width, o.heads, rotary=o.positions == "rotary")),
            *([sublayer(o, source)] if has_source else []),
            sublayer(o, FeedForward(o.width, o.feed_forward, o.activation)),
        )

    layers = [*positions(o), *(block(height) for height in range(o.layers)), *last_norm(o)]
    return Decoder(embedding.target, layers, o.width, Dropout(o.dropout), tied=o.tie != "none")


def sublayer(o: Blueprint, inner: Layer) -> Layer:
    """The layer with its residual connection and its norm."""
    return (PreNorm if o.norm == "pre" else PostNorm)(inner, o.width, o.dropout)


def positions(o: Blueprint) -> list[Layer]:
    """What tells the places apart before the first block; rotary positions do it in the attention itself."""
    match o.positions:
        case "sinusoidal":
            return [Sinusoidal(o.width)]
        case "learned":
            return [Learned(o.max_positions, o.width)]
        case _:
            return []


def last_norm(o: Blueprint) -> list[Layer]:
    """Pre-norm leaves the sum of all sublayers as it is; it is normalised once at the end."""
    return [Norm(o.width)] if o.norm == "pre" else []


def recurrent(o: Blueprint, input_width: int | None = None) -> list[Layer]:
    """`o.layers` LSTMs, the first reading `input_width` (else E)."""
    widths = [input_width or o.embedding] + [o.width] * (o.layers - 1)
    return [Recurrent(width, o.width, o.dropout) for width in widths]


def look(o: Blueprint) -> list[Layer]:
    """Attention, and the attentional state made of x and context."""
    return [Attend(score(o)), ReadContext(Dense(2 * o.width, o.width, o.dropout))]


def score(o: Blueprint) -> Score:
    """The chosen score function; queries and source states are both W wide."""
    return SCORES[o.score](o.width, o.width)
