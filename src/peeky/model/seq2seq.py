"""The two halves joined: Decoder and Seq2Seq."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from peeky.model.encoder import Encoder, NoSource
from peeky.model.recurrent import SequenceDropout
from peeky.model.stream import DecoderState, Layer, Memory, Stream
from peeky.model.tensors import Padded
from peeky.model.wiring import Stack


class Decoder(nn.Module):
    """Embedding, layers, output: token ids in, a score for every next token out."""

    def __init__(
        self, vocabulary: int, embedding: int, layers: Sequence[Layer], output_width: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.dropout = SequenceDropout(dropout)
        self.layers = Stack(*layers)
        self.output = nn.Linear(output_width, vocabulary)

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first token."""
        return DecoderState(self.layers.read(memory), self.layers.start(memory, iter(memory.finals)))

    def states(self, tokens: Int[Tensor, "R T"], state: DecoderState) -> tuple[Stream, DecoderState]:
        """What the layers make of the tokens, as the output layer reads it, and the state after the last."""
        stream, carry = self.layers(Stream(self.dropout(self.embedding(tokens))), state.carry, state.reading)
        return stream, DecoderState(state.reading, carry)

    def forward(
        self, tokens: Int[Tensor, "R T"], state: DecoderState
    ) -> tuple[Float[Tensor, "R T V"], DecoderState, Float[Tensor, "R T S"] | None]:
        """Logits of the token after each given one, the state after the last, and where the decoder looked."""
        stream, state = self.states(tokens, state)
        return self.output(stream.x), state, stream.weights


class Seq2Seq(nn.Module):
    """An encoder and a decoder; with `NoSource` as the encoder, a language model."""

    def __init__(self, encoder: Encoder | NoSource, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, source: Padded) -> Memory:
        """What the decoder gets to see of the source."""
        return self.encoder(source)  # type: ignore[no-any-return]

    def forward(self, source: Padded, decoder_input: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Teacher forcing: logits [B T V] of the token that follows each of `decoder_input`, which begins with BOS."""
        logits: Tensor = self.decoder.output(self.states(source, decoder_input))
        return logits

    def states(self, source: Padded, decoder_input: Int[Tensor, "B T"]) -> Float[Tensor, "B T W"]:
        """The same before the output layer: a loss over a large vocabulary makes the logits piece by piece."""
        stream, _ = self.decoder.states(decoder_input, self.decoder.start(self.encode(source)))
        return stream.x
