"""The ladder: each architecture is one function that composes layers, as in `seq2see.model.architectures`.

E embedding width, W model width. Tensors have the names of the trained model, so each function also gives the position
of its layers in the saved model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from seq2see.blueprint import Blueprint
from seq2see.runtime.arithmetic import Linear
from seq2see.runtime.encoder import Encoder, NoSource
from seq2see.runtime.mixtures import HardMonotonic
from seq2see.runtime.parts import (
    attention_layers,
    decoder,
    encoder,
    first_recurrent,
    joining_layer,
    output,
    output_map,
    recurrent,
    transformer_decoder,
    transformer_encoder,
    upper_recurrent,
)
from seq2see.runtime.readers import AttendFromPrevious, Pointer, make_attend
from seq2see.runtime.recurrent import Gates, Recurrent
from seq2see.runtime.stream import Layer
from seq2see.runtime.tensors import Tensors
from seq2see.runtime.wiring import InputFeeding, Residual, Stack


class EncoderDecoder(NamedTuple):
    """An encoder, and the decoder's layers from tokens to log-probabilities."""

    encoder: Encoder
    decoder: list[Layer]


def plain(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """The decoder starts from the encoder's last state; `reverse` reads the source backward."""
    return EncoderDecoder(encoder(o, tensors), [*recurrent(o, tensors, decoder(tensors)), output(o, tensors)])


def peeky(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """The encoder's last h goes into every LSTM and into the output layer, at every step."""
    own = decoder(tensors)
    layers = first_recurrent(o, tensors, own.at(1, "inner"), peeks=o.width)
    for height in range(1, o.decoder_layers):
        gates = Gates.take(own.at(1 + height, "inner"), o.cell, 2 * o.width, o.width)
        layers.append(Recurrent(gates, reads={"x": o.width}, peeks=o.width))
    return EncoderDecoder(encoder(o, tensors), [*layers, output(o, tensors, peeks=o.width)])


def attention(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """The decoder attends to the source; `bidirectional` and `stacked` differ in their options."""
    own = decoder(tensors)
    layers = [*recurrent(o, tensors, own), *attention_layers(o, own)]
    return EncoderDecoder(encoder(o, tensors), [*layers, output(o, tensors)])


def residual(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """`stacked` with a residual connection around each layer from the second on."""
    own = decoder(tensors)
    layers = first_recurrent(o, tensors, own.at(0))
    layers += [Residual(upper_recurrent(o, own.at(height, "inner"))) for height in range(1, o.decoder_layers)]
    return EncoderDecoder(
        encoder(o, tensors, residual_from=1), [*layers, *attention_layers(o, own), output(o, tensors)]
    )


def gnmt(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """The bottom decoder layer attends, all layers above read the context; from the third on they are residual."""
    own = decoder(tensors)
    is_previous = o.query == "previous"
    *layers, bottom = first_recurrent(o, tensors, own.at(0, "recurrent") if is_previous else own.at(0))
    attend = make_attend(o.score, own.at(0, "attend") if is_previous else own.at(1), o.width, has_diagonal=o.diagonal)
    layers += [AttendFromPrevious(bottom, attend)] if is_previous else [bottom, attend]
    first = 0 if is_previous else 1
    for height in range(1, o.decoder_layers):
        path = ("inner",) if height == 1 else ("inner", "inner")
        gates = Gates.take(own.at(first + height, *path), o.cell, 2 * o.width, o.width)
        layer = Recurrent(gates, reads={"x": o.width, "context": o.width})
        layers.append(layer if height == 1 else Residual(layer))
    return EncoderDecoder(encoder(o, tensors, unidirectional_from=1, residual_from=2), [*layers, output(o, tensors)])


def input_feeding(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """`attention` whose attentional state is also an input of the next step."""
    own = decoder(tensors).at(0, "inner", "layers")
    layers = first_recurrent(o, tensors, own.at(0), reads={"fed": o.width})
    layers += [upper_recurrent(o, own.at(height)) for height in range(1, o.decoder_layers)]
    return EncoderDecoder(
        encoder(o, tensors), [InputFeeding(Stack(*layers, *attention_layers(o, own))), output(o, tensors)]
    )


def transducer(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """Reads one source state at a time: writes tokens, or moves on to the next."""
    own = decoder(tensors)
    layers = first_recurrent(o, tensors, own.at(1, "inner"), reads={"context": o.width})
    layers += [upper_recurrent(o, own.at(1 + height)) for height in range(1, o.decoder_layers)]
    joined, of_context = joining_layer(o, own)
    top = [Pointer(of_context), joined]
    return EncoderDecoder(encoder(o, tensors), [Pointer(reports_weights=False), *layers, *top, output(o, tensors)])


def monotonic(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """Each token is written from one place of the source, which never goes back."""
    own = tensors.at("decoder", "mixture")
    places = HardMonotonic(
        make_attend(o.score, own, o.width),
        Linear.take(own.at("state"), o.width, o.width),
        Linear.take(own.at("source"), o.width, o.width, bias=False),
        output_map(o, tensors),
    )
    return EncoderDecoder(encoder(o, tensors), [*recurrent(o, tensors, decoder(tensors)), places])


def transformer(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """Self-attention on both sides, and cross-attention in the decoder."""
    return EncoderDecoder(transformer_encoder(o, tensors), transformer_decoder(o, tensors))


def transformer_lstm(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """A Transformer encoder and an LSTM decoder with attention."""
    own = decoder(tensors)
    layers = [*recurrent(o, tensors, own), *attention_layers(o, own)]
    return EncoderDecoder(transformer_encoder(o, tensors), [*layers, output(o, tensors)])


def lstm_transformer(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """An LSTM encoder and a Transformer decoder."""
    return EncoderDecoder(encoder(o, tensors), transformer_decoder(o, tensors))


def language_model(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """A decoder without a source: predicts each token from those before it."""
    layers = [*recurrent(o, tensors, decoder(tensors)), output(o, tensors)]
    return EncoderDecoder(NoSource(o.width, tensors.dtype), layers)


def transformer_language_model(o: Blueprint, tensors: Tensors) -> EncoderDecoder:
    """`language_model` made of Transformer blocks with causal self-attention."""
    return EncoderDecoder(NoSource(o.width, tensors.dtype), transformer_decoder(o, tensors, has_source=False))


BUILDERS: dict[str, Callable[[Blueprint, Tensors], EncoderDecoder]] = {
    "plain": plain,
    "reverse": plain,
    "peeky": peeky,
    "attention": attention,
    "bidirectional": attention,
    "stacked": attention,
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
