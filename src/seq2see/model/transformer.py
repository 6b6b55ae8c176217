"""The Transformer's layers (Vaswani et al. 2017), which keep the contract of `stream`.

A decoder block is three sublayers, each with a residual connection and a norm; an encoder block is two:

    x ─▶ SelfAttention ─▶ CrossAttention ─▶ FeedForward        EncoderSelfAttention ─▶ FeedForward

The carry of SelfAttention is the keys and values of all positions so far. It grows by concatenation, and between the
steps of a search in place (`KeyValueCache`).

Further letters: H heads, E = D / H the width of a head, P positions in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, pad, relu, scaled_dot_product_attention, silu

from seq2see.model.cache import KeyValueCache
from seq2see.model.dropout import Dropout
from seq2see.model.readers import Diagonal, masked_softmax
from seq2see.model.stream import Layer, Memory, RecurrentState, Stream
from seq2see.model.tensors import Carry, at_least_float32
from seq2see.model.wiring import Wrapper

LANES = 16
"""Numbers in a vector of the processor; PyTorch's attention adds up whole vectors, and what is left in another way."""
PERIOD = 10_000.0
"""The longest wavelength of sinusoidal and rotary positions is 2π·PERIOD positions."""


class MultiHeadSelfAttention(Layer):
    """What the self-attentions of decoder and encoder share: parameters, projection, attention."""

    def __init__(self, width: int, heads: int, *, rotary: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.rotary = rotary
        self.projection = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def attend(
        self,
        stream: Stream,
        queries: Float[Tensor, "R H T E"],
        keys: Float[Tensor, "R H P E"],
        values: Float[Tensor, "R H P E"],
        mask: Bool[Tensor, ...] | None,
        *,
        causal: bool = False,
    ) -> Stream:
        """The stream after attention to the keys where `mask` is True; with `causal`, to those up to the own position.

        If `stream.self_heads` is not None, the weights of every head are appended to it. Otherwise it uses PyTorch's
        fused attention.
        """
        if stream.self_heads is None:
            attended = attend(queries, keys, values, mask, causal=causal)
            return stream._replace(x=self.output(join_heads(attended)))
        if mask is None:
            seen = keys.new_ones(queries.size(2), keys.size(2), dtype=torch.bool)
            mask = seen.tril() if causal else seen
        with torch.autocast(queries.device.type, enabled=False):  # as in `attend`
            scores = (queries / math.sqrt(queries.size(-1))) @ keys.transpose(2, 3)
            weights = masked_softmax(scores, mask.expand(len(scores), 1, *mask.shape[-2:]))
            attended = weights.to(values.dtype) @ values
        return stream._replace(x=self.output(join_heads(attended)), self_heads=(*stream.self_heads, weights))

    def project(
        self, stream: Stream, past: int = 0
    ) -> tuple[Float[Tensor, "R H T E"], Float[Tensor, "R H T E"], Float[Tensor, "R H T E"]]:
        """Queries, keys and values of positions that follow `past` others."""
        queries, keys, values = (split_heads(part, self.heads) for part in self.projection(stream.x).chunk(3, -1))
        if self.rotary:
            width, given = keys.size(-1), stream.positions
            if given is None:
                angles = angles_at(past, stream.x.size(1), width, like=keys)
            else:
                angles = given[:, None, :, None].to(keys.dtype) * frequencies(width, keys)
            queries, keys = rotate(queries, angles), rotate(keys, angles)
        return queries, keys, values


class SelfAttention(MultiHeadSelfAttention):
    """Causal self-attention; the carry is the keys and values of all positions so far [R H P E].

    In inference mode, which keeps nothing for gradients, a single position makes a `KeyValueCache` of them.
    """

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        width = self.output.in_features
        states = at_least_float32(memory.states)  # keys and values have this format: see `split_heads`
        empty = states.new_zeros(states.size(0), self.heads, 0, width // self.heads)
        return empty, empty

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        length = stream.x.size(1)
        if length == 1 and torch.is_inference_mode_enabled():
            cache = carry[0] if isinstance(carry[0], KeyValueCache) else KeyValueCache.of(*carry)
            queries, keys, values = self.project(stream, cache.length)
            return self.attend(stream, queries, *cache.append(keys, values), None), (cache,)
        past_keys, past_values = carry
        assert isinstance(past_keys, Tensor)
        assert isinstance(past_values, Tensor)
        past = past_keys.size(2)
        queries, keys, values = self.project(stream, past)
        if past:
            keys, values = torch.cat([past_keys, keys], 2), torch.cat([past_values, values], 2)
        # A single query may see all keys; several after a prefix need the lower right part of the triangle.
        mask = keys.new_ones(length, past + length, dtype=torch.bool).tril(past) if past and length > 1 else None
        return self.attend(stream, queries, keys, values, mask, causal=not past and length > 1), (keys, values)


class EncoderSelfAttention(MultiHeadSelfAttention):
    """Self-attention over all real positions, without a carry."""

    def read(self, memory: Memory) -> Carry:
        return memory.mask

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        assert isinstance(reading, Tensor)
        queries, keys, values = self.project(stream)
        if stream.self_heads is None:
            keys, values = in_whole_vectors(keys), in_whole_vectors(values)
        return self.attend(stream, queries, keys, values, padded_like(keys, reading)[:, None, None]), carry


class CrossAttention(Layer):
    """Attention to the source.

    With `reports_weights` and `stream.need_weights`, `stream.weights` is the mean over the heads. If `stream.heads` is
    not None, the weights of every head are appended to it. Otherwise it uses PyTorch's fused attention.
    """

    def __init__(
        self,
        width: int,
        source_width: int,
        heads: int,
        *,
        reports_weights: bool = False,
        diagonal: Diagonal | None = None,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.diagonal = diagonal
        self.reports_weights = reports_weights
        self.query = nn.Linear(width, width)
        self.projection = nn.Linear(source_width, 2 * width)
        self.output = nn.Linear(width, width)

    def read(self, memory: Memory) -> Carry:
        both = self.projection(memory.states).chunk(2, -1)
        keys, values = (in_whole_vectors(split_heads(part, self.heads)) for part in both)
        return keys, values, memory.mask

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        return () if self.diagonal is None else self.diagonal.start(memory)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        keys, values, real = reading
        assert isinstance(keys, Tensor)
        assert isinstance(values, Tensor)
        assert isinstance(real, Tensor)
        mask = padded_like(keys, real)
        rows, length, width = stream.x.shape
        # The hypotheses of a sentence are queries over the same keys, so the source states are not copied.
        queries = split_heads(self.query(stream.x).view(keys.size(0), -1, width), self.heads)
        bias = None
        if self.diagonal is not None:
            assert isinstance(carry, Tensor)
            own = self.diagonal(carry, length, keys.size(2))
            bias = own.repeat(1, rows // keys.size(0), 1).to(queries.dtype)
            carry = carry + length
        if stream.heads is not None or (self.reports_weights and stream.need_weights):
            with torch.autocast(queries.device.type, enabled=False):  # as in `attend`
                scores = (queries / math.sqrt(queries.size(-1))) @ keys.transpose(2, 3)
                weights = masked_softmax(scores if bias is None else scores + bias, mask[:, None, None])
                attended = weights.to(values.dtype) @ values
            if self.reports_weights:
                shown = weights.mean(1).view(rows, length, -1)
                stream = stream._replace(weights=shown[..., : real.size(1)])
            if stream.heads is not None:
                by_row = weights.view(keys.size(0), self.heads, -1, length, keys.size(2))[..., : real.size(1)]
                stream = stream._replace(heads=(*stream.heads, by_row.transpose(1, 2).flatten(0, 1)))
        elif bias is None:
            attended = attend(queries, keys, values, mask[:, None, None])
        else:
            attended = attend(queries, keys, values, bias.masked_fill(~mask[:, None, None], -math.inf))
        return stream._replace(x=self.output(join_heads(attended).view(rows, length, width))), carry


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": relu,
    "gelu": lambda x: gelu(x, approximate="tanh"),
    "swiglu": lambda x: silu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1],
}
"""ReLU; GELU in its tanh approximation (Hendrycks & Gimpel 2016); SwiGLU (Shazeer 2020), which halves the width."""


class FeedForward(Layer):
    """W₂ f(W₁ x + b₁) + b₂ at each position (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, width: int, inner_width: int, activation: str) -> None:
        super().__init__()
        self.widen = nn.Linear(width, 2 * inner_width if activation == "swiglu" else inner_width)
        self.narrow = nn.Linear(inner_width, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        return stream._replace(x=self.narrow(self.activation(self.widen(stream.x)))), carry


class PreNorm(Wrapper):
    """x + dropout(inner(norm(x))): the norm inside the residual branch (Xiong et al. 2020)."""

    def __init__(self, inner: Layer, width: int, dropout: float) -> None:
        super().__init__(inner)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        out, carry = self.inner(stream._replace(x=self.norm(stream.x)), carry, reading)
        return out._replace(x=stream.x + self.dropout(out.x)), carry


class PostNorm(Wrapper):
    """norm(x + dropout(inner(x))), as in the paper (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, inner: Layer, width: int, dropout: float) -> None:
        super().__init__(inner)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        out, carry = self.inner(stream, carry, reading)
        return out._replace(x=self.norm(stream.x + self.dropout(out.x))), carry


class Norm(Layer):
    """Layer normalization (Ba et al. 2016): the final norm of a stack of pre-norm blocks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        return stream._replace(x=self.norm(stream.x)), carry


class AddPositions(Layer):
    """Adds a position encoding; the carry [R] is the next position."""

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        return torch.zeros(memory.states.size(0), dtype=torch.long, device=memory.states.device)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        assert isinstance(carry, Tensor)
        length = stream.x.size(1)
        positions = stream.positions
        if positions is None:
            positions = carry[:, None] + torch.arange(length, device=carry.device)
        added = self.at(positions, like=at_least_float32(stream.x))
        return stream._replace(x=stream.x + added.to(stream.x.dtype)), carry + length

    def at(self, positions: Int[Tensor, "R T"], like: Tensor) -> Float[Tensor, "R T D"]:
        """The encoding of these positions, computed in the dtype of `like`."""
        raise NotImplementedError


class SinusoidalPositions(AddPositions):
    """sin and cos of the position at D / 2 frequencies, in two halves (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def at(self, positions: Int[Tensor, "R T"], like: Tensor) -> Float[Tensor, "R T D"]:
        return sinusoids(positions, self.width, like)


class LearnedPositions(AddPositions):
    """One learned vector per position, up to `max_positions` (Gehring et al. 2017)."""

    def __init__(self, max_positions: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_positions, width)

    def at(self, positions: Int[Tensor, "R T"], like: Tensor) -> Float[Tensor, "R T D"]:
        return self.table(positions)  # type: ignore[no-any-return]


def attend(
    queries: Float[Tensor, "R H T E"],
    keys: Float[Tensor, "R H S E"],
    values: Float[Tensor, "R H S E"],
    mask: Bool[Tensor, ...] | Float[Tensor, ...] | None = None,
    *,
    causal: bool = False,
) -> Float[Tensor, "R H T E"]:
    """softmax(q·k / √E) v over the keys where `mask` is True (Vaswani et al. 2017, eq. 1); numbers are added to scores.

    Without autocast: the gradient of PyTorch's bfloat16 attention is 15 times slower on the CPU.
    """
    with torch.autocast(queries.device.type, enabled=False):
        return scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=causal)


def in_whole_vectors(x: Float[Tensor, "R H S E"]) -> Float[Tensor, "R H _P E"]:
    """Keys or values, in inference under autocast padded to a multiple of `LANES`.

    The last bits of a sum of fewer depend on how many there are, padding included. Where results are rounded to 16 bits
    afterwards, that could round one differently in another batch, by a 256th.
    """
    is_rounded = torch.is_inference_mode_enabled() and torch.is_autocast_enabled(x.device.type)
    missing = -x.size(2) % LANES
    return pad(x, (0, 0, 0, missing)) if is_rounded and missing else x


def padded_like(keys: Float[Tensor, "R H P E"], mask: Bool[Tensor, "R S"]) -> Bool[Tensor, "R P"]:
    """The mask for keys that may have been padded."""
    missing = keys.size(2) - mask.size(1)
    return pad(mask, (0, missing)) if missing else mask


def split_heads(x: Float[Tensor, "R T D"], heads: int) -> Float[Tensor, "R H T E"]:
    """One sequence per head, in float32 or wider: bfloat16 attention is slow on the CPU, and inexact."""
    rows, length, width = x.shape
    return at_least_float32(x).view(rows, length, heads, width // heads).transpose(1, 2)


def join_heads(x: Float[Tensor, "R H T E"]) -> Float[Tensor, "R T D"]:
    """The inverse of `split_heads`."""
    return x.transpose(1, 2).flatten(2)


def sinusoids(positions: Int[Tensor, ...], width: int, like: Tensor) -> Float[Tensor, "... D"]:
    """sin and cos of these positions at D / 2 frequencies, in two halves."""
    angles = positions[..., None] * frequencies(width, like)
    return torch.cat([angles.sin(), angles.cos()], -1)[..., :width]


def frequencies(width: int, like: Tensor) -> Float[Tensor, " half"]:
    """PERIOD ** (−2i / width) for i = 0, 1, …, one per pair of values."""
    exponents = torch.arange(0, width, 2, dtype=like.dtype, device=like.device) / width
    return PERIOD**-exponents


def angles_at(past: int, length: int, width: int, like: Tensor) -> Float[Tensor, "T half"]:
    """The rotation angle of each position from `past` on, per frequency."""
    positions = torch.arange(past, past + length, dtype=like.dtype, device=like.device)
    return positions[:, None] * frequencies(width, like)


def rotate(x: Float[Tensor, "R H T E"], angles: Float[Tensor, "*rows T half"]) -> Float[Tensor, "R H T E"]:
    """Rotate each pair (x_i, x_{i + E/2}) by its position's angle: scores depend on distances (Su et al. 2021)."""
    sin, cos = angles.sin(), angles.cos()
    left, right = x.chunk(2, -1)
    return torch.cat([left * cos - right * sin, left * sin + right * cos], -1)
