"""Readers: the decoder layers that read the source and write `stream.context`.

Peek reads the same summary at every position, Attend computes a weighted sum for each query, and Pointer reads one
state until the decoder moves it on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding, one_hot

from seq2see.blueprint import DIAGONAL_REACH, STEP
from seq2see.model.products import PLAIN, Products
from seq2see.model.recurrent import Recurrent
from seq2see.model.stream import Layer, Memory, RecurrentState, Stream
from seq2see.model.tensors import Carry, at_least_float32


class Peek(Layer):
    """The encoder's last h as the context of every position (Cho et al. 2014)."""

    def read(self, memory: Memory) -> Carry:
        return memory.finals[-1][0]

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        assert isinstance(reading, Tensor)
        rows, length, _ = stream.x.shape
        own = reading.repeat_interleave(rows // reading.size(0), 0)
        return stream._replace(context=own[:, None].expand(-1, length, -1)), carry


class Pointer(Layer):
    """The source state at one place as the context: the first at the beginning, the next after each STEP.

    Hard monotonic attention whose moves are tokens of the decoder (Aharoni & Goldberg 2017, section 3). The carry is
    the number of STEPs so far; after the last source token, further ones change nothing.
    """

    def read(self, memory: Memory) -> Carry:
        return memory.states, memory.mask.sum(1) - 1

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        return memory.mask.new_zeros(memory.mask.size(0), dtype=torch.int64)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        states, last = reading
        assert isinstance(states, Tensor)
        assert isinstance(last, Tensor)
        assert isinstance(carry, Tensor)
        assert stream.tokens is not None
        steps: Int[Tensor, "R T"] = carry[:, None] + (stream.tokens == STEP).cumsum(1)
        each = steps.size(0) // states.size(0)
        places = torch.minimum(steps, last.repeat_interleave(each)[:, None])
        # The hypotheses of a sentence read the same states, so these are not copied.
        flat = places.view(states.size(0), -1, 1).expand(-1, -1, states.size(2))
        context = states.gather(1, flat).view(*places.shape, -1)
        stream = stream._replace(context=context)
        if stream.need_weights:
            weights = one_hot(places, states.size(1)).to(states.dtype)
            heads = None if stream.heads is None else (*stream.heads, weights[:, None])
            stream = stream._replace(weights=weights, heads=heads)
        return stream, steps[:, -1]


class Score(nn.Module):
    """How well a query matches a source position, before the softmax."""

    def keys(self, states: Float[Tensor, "B S D"]) -> Float[Tensor, "B S K"]:
        """What the queries are compared with, computed once per sentence."""
        return states

    def forward(
        self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"], products: Products = PLAIN
    ) -> Float[Tensor, "B T S"]:
        raise NotImplementedError


class Dot(Score):
    """q·k (Luong et al. 2015, eq. 8, dot)."""

    def forward(
        self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"], products: Products = PLAIN
    ) -> Float[Tensor, "B T S"]:
        return products.scores(queries, keys)


class ScaledDot(Score):
    """q·k / √D (Vaswani et al. 2017, eq. 1)."""

    def forward(
        self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"], products: Products = PLAIN
    ) -> Float[Tensor, "B T S"]:
        return products.scores(queries / math.sqrt(keys.size(-1)), keys)


class General(Score):
    """q·W·k (Luong et al. 2015, eq. 8, general)."""

    def __init__(self, query_width: int, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(query_width, width, bias=False)

    def forward(
        self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"], products: Products = PLAIN
    ) -> Float[Tensor, "B T S"]:
        return products.scores(products.linear(queries, self.projection.weight, None), keys)


class Additive(Score):
    """v·tanh(W q + U k) (Bahdanau et al. 2014, A.1.2)."""

    def __init__(self, query_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, 1, bias=False)

    def keys(self, states: Float[Tensor, "B S D"]) -> Float[Tensor, "B S K"]:
        keys: Tensor = self.key(states)
        return keys

    def forward(
        self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"], products: Products = PLAIN
    ) -> Float[Tensor, "B T S"]:
        # One position at a time: the whole [B T S K] would exceed the cache (1.6 times slower at K = 256).
        projected = products.linear(queries, self.query.weight, self.query.bias)
        rows = [self.v(torch.tanh(query[:, None] + keys)).squeeze(-1) for query in projected.unbind(1)]
        return torch.stack(rows, 1)


SCORES: dict[str, Callable[[int, int], Score]] = {
    "dot": lambda query_width, width: Dot(),
    "scaled_dot": lambda query_width, width: ScaledDot(),
    "general": General,
    "additive": Additive,
}
"""Score functions by name, built from the widths of query and source state (equal for dot products)."""


class Diagonal(nn.Module):
    """A learned bias on the scores of each head for every distance s - t, clipped to ±`DIAGONAL_REACH`.

    It starts at -|s - t| / 2: at first, attention goes along the diagonal. t counts the decoder's positions, which are
    the same in every row; the carry [R] is the next one.
    """

    def __init__(self, heads: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads, 2 * DIAGONAL_REACH + 1))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """The bias before training."""
        distances = torch.arange(-DIAGONAL_REACH, DIAGONAL_REACH + 1, device=self.weight.device)
        self.weight.copy_((-distances.abs() / 2).expand_as(self.weight))

    def start(self, memory: Memory) -> Tensor:
        """The carry before the first position."""
        return memory.mask.new_zeros(memory.mask.size(0), dtype=torch.int64)

    def forward(self, carry: Int[Tensor, " R"], queries: int, places: int) -> Float[Tensor, "_H T S"]:
        """The bias of the next `queries` positions at the first `places` of the source."""
        positions = carry[:1, None] + torch.arange(queries, device=carry.device)[:, None]
        distances = torch.arange(places, device=carry.device) - positions
        index = distances.clamp(-DIAGONAL_REACH, DIAGONAL_REACH) + DIAGONAL_REACH
        return embedding(index, self.weight.t()).permute(2, 0, 1)


class Attend(Layer):
    """Attention with x as the query; the context is the weighted sum of the source states (Luong et al. 2015)."""

    def __init__(self, score: Score, diagonal: Diagonal | None = None) -> None:
        super().__init__()
        self.score = score
        self.diagonal = diagonal

    def read(self, memory: Memory) -> Carry:
        return self.score.keys(memory.states), memory.states, memory.mask

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        return () if self.diagonal is None else self.diagonal.start(memory)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        keys, states, mask = reading
        assert isinstance(keys, Tensor)
        assert isinstance(states, Tensor)
        assert isinstance(mask, Tensor)
        rows, length, width = stream.x.shape
        # The hypotheses of a sentence are queries over the same keys, so the source states are not copied.
        queries = stream.x.reshape(states.size(0), -1, width)
        scores = self.score(queries, keys, stream.products)
        if self.diagonal is not None:
            assert isinstance(carry, Tensor)
            own = scores.view(states.size(0), -1, length, states.size(1))
            scores = (own + self.diagonal(carry, length, states.size(1))).view_as(scores)
            carry = carry + length
        weights = masked_softmax(scores, mask[:, None])
        context = stream.products.weighted_sums(weights.to(states.dtype), states)
        weights = weights.view(rows, length, -1)
        heads = None if stream.heads is None else (*stream.heads, weights[:, None])
        return stream._replace(context=context.view(rows, length, -1), weights=weights, heads=heads), carry


class AttendFromPrevious(Layer):
    """A recurrent layer, and attention whose query is that layer's output of the step before (Wu et al. 2016).

    The first query is the state that the layer starts from.
    """

    def __init__(self, recurrent: Recurrent, attend: Attend) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.attend = attend

    def read(self, memory: Memory) -> Carry:
        return self.attend.read(memory)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        return self.recurrent.start(memory, finals), self.attend.start(memory, finals)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        own, of_attention = carry
        h, *_ = own
        assert isinstance(h, Tensor)
        stream, own = self.recurrent(stream, own, ())
        queries = torch.cat([h[:, None].to(stream.x.dtype), stream.x[:, :-1]], 1)
        seen, of_attention = self.attend(stream._replace(x=queries), of_attention, reading)
        return seen._replace(x=stream.x), (own, of_attention)


def masked_softmax(scores: Float[Tensor, "B *T S"], mask: Bool[Tensor, "B *one S"]) -> Float[Tensor, "B *T S"]:
    """Softmax over the last axis in float32 or wider, exactly 0 where `mask` is False."""
    return at_least_float32(scores).masked_fill(~mask, -math.inf).softmax(-1)
