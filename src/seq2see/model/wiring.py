"""Layers that contain other layers, and connections: context, residual connections, input feeding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from seq2see.model.dropout import SequenceDropout
from seq2see.model.products import DeferredGradients
from seq2see.model.stream import Layer, Memory, RecurrentState, Stream
from seq2see.model.tensors import Carry


class Stack(Layer):
    """Layers in sequence."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def read(self, memory: Memory) -> Carry:
        return tuple(layer.read(memory) for layer in self.layers)  # type: ignore[operator]

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        return tuple(layer.start(memory, finals) for layer in self.layers)  # type: ignore[operator]

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        carries = []
        for layer, layer_carry, layer_reading in zip(self.layers, carry, reading, strict=True):
            stream, layer_carry = layer(stream, layer_carry, layer_reading)
            carries.append(layer_carry)
        return stream, tuple(carries)


class Wrapper(Layer):
    """A layer that changes the input or output of an inner layer."""

    def __init__(self, inner: Layer) -> None:
        super().__init__()
        self.inner = inner

    def read(self, memory: Memory) -> Carry:
        return self.inner.read(memory)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        return self.inner.start(memory, finals)


class ReadContext(Wrapper):
    """Give the inner layer [x; context]."""

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        return self.inner(join_context(stream), carry, reading)  # type: ignore[no-any-return]


class Residual(Wrapper):
    """A residual connection: x + inner(x) (Wu et al. 2016, eq. 6)."""

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        out, carry = self.inner(stream, carry, reading)
        return out._replace(x=stream.x + out.x), carry


class InputFeeding(Wrapper):
    """Join the inner layer's previous output to its next input, position by position (Luong et al. 2015, section 3.3).

    The only layer that loops over time. Dropout inside the loop draws a new mask at every position. Weights,
    and the source, get their gradients after the loop.
    """

    def __init__(self, inner: Layer, width: int) -> None:
        super().__init__(inner)
        self.width = width

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        zeros = memory.states.new_zeros(memory.states.size(0), 1, self.width)
        return self.inner.start(memory, finals), zeros

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        inner_carry, fed = carry
        assert isinstance(fed, Tensor)
        outputs = []
        heads = None if stream.heads is None else ()
        products = DeferredGradients() if torch.is_grad_enabled() and stream.x.size(1) > 1 else stream.products
        for x in stream.x.unbind(1):
            joined = Stream(torch.cat([x[:, None], fed.to(x.dtype)], -1), heads=heads, products=products)
            output, inner_carry = self.inner(joined, inner_carry, reading)
            fed = output.x
            outputs.append(output)
        whole = join_positions(outputs)
        if stream.heads is not None and whole.heads is not None:
            whole = whole._replace(heads=stream.heads + whole.heads)
        return whole, (inner_carry, fed)


class Concat(Layer):
    """x becomes [x; context], for the output layer."""

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        return join_context(stream), carry


class Dense(Layer):
    """tanh(W x + b), the attentional layer of Luong et al. 2015, eq. 5."""

    def __init__(self, input_width: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(input_width, width)
        self.dropout = SequenceDropout(dropout)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        x = torch.tanh(stream.products.linear(stream.x, self.linear.weight, self.linear.bias))
        return stream._replace(x=self.dropout(x)), carry


def join_positions(outputs: list[Stream]) -> Stream:
    """The streams of successive chunks as one; all chunks have the same fields set."""

    def joined(parts: Iterable[Tensor | None]) -> Tensor | None:
        present = [part for part in parts if part is not None]
        return torch.cat(present, 1) if present else None

    x = torch.cat([output.x for output in outputs], 1)
    context, weights = (joined(getattr(output, name) for output in outputs) for name in ("context", "weights"))
    heads = [output.heads for output in outputs if output.heads is not None]
    return Stream(
        x, context, weights, heads=tuple(torch.cat(each, 2) for each in zip(*heads, strict=True)) if heads else None
    )


def join_context(stream: Stream) -> Stream:
    """The stream with x = [x; context]."""
    assert stream.context is not None, "a reader (Peek or Attend) must come first"
    return stream._replace(x=torch.cat([stream.x, stream.context.to(stream.x.dtype)], -1))
