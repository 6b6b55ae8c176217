"""The two halves joined: what is trained, and what answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from seq2see.data.batch import Padded, decoder_input
from seq2see.scratch.arrays import Array
from seq2see.scratch.decoders import Decoder
from seq2see.scratch.encoder import Encoder, NoSource
from seq2see.scratch.generate import Answer, Choose, generate, greedy
from seq2see.scratch.layers import SoftmaxWithLoss
from seq2see.scratch.part import Part


class Seq2seq(Part):
    """An encoder and a decoder; with `NoSource` as the encoder, a language model."""

    def __init__(self, encoder: Encoder | NoSource, decoder: Decoder) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.softmax_with_loss = SoftmaxWithLoss()

    def forward(self, source: Padded, target: Padded) -> tuple[float, Any]:
        """The loss in nats, the mean over the real tokens of `target` (EOS is one), and the cache.

        Teacher forcing: the decoder reads BOS and the target without its last position, and each position is held to
        the token that comes next. Only real positions reach the output layer: here padding ends.
        """
        memory, encoder_cache = self.encoder.forward(source)
        stream, _, decoder_cache = self.decoder.forward(decoder_input(target), self.decoder.start(memory))
        real = target.mask
        x = stream.x[real]
        loss, loss_cache = self.softmax_with_loss.forward(self.decoder.logits(x), target.ids[real])
        return loss, (memory, encoder_cache, decoder_cache, real, x, loss_cache)

    def backward(self, cache: Any) -> None:
        """Add the gradient of the loss by each parameter to its `gradient`: the same way, from end to beginning.

        The gradient at padding is zero, and so nothing that was done there leaves a trace.
        """
        memory, encoder_cache, decoder_cache, real, x, loss_cache = cache
        logits_gradient = self.softmax_with_loss.backward(loss_cache)
        x_gradient = np.zeros((*real.shape, x.shape[-1]), x.dtype)
        x_gradient[real] = self.decoder.output.backward(logits_gradient, x)
        state_gradient = self.decoder.backward(x_gradient, decoder_cache)
        self.encoder.backward(self.decoder.start_backward(state_gradient, memory), encoder_cache)

    def logits(self, source: Padded, target: Padded) -> Array:
        """Scores of every token [B T V] in the place of each target token, given those before it."""
        memory, _ = self.encoder.forward(source)
        stream, _, _ = self.decoder.forward(decoder_input(target), self.decoder.start(memory))
        return self.decoder.logits(stream.x)

    def generate(self, source: Padded, *, max_length: int, choose: Choose = greedy, first_row: int = 0) -> list[Answer]:
        """An answer for each row of `source`; `choose=Sampler(temperature, seed)` draws at random."""
        memory, _ = self.encoder.forward(source)
        return generate(
            self.decoder,
            self.decoder.start(memory),
            len(source.lengths),
            max_length=max_length,
            choose=choose,
            first_row=first_row,
        )
