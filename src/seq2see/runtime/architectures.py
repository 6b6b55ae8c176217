"""The ladder: each architecture is one function that puts the layers together, as in training; see `seq2see.model`.

E embedding, W width. Tensors are asked for by the names that training gave them, so each function also says where in
the saved model its layers stand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from seq2see.runtime.arithmetic import Linear, Norm
from seq2see.runtime.encoder import Encoder, NoSource, Reader, RecurrentEncoder, TransformerEncoder
from seq2see.runtime.positions import AddPositions, Learned, Rotary, Sinusoidal
from seq2see.runtime.readers import attend
from seq2see.runtime.recurrent import Gates, Recurrent
from seq2see.runtime.stream import Layer
from seq2see.runtime.tensors import Array, Tensors
from seq2see.runtime.transformer import (
    Branch,
    CrossAttention,
    EncoderSelfAttention,
    FeedForward,
    LastNorm,
    PostNorm,
    PreNorm,
    SelfAttention,
)
from seq2see.runtime.wiring import Dense, Embed, InputFeeding, Output, Residual, Stack

Size = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True)
class Plan:
    """What was set of a model, nothing left open."""

    name: str
    width: Size
    embedding: Size
    layers: Size
    direction: str
    merge: str
    score: str
    heads: Size
    feed_forward: Size
    positions: str
    max_positions: Size
    norm: str
    activation: str
    tie: str

    @property
    def has_blocks(self) -> bool:
        """Whether it has blocks of a Transformer, on either side."""
        return "transformer" in self.name


class Halves(NamedTuple):
    """An encoder, and a decoder's layers from the tokens to the log-probabilities."""

    encoder: Encoder
    decoder: list[Layer]


def plain(o: Plan, tensors: Tensors) -> Halves:
    """The encoder's last state starts the decoder, and that is all it sees; `reverse` reads the source backward."""
    return Halves(encoder(o, tensors), [*recurrent(o, tensors, decoder(tensors)), output(o, tensors)])


def peeky(o: Plan, tensors: Tensors) -> Halves:
    """The encoder's last h goes into every LSTM and into the output layer, at every step."""
    own = decoder(tensors)
    layers = first(o, tensors, own.at(1, "inner"), peeks=o.width)
    for height in range(1, o.layers):
        gates = Gates.take(own.at(1 + height, "inner", "lstm"), 2 * o.width, o.width)
        layers.append(Recurrent(gates, reads={"x": o.width}, peeks=o.width))
    return Halves(encoder(o, tensors), [*layers, output(o, tensors, peeks=o.width)])


def attention(o: Plan, tensors: Tensors) -> Halves:
    """The decoder's state looks at the source; `bidirectional` and `stacked` differ in what is set."""
    own = decoder(tensors)
    layers = [*recurrent(o, tensors, own), *look(o, own)]
    return Halves(encoder(o, tensors), [*layers, output(o, tensors)])


def residual(o: Plan, tensors: Tensors) -> Halves:
    """`stacked`, each layer from the second on adding to what it was given."""
    own = decoder(tensors)
    layers = first(o, tensors, own.at(0))
    layers += [Residual(above(o, own.at(height, "inner"))) for height in range(1, o.layers)]
    return Halves(encoder(o, tensors, residual_from=1), [*layers, *look(o, own), output(o, tensors)])


def gnmt(o: Plan, tensors: Tensors) -> Halves:
    """The bottom decoder layer looks, all layers above read what it saw; from the third on they add to their input."""
    own = decoder(tensors)
    layers = [*first(o, tensors, own.at(0)), attend(o.score, own.at(1, "score"), o.width)]
    for height in range(1, o.layers):
        path = ("inner",) if height == 1 else ("inner", "inner")
        gates = Gates.take(own.at(1 + height, *path, "lstm"), 2 * o.width, o.width)
        layer = Recurrent(gates, reads={"x": o.width, "context": o.width})
        layers.append(layer if height == 1 else Residual(layer))
    return Halves(encoder(o, tensors, one_way_from=1, residual_from=2), [*layers, output(o, tensors)])


def input_feeding(o: Plan, tensors: Tensors) -> Halves:
    """`attention` whose attentional state is also an input of the next step."""
    own = decoder(tensors).at(0, "inner", "layers")
    layers = first(o, tensors, own.at(0), reads={"fed": o.width})
    layers += [above(o, own.at(height)) for height in range(1, o.layers)]
    return Halves(encoder(o, tensors), [InputFeeding(Stack(*layers, *look(o, own))), output(o, tensors)])


