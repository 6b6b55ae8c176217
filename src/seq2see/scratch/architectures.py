"""The ladder in NumPy: each architecture is one function that composes layers, as in `seq2see.model.architectures`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from seq2see.errors import ConfigError, did_you_mean
from seq2see.scratch.attention import SCORES, Score
from seq2see.scratch.cells import CELLS
from seq2see.scratch.decoder_layers import (
    Attend,
    AttendFromPrevious,
    Concat,
    Dense,
    InputFeeding,
    Peek,
    ReadContext,
    Recurrent,
    Residual,
    Stack,
)
from seq2see.scratch.encoder import (
    BidirectionalRNN,
    Encoder,
    EncoderLayer,
    NoSource,
    ResidualEncoderLayer,
    UnidirectionalRNN,
)
from seq2see.scratch.initialize import initialize
from seq2see.scratch.layers import Embedding
from seq2see.scratch.seq2seq import Decoder, ScratchSeq2Seq
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
    SinusoidalPositions,
    TransformerEncoder,
)


@dataclass(frozen=True)
class ScratchBlueprint:
    """What a model is built from; `source` and `target` are its embedding tables."""

    source: Embedding
    target: Embedding
    width: int
    encoder_layers: int
    decoder_layers: int
    direction: str
    merge: str
    cell: str
    score: str
    query: str
    output: str
    heads: int
    feed_forward: int
    norm: str
    activation: str
    tied: bool


def plain(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """The decoder starts from the encoder's last state (Sutskever et al. 2014); `reverse` reads the source backward."""
    return ScratchSeq2Seq(encoder(p), decoder(p, recurrent(p)))


