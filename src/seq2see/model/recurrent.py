"""LSTM and GRU, whose final states don't depend on padding; as an encoder layer and as a decoder layer.

A padded batch runs through oneDNN in one call, which a PackedSequence would prevent. Exactness comes from an extra
input feature that is 1 at padding: its fixed weights saturate the input and forget gates, so that both sigmoids are
exactly 0 and 1 in every floating-point format, and c is unchanged:  c' = 1·c + 0·g.  In a GRU they saturate the update
gate, which leaves a state of zeros exactly unchanged, so that what is read backward begins at the last real token.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad

from seq2see.model.dropout import SequenceDropout
from seq2see.model.products import PLAIN, Products, behind_reset
from seq2see.model.stream import Layer, Memory, RecurrentState, Stream
from seq2see.model.tensors import Carry

SATURATE = 1e4
"""Large enough that sigmoid(±SATURATE + the rest of the gate's sum) is exactly 1 or 0."""

FAST_WIDTH = 32
"""In bfloat16 oneDNN is fast only if the input's width is a multiple of this."""


class LSTM(nn.Module):
    """One LSTM over time (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    The first axis of the weights holds the gates in the order input, forget, cell, output.
    """

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.weight_input = nn.Parameter(torch.empty(4 * width, input_width))
        self.weight_hidden = nn.Parameter(torch.empty(4 * width, width))
        self.bias = nn.Parameter(torch.empty(4 * width))

    def zeros(self, like: Tensor) -> RecurrentState:
        """The all-zero state for the rows of `like` [B ...]."""
        zero = like.new_zeros(like.size(0), self.width)
        return zero, zero

    def forward(
        self,
        x: Float[Tensor, "B T I"],
        state: RecurrentState,
        mask: Bool[Tensor, "B T"] | None = None,
        products: Products = PLAIN,
    ) -> tuple[Float[Tensor, "B T H"], RecurrentState]:
        """Outputs h at every position, and (h, c) after the last one.

        Where `mask` is False c is unchanged, and outputs are finite but undefined: read h at a real position.
        """
        if x.size(1) == 1 and mask is None:
            h, c = products.lstm_step(x[:, 0], state, (self.weight_input, self.weight_hidden, self.bias))
            return h[:, None], (h, c)
        weight_input: Tensor = self.weight_input
        if mask is not None:
            x, weight_input = with_gates_at_padding(x, mask, weight_input, (-SATURATE, SATURATE, 0.0, 0.0))
        outputs, h, c = torch.lstm(
            x,
            (state[0][None].contiguous(), state[1][None].contiguous()),
            [weight_input, self.weight_hidden, self.bias, torch.zeros_like(self.bias)],
            True,  # has biases
            1,  # layers
            0.0,  # dropout between layers
            self.training,
            False,  # bidirectional
            True,  # batch first
        )
        return outputs, (h[0], c[0])


class GRU(nn.Module):
    """One GRU over time (Cho et al. 2014), in PyTorch's form, with the reset gate behind the recurrent product.

    r = σ(W_r x + U_r h' + b_r)    z = σ(W_z x + U_z h' + b_z)    n = tanh(W_n x + b_n + r * (U_n h' + b_h))
    h = (1 - z) * n + z * h'. The first axis of the weights holds r, z and n.
    """

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.weight_input = nn.Parameter(torch.empty(3 * width, input_width))
        self.weight_hidden = nn.Parameter(torch.empty(3 * width, width))
        self.bias = nn.Parameter(torch.empty(3 * width))
        self.bias_hidden = nn.Parameter(torch.empty(width))

    def zeros(self, like: Tensor) -> RecurrentState:
        """The all-zero state for the rows of `like` [B ...]."""
        return (like.new_zeros(like.size(0), self.width),)

    def forward(
        self,
        x: Float[Tensor, "B T I"],
        state: RecurrentState,
        mask: Bool[Tensor, "B T"] | None = None,
        products: Products = PLAIN,
    ) -> tuple[Float[Tensor, "B T H"], RecurrentState]:
        """Outputs h at every position, and (h,) after the last one.

        Where `mask` is False, a state of zeros is unchanged; behind the last real token, outputs are undefined.
        """
        (h,) = state
        if x.size(1) == 1 and mask is None:
            h = products.gru_step(x[:, 0], h, (self.weight_input, self.weight_hidden, self.bias, self.bias_hidden))
            return h[:, None], (h,)
        weight_input: Tensor = self.weight_input
        if mask is not None:
            x, weight_input = with_gates_at_padding(x, mask, weight_input, (0.0, SATURATE, 0.0))
        weights = [weight_input, self.weight_hidden, self.bias, behind_reset(self.bias, self.bias_hidden)]
        outputs, last = torch.gru(
            x,
            h[None].contiguous(),
            weights,
            True,  # has biases
            1,  # layers
            0.0,  # dropout between layers
            self.training,
            False,  # bidirectional
            True,  # batch first
        )
        return outputs, (last[0],)


def with_gates_at_padding(
    x: Float[Tensor, "B T I"], mask: Bool[Tensor, "B T"], weight: Float[Tensor, "G I"], sums: tuple[float, ...]
) -> tuple[Float[Tensor, "B T J"], Float[Tensor, "G J"]]:
    """Input and weights with a feature that adds `sums`, one for each gate, at padding."""
    gates = torch.tensor(sums, dtype=x.dtype, device=x.device)
    column = gates.repeat_interleave(weight.size(0) // len(sums))[:, None]
    padding = (~mask)[..., None].to(x.dtype)
    x, weight = torch.cat([x, padding], -1), torch.cat([weight, column], -1)
    if torch.is_autocast_enabled(x.device.type):
        unused = -x.size(-1) % FAST_WIDTH
        x, weight = pad(x, (0, unused)), pad(weight, (0, unused))
    return x, weight


CELLS: dict[str, type[LSTM] | type[GRU]] = {"lstm": LSTM, "gru": GRU}
"""Recurrent networks by name, which is also that of their tensors."""


class Cell(nn.Module):
    """Holds one of `CELLS` under its name."""

    def __init__(self, cell: str, input_width: int, width: int) -> None:
        super().__init__()
        self.cell = cell
        self.add_module(cell, CELLS[cell](input_width, width))

    @property
    def network(self) -> LSTM | GRU:
        """The LSTM or GRU."""
        network: LSTM | GRU = getattr(self, self.cell)
        return network


class DirectedRNN(Cell):
    """A recurrent network that reads padded sequences forward or backward; its outputs stay in source order."""

    def __init__(self, input_width: int, width: int, *, backward: bool, cell: str = "lstm") -> None:
        super().__init__(cell, input_width, width)
        self.backward = backward

    def forward(
        self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"]
    ) -> tuple[Float[Tensor, "B S H"], RecurrentState]:
        """Outputs, and the state after the last real token read: position length-1 forward, position 0 backward."""
        zeros = self.network.zeros(x)
        if self.backward:
            # Flipped, a row begins with its padding, which leaves the all-zero state unchanged.
            outputs, final = self.network(x.flip(1), zeros, mask.flip(1))
            return outputs.flip(1), final
        outputs, (_, *others) = self.network(x, zeros, mask)
        last = mask.sum(1) - 1
        return outputs, (outputs[torch.arange(x.size(0), device=x.device), last], *others)


class Recurrent(Cell, Layer):
    """A decoder layer: an LSTM or GRU that starts from the final state of an encoder layer."""

    def __init__(self, input_width: int, width: int, dropout: float = 0.0, *, cell: str = "lstm") -> None:
        super().__init__(cell, input_width, width)
        self.dropout = SequenceDropout(dropout)

    def start(self, memory: Memory, finals: Iterator[RecurrentState]) -> Carry:
        return next(finals, None) or self.network.zeros(memory.states)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        assert isinstance(carry, tuple)
        outputs, state = self.network(stream.x, carry, products=stream.products)
        return stream._replace(x=self.dropout(outputs)), state
