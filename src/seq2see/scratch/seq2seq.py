"""Decoder, and the model made of an encoder and a decoder: training's forward and backward pass, and generation."""

from __future__ import annotations

from typing import Any

import numpy as np

from seq2see.blueprint import starting_states
from seq2see.data.batch import Padded, decoder_input
from seq2see.scratch.arrays import Array, Ids, State
from seq2see.scratch.decoder_layers import Recurrent, Stack
from seq2see.scratch.encoder import Encoder, Memory, NoSource
from seq2see.scratch.generate import Answer, Choose, generate, greedy
from seq2see.scratch.layers import Affine, Embedding, SoftmaxWithLoss
from seq2see.scratch.module import Module
from seq2see.scratch.stream import Layer, Stream


class Decoder(Module):
    """Embedding, layers, output layer: token ids in, scores for every next token out.

    With `tied` the output layer shares the embedding's table (Press & Wolf 2017), which then gets the sum of both
    gradients.
    """

    def __init__(self, embedding: Embedding, layers: list[Layer], output_width: int, *, tied: bool = False) -> None:
        self.embedding = embedding
        self.layers = Stack(layers)
        self.num_recurrent = sum(isinstance(layer, Recurrent) for layer in self.layers.modules())
        self.output = Affine(output_width, len(embedding.weight.value))
        if tied:
            self.output.weight = embedding.weight

    def start(self, memory: Memory) -> State:
        """The state before the first token."""
        return self.layers.start(memory, starting_states(memory.finals, self.num_recurrent))

    def start_backward(self, gradient: Any, memory: Memory) -> Memory:
        """The gradient by the Memory, from the one by the state before the first token."""
        memory_gradient = memory.zeros()
        finals = starting_states(memory_gradient.finals, self.num_recurrent)
        self.layers.start_backward(gradient, memory, memory_gradient, finals)
        return memory_gradient

    def forward(self, tokens: Ids, state: State) -> tuple[Stream, State, Any]:
        """From tokens [R T]: the input of the output layer, the state after the last token, the cache."""
        stream, state, cache = self.layers.forward(Stream(self.embedding.forward(tokens)), state)
        return stream, state, (tokens, cache)

    def logits(self, x: Array) -> Array:
        """Scores of every token [... V], from the output layer's input [... W]."""
        return self.output.forward(x)

    def backward(self, x_gradient: Array, cache: Any) -> Any:
        """The gradient by the state before the first token, from the one by the output layer's input."""
        tokens, layers_cache = cache
        gradient, state_gradient = self.layers.backward(Stream(x_gradient), None, layers_cache)
        self.embedding.backward(gradient.x, tokens)
        return state_gradient


class ScratchSeq2Seq(Module):
    """An encoder and a decoder; with `NoSource` as the encoder, a language model."""

    def __init__(self, encoder: Encoder | NoSource, decoder: Decoder) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.softmax_with_loss = SoftmaxWithLoss()

    def forward(self, source: Padded, target: Padded) -> tuple[float, Any]:
        """The loss in nats, the mean over the real tokens of `target` (including EOS), and the cache.

        Teacher forcing: the decoder reads BOS and the target without its last position, and each position predicts
        the next token. Only real positions reach the output layer.
        """
        memory, encoder_cache = self.encoder.forward(source)
        stream, _, decoder_cache = self.decoder.forward(decoder_input(target), self.decoder.start(memory))
        real = target.mask
        x = stream.x[real]
        loss, loss_cache = self.softmax_with_loss.forward(self.decoder.logits(x), target.ids[real])
        return loss, (memory, encoder_cache, decoder_cache, real, x, loss_cache)

    def backward(self, cache: Any) -> None:
        """Add the gradient of the loss by each parameter to its `gradient`, from the output layer to the embeddings.

        The gradient at padding is zero.
        """
        memory, encoder_cache, decoder_cache, real, x, loss_cache = cache
        logits_gradient = self.softmax_with_loss.backward(loss_cache)
        x_gradient = np.zeros((*real.shape, x.shape[-1]), x.dtype)
        x_gradient[real] = self.decoder.output.backward(logits_gradient, x)
        state_gradient = self.decoder.backward(x_gradient, decoder_cache)
        self.encoder.backward(self.decoder.start_backward(state_gradient, memory), encoder_cache)

    def logits(self, source: Padded, target: Padded) -> Array:
        """Scores of every token [B T V] at each target position, given the target tokens before it."""
        memory, _ = self.encoder.forward(source)
        stream, _, _ = self.decoder.forward(decoder_input(target), self.decoder.start(memory))
        return self.decoder.logits(stream.x)

    def generate(self, source: Padded, *, max_length: int, choose: Choose = greedy, first_row: int = 0) -> list[Answer]:
        """One answer per row of `source`; `choose=Sampler(temperature, seed)` samples."""
        memory, _ = self.encoder.forward(source)
        return generate(
            self.decoder,
            self.decoder.start(memory),
            len(source.lengths),
            max_length=max_length,
            choose=choose,
            first_row=first_row,
        )
