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

    def forward(
        self, tokens: Int[Tensor, "R T"], state: DecoderState
    ) -> tuple[Float[Tensor, "R T V"], DecoderState, Float[Tensor, "R T S"] | None]:
        """Logits of the token after each given one, the state after the last, and where the decoder looked."""
        stream, carry = self.layers(Stream(self.dropout(self.embedding(tokens))), state.carry, state.reading)
        return self.output(stream.x), DecoderState(state.reading, carry), stream.weights


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
        logits, _, _ = self.decoder(decoder_input, self.decoder.start(self.encode(source)))
        return logits  # type: ignore[no-any-return]
