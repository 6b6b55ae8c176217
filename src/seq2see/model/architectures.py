"""The ladder: each architecture is one function that composes layers.

E embedding width, W model width; a decoder's layers are listed from input to output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import nn

from seq2see.blueprint import ARCHITECTURES, Blueprint, Sizes, require_sizes
from seq2see.model.dropout import Dropout, SequenceDropout
from seq2see.model.embedding import Embedding, FieldEmbedding
from seq2see.model.encoder import (
    BidirectionalRNN,
    Encoder,
    EncoderLayer,
    NoSource,
    ResidualEncoderLayer,
    TransformerEncoder,
    UnidirectionalRNN,
)
from seq2see.model.initialize import initialize
from seq2see.model.mixtures import Copying, HardMonotonic, Mixture
from seq2see.model.readers import SCORES, Attend, AttendFromPrevious, Diagonal, Peek, Pointer, Score
from seq2see.model.recurrent import Recurrent
from seq2see.model.seq2seq import Decoder, Seq2Seq
from seq2see.model.stream import Layer
from seq2see.model.transformer import (
    CrossAttention,
    EncoderSelfAttention,
    FeedForward,
    LearnedPositions,
    Norm,
    PostNorm,
    PreNorm,
    SelfAttention,
    SinusoidalPositions,
)
from seq2see.model.values import SourceValues
from seq2see.model.wiring import Concat, Dense, InputFeeding, ReadContext, Residual, Stack


def plain(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The decoder starts from the encoder's last state, its only view of the source (Sutskever et al. 2014)."""
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, recurrent(o)))


def reverse(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`plain` with an encoder that reads the source backward (Sutskever et al. 2014, section 3.3)."""
    return plain(o, sizes)


def peeky(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The encoder's last h goes into every LSTM and into the output layer, at every step (Cho et al. 2014)."""
    first = ReadContext(cell(o, o.embedding + o.width))
    above = [ReadContext(cell(o, 2 * o.width)) for _ in range(1, o.decoder_layers)]
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, [Peek(), first, *above, Concat()]))


