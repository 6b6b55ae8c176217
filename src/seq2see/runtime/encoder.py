"""Encoders: from source ids of a padded batch to Memory.

Recurrent layers process the rows by descending length: the rows with a token at a position are then the first ones, and
padding is never computed. Two directions run in parallel, each row backward from its own last token, in the same number
of calls as one direction. The output of a recurrent encoder is 0 at padding.

Letters: B sentences, S source positions, K directions (no axis for a single direction).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2see.blueprint import FIELD_BREAK, HIDDEN_TAG, Field
from seq2see.runtime.arithmetic import Linear, Matrix
from seq2see.runtime.positions import LearnedPositions, SinusoidalPositions
from seq2see.runtime.recurrent import Gates
from seq2see.runtime.stream import Constant, Layer, Memory, RecurrentState, Stream
from seq2see.runtime.tensors import Array
from seq2see.runtime.values import FieldValues, SourceValues
from seq2see.runtime.wiring import Stack


class Padded(NamedTuple):
    """Source ids [B S] and lengths [B]; positions beyond a row's length are padding."""

    ids: NDArray[Any]
    lengths: NDArray[Any]
    values: tuple[FieldValues, ...] = ()
    """Of each field of a source that has values."""

    @property
    def mask(self) -> NDArray[Any] | None:
        """[B S], True at real tokens; None if there is no padding."""
        length = self.ids.shape[1]
        return None if (self.lengths == length).all() else np.arange(length) < self.lengths[:, None]

    def backward(self) -> NDArray[Any]:
        """The position of each row at each time step [S B], from its last real token backward."""
        return np.maximum(self.lengths - 1 - np.arange(self.ids.shape[1])[:, None], 0)


class SourceFields:
    """One vector per field of the source, added to those of its tokens; and the values of the fields that have any."""

    def __init__(self, table: Array, fields: Sequence[Field], values: SourceValues | None) -> None:
        self.table = table
        self.has_unordered = not all(field.has_positions for field in fields)
        self.is_ordered = np.array([field.has_positions for field in fields])
        self.is_tags = np.array([field.kind == "tags" for field in fields], table.dtype)
        self.values = values

    def add_to(self, x: Array, source: Padded) -> None:
        """Add to the embeddings x [B S E] of the tokens those of their fields, and of the values."""
        numbers = self.numbers(source.ids)
        if self.values is not None and source.values:
            self.values.put_into(x, source.ids, numbers, source.values)
        x += self.table[numbers]

    def numbers(self, ids: NDArray[Any]) -> NDArray[Any]:
        """The number of each token's field [B S]; a break belongs to the field that it ends."""
        is_break = ids == FIELD_BREAK
        numbers: NDArray[Any] = np.minimum(is_break.cumsum(1) - is_break, len(self.table) - 1)
        return numbers

    def tags(self, ids: NDArray[Any]) -> NDArray[Any]:
        """1 at known tags, 0 elsewhere [B S]."""
        found: NDArray[Any] = self.is_tags[self.numbers(ids)] * (ids > FIELD_BREAK)
        return found

    def positions(self, ids: NDArray[Any]) -> NDArray[Any] | None:
        """The position of each token among those of ordered fields [B S], 0 for tags and cells; None if all are."""
        if not self.has_unordered:
            return None
        is_ordered = self.is_ordered[self.numbers(ids)]
        positions: NDArray[Any] = np.maximum(is_ordered.cumsum(1) - 1, 0) * is_ordered
        return positions


class AddTags(Layer):
    """Adds the sum of the embeddings [V E] of the source's tags to the embedding of each token."""

    def __init__(self, embedding: Array, fields: SourceFields) -> None:
        self.embedding = embedding
        self.fields = fields

    def read(self, memory: Memory) -> Constant:
        assert memory.ids is not None
        weights = self.fields.tags(memory.ids)
        if memory.mask is not None:
            weights = weights * memory.mask
        return Constant((self.embedding[memory.ids] * weights[:, :, None]).sum(1))

    def step(self, stream: Stream, carry: Any, reading: Constant) -> None:
        reading.add_to(stream.x)


class TagStates:
    """The states of tags that the encoder's layers don't read: a map of their embeddings [V E]."""

    def __init__(self, embedding: Array, fields: SourceFields, own: Linear) -> None:
        self.embedding = embedding
        self.fields = fields
        self.own = own

    def without_tags(self, ids: NDArray[Any]) -> NDArray[Any]:
        """The ids with the unknown token in place of each tag."""
        found: NDArray[Any] = np.where(self.fields.tags(ids) > 0, HIDDEN_TAG, ids)
        return found

    def with_own(self, states: Array, ids: NDArray[Any]) -> Array:
        """States [B S D], with the share of their own added to those of tags."""
        read = self.embedding[ids]
        own = self.own(read.reshape(-1, read.shape[2])).reshape(states.shape)
        result: Array = states + own * self.fields.tags(ids)[:, :, None]
        return result


