"""The name and shape of every tensor of a model, without the model.

Names are those of `seq2see.model`: the path of the layer, then the tensor's own. E embedding width, W model width, V
tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from seq2see.blueprint.architectures import ARCHITECTURES, Architecture
from seq2see.blueprint.options import DIAGONAL_REACH, PICTURE_CHANNELS, Blueprint, Field, Sizes

Shape: TypeAlias = tuple[int, ...]
Named: TypeAlias = Iterator[tuple[str, Shape]]

TRANSFORMER_ENCODERS = ("transformer", "transformer_lstm")
TRANSFORMER_DECODERS = ("transformer", "lstm_transformer", "transformer_language_model")


def tensor_shapes(o: Blueprint, sizes: Sizes) -> Named:
    """Every tensor of such a model: those of the encoder, then those of the decoder.

    Lazily, since a blueprint that isn't trusted may ask for any number.
    """
    architecture = ARCHITECTURES[o.name]
    if architecture.has_source:
        yield "encoder.embedding.weight", (sizes.source, o.embedding)
        if sizes.fields:
            yield "encoder.fields.weight", (len(sizes.fields), o.embedding)
            if o.tags == "decoder":
                yield from at("encoder.tag_states", linear(o.width, o.embedding))
        for number, field in enumerate(sizes.fields):
            if field.has_values:
                yield from at(f"encoder.values.{number}", values(field, o.embedding))
        yield from transformer_encoder(o) if o.name in TRANSFORMER_ENCODERS else recurrent_encoder(o)
    if o.tie != "all":
        yield "decoder.embedding.weight", (sizes.target, o.embedding)
    layers = transformer_decoder(o, architecture) if o.name in TRANSFORMER_DECODERS else recurrent_decoder(o)
    yield from at("decoder.layers.layers", layers)
    if o.tie == "none":
        yield "decoder.output.weight", (sizes.target, architecture.output_width(o.width, o.output))
    yield "decoder.output.bias", (sizes.target,)
    if o.copy:
        yield from at("decoder.mixture.gate", linear(1, architecture.output_width(o.width, o.output)))
    if o.name == "monotonic":
        yield from at("decoder.mixture.score", score(o))
        yield from at("decoder.mixture.state", linear(o.width, o.width))
        yield from at("decoder.mixture.source", linear(o.width, o.width, bias=False))


def at(path: str, tensors: Named) -> Named:
    """The tensors of a part that has this path."""
    return ((f"{path}.{name}", shape) for name, shape in tensors)


def linear(outputs: int, inputs: int, *, bias: bool = True) -> Named:
    """W x + b."""
    yield "weight", (outputs, inputs)
    if bias:
        yield "bias", (outputs,)


def norm(o: Blueprint) -> Named:
    """The gain and shift of layer normalization."""
    yield "norm.weight", (o.width,)
    yield "norm.bias", (o.width,)


def cell(o: Blueprint, inputs: int, width: int) -> Named:
    """An LSTM's four gates; a GRU's two and its new state, which has a bias behind the reset gate too."""
    gates = {"lstm": 4, "gru": 3}[o.cell]
    yield f"{o.cell}.weight_input", (gates * width, inputs)
    yield f"{o.cell}.weight_hidden", (gates * width, width)
    yield f"{o.cell}.bias", (gates * width,)
    if o.cell == "gru":
        yield f"{o.cell}.bias_hidden", (width,)


def values(field: Field, embedding: int) -> Named:
    """What makes embeddings of vectors or of a picture."""
    if field.kind == "vectors":
        yield from at("linear", linear(embedding, field.width))
        return
    inputs, number = field.width, 0
    for outputs in PICTURE_CHANNELS:
        for _ in range(2):
            path = f"layers.{number}"
            yield f"{path}.convolution.weight", (outputs, inputs, 3, 3)
            yield f"{path}.convolution.bias", (outputs,)
            inputs, number = outputs, number + 1
    yield "projection.weight", (embedding, inputs, 1, 1)
    yield "projection.bias", (embedding,)


def recurrent_encoder(o: Blueprint) -> Named:
    """Recurrent layers; in gnmt, the bottom one has two directions, and those from the third on are residual."""
    residual_from = {"residual": 1, "gnmt": 2}.get(o.name, o.encoder_layers)
    for height in range(o.encoder_layers):
        inputs = o.width if height else o.embedding
        path = f"encoder.layers.{height}" + (".inner" if height >= residual_from else "")
        if o.direction != "both" or (o.name == "gnmt" and height):
            yield from at(f"{path}.reader", cell(o, inputs, o.width))
            continue
        each = o.width // 2 if o.merge == "concat" else o.width
        for direction in ("ahead", "back"):
            yield from at(f"{path}.{direction}", cell(o, inputs, each))


def recurrent_decoder(o: Blueprint) -> Named:
    """The layers of a decoder of LSTMs or GRUs, by their number."""
    match o.name:
        case "plain" | "reverse" | "monotonic" | "language_model":
            yield from recurrent_layers(o, o.embedding, [str(height) for height in range(o.decoder_layers)])
        case "peeky":
            yield from at("1.inner", cell(o, o.embedding + o.width, o.width))
            for height in range(1, o.decoder_layers):
                yield from at(f"{1 + height}.inner", cell(o, 2 * o.width, o.width))
        case "transducer":
            yield from at("1.inner", cell(o, o.embedding + o.width, o.width))
            yield from recurrent_layers(o, o.width, [str(1 + height) for height in range(1, o.decoder_layers)])
            yield from joining_layer(o)
        case "gnmt":
            bottom, attend, above = ("0.recurrent", "0.attend", 0) if o.query == "previous" else ("0", "1", 1)
            yield from at(bottom, cell(o, o.embedding, o.width))
            yield from at(f"{attend}.score", score(o))
            yield from at(attend, diagonal(o))
            for height in range(1, o.decoder_layers):
                path = "inner" if height == 1 else "inner.inner"
                yield from at(f"{above + height}.{path}", cell(o, 2 * o.width, o.width))
        case "input_feeding":
            paths = [str(height) for height in range(o.decoder_layers)]
            inner = [recurrent_layers(o, o.embedding + o.width, paths), attention(o)]
            for part in inner:
                yield from at("0.inner.layers", part)
        case "residual":
            yield from recurrent_layers(
                o, o.embedding, ["0", *(f"{height}.inner" for height in range(1, o.decoder_layers))]
            )
            yield from attention(o)
        case _:
            yield from recurrent_layers(o, o.embedding, [str(height) for height in range(o.decoder_layers)])
            yield from attention(o)


def recurrent_layers(o: Blueprint, inputs: int, paths: list[str]) -> Named:
    """LSTMs or GRUs at these paths, the first of which reads `inputs` values."""
    for height, path in enumerate(paths):
        yield from at(path, cell(o, o.width if height else inputs, o.width))


def attention(o: Blueprint) -> Named:
    """Attention above the decoder's layers, and the layer that joins its context with the state."""
    yield from at(f"{o.decoder_layers}.score", score(o))
    yield from at(str(o.decoder_layers), diagonal(o))
    yield from joining_layer(o)


