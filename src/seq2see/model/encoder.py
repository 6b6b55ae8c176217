"""Encoders: from source ids to Memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2see.model.dropout import SequenceDropout
from seq2see.model.embedding import Embedding, FieldEmbedding
from seq2see.model.recurrent import DirectedRNN
from seq2see.model.stream import Layer, Memory, RecurrentState, Stream
from seq2see.model.tensors import Padded
from seq2see.model.values import SourceValues
from seq2see.model.wiring import Stack


class EncoderLayer(nn.Module):
    """Maps padded states [B S I] to states [B S D] and the layer's final state, if it has one."""

    def forward(
        self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, "B S"] | None = None
    ) -> tuple[Float[Tensor, "B S D"], RecurrentState | None]:
        """`positions` are those that self-attention sees, if not 0, 1, … in each row."""
        raise NotImplementedError

    def by_head(
        self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, "B S"] | None = None
    ) -> tuple[Float[Tensor, "B S D"], tuple[Float[Tensor, "B _H S S"], ...]]:
        """The states, and the weights of every head of each self-attention, bottom first: none for an LSTM."""
        return self(x, mask, positions)[0], ()


class UnidirectionalRNN(EncoderLayer):
    """One LSTM or GRU that reads forward, or backward: the reversed input of Sutskever et al. 2014, section 3.3."""

    def __init__(
        self, input_width: int, width: int, dropout: float = 0.0, *, backward: bool = False, cell: str = "lstm"
    ) -> None:
        super().__init__()
        self.reader = DirectedRNN(input_width, width, backward=backward, cell=cell)
        self.dropout = SequenceDropout(dropout)

    def forward(
        self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, "B S"] | None = None
    ) -> tuple[Float[Tensor, "B S D"], RecurrentState]:
        states, final = self.reader(x, mask)
        return self.dropout(states), final


class BidirectionalRNN(EncoderLayer):
    """Two LSTMs or GRUs, one per direction (Schuster & Paliwal 1997), merged by concatenation, sum or mean.

    `width` is that of the merged states; under concat each direction has half of it. Final states are merged
    like the others.
    """

    def __init__(
        self, input_width: int, width: int, dropout: float = 0.0, *, merge: str = "concat", cell: str = "lstm"
    ) -> None:
        super().__init__()
        each = width // 2 if merge == "concat" else width
        self.ahead = DirectedRNN(input_width, each, backward=False, cell=cell)
        self.back = DirectedRNN(input_width, each, backward=True, cell=cell)
        self.merge = merge
        self.dropout = SequenceDropout(dropout)

    def forward(
        self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, "B S"] | None = None
    ) -> tuple[Float[Tensor, "B S D"], RecurrentState]:
        ahead, final_ahead = self.ahead(x, mask)
        back, final_back = self.back(x, mask)
        final = tuple(self._merged(*pair) for pair in zip(final_ahead, final_back, strict=True))
        return self.dropout(self._merged(ahead, back)), final

    def _merged(self, ahead: Tensor, back: Tensor) -> Tensor:
        match self.merge:
            case "concat":
                return torch.cat([ahead, back], -1)
            case "sum":
                return ahead + back
            case _:
                return (ahead + back) / 2


class TransformerEncoder(EncoderLayer):
    """Decoder-style layers over the source; their reading is the padding mask."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = Stack(*layers)

    def forward(
        self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, "B S"] | None = None
    ) -> tuple[Float[Tensor, "B S D"], None]:
        return self.run(Stream(x, need_weights=False, positions=positions), mask).x, None

    def by_head(
        self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, "B S"] | None = None
    ) -> tuple[Float[Tensor, "B S D"], tuple[Float[Tensor, "B _H S S"], ...]]:
        stream = self.run(Stream(x, need_weights=False, self_heads=(), positions=positions), mask)
        return stream.x, stream.self_heads or ()

    def run(self, stream: Stream, mask: Bool[Tensor, "B S"]) -> Stream:
        """The stream after all layers."""
        memory = Memory(stream.x, mask, ())
        stream, _ = self.layers(stream, self.layers.start(memory, iter(())), self.layers.read(memory))
        return stream


class ResidualEncoderLayer(EncoderLayer):
    """A residual connection around an encoder layer; the final state is the inner layer's."""

    def __init__(self, inner: EncoderLayer) -> None:
        super().__init__()
        self.inner = inner

    def forward(
        self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, "B S"] | None = None
    ) -> tuple[Float[Tensor, "B S D"], RecurrentState | None]:
        states, final = self.inner(x, mask, positions)
        return x + states, final


