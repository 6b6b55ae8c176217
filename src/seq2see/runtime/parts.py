"""The parts of architectures, made of the saved tensors: embeddings, encoders, and the layers of decoders."""

from __future__ import annotations

import numpy as np

from seq2see.blueprint import ARCHITECTURES, Blueprint
from seq2see.runtime.arithmetic import Linear, Norm
from seq2see.runtime.encoder import AddTags, EncoderRNN, RecurrentEncoder, SourceFields, TagStates, TransformerEncoder
from seq2see.runtime.mixtures import Copying
from seq2see.runtime.positions import AddPositions, LearnedPositions, RotaryPositions, SinusoidalPositions
from seq2see.runtime.readers import Diagonal, make_attend
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
from seq2see.runtime.values import SourceValues
from seq2see.runtime.wiring import Concat, Dense, Embed, Output


def decoder(tensors: Tensors) -> Tensors:
    """The tensors of the decoder's layers, which are indexed by number."""
    return tensors.at("decoder", "layers", "layers")


def source_table(o: Blueprint, tensors: Tensors) -> Array:
    """The encoder's embedding [V E], scaled."""
    return scaled(o, tensors.at("encoder").take("embedding.weight", None, o.embedding))


def source_fields(o: Blueprint, tensors: Tensors) -> SourceFields | None:
    """The embeddings of the source's fields and of their values; None for a source of one text."""
    if not tensors.fields:
        return None
    own = tensors.at("encoder")
    has_values = any(field.has_values for field in tensors.fields)
    values = SourceValues(tensors.fields, own.at("values"), o.embedding) if has_values else None
    return SourceFields(own.take("fields.weight", None, o.embedding), tensors.fields, values)


def target_table(o: Blueprint, tensors: Tensors) -> Array:
    """The decoder's embedding as saved, without scaling; with tie=all it is the encoder's."""
    side = "encoder" if o.tie == "all" else "decoder"
    return tensors.at(side).take("embedding.weight", None, o.embedding)


def scaled(o: Blueprint, table: Array) -> Array:
    """The embedding times √E: in Transformers, and if it is tied to the output layer."""
    return (
        table * np.asarray(o.embedding**0.5, table.dtype)
        if ARCHITECTURES[o.name].has_blocks or o.tie != "none"
        else table
    )


def output(o: Blueprint, tensors: Tensors, *, peeks: int = 0) -> Layer:
    """The output layer, and copying beside it."""
    linear = output_map(o, tensors)
    layer = Output(linear, peeks=peeks)
    if not o.copy:
        return layer
    gate = Linear.take(tensors.at("decoder", "mixture", "gate"), 1, len(linear.weight))
    return Copying(gate, layer, tensors.copies, len(tensors.at("encoder").take("embedding.weight", None, o.embedding)))


def output_map(o: Blueprint, tensors: Tensors) -> Linear:
    """The linear map of the output layer, whose weights may be tied to the embedding."""
    table = target_table(o, tensors)
    own = tensors.at("decoder", "output")
    width = ARCHITECTURES[o.name].output_width(o.width, o.output)
    weight = table if o.tie != "none" else own.take("weight", len(table), width)
    return Linear(weight.T, own.take("bias", len(table)))


def first_recurrent(
    o: Blueprint, tensors: Tensors, own: Tensors, *, reads: dict[str, int] | None = None, peeks: int = 0
) -> list[Layer]:
    """The LSTM or GRU that reads the tokens: through its table, or an embedding if the table would be too large."""
    reads = reads or {}
    embedding = scaled(o, target_table(o, tensors))
    gates = Gates.take(own, o.cell, o.embedding + sum(reads.values()) + peeks, o.width)
    tags = added_tags(o, tensors)
    table = None if tags else gates.table(embedding)
    if table is not None:
        return [Recurrent(gates, table=table, reads=reads, peeks=peeks)]
    return [
        Embed(embedding),
        *tags,
        Recurrent(gates, reads={"x": o.embedding} | reads, peeks=peeks),
    ]


def added_tags(o: Blueprint, tensors: Tensors) -> list[Layer]:
    """The layer that adds the source's tags to each token, if that was chosen."""
    fields = source_fields(o, tensors) if o.tags != "source" else None
    return [] if fields is None else [AddTags(source_table(o, tensors), fields)]


def tag_states(o: Blueprint, tensors: Tensors, table: Array, fields: SourceFields | None) -> TagStates | None:
    """The states of the source's tags, if only the decoder reads them."""
    if o.tags != "decoder" or fields is None:
        return None
    return TagStates(table, fields, Linear.take(tensors.at("encoder", "tag_states"), o.width, o.embedding))


def upper_recurrent(o: Blueprint, own: Tensors) -> Layer:
    """An LSTM or GRU that reads the layer below."""
    return Recurrent(Gates.take(own, o.cell, o.width, o.width), reads={"x": o.width})


def recurrent(o: Blueprint, tensors: Tensors, own: Tensors) -> list[Layer]:
    """`o.decoder_layers` LSTMs or GRUs."""
    return [
        *first_recurrent(o, tensors, own.at(0)),
        *(upper_recurrent(o, own.at(height)) for height in range(1, o.decoder_layers)),
    ]


def attention_layers(o: Blueprint, own: Tensors) -> list[Layer]:
    """Attention, and the layer that joins x and context."""
    joined, of_context = joining_layer(o, own)
    attend = make_attend(o.score, own.at(o.decoder_layers), o.width, of_context, has_diagonal=o.diagonal)
    return [attend, joined]