def joining_layer(o: Blueprint) -> Named:
    """What joins state and context before the output layer, if it has tensors."""
    if o.output == "dense":
        yield from at(f"{o.decoder_layers + 1}.inner.linear", linear(o.width, 2 * o.width))


def diagonal(o: Blueprint, heads: int = 1) -> Named:
    """The bias for each distance, if there is one."""
    if o.diagonal:
        yield "diagonal.weight", (heads, 2 * DIAGONAL_REACH + 1)


def score(o: Blueprint) -> Named:
    """The attention score; dot products have no tensors."""
    if o.score == "general":
        yield from at("projection", linear(o.width, o.width, bias=False))
    elif o.score == "additive":
        yield from at("query", linear(o.width, o.width))
        yield from at("key", linear(o.width, o.width, bias=False))
        yield from at("v", linear(1, o.width, bias=False))


def transformer_encoder(o: Blueprint) -> Named:
    """Blocks of self-attention and feed-forward layers, between positions and the last norm."""
    yield from at("encoder.layers.0.layers.layers", blocks(o, o.encoder_layers, ("self", "feed_forward")))


def transformer_decoder(o: Blueprint, architecture: Architecture) -> Named:
    """The same with attention to the source, if there is one."""
    sublayers = ("self", "source", "feed_forward") if architecture.has_source else ("self", "feed_forward")
    return blocks(o, o.decoder_layers, sublayers)


def blocks(o: Blueprint, layers: int, sublayers: tuple[str, ...]) -> Named:
    """The layers of a stack of Transformer blocks, by their number."""
    first = 0 if o.positions == "rotary" else 1
    if o.positions == "learned":
        yield "0.table.weight", (o.max_positions, o.width)
    for height in range(first, first + layers):
        for number, sublayer in enumerate(sublayers):
            path = f"{height}.layers.{number}"
            yield from at(f"{path}.inner", inner(o, sublayer))
            yield from at(path, norm(o))
    if o.norm == "pre":
        yield from at(str(first + layers), norm(o))


def inner(o: Blueprint, sublayer: str) -> Named:
    """The layer inside a residual connection."""
    if sublayer == "feed_forward":
        yield from at("widen", linear((2 if o.activation == "swiglu" else 1) * o.feed_forward, o.width))
        yield from at("narrow", linear(o.width, o.feed_forward))
        return
    if sublayer == "source":
        yield from at("query", linear(o.width, o.width))
        yield from diagonal(o, o.heads)
    yield from at("projection", linear((2 if sublayer == "source" else 3) * o.width, o.width))
    yield from at("output", linear(o.width, o.width))