def attention(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The decoder attends to the source; context and state are combined before the output (Luong et al. 2015)."""
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, [*recurrent(o), *attention_layers(o)]))


def bidirectional(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` with a bidirectional encoder (Schuster & Paliwal 1997; Bahdanau et al. 2014)."""
    return attention(o, sizes)


def stacked(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` with several stacked LSTMs on each side."""
    return attention(o, sizes)


def residual(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`stacked` with a residual connection around each layer from the second on (He et al. 2015)."""
    first, *above = recurrent(o)
    layers = [first, *(Residual(layer) for layer in above), *attention_layers(o)]
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding, residual_from=1), decoder(o, embedding, layers))


def gnmt(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The bottom decoder layer queries the source, all layers above read the context (Wu et al. 2016, section 3).

    The encoder's bottom layer is bidirectional, the others read forward; on both sides, layers from the third on are
    residual. The query is the bottom layer's output of the step before, so the layer itself has no context, and there
    is no loop over time; with model.query=current it is that of the step itself. Unlike in the paper, each of the
    encoder's two directions has half the width, and there are 4 layers by default, not 8.
    """
    bottom, attend = cell(o, o.embedding), Attend(score(o), diagonal(o))
    lower = [AttendFromPrevious(bottom, attend)] if o.query == "previous" else [bottom, attend]
    above = [ReadContext(cell(o, 2 * o.width)) for _ in range(1, o.decoder_layers)]
    layers = [*lower, above[0], *(Residual(layer) for layer in above[1:])]
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding, unidirectional_from=1, residual_from=2), decoder(o, embedding, layers))


def input_feeding(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` whose attentional state is also an input of the next step (Luong et al. 2015, section 3.3)."""
    step = Stack(*recurrent(o, o.embedding + o.width), *attention_layers(o))
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, [InputFeeding(step, o.width)]))


def transducer(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """Reads one source state at a time: writes tokens, or moves on to the next (Makarov & Clematide 2018, section 2).

    Targets are actions along the source, so there is no attention to learn; see `seq2see.text.alignment`.
    """
    first = ReadContext(cell(o, o.embedding + o.width))
    above = [cell(o, o.width) for _ in range(1, o.decoder_layers)]
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, [Pointer(), first, *above, joined(o)]))


def monotonic(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """Each token is written from one place of the source, which never goes back (Wu & Cotterell 2019).

    The decoder's LSTMs read the target alone; `HardMonotonic` above them sums over all alignments.
    """
    embedding = embeddings(o, sizes)
    return Seq2Seq(encoder(o, embedding), decoder(o, embedding, recurrent(o)))


def transformer(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """Self-attention on both sides, and cross-attention in the decoder (Vaswani et al. 2017, figure 1)."""
    embedding = embeddings(o, sizes, scaled=True)
    return Seq2Seq(transformer_encoder(o, embedding), transformer_decoder(o, embedding))


def transformer_lstm(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A Transformer encoder and an LSTM decoder with attention (Chen et al. 2018, section 5.1)."""
    embedding = embeddings(o, sizes, scaled=True)
    return Seq2Seq(transformer_encoder(o, embedding), decoder(o, embedding, [*recurrent(o), *attention_layers(o)]))


def lstm_transformer(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A bidirectional LSTM encoder and a Transformer decoder (Chen et al. 2018, section 5.1)."""
    embedding = embeddings(o, sizes, scaled=True)
    return Seq2Seq(encoder(o, embedding), transformer_decoder(o, embedding))


def language_model(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A decoder without a source: predicts each token from those before it (Mikolov et al. 2010)."""
    return Seq2Seq(NoSource(o.width), decoder(o, embeddings(o, sizes), recurrent(o)))


def transformer_language_model(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`language_model` made of Transformer blocks with causal self-attention (Radford et al. 2018)."""
    return Seq2Seq(NoSource(o.width), transformer_decoder(o, embeddings(o, sizes, scaled=True), has_source=False))


BUILDERS: dict[str, Callable[[Blueprint, Sizes], Seq2Seq]] = {
    "plain": plain,
    "reverse": reverse,
    "peeky": peeky,
    "attention": attention,
    "bidirectional": bidirectional,
    "stacked": stacked,
    "residual": residual,
    "gnmt": gnmt,
    "input_feeding": input_feeding,
    "transducer": transducer,
    "monotonic": monotonic,
    "transformer": transformer,
    "transformer_lstm": transformer_lstm,
    "lstm_transformer": lstm_transformer,
    "language_model": language_model,
    "transformer_language_model": transformer_language_model,
}
"""The function of each architecture."""


def build(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A new model, randomly initialized from torch's global generator.

    ConfigError for tie=all with two different vocabularies.
    """
    require_sizes(o, sizes)
    model = BUILDERS[o.name](o, sizes)
    initialize(model)
    return model


class Embeddings(NamedTuple):
    """The tables of both sides, the same one with tie=all; and those of the source's fields and values, if any."""

    source: Embedding
    target: Embedding
    fields: FieldEmbedding | None
    values: SourceValues | None
    sizes: Sizes


def embeddings(o: Blueprint, sizes: Sizes, *, scaled: bool = False) -> Embeddings:
    """The tables of both sides; scaled if shared with the output layer, and in every Transformer."""
    scaled = scaled or o.tie != "none"
    target = Embedding(sizes.target, o.embedding, scaled=scaled)
    source = target if o.tie == "all" else Embedding(sizes.source, o.embedding, scaled=scaled)
    fields = FieldEmbedding(sizes.fields, o.embedding) if sizes.fields else None
    has_values = any(field.has_values for field in sizes.fields)
    values = SourceValues(sizes.fields, o.embedding) if has_values else None
    return Embeddings(source, target, fields, values, sizes)


def encoder(
    o: Blueprint, embedding: Embeddings, *, unidirectional_from: int | None = None, residual_from: int | None = None
) -> Encoder:
    """`o.encoder_layers` recurrent layers, from the given heights on unidirectional or residual."""
    layers: list[EncoderLayer] = []
    for height in range(o.encoder_layers):
        input_width = o.width if height else o.embedding
        if unidirectional_from is not None and height >= unidirectional_from:
            layer: EncoderLayer = UnidirectionalRNN(input_width, o.width, o.dropout, cell=o.cell)
        elif o.direction == "both":
            layer = BidirectionalRNN(input_width, o.width, o.dropout, merge=o.merge, cell=o.cell)
        else:
            backward = o.direction == "backward"
            layer = UnidirectionalRNN(input_width, o.width, o.dropout, backward=backward, cell=o.cell)
        layers.append(ResidualEncoderLayer(layer) if residual_from is not None and height >= residual_from else layer)
    return whole_encoder(o, embedding, layers, SequenceDropout(o.dropout))


def whole_encoder(o: Blueprint, embedding: Embeddings, layers: Sequence[EncoderLayer], dropout: nn.Module) -> Encoder:
    """Embeddings, layers, and what else becomes of tags: their sum for the decoder, and a share of their own states."""
    tag_states = nn.Linear(o.embedding, o.width) if o.tags == "decoder" else None
    return Encoder(
        embedding.source,
        layers,
        dropout,
        embedding.fields,
        embedding.values,
        sums_tags=o.tags != "source",
        tag_states=tag_states,
    )


def decoder(o: Blueprint, embedding: Embeddings, layers: list[Layer]) -> Decoder:
    """A decoder of these layers."""
    return whole_decoder(o, embedding, layers, SequenceDropout(o.dropout))


def whole_decoder(o: Blueprint, embedding: Embeddings, layers: list[Layer], dropout: nn.Module) -> Decoder:
    """Layers between embedding and output layer, beside which a mixture may be."""
    output_width = ARCHITECTURES[o.name].output_width(o.width, o.output)
    mixture: Mixture | None = Copying(embedding.sizes, output_width) if o.copy else None
    if o.name == "monotonic":
        mixture = HardMonotonic(score(o), o.width, embedding.sizes.target)
    return Decoder(
        embedding.target,
        layers,
        output_width,
        dropout,
        tied=o.tie != "none",
        mixture=mixture,
        adds_tags=o.tags != "source",
    )


def transformer_encoder(o: Blueprint, embedding: Embeddings) -> Encoder:
    """`o.encoder_layers` Transformer blocks with full self-attention over the source."""
    blocks = [
        Stack(
            sublayer(o, EncoderSelfAttention(o.width, o.heads, rotary=o.positions == "rotary")),
            sublayer(o, FeedForward(o.width, o.feed_forward, o.activation)),
        )
        for _ in range(o.encoder_layers)
    ]
    layers = [TransformerEncoder(*positions(o), *blocks, *last_norm(o))]
    return whole_encoder(o, embedding, layers, Dropout(o.dropout))


def transformer_decoder(o: Blueprint, embedding: Embeddings, *, has_source: bool = True) -> Decoder:
    """`o.decoder_layers` Transformer blocks with causal self-attention and, if there is a source, cross-attention.

    The attention weights reported are those of the last block but one, which is the closest to a word alignment
    (Garg et al. 2019, section 4.1).
    """

    def block(height: int) -> Stack:
        is_shown = height == max(0, o.decoder_layers - 2)
        bias = diagonal(o, o.heads)
        source = CrossAttention(o.width, o.width, o.heads, reports_weights=is_shown, diagonal=bias)
        return Stack(
            sublayer(o, SelfAttention(o.width, o.heads, rotary=o.positions == "rotary")),
            *([sublayer(o, source)] if has_source else []),
            sublayer(o, FeedForward(o.width, o.feed_forward, o.activation)),
        )

    layers = [*positions(o), *(block(height) for height in range(o.decoder_layers)), *last_norm(o)]
    return whole_decoder(o, embedding, layers, Dropout(o.dropout))


def sublayer(o: Blueprint, inner: Layer) -> Layer:
    """The layer with its residual connection and its norm."""
    return (PreNorm if o.norm == "pre" else PostNorm)(inner, o.width, o.dropout)


def positions(o: Blueprint) -> list[Layer]:
    """The position encoding added before the first block; none for rotary, which is part of self-attention."""
    match o.positions:
        case "sinusoidal":
            return [SinusoidalPositions(o.width)]
        case "learned":
            return [LearnedPositions(o.max_positions, o.width)]
        case _:
            return []


def last_norm(o: Blueprint) -> list[Layer]:
    """Pre-norm never normalizes the sum of the sublayers, so one norm follows the last block."""
    return [Norm(o.width)] if o.norm == "pre" else []


def recurrent(o: Blueprint, input_width: int | None = None) -> list[Layer]:
    """`o.decoder_layers` LSTMs or GRUs; the first reads `input_width` (default: E)."""
    return [cell(o, width) for width in [input_width or o.embedding] + [o.width] * (o.decoder_layers - 1)]


def cell(o: Blueprint, input_width: int) -> Recurrent:
    """An LSTM or GRU of the decoder."""
    return Recurrent(input_width, o.width, o.dropout, cell=o.cell)


def attention_layers(o: Blueprint) -> list[Layer]:
    """Attention, and the layer that joins x and context."""
    return [Attend(score(o), diagonal(o)), joined(o)]


def joined(o: Blueprint) -> Layer:
    """x and context as the input of the output layer: an attentional state, or both side by side."""
    return Concat() if o.output == "direct" else ReadContext(Dense(2 * o.width, o.width, o.dropout))


def diagonal(o: Blueprint, heads: int = 1) -> Diagonal | None:
    """The bias for each distance of positions, if it was chosen."""
    return Diagonal(heads) if o.diagonal else None


def score(o: Blueprint) -> Score:
    """The chosen score function; queries and source states are both W wide."""
    return SCORES[o.score](o.width, o.width)
