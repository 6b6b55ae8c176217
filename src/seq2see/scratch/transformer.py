"""The Transformer's layers, forward and backward (Vaswani et al. 2017); they keep the contract of the decoder's layers.

    a block of the encoder    EncoderSelfAttention ─▶ FeedForward
    a block of the decoder    SelfAttention ─▶ CrossAttention ─▶ FeedForward

each with a residual connection and a norm (`PreNorm` or `PostNorm`). R rows, T positions of the queries, S positions of
the keys, D width, H heads, E = D / H the width of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from seq2see.scratch.arrays import Array, Mask, State, add_gradients
from seq2see.scratch.attention import ScaledDot, WeightSum, masked_softmax, softmax_backward
from seq2see.scratch.decoder_layers import Stack, Wrapper
from seq2see.scratch.encoder import EncoderLayer, Memory
from seq2see.scratch.layers import Affine, LayerNorm
from seq2see.scratch.lstm import RecurrentState
from seq2see.scratch.stream import Layer, Stream

PERIOD = 10_000.0
"""The longest wavelength of the position encodings is 2π·PERIOD positions."""


class ScaledDotProductAttention:
    """softmax(Q Kᵀ / √E) V in each head (Vaswani et al. 2017, eq. 1)."""

    def __init__(self) -> None:
        self.score = ScaledDot()
        self.sum = WeightSum()

    def forward(self, queries: Array, keys: Array, values: Array, mask: Mask) -> tuple[Array, Any]:
        """From queries [R H T E], keys and values [R H S E] to the attended values [R H T E]."""
        scores, score_cache = self.score.forward(queries, keys)
        weights = masked_softmax(scores, mask)
        attended, sum_cache = self.sum.forward(weights, values)
        return attended, (weights, score_cache, sum_cache)

    def backward(self, attended_gradient: Array, cache: Any) -> tuple[Array, Array, Array]:
        """The gradients by queries, keys and values; see `attention`."""
        weights, score_cache, sum_cache = cache
        weights_gradient, values_gradient = self.sum.backward(attended_gradient, sum_cache)
        queries_gradient, keys_gradient = self.score.backward(softmax_backward(weights_gradient, weights), score_cache)
        return queries_gradient, keys_gradient, values_gradient


class MultiHeadSelfAttention(Layer):
    """The parameters and the projection that the self-attentions of decoder and encoder share."""

    def __init__(self, width: int, heads: int) -> None:
        self.heads = heads
        self.projection = Affine(width, 3 * width)
        self.output = Affine(width, width)
        self.attention = ScaledDotProductAttention()

    def project(self, x: Array) -> list[Array]:
        """Queries, keys and values of all heads [R H T E], in one product."""
        return [split_heads(part, self.heads) for part in np.split(self.projection.forward(x), 3, -1)]

    def project_backward(self, gradients: Iterable[Array], x: Array) -> Array:
        """x was query, key and value: one product, dx = [dq dk dv] W, sums the three gradients."""
        return self.projection.backward(np.concatenate([join_heads(gradient) for gradient in gradients], -1), x)


class SelfAttention(MultiHeadSelfAttention):
    """Causal self-attention; the state is the keys and values of all positions so far [R H P E]."""

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """No positions yet."""
        width = len(self.output.weight.value)
        empty = np.zeros((len(memory.mask), self.heads, 0, width // self.heads), self.output.weight.value.dtype)
        return empty, empty

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The mask is a triangle: each query sees the past and itself."""
        queries, keys, values = self.project(stream.x)
        past_keys, past_values = state
        keys, values = np.concatenate([past_keys, keys], 2), np.concatenate([past_values, values], 2)
        past, length = past_keys.shape[2], stream.x.shape[1]
        attended, cache = self.attention.forward(
            queries, keys, values, np.tri(length, past + length, past, dtype=np.bool_)
        )
        attended = join_heads(attended)
        return stream._replace(x=self.output.forward(attended)), (keys, values), (stream.x, attended, past, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Keys and values were read by this chunk and by later ones: their gradients are summed.

        The part that belongs to earlier chunks is returned as the gradient by the state.
        """
        x, attended, past, attention_cache = cache
        attended_gradient = split_heads(self.output.backward(gradient.x, attended), self.heads)
        queries, keys, values = self.attention.backward(attended_gradient, attention_cache)
        if state_gradient:
            keys, values = keys + state_gradient[0], values + state_gradient[1]
        x_gradient = self.project_backward((queries, keys[:, :, past:], values[:, :, past:]), x)
        return gradient._replace(x=x_gradient), (keys[:, :, :past], values[:, :, :past])


class EncoderSelfAttention(MultiHeadSelfAttention):
    """Self-attention over all real positions; the state is the mask [R S]."""

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """(mask,)."""
        return (memory.mask,)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """As `SelfAttention`, with the padding mask."""
        (mask,) = state
        queries, keys, values = self.project(stream.x)
        attended, cache = self.attention.forward(queries, keys, values, mask[:, None, None])
        attended = join_heads(attended)
        return stream._replace(x=self.output.forward(attended)), state, (stream.x, attended, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Back through output, attention and projection."""
        x, attended, attention_cache = cache
        attended_gradient = split_heads(self.output.backward(gradient.x, attended), self.heads)
        gradients = self.attention.backward(attended_gradient, attention_cache)
        return gradient._replace(x=self.project_backward(gradients, x)), (None,)


class TransformerEncoder(EncoderLayer):
    """Decoder-style layers over the source; it has no final (h, c)."""

    def __init__(self, layers: list[Layer]) -> None:
        self.layers = Stack(layers)

    def forward(self, x: Array, mask: Mask) -> tuple[Array, None, Any]:
        """States, no (h, c), cache."""
        state = self.layers.start(Memory(x, mask, ()), iter(()))
        stream, _, cache = self.layers.forward(Stream(x), state)
        return stream.x, None, cache

    def backward(self, states_gradient: Array, final_gradient: Any, cache: Any) -> Array:
        """The gradient by x."""
        gradient, _ = self.layers.backward(Stream(states_gradient), None, cache)
        return gradient.x


class CrossAttention(Layer):
    """Attention to the source; with `reports_weights`, `stream.weights` is the mean over the heads."""

    def __init__(self, width: int, source_width: int, heads: int, *, reports_weights: bool = False) -> None:
        self.heads = heads
        self.reports_weights = reports_weights
        self.query = Affine(width, width)
        self.projection = Affine(source_width, 2 * width)
        self.output = Affine(width, width)
        self.attention = ScaledDotProductAttention()

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """(keys, values, mask): the source is projected once, for all target positions."""
        keys, values = np.split(self.projection.forward(memory.states), 2, -1)
        return split_heads(keys, self.heads), split_heads(values, self.heads), memory.mask

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[RecurrentState]
    ) -> None:
        """Back through the projection of the source, to its states."""
        keys, values, _ = gradient
        states = memory_gradient.states
        states += self.projection.backward(np.concatenate([join_heads(keys), join_heads(values)], -1), memory.states)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """Queries come from x, keys and values from the source."""
        keys, values, mask = state
        queries = split_heads(self.query.forward(stream.x), self.heads)
        attended, cache = self.attention.forward(queries, keys, values, mask[:, None, None])
        attended = join_heads(attended)
        weights = cache[0].mean(1) if self.reports_weights else stream.weights
        return Stream(self.output.forward(attended), stream.context, weights), state, (stream.x, attended, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Like `Attend.backward`, for all heads at once."""
        x, attended, attention_cache = cache
        later_keys, later_values, _ = state_gradient or (None, None, None)
        attended_gradient = split_heads(self.output.backward(gradient.x, attended), self.heads)
        queries, keys, values = self.attention.backward(attended_gradient, attention_cache)
        x_gradient = self.query.backward(join_heads(queries), x)
        return gradient._replace(x=x_gradient), (
            add_gradients(later_keys, keys),
            add_gradients(later_values, values),
            None,
        )


def relu(x: Array) -> tuple[Array, Array]:
    """max(x, 0) and its derivative."""
    return np.maximum(x, 0), (x > 0).astype(x.dtype)


def gelu(x: Array) -> tuple[Array, Array]:
    """x Φ(x) in its tanh approximation (Hendrycks & Gimpel 2016), and its derivative.

    u = √(2/π) (x + 0.044715 x³)      y = x (1 + tanh u) / 2
    y' = (1 + tanh u) / 2 + x (1 - tanh² u) u' / 2,      u' = √(2/π) (1 + 3 · 0.044715 x²)
    """
    scale = (2 / np.pi) ** 0.5
    square = x * x
    tanh = np.tanh(scale * x * (1 + 0.044715 * square))
    derivative = 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * scale * (1 + 3 * 0.044715 * square)
    return 0.5 * x * (1 + tanh), derivative


ACTIVATIONS: dict[str, Callable[[Array], tuple[Array, Array]]] = {"relu": relu, "gelu": gelu}
"""By name: x to (value, derivative)."""


class FeedForward(Layer):
    """W₂ f(W₁ x + b₁) + b₂ at each position (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, width: int, inner_width: int, activation: str) -> None:
        self.widen = Affine(width, inner_width)
        self.narrow = Affine(inner_width, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """All positions at once."""
        active, derivative = self.activation(self.widen.forward(stream.x))
        return stream._replace(x=self.narrow.forward(active)), state, (stream.x, active, derivative)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Through W₂, times the derivative f', through W₁."""
        x, active, derivative = cache
        active_gradient = self.narrow.backward(gradient.x, active)
        active_gradient *= derivative
        return gradient._replace(x=self.widen.backward(active_gradient, x)), ()


class PreNorm(Wrapper):
    """x + inner(norm(x)): the norm inside the residual branch (Xiong et al. 2020)."""

    def __init__(self, inner: Layer, width: int) -> None:
        super().__init__(inner)
        self.norm = LayerNorm(width)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The sum itself is not normalized."""
        normalized, norm_cache = self.norm.forward(stream.x)
        out, state, cache = self.inner.forward(stream._replace(x=normalized), state)
        return out._replace(x=stream.x + out.x), state, (norm_cache, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """dx = dy + the gradient through inner and norm: dy reaches the embedding unchanged."""
        norm_cache, inner_cache = cache
        inner, state_gradient = self.inner.backward(gradient, state_gradient, inner_cache)
        return inner._replace(x=gradient.x + self.norm.backward(inner.x, norm_cache)), state_gradient


class PostNorm(Wrapper):
    """norm(x + inner(x)), as in the paper (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, inner: Layer, width: int) -> None:
        super().__init__(inner)
        self.norm = LayerNorm(width)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The output is normalized."""
        out, state, cache = self.inner.forward(stream, state)
        y, norm_cache = self.norm.forward(stream.x + out.x)
        return out._replace(x=y), state, (norm_cache, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Through the norm, then along the residual path and through the inner layer."""
        norm_cache, inner_cache = cache
        residual = gradient._replace(x=self.norm.backward(gradient.x, norm_cache))
        inner, state_gradient = self.inner.backward(residual, state_gradient, inner_cache)
        return inner._replace(x=residual.x + inner.x), state_gradient


class Norm(Layer):
    """The final norm of a stack of pre-norm blocks."""

    def __init__(self, width: int) -> None:
        self.norm = LayerNorm(width)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """Each position independently."""
        y, cache = self.norm.forward(stream.x)
        return stream._replace(x=y), state, cache

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """See `LayerNorm`."""
        return gradient._replace(x=self.norm.backward(gradient.x, cache)), ()


class SinusoidalPositions(Layer):
    """Adds sin and cos of the position at D / 2 frequencies, in two halves (Vaswani et al. 2017, section 3.5).

    The state [R] is the next position.
    """

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> State:
        """Position 0."""
        return (np.zeros(len(memory.mask), np.int64),)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """angle[t, i] = t · PERIOD^(-2i/D)."""
        (position,) = state
        length, width = stream.x.shape[1:]
        angles = (position[:, None] + np.arange(length))[..., None] * PERIOD ** (-np.arange(0, width, 2) / width)
        waves = np.concatenate([np.sin(angles), np.cos(angles)], -1)[..., :width].astype(stream.x.dtype)
        return stream._replace(x=stream.x + waves), (position + length,), None

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """y = x + a constant, so dx = dy."""
        return gradient, (None,)


def split_heads(x: Array, heads: int) -> Array:
    """[R T D] to [R H T E]; its backward is `join_heads`."""
    rows, length, width = x.shape
    return x.reshape(rows, length, heads, width // heads).swapaxes(1, 2)


def join_heads(x: Array) -> Array:
    """[R H T E] to [R T D]."""
    rows, heads, length, width = x.shape
    return x.swapaxes(1, 2).reshape(rows, length, heads * width)
