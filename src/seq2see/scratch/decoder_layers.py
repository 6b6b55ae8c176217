"""The decoder's layers: a recurrent one, two that read the source, and wrappers and connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from seq2see.scratch.arrays import Array, State, add_gradients
from seq2see.scratch.attention import AttentionWeight, Score, WeightSum
from seq2see.scratch.cells import Cell
from seq2see.scratch.encoder import Memory
from seq2see.scratch.layers import Affine
from seq2see.scratch.lstm import RecurrentState
from seq2see.scratch.stream import Layer, Stream


class Recurrent(Cell, Layer):
    """An LSTM or GRU that starts where a layer of the encoder ended, or from zeros if there is none."""

    def __init__(self, input_width: int, width: int, *, cell: str = "lstm") -> None:
        super().__init__(cell, input_width, width)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """(h, c), or (h,) of a GRU."""
        return next(finals, None) or self.network.zeros(len(memory.mask))

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """The gradient by the decoder's first state is one by the encoder's last: it connects the two."""
        for given, own in zip(next(finals_gradient, ()), gradient, strict=False):
            given += own

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """x becomes h."""
        x, state, cache = self.network.forward(stream.x, state)
        return stream._replace(x=x), state, cache

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Through the network; the gradient by the context passes unchanged."""
        x_gradient, state_gradient = self.network.backward(gradient.x, state_gradient, cache)
        return gradient._replace(x=x_gradient), state_gradient


class Peek(Layer):
    """The encoder's last h as the context of every position (Cho et al. 2014)."""

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """(h,)."""
        return (memory.finals[-1][0],)

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """To the encoder's last h, in addition to the first LSTM's gradient."""
        h_gradient, *_ = memory_gradient.finals[-1]
        h_gradient += gradient[0]

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """context[t] = h for all t."""
        (h,) = state
        return stream._replace(context=np.broadcast_to(h[:, None], (*stream.x.shape[:2], h.shape[-1]))), state, None

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """h was repeated T times, so dh = Σ_t dcontext[t]."""
        assert gradient.context is not None, "no layer reads the context"
        (later,) = state_gradient or (None,)
        return Stream(gradient.x), (add_gradients(later, gradient.context.sum(1)),)