class Encoder:
    """Maps source ids to Memory."""

    def __call__(self, source: Padded) -> Memory:
        """Encode the source, independent of content and amount of padding."""
        raise NotImplementedError

    def self_attention(self, source: Padded) -> list[Array]:
        """The weights of all heads of each self-attention [B H S S], bottom first; empty for recurrent layers."""
        return []


class NoSource(Encoder):
    """The encoder of a language model: a Memory with no positions."""

    def __init__(self, width: int, dtype: np.dtype[Any]) -> None:
        self.width = width
        self.dtype = dtype

    def __call__(self, source: Padded) -> Memory:
        """Only the number of rows matters."""
        return Memory(np.zeros_like(source.lengths, self.dtype, shape=(source.lengths.shape[0], 0, self.width)), None)


class EncoderRNN:
    """One layer of LSTMs or GRUs: forward, backward or both, merged by concatenation, sum or mean.

    The keys of `directions` say whether it reads backward. Only the first layer has an `embedding`, and `fields` if the
    source has several.
    """

    def __init__(
        self,
        directions: dict[bool, Gates],
        merge: str,
        embedding: Array | None,
        fields: SourceFields | None = None,
        *,
        residual: bool = False,
    ) -> None:
        self.backward = tuple(directions)
        self.gates = tuple(directions.values())
        self.cell = self.gates[0].cell
        self.merge = merge
        self.residual = residual
        self.embedding = embedding
        self.fields = fields
        self.has_values = fields is not None and fields.values is not None
        tables = []
        if embedding is not None and not self.has_values:
            tables = [gates.table(embedding) for gates in self.gates]
        self.tables = [table for table in tables if table is not None]
        self.field_shares = [fields.table @ gates.inputs for gates in self.gates] if fields is not None else []
        self.hidden = np.stack([gates.hidden for gates in self.gates])
        self.matrices = [Matrix(hidden) for hidden in self.hidden]

    def __call__(self, source: Padded, x: Array | None) -> tuple[Array, RecurrentState]:
        """States [B S D], and (h, c) after the last token read. Lengths must be descending."""
        times = np.arange(source.ids.shape[1])[:, None]
        orders = [source.backward() if backward else times for backward in self.backward]
        outputs, h, c = self.run(self.products(source, x, orders), source.lengths)
        if len(orders) == 1:
            states = self.in_source_order(outputs, orders[0])
        else:
            both = [self.in_source_order(outputs[:, direction], order) for direction, order in enumerate(orders)]
            states, h, c = self.merged(*both), self.merged(*h), self.merged(*c)
        if self.residual and x is not None:
            states = states + x
        return states, (h, c)

    def products(self, source: Padded, x: Array | None, orders: Sequence[NDArray[Any]]) -> Array:
        """The inputs' share of the gates, in the reading order of each direction: [S K B 4H]."""
        rows = np.arange(len(source.lengths))
        if self.tables:
            addends = [table[source.ids[rows, order]] for table, order in zip(self.tables, orders, strict=True)]
            if self.fields is not None:
                numbers = self.fields.numbers(source.ids)
                for addend, share, order in zip(addends, self.field_shares, orders, strict=True):
                    addend += share[numbers[rows, order]]
        else:
            if x is None:
                x = self.embedded(source)
            addends = []
            for gates, order in zip(self.gates, orders, strict=True):
                read = x[rows, order]
                product = np.dot(read.reshape(-1, x.shape[2]), gates.inputs).reshape(*read.shape[:2], -1)
                product += gates.bias
                addends.append(product)
        return addends[0] if len(addends) == 1 else np.stack(addends, 1)

    def embedded(self, source: Padded) -> Array:
        """The embeddings of the tokens [B S E], with those of their fields and values."""
        assert self.embedding is not None
        x: Array = self.embedding[source.ids]
        if self.fields is not None:
            self.fields.add_to(x, source)
        return x

    def run(self, addends: Array, lengths: NDArray[Any]) -> tuple[Array, Array, Array]:
        """Outputs [S K B H] and the last (h, c), each [K B H]."""
        width = self.hidden.shape[1]
        outputs = np.zeros((*addends.shape[:-1], width), addends.dtype)
        last_h, last_c = np.zeros((2, *outputs.shape[1:]), addends.dtype)
        rows = len(lengths)
        h, cell = last_h, self.cell(last_c)
        products = np.empty_like(addends[0])
        last = lengths.tolist()
        for time, (addend, output) in enumerate(zip(addends, outputs, strict=True)):
            if last[rows - 1] <= time:  # some rows have ended
                last_c[..., :rows, :] = cell.c
                last_h[..., :rows, :] = h
                while rows and last[rows - 1] <= time:
                    rows -= 1
                if not rows:
                    break
                h, cell = h[..., :rows, :], self.cell(cell.c[..., :rows, :])
                products = products[..., :rows, :]
            if rows < len(last):
                addend, output = addend[..., :rows, :], output[..., :rows, :]
            self.multiply(h, products)
            cell.advance(products, addend, output)
            h = output
        last_c[..., :rows, :] = cell.c
        last_h[..., :rows, :] = h
        return outputs, last_h, last_c

    def multiply(self, h: Array, products: Array) -> None:
        """h [K R H] times the hidden weights of its direction, into `products` [K R 4H]."""
        if len(self.matrices) == 1:
            self.matrices[0](h, products)
        elif h.shape[1] == 1:
            np.matmul(h, self.hidden, products)
        else:
            for matrix, states, product in zip(self.matrices, h, products, strict=True):
                matrix(states, product)

    def in_source_order(self, outputs: Array, order: NDArray[Any]) -> Array:
        """Outputs in reading order [S B H] to states in source order [B S H]."""
        if order.shape[1] < outputs.shape[1]:  # forward: the same order for all rows
            return outputs.swapaxes(0, 1)
        states: Array = outputs[order, np.arange(outputs.shape[1])].swapaxes(0, 1)
        return states

    def merged(self, ahead: Array, back: Array) -> Array:
        """The two directions merged."""
        match self.merge:
            case "concat":
                return np.concatenate([ahead, back], -1)
            case "sum":
                return np.add(ahead, back)
            case _:
                mean: Array = (ahead + back) * np.asarray(0.5, ahead.dtype)
                return mean


