"""The Transformer's parts (Vaswani et al. 2017), each a layer of the common contract.

A block of the decoder is three sublayers, each with its residual connection and its norm; one of the encoder is two:

    x ─▶ SelfAttention ─▶ CrossAttention ─▶ FeedForward        EncoderSelfAttention ─▶ FeedForward

The carry of SelfAttention is the keys and values of all positions so far, so that a step never reads the prefix again.
They grow by concatenation: writing into memory set aside in advance was not faster at the lengths of sentences.

Letters beside the usual: H heads, E = D / H the width of one, P positions already carried, F the feed-forward's width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, relu, scaled_dot_product_attention, silu

from seq2see.model.dropout import Dropout
from seq2see.model.readers import masked_softmax
from seq2see.model.stream import Layer, LSTMState, Memory, Stream
from seq2see.model.tensors import Carry, at_least_float32
from seq2see.model.wiring import Around

PERIOD = 10_000.0
"""The slowest angle of sinusoidal and rotary positions turns once in 2π·PERIOD positions."""


class SelfAttention(Layer):
    """Every position looks at itself and at those before it; the carry is their keys and values [R H P E]."""

    def __init__(self, width: int, heads: int, *, rotary: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.rotary = rotary
        self.projection = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Carry:
        width = self.output.in_features
        nothing = memory.states.new_zeros(memory.states.size(0), self.heads, 0, width // self.heads)
        return nothing, nothing

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        past_keys, past_values = carry
        assert isinstance(past_keys, Tensor)
        assert isinstance(past_values, Tensor)
        past, length = past_keys.size(2), stream.x.size(1)
        queries, keys, values = (split_heads(part, self.heads) for part in self.projection(stream.x).chunk(3, -1))
        if self.rotary:
            angles = angles_at(past, length, keys.size(-1), like=keys)
            queries, keys = rotate(queries, angles), rotate(keys, angles)
        if past:
            keys, values = torch.cat([past_keys, keys], 2), torch.cat([past_values, values], 2)
        # One query may look at all keys; several in the middle of a sequence need the lower right part of the triangle.
        mask = keys.new_ones(length, past + length, dtype=torch.bool).tril(past) if past and length > 1 else None
        seen = attend(queries, keys, values, mask, causal=not past and length > 1)
        return stream._replace(x=self.output(join_heads(seen))), (keys, values)


class EncoderSelfAttention(Layer):
    """Every position looks at all real ones: the self-attention of an encoder, which carries nothing."""

    def __init__(self, width: int, heads: int, *, rotary: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.rotary = rotary
        self.projection = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def read(self, memory: Memory) -> Carry:
        return memory.mask

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        assert isinstance(reading, Tensor)
        queries, keys, values = (split_heads(part, self.heads) for part in self.projection(stream.x).chunk(3, -1))
        if self.rotary:
            angles = angles_at(0, keys.size(2), keys.size(-1), like=keys)
            queries, keys = rotate(queries, angles), rotate(keys, angles)
        seen = attend(queries, keys, values, reading[:, None, None])
        return stream._replace(x=self.output(join_heads(seen))), carry


class CrossAttention(Layer):
    """Every position looks at the source.

    With `shows`, it says where: `stream.weights` is the mean over its heads, computed only where someone is looking
    (`stream.watched`). Where every head is asked for, it adds its own to `stream.heads`. Else it goes through PyTorch's
    fused attention.
    """

    def __init__(self, width: int, source_width: int, heads: int, *, shows: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.shows = shows
        self.query = nn.Linear(width, width)
        self.projection = nn.Linear(source_width, 2 * width)
        self.output = nn.Linear(width, width)

    def read(self, memory: Memory) -> Carry:
        keys, values = (split_heads(part, self.heads) for part in self.projection(memory.states).chunk(2, -1))
        return keys, values, memory.mask

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        keys, values, mask = reading
        assert isinstance(keys, Tensor)
        assert isinstance(values, Tensor)
        assert isinstance(mask, Tensor)
        rows, length, width = stream.x.shape
        # The hypotheses of a sentence look at the same states: they ask side by side, and nothing is copied.
        queries = split_heads(self.query(stream.x).view(keys.size(0), -1, width), self.heads)
        if stream.heads is not None or (self.shows and stream.watched):
            scores = (queries / math.sqrt(queries.size(-1))) @ keys.transpose(2, 3)
            weights = masked_softmax(scores, mask[:, None, None])
            seen = weights.to(values.dtype) @ values
            if self.shows:
                stream = stream._replace(weights=weights.mean(1).view(rows, length, -1))
            if stream.heads is not None:
                of_sentences = weights.view(keys.size(0), self.heads, -1, length, keys.size(2))
                stream = stream._replace(heads=(*stream.heads, of_sentences.transpose(1, 2).flatten(0, 1)))
        else:
            seen = attend(queries, keys, values, mask[:, None, None])
        return stream._replace(x=self.output(join_heads(seen).view(rows, length, width))), carry


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": relu,
    "gelu": lambda x: gelu(x, approximate="tanh"),
    "swiglu": lambda x: silu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1],
}
"""ReLU; GELU in its tanh form (Hendrycks & Gimpel 2016); SwiGLU, gated by a second half (Shazeer 2020)."""


class FeedForward(Layer):
    """W₂ f(W₁ x + b₁) + b₂ at each position by itself (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, width: int, inner_width: int, activation: str) -> None:
        super().__init__()
        self.widen = nn.Linear(width, 2 * inner_width if activation == "swiglu" else inner_width)
        self.narrow = nn.Linear(inner_width, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        return stream._replace(x=self.narrow(self.activation(self.widen(stream.x)))), carry


class PreNorm(Around):
    """x + dropout(inner(norm(x))): the norm inside the residual branch (Xiong et al. 2020)."""

    def __init__(self, inner: Layer, width: int, dropout: float) -> None:
        super().__init__(inner)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        out, carry = self.inner(stream._replace(x=self.norm(stream.x)), carry, reading)
        return out._replace(x=stream.x + self.dropout(out.x)), carry


class PostNorm(Around):
    """norm(x + dropout(inner(x))), as in the paper (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, inner: Layer, width: int, dropout: float) -> None:
        super().__init__(inner)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        out, carry = self.inner(stream, carry, reading)
        return out._replace(x=self.norm(stream.x + self.dropout(out.x))), carry


class Norm(Layer):
    """Layer normalisation (Ba et al. 2016): what closes a stack of pre-norm blocks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        return stream._replace(x=self.norm(stream.x)), carry


class Positions(Layer):
    """Tells each position its place; the carry [R] is the place of the next."""

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Carry:
        return torch.zeros(memory.states.size(0), dtype=torch.long, device=memory.states.device)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        assert isinstance(carry, Tensor)
        length = stream.x.size(1)
        places = carry[:, None] + torch.arange(length, device=carry.device)
        added = self.at(places, like=at_least_float32(stream.x))
        return stream._replace(x=stream.x + added.to(stream.x.dtype)), carry + length

    def at(self, places: Int[Tensor, "R T"], like: Tensor) -> Float[Tensor, "R T D"]:
        """What is added at these places, reckoned in the format of `like`."""
        raise NotImplementedError


class Sinusoidal(Positions):
    """sin and cos of the place at D / 2 frequencies (Vaswani et al. 2017, section 3.5), side by side in two halves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def at(self, places: Int[Tensor, "R T"], like: Tensor) -> Float[Tensor, "R T D"]:
        angles = places[..., None] * frequencies(self.width, like)
        return torch.cat([angles.sin(), angles.cos()], -1)[..., : self.width]


class Learned(Positions):
    """A learnt vector a place, for as many places as there are (Gehring et al. 2017)."""

    def __init__(self, max_positions: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_positions, width)

    def at(self, places: Int[Tensor, "R T"], like: Tensor) -> Float[Tensor, "R T D"]:
        return self.table(places)  # type: ignore[no-any-return]


def attend(
    queries: Float[Tensor, "R H T E"],
    keys: Float[Tensor, "R H S E"],
    values: Float[Tensor, "R H S E"],
    mask: Bool[Tensor, ...] | None = None,
    *,
    causal: bool = False,
) -> Float[Tensor, "R H T E"]:
    """softmax(q·k / √E) v, each query over the keys that `mask` lets it see (Vaswani et al. 2017, eq. 1).

    Out of autocast's reach: the gradient of PyTorch's bfloat16 attention is 15 times slower on the CPU.
    """
    with torch.autocast(queries.device.type, enabled=False):
        return scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=causal)


def split_heads(x: Float[Tensor, "R T D"], heads: int) -> Float[Tensor, "R H T E"]:
    """One sequence a head; in float32 or wider, because attention in bfloat16 is slow on the CPU, and inexact."""
    rows, length, width = x.shape
    return at_least_float32(x).view(rows, length, heads, width // heads).transpose(1, 2)


def join_heads(x: Float[Tensor, "R H T E"]) -> Float[Tensor, "R T D"]:
    """The heads side by side."""
    return x.transpose(1, 2).flatten(2)


def frequencies(width: int, like: Tensor) -> Float[Tensor, " half"]:
    """PERIOD ** (−2i / width) for i = 0, 1, …, as many as half of the width needs."""
    exponents = torch.arange(0, width, 2, dtype=like.dtype, device=like.device) / width
    return PERIOD**-exponents


def angles_at(past: int, length: int, width: int, like: Tensor) -> Float[Tensor, "T half"]:
    """How far each place after `past` is turned in each of the planes."""
    places = torch.arange(past, past + length, dtype=like.dtype, device=like.device)
    return places[:, None] * frequencies(width, like)


def rotate(x: Float[Tensor, "R H T E"], angles: Float[Tensor, "T half"]) -> Float[Tensor, "R H T E"]:
    """Turn the pair (x_i, x_{i + E/2}) by its place's angle: products then depend on distances (Su et al. 2021)."""
    sin, cos = angles.sin(), angles.cos()
    left, right = x.chunk(2, -1)
    return torch.cat([left * cos - right * sin, left * sin + right * cos], -1)