class Encoder(nn.Module):
    """Embedding, then layers; every layer's final state may reach the decoder.

    A source of several fields has an embedding of `fields`, too, and one of the `values` of those that have any. With
    `sums_tags` the decoder gets the sum of the embeddings of its tags. With `tag_states` the layers read unknown tokens
    in place of tags; the state of a tag is the sum of theirs and of its own, which is mapped from its embedding.
    """

    def __init__(
        self,
        embedding: Embedding,
        layers: Sequence[EncoderLayer],
        dropout: nn.Module,
        fields: FieldEmbedding | None = None,
        values: SourceValues | None = None,
        *,
        sums_tags: bool = False,
        tag_states: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        self.sums_tags = sums_tags
        self.embedding = embedding
        self.fields = fields
        self.tag_states = tag_states
        self.values = values
        self.dropout = dropout
        self.layers = nn.ModuleList(layers)

    def forward(self, source: Padded) -> Memory:
        """Source ids [B S] to Memory, independent of content and amount of padding."""
        mask = source.mask
        states, positions = self.embed(source)
        finals = []
        for layer in self.layers:
            states, final = layer(states, mask, positions)
            if final is not None:
                finals.append(final)
        if self.tag_states is not None:
            assert self.fields is not None
            own = self.tag_states(self.dropout(self.embedding(source.ids)))
            states = states + own * self.fields.tags(source.ids)[:, :, None]
        return Memory(states, mask, tuple(finals), source.ids, self.tags(source) if self.sums_tags else None)

    def tags(self, source: Padded) -> Float[Tensor, "B E"]:
        """The sum of the embeddings of the source's tags."""
        assert self.fields is not None
        is_tag = self.fields.tags(source.ids) & source.mask
        vectors: Tensor = self.embedding(source.ids)
        return (vectors * is_tag[:, :, None]).sum(1)

    def in_order(self, source: Padded) -> Bool[Tensor, "B S"]:
        """True at the real tokens whose order means something: all but those of tags."""
        if self.fields is None:
            return source.mask
        return source.mask & ~self.fields.is_tags[self.fields.numbers(source.ids)]

    def self_attention(self, source: Padded) -> tuple[Float[Tensor, "B _H S S"], ...]:
        """The weights of every head of each self-attention, bottom first; empty for LSTMs."""
        states, positions = self.embed(source)
        found: tuple[Tensor, ...] = ()
        for layer in self.layers:
            assert isinstance(layer, EncoderLayer)
            states, heads = layer.by_head(states, source.mask, positions)
            found += heads
        return found

    def embed(self, source: Padded) -> tuple[Float[Tensor, "B S E"], Int[Tensor, "B S"] | None]:
        """The input of the first layer, and the positions of the tokens if they aren't 0, 1, … in each row."""
        if self.fields is None:
            return self.dropout(self.embedding(source.ids)), None
        x = self.embedding(source.ids if self.tag_states is None else self.fields.without_tags(source.ids))
        if self.values is not None and source.values:
            x = self.values(x, source.ids, self.fields.numbers(source.ids), source.values)
        return self.dropout(x + self.fields(source.ids)), self.fields.positions(source.ids)


class NoSource(nn.Module):
    """The encoder of a language model: a Memory with no positions."""

    empty: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("empty", torch.zeros(0, width), persistent=False)

    def forward(self, source: Padded) -> Memory:
        """Only the number of rows matters."""
        return Memory(self.empty.expand(source.lengths.size(0), *self.empty.shape), source.mask, ())