class RecurrentEncoder(Encoder):
    """Layers of LSTMs or GRUs; every layer's final (h, c) is passed to the decoder."""

    def __init__(self, layers: Sequence[EncoderRNN], tag_states: TagStates | None = None) -> None:
        self.layers = layers
        self.tag_states = tag_states

    def __call__(self, source: Padded) -> Memory:
        """See `Encoder`."""
        ids = source.ids
        if self.tag_states is not None:
            source = source._replace(ids=self.tag_states.without_tags(ids))
        order = np.argsort(-source.lengths, kind="stable")
        is_sorted = bool((order[1:] > order[:-1]).all())
        by_length = source if is_sorted else Padded(source.ids[order], source.lengths[order])
        # The values are in the order of the sentences, so that they are read before these are sorted.
        states = self.layers[0].embedded(source)[order] if self.layers[0].has_values else None
        finals = []
        for layer in self.layers:
            states, final = layer(by_length, states)
            finals.append(final)
        assert states is not None
        if not is_sorted:
            back = np.argsort(order)
            states = states[back]
            finals = [(h[back], c[back]) for h, c in finals]
        if self.tag_states is not None:
            states = self.tag_states.with_own(states, ids)
        return Memory(np.ascontiguousarray(states), source.mask, tuple(finals), ids)


class TransformerEncoder(Encoder):
    """Decoder-style layers over the source; their reading is the padding mask."""

    def __init__(
        self,
        embedding: Array,
        positions: SinusoidalPositions | LearnedPositions | None,
        layers: Sequence[Layer],
        fields: SourceFields | None = None,
        tag_states: TagStates | None = None,
    ) -> None:
        self.embedding = embedding
        self.fields = fields
        self.tag_states = tag_states
        self.positions = positions
        self.layers = Stack(*layers)

    def __call__(self, source: Padded) -> Memory:
        """See `Encoder`."""
        shape = (*source.ids.shape, self.embedding.shape[1])
        states = self.run(source, Stream(source.ids)).x.reshape(shape)
        if self.tag_states is not None:
            states = self.tag_states.with_own(states, source.ids)
        return Memory(states, source.mask, ids=source.ids)

    def self_attention(self, source: Padded) -> list[Array]:
        """See `Encoder`."""
        return self.run(source, Stream(source.ids, by_head=True)).self_heads or []

    def run(self, source: Padded, stream: Stream) -> Stream:
        """The stream after all layers; its rows are B × S positions."""
        x = self.embedding[source.ids if self.tag_states is None else self.tag_states.without_tags(source.ids)]
        _, length, width = x.shape
        if self.fields is not None:
            self.fields.add_to(x, source)
            stream.positions = self.fields.positions(source.ids)
        if self.positions is not None:
            table = self.positions.up_to(length)
            x += table[:length] if stream.positions is None else table[stream.positions]
        memory = Memory(x, source.mask)
        stream.x = x.reshape(-1, width)
        self.layers.step(stream, self.layers.start(memory, iter(())), self.layers.read(memory))
        return stream