def transformer(o: Plan, tensors: Tensors) -> Halves:
    """Attention alone: each side looks at itself, the decoder at the source too."""
    return Halves(transformer_encoder(o, tensors), transformer_decoder(o, tensors))


def transformer_lstm(o: Plan, tensors: Tensors) -> Halves:
    """A Transformer reads, LSTMs with attention write."""
    own = decoder(tensors)
    layers = [*recurrent(o, tensors, own), *look(o, own)]
    return Halves(transformer_encoder(o, tensors), [*layers, output(o, tensors)])


def lstm_transformer(o: Plan, tensors: Tensors) -> Halves:
    """LSTMs read, a Transformer writes."""
    return Halves(encoder(o, tensors), transformer_decoder(o, tensors))


def language_model(o: Plan, tensors: Tensors) -> Halves:
    """A decoder without a source: each token from those before it."""
    layers = [*recurrent(o, tensors, decoder(tensors)), output(o, tensors)]
    return Halves(NoSource(o.width, tensors.dtype), layers)


def transformer_language_model(o: Plan, tensors: Tensors) -> Halves:
    """`language_model` made of Transformer blocks that look at the text so far."""
    return Halves(NoSource(o.width, tensors.dtype), transformer_decoder(o, tensors, has_source=False))


ARCHITECTURES: dict[str, Callable[[Plan, Tensors], Halves]] = {
    "plain": plain,
    "reverse": plain,
    "peeky": peeky,
    "attention": attention,
    "bidirectional": attention,
    "stacked": attention,
    "residual": residual,
    "gnmt": gnmt,
    "input_feeding": input_feeding,
    "transformer": transformer,
    "transformer_lstm": transformer_lstm,
    "lstm_transformer": lstm_transformer,
    "language_model": language_model,
    "transformer_language_model": transformer_language_model,
}
"""Every architecture by name."""


def decoder(tensors: Tensors) -> Tensors:
    """The tensors of the decoder's layers, which are numbered."""
    return tensors.at("decoder", "layers", "layers")


def source_table(o: Plan, tensors: Tensors) -> Array:
    """The encoder's embedding [V E], as large as it is read."""
    return scaled(o, tensors.at("encoder").take("embedding.weight", None, o.embedding))


def target_table(o: Plan, tensors: Tensors) -> Array:
    """The decoder's embedding as it is saved; the encoder's where all is tied."""
    half = "encoder" if o.tie == "all" else "decoder"
    return tensors.at(half).take("embedding.weight", None, o.embedding)


def scaled(o: Plan, table: Array) -> Array:
    """What is read out of a table that is stored small: in Transformers, and where it is the output layer too."""
    return table * np.asarray(o.embedding**0.5, table.dtype) if o.has_blocks or o.tie != "none" else table


def output(o: Plan, tensors: Tensors, *, peeks: int = 0) -> Output:
    """The output layer; its weights may be the embedding's."""
    table = target_table(o, tensors)
    own = tensors.at("decoder", "output")
    weight = table if o.tie != "none" else own.take("weight", len(table), o.width + peeks)
    return Output(Linear(weight.T, own.take("bias", len(table))), peeks=peeks)


def first(
    o: Plan, tensors: Tensors, own: Tensors, *, reads: dict[str, int] | None = None, peeks: int = 0
) -> list[Layer]:
    """The LSTM that reads the tokens, by its table; behind an embedding where that would be too large."""
    reads = reads or {}
    embedding = scaled(o, target_table(o, tensors))
    gates = Gates.take(own.at("lstm"), o.embedding + sum(reads.values()) + peeks, o.width)
    table = gates.table(embedding)
    if table is not None:
        return [Recurrent(gates, table=table, reads=reads, peeks=peeks)]
    return [Embed(embedding), Recurrent(gates, reads={"x": o.embedding} | reads, peeks=peeks)]


def above(o: Plan, own: Tensors) -> Layer:
    """An LSTM that reads the one below."""
    return Recurrent(Gates.take(own.at("lstm"), o.width, o.width), reads={"x": o.width})


def recurrent(o: Plan, tensors: Tensors, own: Tensors) -> list[Layer]:
    """`o.layers` LSTMs."""
    return [*first(o, tensors, own.at(0)), *(above(o, own.at(height)) for height in range(1, o.layers))]


