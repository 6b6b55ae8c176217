"""The Transformer's parts, forward and backward (Vaswani et al. 2017), as layers of the decoder's contract.

    a block of the encoder    EncoderSelfAttention ─▶ FeedForward
    a block of the decoder    SelfAttention ─▶ CrossAttention ─▶ FeedForward

each with its residual connection and its norm (`PreNorm` or `PostNorm`). R rows, T positions, S positions looked at,
D width, H heads, E = D / H the width of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from seq2see.scratch.arrays import Array, Mask, State, total
from seq2see.scratch.attention import ScaledDot, WeightSum, masked_softmax, softmax_backward
from seq2see.scratch.decoder_layers import Around, Stack
from seq2see.scratch.encoder import EncoderLayer, Memory
from seq2see.scratch.layers import Affine
from seq2see.scratch.lstm import LSTMState
from seq2see.scratch.part import Parameter, Part
from seq2see.scratch.stream import Layer, Stream

PERIOD = 10_000.0
"""The slowest angle of the positions turns once in 2π·PERIOD of them."""


class LayerNorm(Part):
    """Each vector by itself brought to mean 0 and variance 1, then scaled and shifted (Ba et al. 2016)."""

    epsilon = 1e-5

    def __init__(self, width: int) -> None:
        self.weight = Parameter(width)
        self.bias = Parameter(width)

    def forward(self, x: Array) -> tuple[Array, tuple[Array, Array]]:
        """Of x [... D], with mean and variance over D:

        n = (x - mean(x)) / s,   s = √(variance(x) + ε)
        y = w * n + b
        """
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt(np.mean(centred * centred, -1, keepdims=True) + self.epsilon)
        normal = centred / deviation
        return normal * self.weight.value + self.bias.value, (normal, deviation)

    def backward(self, y_gradient: Array, cache: tuple[Array, Array]) -> Array:
        """Mean and variance depend on all of x, and each takes its part out of the gradient:

            dn = w * dy             dw = Σ dy * n            db = Σ dy           (sums over all vectors)
            dx = (dn - mean(dn) - n * mean(dn * n)) / s

        So dx is at right angles to a shift of x and to a stretch of it, of which y knows nothing.
        """
        normal, deviation = cache
        rows = y_gradient.reshape(-1, y_gradient.shape[-1])
        self.weight.gradient += np.sum(rows * normal.reshape(rows.shape), 0)
        self.bias.gradient += rows.sum(0)
        gradient = y_gradient * self.weight.value
        shift, stretch = gradient.mean(-1, keepdims=True), np.mean(gradient * normal, -1, keepdims=True)
        return np.asarray((gradient - shift - normal * stretch) / deviation)


class Heads:
    """Scaled dot-product attention, in each head by itself: softmax(Q Kᵀ / √E) V (Vaswani et al. 2017, eq. 1)."""

    def __init__(self) -> None:
        self.score = ScaledDot()
        self.sum = WeightSum()

    def forward(self, queries: Array, keys: Array, values: Array, mask: Mask) -> tuple[Array, Any]:
        """From queries [R H T E], keys and values [R H S E] to what was seen [R H T E]."""
        scores, score_cache = self.score.forward(queries, keys)
        weights = masked_softmax(scores, mask)
        seen, sum_cache = self.sum.forward(weights, values)
        return seen, (weights, score_cache, sum_cache)

    def backward(self, seen_gradient: Array, cache: Any) -> tuple[Array, Array, Array]:
        """The gradients by queries, keys and values; see `attention`, whose parts these are."""
        weights, score_cache, sum_cache = cache
        weights_gradient, values_gradient = self.sum.backward(seen_gradient, sum_cache)
        queries_gradient, keys_gradient = self.score.backward(softmax_backward(weights_gradient, weights), score_cache)
        return queries_gradient, keys_gradient, values_gradient


class SelfAttention(Layer):
    """Every position looks at itself and at those before it; the state is their keys and values [R H P E]."""

    def __init__(self, width: int, heads: int) -> None:
        self.heads = heads
        self.projection = Affine(width, 3 * width)
        self.output = Affine(width, width)
        self.attention = Heads()

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> State:
        """Nothing to look at yet."""
        width = len(self.output.weight.value)
        nothing = np.zeros((len(memory.mask), self.heads, 0, width // self.heads), self.output.weight.value.dtype)
        return nothing, nothing

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """One product makes queries, keys and values of all heads; the mask is a triangle."""
        projected = self.projection.forward(stream.x)
        queries, keys, values = (split_heads(part, self.heads) for part in np.split(projected, 3, -1))
        past_keys, past_values = state
        keys, values = np.concatenate([past_keys, keys], 2), np.concatenate([past_values, values], 2)
        past, length = past_keys.shape[2], stream.x.shape[1]
        seen, cache = self.attention.forward(queries, keys, values, np.tri(length, past + length, past, dtype=np.bool_))
        seen = join_heads(seen)
        return stream._replace(x=self.output.forward(seen)), (keys, values), (stream.x, seen, past, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Keys and values were looked at by this chunk and by later ones: their gradients are summed.

        The part that belongs to earlier chunks goes back to them as the gradient by the state.
        """
        x, seen, past, attention_cache = cache
        seen_gradient = split_heads(self.output.backward(gradient.x, seen), self.heads)
        queries, keys, values = self.attention.backward(seen_gradient, attention_cache)
        if state_gradient:
            keys, values = keys + state_gradient[0], values + state_gradient[1]
        parts = [join_heads(part) for part in (queries, keys[:, :, past:], values[:, :, past:])]
        x_gradient = self.projection.backward(np.concatenate(parts, -1), x)
        return gradient._replace(x=x_gradient), (keys[:, :, :past], values[:, :, :past])