class Attend(Layer):
    """Attention with x as the query; the context is the weighted sum of the source states (Luong et al. 2015).

    e = score(x, keys)      a = softmax(e)      context = a · states
    """

    def __init__(self, score: Score) -> None:
        self.score = score
        self.weight = AttentionWeight(score)
        self.sum = WeightSum()

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """(keys [B S D], states [B S D], mask [B S]), the same at every position."""
        return self.score.keys(memory.states), memory.states, memory.mask

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """The states were used twice, as keys and as values: the two gradients are added."""
        keys_gradient, states_gradient, _ = gradient
        states = memory_gradient.states
        states += self.score.keys_backward(keys_gradient, memory.states)
        states += states_gradient

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """x is unchanged; context and weights are set."""
        keys, states, mask = state
        weights, weight_cache = self.weight.forward(stream.x, keys, mask)
        context, sum_cache = self.sum.forward(weights, states)
        return Stream(stream.x, context, weights), state, (weight_cache, sum_cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """x was passed on and was the query too: its gradient is the sum of both."""
        assert gradient.context is not None, "no layer reads the context"
        weight_cache, sum_cache = cache
        later_keys, later_states, _ = state_gradient or (None, None, None)
        weights_gradient, states_gradient = self.sum.backward(gradient.context, sum_cache)
        queries_gradient, keys_gradient = self.weight.backward(weights_gradient, weight_cache)
        queries_gradient += gradient.x
        return Stream(queries_gradient), (
            add_gradients(later_keys, keys_gradient),
            add_gradients(later_states, states_gradient),
            None,
        )


class AttendFromPrevious(Layer):
    """A recurrent layer, and attention whose query is that layer's output of the step before (Wu et al. 2016).

    q[0] = h before the first step      q[t] = x[t-1]
    """

    def __init__(self, recurrent: Recurrent, attend: Attend) -> None:
        self.recurrent = recurrent
        self.attend = attend

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """The states of both."""
        return self.recurrent.start(memory, finals), self.attend.start(memory, finals)

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """Of both."""
        own, of_attention = gradient
        self.recurrent.start_backward(own, memory, memory_gradient, finals_gradient)
        self.attend.start_backward(of_attention, memory, memory_gradient, finals_gradient)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """x is the recurrent layer's output; the queries of context and weights are its outputs one step earlier."""
        (h, *others), of_attention = state
        stream, own, own_cache = self.recurrent.forward(stream, (h, *others))
        queries = np.concatenate([h[:, None], stream.x[:, :-1]], 1)
        seen, of_attention, cache = self.attend.forward(Stream(queries), of_attention)
        return seen._replace(x=stream.x), (own, of_attention), (own_cache, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """The gradient by q[t] is one by x[t-1], and that by q[0] is one by the state before this chunk."""
        own_cache, attend_cache = cache
        own, of_attention = state_gradient or (None, None)
        zero = gradient._replace(x=np.zeros_like(gradient.x))
        queries, of_attention = self.attend.backward(zero, of_attention, attend_cache)
        x_gradient = gradient.x.copy()
        x_gradient[:, :-1] += queries.x[:, 1:]
        before, (h_gradient, *others) = self.recurrent.backward(Stream(x_gradient), own, own_cache)
        return before, ((h_gradient + queries.x[:, 0], *others), of_attention)


class Stack(Layer):
    """Layers in sequence; backward from the last to the first."""

    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """The state of each layer."""
        return tuple(layer.start(memory, finals) for layer in self.layers)

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """In the order of `start`, so that each layer finds its own final state."""
        for layer, own in zip(self.layers, gradient, strict=True):
            layer.start_backward(own, memory, memory_gradient, finals_gradient)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """Each layer reads the output of the one before."""
        states, caches = [], []
        for layer, layer_state in zip(self.layers, state, strict=True):
            stream, layer_state, cache = layer.forward(stream, layer_state)
            states.append(layer_state)
            caches.append(cache)
        return stream, tuple(states), caches

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """The chain rule: the gradient by a layer's input is the gradient by the output of the layer before."""
        state_gradient = state_gradient or [None] * len(self.layers)
        earlier = []
        for layer, later, layer_cache in reversed(list(zip(self.layers, state_gradient, cache, strict=True))):
            gradient, layer_gradient = layer.backward(gradient, later, layer_cache)
            earlier.append(layer_gradient)
        return gradient, tuple(reversed(earlier))


class Wrapper(Layer):
    """A layer that changes the input or output of an inner layer, and has its state."""

    def __init__(self, inner: Layer) -> None:
        self.inner = inner

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """As the inner layer."""
        return self.inner.start(memory, finals)

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """As the inner layer."""
        self.inner.start_backward(gradient, memory, memory_gradient, finals_gradient)


class ReadContext(Wrapper):
    """Give the inner layer [x; context]."""

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The context stays in the stream, for layers above."""
        out, state, cache = self.inner.forward(join_context(stream), state)
        return out, state, (stream.x.shape[-1], cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Split the joined gradient."""
        x_width, inner_cache = cache
        gradient, state_gradient = self.inner.backward(gradient, state_gradient, inner_cache)
        return split_context(gradient, x_width), state_gradient


class Concat(Layer):
    """x becomes [x; context], for the output layer."""

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """No parameters."""
        return join_context(stream), state, stream.x.shape[-1]

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Split the joined gradient."""
        return split_context(gradient, cache), ()


class Dense(Layer):
    """y = tanh(W x + b), the attentional layer of Luong et al. 2015, eq. 5."""

    def __init__(self, input_width: int, width: int) -> None:
        self.linear = Affine(input_width, width)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """At every position independently."""
        y = self.linear.forward(stream.x)
        np.tanh(y, out=y)
        return stream._replace(x=y), state, (stream.x, y)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """tanh'(a) = 1 - tanh²(a) = 1 - y², then `Affine.backward`."""
        x, y = cache
        return gradient._replace(x=self.linear.backward(gradient.x * (1 - y * y), x)), ()


class Residual(Wrapper):
    """A residual connection: x + inner(x) (Wu et al. 2016, eq. 6)."""

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The inner layer only has to learn the difference."""
        out, state, cache = self.inner.forward(stream, state)
        return out._replace(x=stream.x + out.x), state, cache

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """y = x + f(x), so dx = dy + the gradient through f."""
        inner, state_gradient = self.inner.backward(gradient, state_gradient, cache)
        return inner._replace(x=gradient.x + inner.x), state_gradient


class InputFeeding(Wrapper):
    """Join the inner layer's previous output to its next input, position by position (Luong et al. 2015, section 3.3).

    Each query depends on the previous context, so the loop over time can't become a matrix product.
    """

    def __init__(self, inner: Layer, width: int) -> None:
        super().__init__(inner)
        self.width = width

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """The inner state, and an output of zeros [B W]."""
        inner = self.inner.start(memory, finals)
        return inner, np.zeros((len(memory.mask), self.width), memory.states.dtype)

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """As the inner layer; the zeros are constant."""
        self.inner.start_backward(gradient[0], memory, memory_gradient, finals_gradient)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """input[t] = [x[t]; output[t-1]]."""
        inner_state, fed = state
        outputs, caches = [], []
        for t in range(stream.x.shape[1]):
            joined = np.concatenate([stream.x[:, t], fed], -1)[:, None]
            output, inner_state, cache = self.inner.forward(Stream(joined), inner_state)
            fed = output.x[:, 0]
            outputs.append(output)
            caches.append(cache)
        x, *seen = (np.concatenate(parts, 1) for parts in zip(*outputs, strict=True))
        return Stream(x, *seen), (inner_state, fed), caches

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """From the last step to the first. output[t] was passed on and fed to t+1: its gradient is the sum of both.

        The gradient by input[t] is split into those by x[t] and output[t-1]. The gradients of the inner layer's
        weights and of the source states accumulate over the steps.
        """
        inner_gradient, fed_gradient = state_gradient or (None, None)
        x_gradients = []
        for t, step_cache in reversed(list(enumerate(cache))):
            x_gradient = add_gradients(gradient.x[:, t], fed_gradient)
            assert x_gradient is not None
            context_gradient = None if gradient.context is None else gradient.context[:, t, None]
            step = Stream(x_gradient[:, None], context_gradient)
            joined, inner_gradient = self.inner.backward(step, inner_gradient, step_cache)
            x_gradients.append(joined.x[:, :, : -self.width])
            fed_gradient = joined.x[:, 0, -self.width :]
        return Stream(np.concatenate(x_gradients[::-1], 1)), (inner_gradient, fed_gradient)


def join_context(stream: Stream) -> Stream:
    """The stream with x = [x; context]."""
    assert stream.context is not None, "a reader (Peek or Attend) must come first"
    return stream._replace(x=np.concatenate([stream.x, stream.context], -1))


def split_context(gradient: Stream, x_width: int) -> Stream:
    """The backward of `join_context`: the first part is the gradient by x, the rest a gradient by the context.

    Several layers may read the context: their gradients are summed.
    """
    own: Array = gradient.x[..., x_width:]
    return gradient._replace(x=gradient.x[..., :x_width], context=add_gradients(gradient.context, own))