def look(o: Plan, own: Tensors) -> list[Layer]:
    """Attention behind the LSTMs, and the attentional state made of x and context."""
    dense = Linear.take(own.at(o.layers + 1, "inner", "linear"), o.width, 2 * o.width)
    of_context = Linear(dense.weight[o.width :], dense.bias)
    reader = attend(o.score, own.at(o.layers, "score"), o.width, of_context)
    return [reader, Dense(Linear(dense.weight[: o.width], None))]


def encoder(
    o: Plan, tensors: Tensors, *, one_way_from: int | None = None, residual_from: int | None = None
) -> RecurrentEncoder:
    """`o.layers` recurrent layers; above the given heights reading forward only, or adding to their input."""
    readers = []
    for height in range(o.layers):
        is_residual = residual_from is not None and height >= residual_from
        own = tensors.at("encoder", "layers", height, *(["inner"] if is_residual else []))
        input_width = o.width if height else o.embedding
        one_way = one_way_from is not None and height >= one_way_from
        if one_way or o.direction != "both":
            backward = not one_way and o.direction == "backward"
            directions = {backward: Gates.take(own.at("reader", "lstm"), input_width, o.width)}
        else:
            each = o.width // 2 if o.merge == "concat" else o.width
            directions = {
                backward: Gates.take(own.at(name, "lstm"), input_width, each)
                for backward, name in ((False, "ahead"), (True, "back"))
            }
        embedding = None if height else source_table(o, tensors)
        readers.append(Reader(directions, o.merge, embedding, residual=is_residual))
    return RecurrentEncoder(readers)


def transformer_encoder(o: Plan, tensors: Tensors) -> TransformerEncoder:
    """`o.layers` blocks of a Transformer, each looking at all of the source."""
    own = tensors.at("encoder", "layers", 0, "layers", "layers")
    turned = rotary(o, tensors)
    places = added_places(o, own.at(0))
    start = 0 if places is None else 1
    blocks: list[Layer] = []
    for height in range(o.layers):
        block = own.at(start + height, "layers")
        blocks += [
            sublayer(o, block.at(0), EncoderSelfAttention(block.at(0, "inner"), o.width, o.heads, turned)),
            sublayer(o, block.at(1), FeedForward(block.at(1, "inner"), o.width, o.feed_forward, o.activation)),
        ]
    blocks += last_norm(o, own.at(start + o.layers))
    return TransformerEncoder(source_table(o, tensors), places, blocks)


def transformer_decoder(o: Plan, tensors: Tensors, *, has_source: bool = True) -> list[Layer]:
    """`o.layers` blocks of a Transformer, each looking at the past and, where there is one, at the source."""
    own = decoder(tensors)
    turned = rotary(o, tensors)
    places = added_places(o, own.at(0))
    start = 0 if places is None else 1
    layers: list[Layer] = [Embed(scaled(o, target_table(o, tensors)))]
    if places is not None:
        layers.append(AddPositions(places))
    for height in range(o.layers):
        block = own.at(start + height, "layers")
        layers.append(sublayer(o, block.at(0), SelfAttention(block.at(0, "inner"), o.width, o.heads, turned)))
        if has_source:
            shows = height == max(0, o.layers - 2)
            inner = CrossAttention(block.at(1, "inner"), o.width, o.heads, shows=shows)
            layers.append(sublayer(o, block.at(1), inner))
        last = block.at(2 if has_source else 1)
        layers.append(sublayer(o, last, FeedForward(last.at("inner"), o.width, o.feed_forward, o.activation)))
    return [*layers, *last_norm(o, own.at(start + o.layers)), output(o, tensors)]


def sublayer(o: Plan, own: Tensors, inner: Branch) -> Layer:
    """The layer with its residual connection and its norm."""
    return (PreNorm if o.norm == "pre" else PostNorm)(inner, Norm(own.at("norm"), o.width))


def added_places(o: Plan, own: Tensors) -> Sinusoidal | Learned | None:
    """What is added before the first block; None for rotary positions, which are in the attention itself."""
    match o.positions:
        case "sinusoidal":
            return Sinusoidal(o.width, own.dtype)
        case "learned":
            return Learned(own, o.max_positions, o.width)
        case _:
            return None


def rotary(o: Plan, tensors: Tensors) -> Rotary | None:
    """What turns queries and keys, if that is how places are told apart."""
    return Rotary(o.width // o.heads, tensors.dtype) if o.positions == "rotary" else None


def last_norm(o: Plan, own: Tensors) -> list[Layer]:
    """Pre-norm leaves the sum of all sublayers as it is; it is normalised once at the end."""
    return [LastNorm(Norm(own.at("norm"), o.width))] if o.norm == "pre" else []