class EncoderSelfAttention(Layer):
    """Every position looks at all real ones: the self-attention of an encoder, whose state is the mask [R S]."""

    def __init__(self, width: int, heads: int) -> None:
        self.heads = heads
        self.projection = Affine(width, 3 * width)
        self.output = Affine(width, width)
        self.attention = Heads()

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> State:
        """(mask,)."""
        return (memory.mask,)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """As `SelfAttention`, with another mask."""
        (mask,) = state
        projected = self.projection.forward(stream.x)
        queries, keys, values = (split_heads(part, self.heads) for part in np.split(projected, 3, -1))
        seen, cache = self.attention.forward(queries, keys, values, mask[:, None, None])
        seen = join_heads(seen)
        return stream._replace(x=self.output.forward(seen)), state, (stream.x, seen, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """x was query, key and value: one product, dX = [dQ dK dV] W, sums the three gradients."""
        x, seen, attention_cache = cache
        seen_gradient = split_heads(self.output.backward(gradient.x, seen), self.heads)
        parts = [join_heads(part) for part in self.attention.backward(seen_gradient, attention_cache)]
        return gradient._replace(x=self.projection.backward(np.concatenate(parts, -1), x)), (None,)


class TransformerEncoder(EncoderLayer):
    """Layers of the decoder's kind over the source's own states, with nothing left over for a decoder to start from."""

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
    """Every position looks at the source; with `shows`, `stream.weights` says where, as the mean over the heads."""

    def __init__(self, width: int, source_width: int, heads: int, *, shows: bool = False) -> None:
        self.heads = heads
        self.shows = shows
        self.query = Affine(width, width)
        self.projection = Affine(source_width, 2 * width)
        self.output = Affine(width, width)
        self.attention = Heads()

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> State:
        """(keys, values, mask): the source is projected once, whatever the number of positions that look at it."""
        keys, values = np.split(self.projection.forward(memory.states), 2, -1)
        return split_heads(keys, self.heads), split_heads(values, self.heads), memory.mask

    def start_backward(
        self, gradient: Any, memory: Memory, memory_gradient: Memory, finals_gradient: Iterator[LSTMState]
    ) -> None:
        """Back through the projection of the source, to its states."""
        keys, values, _ = gradient
        states = memory_gradient.states
        states += self.projection.backward(np.concatenate([join_heads(keys), join_heads(values)], -1), memory.states)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The queries come from x, keys and values from the source."""
        keys, values, mask = state
        queries = split_heads(self.query.forward(stream.x), self.heads)
        seen, cache = self.attention.forward(queries, keys, values, mask[:, None, None])
        seen = join_heads(seen)
        weights = cache[0].mean(1) if self.shows else stream.weights
        return Stream(self.output.forward(seen), stream.context, weights), state, (stream.x, seen, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Like `Attention.backward`, a head at a time and all heads at once."""
        x, seen, attention_cache = cache
        later_keys, later_values, _ = state_gradient or (None, None, None)
        seen_gradient = split_heads(self.output.backward(gradient.x, seen), self.heads)
        queries, keys, values = self.attention.backward(seen_gradient, attention_cache)
        x_gradient = self.query.backward(join_heads(queries), x)
        return gradient._replace(x=x_gradient), (total(later_keys, keys), total(later_values, values), None)


def relu(x: Array) -> tuple[Array, Array]:
    """max(x, 0) and its slope."""
    return np.maximum(x, 0), (x > 0).astype(x.dtype)


def gelu(x: Array) -> tuple[Array, Array]:
    """x Φ(x), Φ by a tanh (Hendrycks & Gimpel 2016), and its slope.

    u = √(2/π) (x + 0.044715 x³)      y = x (1 + tanh u) / 2
    y' = (1 + tanh u) / 2 + x (1 - tanh² u) u' / 2,      u' = √(2/π) (1 + 3 · 0.044715 x²)
    """
    scale = (2 / np.pi) ** 0.5
    square = x * x
    tanh = np.tanh(scale * x * (1 + 0.044715 * square))
    slope = 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * scale * (1 + 3 * 0.044715 * square)
    return 0.5 * x * (1 + tanh), slope


ACTIVATIONS: dict[str, Callable[[Array], tuple[Array, Array]]] = {"relu": relu, "gelu": gelu}
"""By name: x to (value, slope)."""


class FeedForward(Layer):
    """W₂ f(W₁ x + b₁) + b₂ at each position by itself (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, width: int, inner_width: int, activation: str) -> None:
        self.widen = Affine(width, inner_width)
        self.narrow = Affine(inner_width, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """All positions at once."""
        active, slope = self.activation(self.widen.forward(stream.x))
        return stream._replace(x=self.narrow.forward(active)), state, (stream.x, active, slope)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """dy goes back through W₂, is multiplied by the slope f', and goes back through W₁."""
        x, active, slope = cache
        active_gradient = self.narrow.backward(gradient.x, active)
        active_gradient *= slope
        return gradient._replace(x=self.widen.backward(active_gradient, x)), ()


class PreNorm(Around):
    """x + inner(norm(x)): the norm inside the residual branch (Xiong et al. 2020)."""

    def __init__(self, inner: Layer, width: int) -> None:
        super().__init__(inner)
        self.norm = LayerNorm(width)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """The sum itself is never normalised."""
        normal, norm_cache = self.norm.forward(stream.x)
        out, state, cache = self.inner.forward(stream._replace(x=normal), state)
        return out._replace(x=stream.x + out.x), state, (norm_cache, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """dx = dy + what comes back through inner and norm: from the loss to the embedding dy meets no other layer."""
        norm_cache, inner_cache = cache
        inner, state_gradient = self.inner.backward(gradient, state_gradient, inner_cache)
        return inner._replace(x=gradient.x + self.norm.backward(inner.x, norm_cache)), state_gradient


class PostNorm(Around):
    """norm(x + inner(x)), as in the paper (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, inner: Layer, width: int) -> None:
        super().__init__(inner)
        self.norm = LayerNorm(width)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """What flows on is always of one size."""
        out, state, cache = self.inner.forward(stream, state)
        y, norm_cache = self.norm.forward(stream.x + out.x)
        return out._replace(x=y), state, (norm_cache, cache)

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """Back through the norm first, and then around the inner layer and through it."""
        norm_cache, inner_cache = cache
        around = gradient._replace(x=self.norm.backward(gradient.x, norm_cache))
        inner, state_gradient = self.inner.backward(around, state_gradient, inner_cache)
        return inner._replace(x=around.x + inner.x), state_gradient


class Norm(Layer):
    """What closes a stack of pre-norm blocks."""

    def __init__(self, width: int) -> None:
        self.norm = LayerNorm(width)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """Each position by itself."""
        y, cache = self.norm.forward(stream.x)
        return stream._replace(x=y), state, cache

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """See `LayerNorm`."""
        return gradient._replace(x=self.norm.backward(gradient.x, cache)), ()


class Sinusoidal(Layer):
    """Tells each position its place, because attention doesn't know of any; the state [R] is the place of the next.

    To x is added sin and cos of the place at D / 2 frequencies (Vaswani et al. 2017, section 3.5), in two halves.
    """

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> State:
        """Place 0."""
        return (np.zeros(len(memory.mask), np.int64),)

    def forward(self, stream: Stream, state: State) -> tuple[Stream, State, Any]:
        """angle[t, i] = t · PERIOD^(-2i/D)."""
        (place,) = state
        length, width = stream.x.shape[1:]
        angles = (place[:, None] + np.arange(length))[..., None] * PERIOD ** (-np.arange(0, width, 2) / width)
        waves = np.concatenate([np.sin(angles), np.cos(angles)], -1)[..., :width].astype(stream.x.dtype)
        return stream._replace(x=stream.x + waves), (place + length,), None

    def backward(self, gradient: Stream, state_gradient: Any, cache: Any) -> tuple[Stream, Any]:
        """y = x + what isn't learnt, and so dx = dy."""
        return gradient, (None,)


def split_heads(x: Array, heads: int) -> Array:
    """[R T D] as [R H T E]; the way back is `join_heads`, because nothing is changed but the order."""
    rows, length, width = x.shape
    return x.reshape(rows, length, heads, width // heads).swapaxes(1, 2)


def join_heads(x: Array) -> Array:
    """[R H T E] as [R T D]."""
    rows, heads, length, width = x.shape
    return x.swapaxes(1, 2).reshape(rows, length, heads * width)