def peeky(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """The encoder's last h goes into every LSTM and into the output layer, at every step (Cho et al. 2014)."""
    first = ReadContext(cell(p, p.target.width + p.width))
    above = [ReadContext(cell(p, 2 * p.width)) for _ in range(1, p.decoder_layers)]
    return ScratchSeq2Seq(encoder(p), decoder(p, [Peek(), first, *above, Concat()], 2 * p.width))


def attention(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """The decoder attends to the source (Luong et al. 2015); `bidirectional` and `stacked` differ in their options."""
    return ScratchSeq2Seq(encoder(p), decoder(p, [*recurrent(p), *attention_layers(p)], output_width(p)))


def residual(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """`stacked` with a residual connection around each layer from the second on."""
    first, *above = recurrent(p)
    layers = [first, *(Residual(layer) for layer in above), *attention_layers(p)]
    return ScratchSeq2Seq(encoder(p, residual_from=1), decoder(p, layers, output_width(p)))


def gnmt(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """The bottom decoder layer queries the source, all layers above read the context (Wu et al. 2016, section 3)."""
    above = [ReadContext(cell(p, 2 * p.width)) for _ in range(1, p.decoder_layers)]
    bottom, attend = cell(p, p.target.width), Attend(score(p))
    lower = [AttendFromPrevious(bottom, attend)] if p.query == "previous" else [bottom, attend]
    layers = [*lower, above[0], *map(Residual, above[1:])]
    return ScratchSeq2Seq(encoder(p, unidirectional_from=1, residual_from=2), decoder(p, layers))


def input_feeding(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """`attention` whose attentional state is also an input of the next step (Luong et al. 2015, section 3.3)."""
    step = Stack([*recurrent(p, p.target.width + p.width), *attention_layers(p)])
    return ScratchSeq2Seq(encoder(p), decoder(p, [InputFeeding(step, p.width)]))


def transformer(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """Self-attention on both sides, and cross-attention in the decoder (Vaswani et al. 2017, figure 1)."""
    return ScratchSeq2Seq(transformer_encoder(p), transformer_decoder(p))


def transformer_lstm(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """A Transformer encoder and an LSTM decoder with attention (Chen et al. 2018, section 5.1)."""
    return ScratchSeq2Seq(transformer_encoder(p), decoder(p, [*recurrent(p), *attention_layers(p)]))


def lstm_transformer(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """A bidirectional LSTM encoder and a Transformer decoder (Chen et al. 2018, section 5.1)."""
    return ScratchSeq2Seq(encoder(p), transformer_decoder(p))


def language_model(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """A decoder without a source: predicts each token from those before it."""
    return ScratchSeq2Seq(NoSource(), decoder(p, recurrent(p)))


def transformer_language_model(p: ScratchBlueprint) -> ScratchSeq2Seq:
    """`language_model` made of Transformer blocks with causal self-attention (Radford et al. 2018)."""
    return ScratchSeq2Seq(NoSource(), transformer_decoder(p, has_source=False))


def encoder(
    p: ScratchBlueprint, *, unidirectional_from: int | None = None, residual_from: int | None = None
) -> Encoder:
    """`p.encoder_layers` recurrent layers, from the given heights on unidirectional or residual."""
    layers: list[EncoderLayer] = []
    for height in range(p.encoder_layers):
        input_width = p.width if height else p.source.width
        if unidirectional_from is not None and height >= unidirectional_from:
            layer: EncoderLayer = UnidirectionalRNN(input_width, p.width, cell=p.cell)
        elif p.direction == "both":
            layer = BidirectionalRNN(input_width, p.width, merge=p.merge, cell=p.cell)
        else:
            backward = p.direction == "backward"
            layer = UnidirectionalRNN(input_width, p.width, backward=backward, cell=p.cell)
        layers.append(ResidualEncoderLayer(layer) if residual_from is not None and height >= residual_from else layer)
    return Encoder(p.source, layers)


def decoder(p: ScratchBlueprint, layers: list[Layer], output_width: int | None = None) -> Decoder:
    """A decoder of these layers; the last one is `output_width` wide (default: the model's width)."""
    return Decoder(p.target, layers, output_width or p.width, tied=p.tied)


def recurrent(p: ScratchBlueprint, input_width: int | None = None) -> list[Layer]:
    """`p.decoder_layers` LSTMs or GRUs; the first reads `input_width` (default: the embedding's width)."""
    return [cell(p, width) for width in [input_width or p.target.width] + [p.width] * (p.decoder_layers - 1)]


def cell(p: ScratchBlueprint, input_width: int) -> Recurrent:
    """An LSTM or GRU of the decoder."""
    return Recurrent(input_width, p.width, cell=p.cell)


def attention_layers(p: ScratchBlueprint) -> list[Layer]:
    """Attention, and the layer that joins x and context: to an attentional state, or side by side."""
    joined = Concat() if p.output == "direct" else ReadContext(Dense(2 * p.width, p.width))
    return [Attend(score(p)), joined]


def output_width(p: ScratchBlueprint) -> int:
    """The width of x and context when they are joined."""
    return 2 * p.width if p.output == "direct" else p.width


def score(p: ScratchBlueprint) -> Score:
    """The chosen score function."""
    return SCORES[p.score](p.width)


def transformer_encoder(p: ScratchBlueprint) -> Encoder:
    """`p.encoder_layers` Transformer blocks with full self-attention over the source."""
    blocks = [
        Stack([sublayer(p, EncoderSelfAttention(p.width, p.heads)), sublayer(p, feed_forward(p))])
        for _ in range(p.encoder_layers)
    ]
    return Encoder(p.source, [TransformerEncoder([SinusoidalPositions(), *blocks, *last_norm(p)])])


def transformer_decoder(p: ScratchBlueprint, *, has_source: bool = True) -> Decoder:
    """`p.decoder_layers` Transformer blocks with causal self-attention and, if there is a source, cross-attention.

    The attention weights reported are those of the last block but one.
    """

    def block(height: int) -> Stack:
        source = CrossAttention(p.width, p.width, p.heads, reports_weights=height == max(0, p.decoder_layers - 2))
        return Stack(
            [
                sublayer(p, SelfAttention(p.width, p.heads)),
                *([sublayer(p, source)] if has_source else []),
                sublayer(p, feed_forward(p)),
            ]
        )

    layers = [SinusoidalPositions(), *(block(height) for height in range(p.decoder_layers)), *last_norm(p)]
    return decoder(p, layers)


def sublayer(p: ScratchBlueprint, inner: Layer) -> Layer:
    """The layer with its residual connection and its norm."""
    return (PreNorm if p.norm == "pre" else PostNorm)(inner, p.width)


def feed_forward(p: ScratchBlueprint) -> Layer:
    """The feed-forward layer of a block."""
    return FeedForward(p.width, p.feed_forward, p.activation)


def last_norm(p: ScratchBlueprint) -> list[Layer]:
    """Pre-norm never normalizes the sum of the sublayers, so one norm follows the last block."""
    return [Norm(p.width)] if p.norm == "pre" else []


class Rung(NamedTuple):
    """How an architecture is built, and its defaults."""

    build: Callable[[ScratchBlueprint], ScratchSeq2Seq]
    direction: str = "forward"
    layers: int = 1
    tie: str = "none"
    score: str = "scaled_dot"
    has_blocks: bool = False
    """Whether either side is a Transformer: its embeddings are scaled, and as wide as the model."""


ARCHITECTURES: dict[str, Rung] = {
    "plain": Rung(plain),
    "reverse": Rung(plain, "backward"),
    "peeky": Rung(peeky),
    "attention": Rung(attention),
    "bidirectional": Rung(attention, "both"),
    "stacked": Rung(attention, "both", 2),
    "residual": Rung(residual, "both", 3),
    "gnmt": Rung(gnmt, "both", 4, score="additive"),
    "input_feeding": Rung(input_feeding, "both"),
    "transformer": Rung(transformer, layers=4, tie="target", has_blocks=True),
    "transformer_lstm": Rung(transformer_lstm, layers=2, has_blocks=True),
    "lstm_transformer": Rung(lstm_transformer, "both", 2, tie="target", has_blocks=True),
    "language_model": Rung(language_model),
    "transformer_language_model": Rung(transformer_language_model, layers=4, tie="target", has_blocks=True),
}
"""All architectures by name, in teaching order."""


def build(
    name: str,
    source: int,
    target: int,
    *,
    embedding: int | None = None,
    width: int = 256,
    layers: int | None = None,
    encoder_layers: int | None = None,
    decoder_layers: int | None = None,
    direction: str | None = None,
    merge: str = "concat",
    cell: str = "lstm",
    score: str | None = None,
    query: str | None = None,
    output: str = "dense",
    heads: int = 4,
    feed_forward: int | None = None,
    norm: str = "pre",
    activation: str = "relu",
    tie: str | None = None,
    seed: int = 1,
) -> ScratchSeq2Seq:
    """A new, randomly initialized float32 model for vocabularies of `source` and `target` tokens (0: no source).

    None selects the architecture's default. The options are those of `seq2see.model.Blueprint`, and a torch model
    built with the same values has tensors of the same names and shapes. ConfigError for invalid combinations.
    """
    require_known("model.name", name, ARCHITECTURES)
    rung = ARCHITECTURES[name]
    query = query or ("previous" if name == "gnmt" else "current")
    direction, score, tie = direction or rung.direction, score or rung.score, tie or rung.tie
    require_known("model.direction", direction, ("forward", "backward", "both"))
    require_known("model.merge", merge, ("concat", "sum", "mean"))
    require_known("model.cell", cell, CELLS)
    require_known("model.score", score, SCORES)
    require_known("model.query", query, ("current", "previous"))
    require_known("model.output", output, ("dense", "direct"))
    require_known("model.norm", norm, ("pre", "post"))
    require_known("model.activation", activation, ACTIVATIONS)
    require_known("model.tie", tie, ("none", "target", "all"))
    encoder_layers, decoder_layers = (side or layers or rung.layers for side in (encoder_layers, decoder_layers))
    if name == "gnmt" and decoder_layers == 1:
        fix = "set model.decoder_layers=2"
        raise ConfigError("must be at least 2 with model 'gnmt', not 1", where="model.decoder_layers", fix=fix)
    divisors = {f"model.heads {heads}": heads} if rung.has_blocks else {}
    divisors |= {"2, the number of directions": 2} if direction == "both" and merge == "concat" else {}
    for divisor, number in divisors.items():
        if width % number:
            fix = f"set model.width={-(-width // number) * number}"
            raise ConfigError(f"{width} is not divisible by {divisor}", where="model.width", fix=fix)
    output_width = 2 * width if name == "peeky" or output == "direct" else width
    is_fixed = rung.has_blocks or tie != "none"
    embedding = embedding or (output_width if is_fixed else 128)
    if is_fixed and embedding != output_width:
        fix = f"set model.embedding={output_width}, or leave it out"
        raise ConfigError(f"must be {output_width}, not {embedding}", where="model.embedding", fix=fix)
    scale = embedding**0.5 if is_fixed else 1.0
    target_table = Embedding(target, embedding, scale=scale)
    source_table = target_table if tie == "all" else Embedding(source, embedding, scale=scale)
    blueprint = ScratchBlueprint(
        source_table,
        target_table,
        width,
        encoder_layers,
        decoder_layers,
        direction,
        merge,
        cell,
        score,
        query,
        output,
        heads,
        feed_forward or 4 * width,
        norm,
        activation,
        tie != "none",
    )
    model = rung.build(blueprint)
    initialize(model, seed)
    return model


def require_known(where: str, value: str, known: Iterable[str]) -> None:
    """ConfigError unless `value` is one of the known ones."""
    if value not in known:
        raise ConfigError(f"unknown value {value!r}", where=where, fix=did_you_mean(value, known))
