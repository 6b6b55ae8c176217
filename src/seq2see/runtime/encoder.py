"""Encoders: source ids in, Memory out. They see the whole of a padded batch.

LSTMs take the rows by descending length: the rows that still have a token at a position are then the first ones, and
padding costs nothing and changes nothing. Two directions run side by side, each row from its own end, so that they are
as many calls as one. Where the output of a recurrent encoder is padding, it is 0.

Letters: B sentences, S source positions, K directions (an axis that is not there where there is one).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2see.runtime.arithmetic import Matrix
from seq2see.runtime.positions import Learned, Sinusoidal
from seq2see.runtime.recurrent import Cell, Gates
from seq2see.runtime.stream import Layer, LSTMState, Memory, Stream
from seq2see.runtime.tensors import Array
from seq2see.runtime.wiring import Stack


class Padded(NamedTuple):
    """Source ids [B S] and lengths [B]; what lies beyond a row's length is padding."""

    ids: NDArray[Any]
    lengths: NDArray[Any]

    @property
    def mask(self) -> NDArray[Any] | None:
        """[B S], True at real tokens; None where there is no padding."""
        length = self.ids.shape[1]
        return None if (self.lengths == length).all() else np.arange(length) < self.lengths[:, None]

    def backward(self) -> NDArray[Any]:
        """Which position each row comes to at each time, read from its last real token on [S B]."""
        return np.maximum(self.lengths - 1 - np.arange(self.ids.shape[1])[:, None], 0)


class Encoder:
    """From ids to Memory."""

    def __call__(self, source: Padded) -> Memory:
        """What the decoder gets to see; what the padding holds, and how much there is, changes nothing."""
        raise NotImplementedError


class NoSource(Encoder):
    """The encoder of a language model: a memory with no positions, in which there is nothing to see."""

    def __init__(self, width: int, dtype: np.dtype[Any]) -> None:
        self.width = width
        self.dtype = dtype

    def __call__(self, source: Padded) -> Memory:
        """Only the number of rows is read."""
        return Memory(np.zeros((len(source.lengths), 0, self.width), self.dtype), None)


class Reader:
    """One layer of LSTMs: forward, backward or both, merged by concatenation, sum or mean.

    `directions` holds the weights by whether they read backward. Only the first layer has an `embedding`.
    """

    def __init__(
        self, directions: dict[bool, Gates], merge: str, embedding: Array | None, *, residual: bool = False
    ) -> None:
        self.backward = tuple(directions)
        self.gates = tuple(directions.values())
        self.merge = merge
        self.residual = residual
        self.embedding = embedding
        tables = [gates.table(embedding) for gates in self.gates] if embedding is not None else []
        self.tables = [table for table in tables if table is not None]
        self.hidden = np.stack([gates.hidden for gates in self.gates])
        self.ways = [Matrix(hidden) for hidden in self.hidden]

    def __call__(self, source: Padded, x: Array | None) -> tuple[Array, LSTMState]:
        """States [B S D], and (h, c) as they stood after the last token read; lengths descend."""
        times = np.arange(source.ids.shape[1])[:, None]
        orders = [source.backward() if backward else times for backward in self.backward]
        outputs, h, c = self.run(self.products(source, x, orders), source.lengths)
        if len(orders) == 1:
            states = self.in_place(outputs, orders[0])
        else:
            both = [self.in_place(outputs[:, way], order) for way, order in enumerate(orders)]
            states, h, c = self.merged(*both), self.merged(*h), self.merged(*c)
        if self.residual and x is not None:
            states = states + x
        return states, (h, c)

    def products(self, source: Padded, x: Array | None, orders: Sequence[NDArray[Any]]) -> Array:
        """What the inputs add to the gates, in the order in which each direction comes to them: [S K B 4H]."""
        rows = np.arange(len(source.lengths))
        if self.tables:
            ways = [table[source.ids[rows, order]] for table, order in zip(self.tables, orders, strict=True)]
        else:
            if x is None:
                assert self.embedding is not None
                x = self.embedding[source.ids]
            ways = []
            for gates, order in zip(self.gates, orders, strict=True):
                read = x[rows, order]
                product = np.dot(read.reshape(-1, x.shape[2]), gates.inputs).reshape(*read.shape[:2], -1)
                product += gates.bias
                ways.append(product)
        return ways[0] if len(ways) == 1 else np.stack(ways, 1)

    def run(self, addends: Array, lengths: NDArray[Any]) -> tuple[Array, Array, Array]:
        """Outputs [S K B H] and the last (h, c), each [K B H]."""
        width = self.hidden.shape[1]
        outputs = np.zeros((*addends.shape[:-1], width), addends.dtype)
        last_h, last_c = np.zeros((2, *outputs.shape[1:]), addends.dtype)
        rows = len(lengths)
        h, cell = last_h, Cell(last_c)
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
                h, cell = h[..., :rows, :], Cell(cell.c[..., :rows, :])
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
        if len(self.ways) == 1:
            self.ways[0](h, products)
        elif h.shape[1] == 1:
            np.matmul(h, self.hidden, products)
        else:
            for matrix, one_way, product in zip(self.ways, h, products, strict=True):
                matrix(one_way, product)

    def in_place(self, outputs: Array, order: NDArray[Any]) -> Array:
        """Outputs in the order of reading [S B H] to states in the order of the source [B S H]."""
        if order.shape[1] < outputs.shape[1]:  # forward: the same for all
            return outputs.swapaxes(0, 1)
        states: Array = outputs[order, np.arange(outputs.shape[1])].swapaxes(0, 1)
        return states

    def merged(self, ahead: Array, back: Array) -> Array:
        """The two directions as one."""
        match self.merge:
            case "concat":
                return np.concatenate([ahead, back], -1)
            case "sum":
                return np.add(ahead, back)
            case _:
                mean: Array = (ahead + back) * np.asarray(0.5, ahead.dtype)
                return mean


class RecurrentEncoder(Encoder):
    """Layers of LSTMs; every layer's final (h, c) reaches the decoder."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self.readers = readers

    def __call__(self, source: Padded) -> Memory:
        """See `Encoder`."""
        order = np.argsort(-source.lengths, kind="stable")
        is_sorted = bool((order[1:] > order[:-1]).all())
        by_length = source if is_sorted else Padded(source.ids[order], source.lengths[order])
        states: Array | None = None
        finals = []
        for reader in self.readers:
            states, final = reader(by_length, states)
            finals.append(final)
        assert states is not None
        if not is_sorted:
            back = np.argsort(order)
            states = states[back]
            finals = [(h[back], c[back]) for h, c in finals]
        return Memory(np.ascontiguousarray(states), source.mask, tuple(finals))


class TransformerEncoder(Encoder):
    """Layers of the decoder's kind over the source's own states: what they read is where the real tokens are."""

    def __init__(self, embedding: Array, places: Sinusoidal | Learned | None, layers: Sequence[Layer]) -> None:
        self.embedding = embedding
        self.places = places
        self.layers = Stack(*layers)

    def __call__(self, source: Padded) -> Memory:
        """See `Encoder`."""
        x = self.embedding[source.ids]
        sentences, length, width = x.shape
        if self.places is not None:
            x += self.places.upto(length)[:length]
        memory = Memory(x, source.mask)
        stream = Stream(source.ids)
        stream.x = x.reshape(-1, width)
        self.layers.step(stream, self.layers.start(memory, iter(())), self.layers.read(memory))
        return Memory(stream.x.reshape(sentences, length, width), source.mask)
