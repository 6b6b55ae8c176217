"""Decoder, and the model made of an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2see.blueprint import starting_states
from seq2see.model.embedding import Embedding
from seq2see.model.encoder import Encoder, NoSource
from seq2see.model.mixtures import Mixture
from seq2see.model.recurrent import Recurrent
from seq2see.model.stream import DecoderState, Layer, Memory, Stream
from seq2see.model.tensors import Padded
from seq2see.model.wiring import Stack


class Decoder(nn.Module):
    """Embedding, layers, output layer: token ids in, scores for every next token out.

    With `tied` the output layer shares the embedding's table (Press & Wolf 2017); with `adds_tags` the sum of the
    source's tags is added to the embedding of each token.
    """

    def __init__(
        self,
        embedding: Embedding,
        layers: Sequence[Layer],
        output_width: int,
        dropout: nn.Module,
        *,
        tied: bool = False,
        mixture: Mixture | None = None,
        adds_tags: bool = False,
    ) -> None:
        super().__init__()
        self.adds_tags = adds_tags
        self.embedding = embedding
        self.dropout = dropout
        self.layers = Stack(*layers)
        self.num_recurrent = sum(isinstance(layer, Recurrent) for layer in self.layers.modules())
        self.output = nn.Linear(output_width, embedding.num_embeddings)
        if tied:
            self.output.weight = embedding.weight
        self.mixture = mixture

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first token."""
        finals = starting_states(memory.finals, self.num_recurrent)
        reading, carry = self.layers.read(memory), self.layers.start(memory, finals)
        if self.mixture is not None:
            reading, carry = (reading, self.mixture.read(memory)), (carry, self.mixture.start(memory))
        return DecoderState(reading if memory.tags is None else (reading, memory.tags), carry)

    def states(
        self, tokens: Int[Tensor, "R T"], state: DecoderState, *, need_weights: bool = True, by_head: bool = False
    ) -> tuple[Stream, DecoderState]:
        """The input of the output layer, and the state after the last token.

        With `by_head`, `Stream.heads` gets the weights of every head of every reader, and `Stream.self_heads` those of
        every self-attention.
        """
        x, all_readings = self.embedding(tokens), state.reading
        if self.adds_tags:
            of_layers, tags = all_readings
            x = x + tags.repeat_interleave(x.size(0) // tags.size(0), 0)[:, None]
            state = DecoderState(of_layers, state.carry)
        x = self.dropout(x)
        none_yet = () if by_head else None
        stream = Stream(x, need_weights=need_weights, heads=none_yet, self_heads=none_yet, tokens=tokens)
        if self.mixture is None:
            stream, carry = self.layers(stream, state.carry, state.reading)
            return stream, DecoderState(all_readings, carry)
        (reading, of_mixture), (carry, mixture_carry) = state.reading, state.carry
        stream, carry = self.layers(stream._replace(need_weights=True), carry, reading)
        stream, mixture_carry = self.mixture(stream, mixture_carry, of_mixture, self.output)
        return stream, DecoderState(all_readings, (carry, mixture_carry))

    def scores(self, stream: Stream) -> Float[Tensor, "R T V"]:
        """Logits of the next tokens; of a mixture, their log-probabilities."""
        logits: Tensor = self.output(stream.x) if stream.log_probs is None else stream.log_probs
        return logits

    def forward(
        self, tokens: Int[Tensor, "R T"], state: DecoderState
    ) -> tuple[Float[Tensor, "R T V"], DecoderState, Float[Tensor, "R T S"] | None]:
        """Logits of the token after each given one, the state after the last, and the attention weights."""
        stream, state = self.states(tokens, state)
        return self.scores(stream), state, stream.weights


class Seq2Seq(nn.Module):
    """An encoder and a decoder; with `NoSource` as the encoder, a language model."""

    def __init__(self, encoder: Encoder | NoSource, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, source: Padded) -> Memory:
        """Encode the source for the decoder."""
        return self.encoder(source)  # type: ignore[no-any-return]

    def forward(self, source: Padded, decoder_input: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Teacher forcing: logits [B T V] of the token that follows each of `decoder_input`, which begins with BOS."""
        return self.decoder.scores(self.stream(source, decoder_input))

    def stream(self, source: Padded, decoder_input: Int[Tensor, "B T"], *, need_weights: bool = False) -> Stream:
        """The same before the output layer, for a loss that computes the logits in pieces."""
        state = self.decoder.start(self.encode(source))
        stream, _ = self.decoder.states(decoder_input, state, need_weights=need_weights)
        return stream

    def tensors(self) -> dict[str, Tensor]:
        """All learned tensors by name; a shared one appears once."""
        return {name: parameter.detach() for name, parameter in self.named_parameters()}

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy in these tensors. ValueError if their names or shapes don't match the model."""
        own = self.tensors()
        if {name: tensor.shape for name, tensor in own.items()} != {n: tensor.shape for n, tensor in tensors.items()}:
            raise ValueError("tensor names or shapes don't match the model")
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