def joining_layer(o: Blueprint, own: Tensors) -> tuple[Layer, Linear | None]:
    """The layer that joins x and context for the output layer, and the map of the context that it expects."""
    if o.output == "direct":
        return Concat(), None
    dense = Linear.take(own.at(o.decoder_layers + 1, "inner", "linear"), o.width, 2 * o.width)
    return Dense(Linear(dense.weight[: o.width], None)), Linear(dense.weight[o.width :], dense.bias)


def encoder(
    o: Blueprint, tensors: Tensors, *, unidirectional_from: int | None = None, residual_from: int | None = None
) -> RecurrentEncoder:
    """`o.encoder_layers` recurrent layers, from the given heights on unidirectional or residual."""
    table, fields = source_table(o, tensors), source_fields(o, tensors)
    layers = []
    for height in range(o.encoder_layers):
        is_residual = residual_from is not None and height >= residual_from
        own = tensors.at("encoder", "layers", height, *(["inner"] if is_residual else []))
        input_width = o.width if height else o.embedding
        unidirectional = unidirectional_from is not None and height >= unidirectional_from
        if unidirectional or o.direction != "both":
            backward = not unidirectional and o.direction == "backward"
            directions = {backward: Gates.take(own.at("reader"), o.cell, input_width, o.width)}
        else:
            each = o.width // 2 if o.merge == "concat" else o.width
            directions = {
                backward: Gates.take(own.at(name), o.cell, input_width, each)
                for backward, name in ((False, "ahead"), (True, "back"))
            }
        read = (None, None) if height else (table, fields)
        layers.append(EncoderRNN(directions, o.merge, *read, residual=is_residual))
    return RecurrentEncoder(layers, tag_states(o, tensors, table, fields))


def transformer_encoder(o: Blueprint, tensors: Tensors) -> TransformerEncoder:
    """`o.encoder_layers` Transformer blocks with full self-attention over the source."""
    own = tensors.at("encoder", "layers", 0, "layers", "layers")
    rotation = rotary(o, tensors)
    positions = added_positions(o, own.at(0))
    start = 0 if positions is None else 1
    blocks: list[Layer] = []
    for height in range(o.encoder_layers):
        block = own.at(start + height, "layers")
        blocks += [
            sublayer(o, block.at(0), EncoderSelfAttention(block.at(0, "inner"), o.width, o.heads, rotation)),
            sublayer(o, block.at(1), FeedForward(block.at(1, "inner"), o.width, o.feed_forward, o.activation)),
        ]
    blocks += last_norm(o, own.at(start + o.encoder_layers))
    table, fields = source_table(o, tensors), source_fields(o, tensors)
    return TransformerEncoder(table, positions, blocks, fields, tag_states(o, tensors, table, fields))


def transformer_decoder(o: Blueprint, tensors: Tensors, *, has_source: bool = True) -> list[Layer]:
    """`o.decoder_layers` Transformer blocks with causal self-attention and, if there is a source, cross-attention."""
    own = decoder(tensors)
    rotation = rotary(o, tensors)
    positions = added_positions(o, own.at(0))
    start = 0 if positions is None else 1
    layers: list[Layer] = [Embed(scaled(o, target_table(o, tensors))), *added_tags(o, tensors)]
    if positions is not None:
        layers.append(AddPositions(positions))
    for height in range(o.decoder_layers):
        block = own.at(start + height, "layers")
        layers.append(sublayer(o, block.at(0), SelfAttention(block.at(0, "inner"), o.width, o.heads, rotation)))
        if has_source:
            reports_weights = height == max(0, o.decoder_layers - 2)
            bias = Diagonal.take(block.at(1, "inner"), exists=o.diagonal, heads=o.heads)
            inner = CrossAttention(block.at(1, "inner"), o.width, o.heads, bias, reports_weights=reports_weights)
            layers.append(sublayer(o, block.at(1), inner))
        last = block.at(2 if has_source else 1)
        layers.append(sublayer(o, last, FeedForward(last.at("inner"), o.width, o.feed_forward, o.activation)))
    return [*layers, *last_norm(o, own.at(start + o.decoder_layers)), output(o, tensors)]


def sublayer(o: Blueprint, own: Tensors, inner: Branch) -> Layer:
    """The layer with its residual connection and its norm."""
    return (PreNorm if o.norm == "pre" else PostNorm)(inner, Norm(own.at("norm"), o.width))


def added_positions(o: Blueprint, own: Tensors) -> SinusoidalPositions | LearnedPositions | None:
    """The encoding added before the first block; None for rotary positions, which are part of self-attention."""
    match o.positions:
        case "sinusoidal":
            return SinusoidalPositions(o.width, own.dtype)
        case "learned":
            return LearnedPositions(own, o.max_positions, o.width)
        case _:
            return None


def rotary(o: Blueprint, tensors: Tensors) -> RotaryPositions | None:
    """The rotation of queries and keys; None for other position encodings."""
    return RotaryPositions(o.width // o.heads, tensors.dtype) if o.positions == "rotary" else None


def last_norm(o: Blueprint, own: Tensors) -> list[Layer]:
    """Pre-norm never normalizes the sum of the sublayers, so one norm follows the last block."""
    return [LastNorm(Norm(own.at("norm"), o.width))] if o.norm == "pre" else []
