"""Distributions over the next token that are mixtures over the places of the source, with the output layer's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2see.blueprint import COPY_LEFT, Sizes
from seq2see.model.readers import Score
from seq2see.model.stream import Memory, Stream
from seq2see.model.tensors import Carry, at_least_float32

Output = Callable[[Tensor], Tensor]
"""The output layer: [... W] to logits [... V]."""


class Mixture(nn.Module):
    """What stands between the decoder's layers and the next token's distribution, beside the output layer.

    As a `Layer`, it reads the source once and keeps a carry; chunks compose.
    """

    def read(self, memory: Memory) -> Carry:
        """What it reads of the source: computed once per sentence."""
        raise NotImplementedError

    def start(self, memory: Memory) -> Carry:
        """The carry before the first token."""
        return ()

    def forward(self, stream: Stream, carry: Carry, reading: Carry, output: Output) -> tuple[Stream, Carry]:
        """The stream with `log_probs`, and the carry after it."""
        raise NotImplementedError


class Copying(Mixture):
    """Tokens are written by the output layer, or copied from the source by attention weight (See et al. 2017).

    p(y) = (1 - c) p_output(y) + (1 - g) · the attention to the places whose token is y, g = σ(w·x + b) from the output
    layer's input x, which has state and context (the paper's eq. 8 also has the last token). c is the sum of all that
    is copied: places whose token isn't in the target vocabulary can't be, nor can EOS.
    """

    targets: Tensor

    def __init__(self, sizes: Sizes, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, 1)
        self.num_tokens = sizes.target
        copies = torch.tensor(sizes.copies) if sizes.copies else torch.zeros(sizes.source, dtype=torch.int64)
        self.register_buffer("targets", copies, persistent=False)

    def read(self, memory: Memory) -> Int[Tensor, "B S"]:
        """The target token that each place of the source is copied as; 0 for none."""
        assert memory.ids is not None
        read: Tensor = self.targets[memory.ids]
        return read

    def forward(self, stream: Stream, carry: Carry, reading: Carry, output: Output) -> tuple[Stream, Carry]:
        assert isinstance(reading, Tensor)
        assert stream.weights is not None, "a layer that looks at the source must come first"
        rows, length, _ = stream.x.shape
        own = reading.repeat_interleave(rows // reading.size(0), 0)[:, None].expand(-1, length, -1)
        gate = at_least_float32(self.gate(stream.x))
        weights = gate.neg().sigmoid() * at_least_float32(stream.weights)  # 1 - g = σ(-a), without cancellation
        copied = weights.new_zeros(rows, length, self.num_tokens).scatter_add(2, own, weights * (own > 0))
        left = gate.sigmoid() + (weights * (own == 0)).sum(-1, keepdim=True)  # 1 - c, likewise
        return stream._replace(log_probs=mixed(output(stream.x), copied, left)), carry


def mixed(
    logits: Float[Tensor, "*rows V"], copied: Float[Tensor, "*rows V"], left: Float[Tensor, "*rows one"]
) -> Float[Tensor, "*rows V"]:
    """log p of each token: what is copied, and the output layer's distribution with the probability that is left."""
    written = at_least_float32(logits).log_softmax(-1) + left.clamp_min(COPY_LEFT).log()
    tiny = torch.finfo(copied.dtype).tiny
    return torch.where(copied > 0, torch.logaddexp(written, copied.clamp_min(tiny).log()), written)


LOWEST = -1e9
"""log p of what is impossible: finite, so that the difference of two is a number."""


class HardMonotonic(Mixture):
    """Each token is written from one place of the source, which never goes back: the sum over all such alignments.

    Exact hard monotonic attention (Wu & Cotterell 2019, first order), with a_t the place of y_t and h_j a state of the
    source:

        p(a_t = j | a_{t-1} = i) = exp(e_j) / Σ_{k ≥ i} exp(e_k) for j ≥ i, else 0        e_j = score(x_t, h_j)
        p(y_t | a_t = j) = softmax of the output layer of tanh(W x_t + U h_j + b)

    Neither depends on the alignment except through a_{t-1}, so one pass forward sums over all alignments. The carry has
    log p(a_t | y_<t) of the last step, and log p(y_t | a_t) of all tokens: once y_t has been read, Bayes' rule gives
    log p(a_t | y_≤t). A sum over i ≤ j is a cumulative one, so a step takes S operations, not S². The attention weights
    are p(a_t | y_<t).
    """

    def __init__(self, score: Score, width: int, num_tokens: int) -> None:
        super().__init__()
        self.score = score
        self.state = nn.Linear(width, width)
        self.source = nn.Linear(width, width, bias=False)
        self.num_tokens = num_tokens

    def read(self, memory: Memory) -> Carry:
        return self.score.keys(memory.states), self.source(memory.states), memory.mask

    def start(self, memory: Memory) -> Carry:
        rows, places, _ = memory.states.shape
        start = at_least_float32(memory.states).new_full((rows, places), LOWEST)
        start[:, 0] = 0
        return start, start.new_zeros(rows, places, self.num_tokens)

    def forward(self, stream: Stream, carry: Carry, reading: Carry, output: Output) -> tuple[Stream, Carry]:
        keys, source, mask = reading
        prior, emitted = carry
        for part in (keys, source, mask, prior, emitted):
            assert isinstance(part, Tensor)
        assert stream.tokens is not None
        assert isinstance(source, Tensor)
        rows, length, _ = stream.x.shape
        each = rows // source.size(0)
        scores, total = self.transitions(stream.x, keys, mask)
        hidden = self.state(stream.x)[:, :, None] + source.repeat_interleave(each, 0)[:, None]
        emissions = at_least_float32(output(torch.tanh(hidden))).log_softmax(-1)
        priors = []
        for t in range(length):
            posterior = prior + emitted.gather(2, stream.tokens[:, t, None, None].expand(-1, source.size(1), 1))[..., 0]
            posterior = posterior - posterior.logsumexp(-1, keepdim=True)
            prior = scores[:, t] + (posterior - total[:, t]).logcumsumexp(-1)
            emitted = emissions[:, t]
            priors.append(prior)
        priors_of_all = torch.stack(priors, 1)
        log_probs = (priors_of_all[..., None] + emissions).logsumexp(2)
        weights = priors_of_all.exp()
        heads = None if stream.heads is None else (*stream.heads, weights[:, None])
        return stream._replace(log_probs=log_probs, weights=weights, heads=heads), (prior, emitted)

    def transitions(
        self, x: Float[Tensor, "R T D"], keys: Float[Tensor, "B S K"], mask: Bool[Tensor, "B S"]
    ) -> tuple[Float[Tensor, "R T S"], Float[Tensor, "R T S"]]:
        """e_j of every step, and log Σ_{k ≥ i} exp(e_k) for every i."""
        scores = at_least_float32(self.score(x.reshape(keys.size(0), -1, x.size(2)), keys))
        scores = scores.masked_fill(~mask[:, None], LOWEST).view(x.size(0), x.size(1), -1)
        return scores, scores.flip(-1).logcumsumexp(-1).flip(-1)
