"""Decoders: token ids in, a score for every next token out. Which layers they have makes the rungs of the ladder."""

from __future__ import annotations

from typing import Any

from seq2see.scratch.arrays import Array, Ids, State
from seq2see.scratch.attention import Score
from seq2see.scratch.decoder_layers import Attention, Concat, Dense, InputFeeding, Peek, ReadContext, Recurrent, Stack
from seq2see.scratch.encoder import Memory
from seq2see.scratch.layers import Affine, Embedding
from seq2see.scratch.part import Part
from seq2see.scratch.stream import Layer, Stream


class Decoder(Part):
    """Embedding, layers, output layer.

    With `tied` the output layer has the embedding's table for its weights (Press & Wolf 2017), which then gets the sum
    of both gradients.
    """

    def __init__(self, embedding: Embedding, layers: list[Layer], output_width: int, *, tied: bool = False) -> None:
        self.embedding = embedding
        self.layers = Stack(layers)
        self.output = Affine(output_width, len(embedding.weight.value))
        if tied:
            self.output.weight = embedding.weight

    def start(self, memory: Memory) -> State:
        """The state before the first token."""
        return self.layers.start(memory, iter(memory.finals))

    def start_backward(self, gradient: Any, memory: Memory) -> Memory:
        """The gradient by the Memory, from the one by the state before the first token."""
        memory_gradient = memory.zeros()
        self.layers.start_backward(gradient, memory, memory_gradient, iter(memory_gradient.finals))
        return memory_gradient

    def forward(self, tokens: Ids, state: State) -> tuple[Stream, State, Any]:
        """What the layers make of the tokens [R T], as the output layer reads it; the state after the last; cache."""
        stream, state, cache = self.layers.forward(Stream(self.embedding.forward(tokens)), state)
        return stream, state, (tokens, cache)

    def logits(self, x: Array) -> Array:
        """Scores of every token [... V], from what the layers made [... W]."""
        return self.output.forward(x)

    def backward(self, x_gradient: Array, cache: Any) -> Any:
        """The gradient by the state before the first token, from the one by what the output layer read."""
        tokens, layers_cache = cache
        gradient, state_gradient = self.layers.backward(Stream(x_gradient), None, layers_cache)
        self.embedding.backward(gradient.x, tokens)
        return state_gradient


class PlainDecoder(Decoder):
    """LSTMs that start where the encoder's ended, and that is all they see of the source (Sutskever et al. 2014)."""

    def __init__(self, embedding: Embedding, width: int, layers: int = 1, *, tied: bool = False) -> None:
        super().__init__(embedding, recurrent(embedding.width, width, layers), width, tied=tied)


class PeekyDecoder(Decoder):
    """The encoder's last h goes into every LSTM and into the output layer, at every step (Cho et al. 2014)."""

    def __init__(self, embedding: Embedding, width: int, layers: int = 1, *, tied: bool = False) -> None:
        first = ReadContext(Recurrent(embedding.width + width, width))
        above = [ReadContext(Recurrent(2 * width, width)) for _ in range(1, layers)]
        super().__init__(embedding, [Peek(), first, *above, Concat()], 2 * width, tied=tied)


class AttentionDecoder(Decoder):
    """The decoder's state looks at the source; what it sees joins it on the way to the output (Luong et al. 2015).

    `layers` are what comes before attention.
    """

    def __init__(
        self, embedding: Embedding, width: int, layers: list[Layer], score: Score, *, tied: bool = False
    ) -> None:
        look = [Attention(score), ReadContext(Dense(2 * width, width))]
        super().__init__(embedding, [*layers, *look], width, tied=tied)


class InputFeedingDecoder(Decoder):
    """`AttentionDecoder` whose attentional state is also an input of the next step (Luong et al. 2015, 3.3)."""

    def __init__(self, embedding: Embedding, width: int, layers: int, score: Score, *, tied: bool = False) -> None:
        look = [Attention(score), ReadContext(Dense(2 * width, width))]
        step = Stack([*recurrent(embedding.width + width, width, layers), *look])
        super().__init__(embedding, [InputFeeding(step, width)], width, tied=tied)


def recurrent(input_width: int, width: int, layers: int) -> list[Layer]:
    """LSTMs one above the other."""
    return [Recurrent(width if height else input_width, width) for height in range(layers)]
