"""The LSTM, whose state padding leaves exactly unchanged; as an encoder layer and as a decoder layer.

A padded batch runs through oneDNN in one call, which a PackedSequence would prevent. Exactness comes from an extra
input feature that is 1 at padding: its fixed weights saturate the input and forget gates, so that both sigmoids are
exactly 0 and 1 in every floating-point format, and c is unchanged:  c' = 1·c + 0·g.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad

from seq2see.model.dropout import SequenceDropout
from seq2see.model.stream import Layer, LSTMState, Memory, Stream
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

    def zeros(self, like: Tensor) -> LSTMState:
        """The all-zero state for the rows of `like` [B ...]."""
        zero = like.new_zeros(like.size(0), self.width)
        return zero, zero

    def forward(
        self, x: Float[Tensor, "B T I"], state: LSTMState, mask: Bool[Tensor, "B T"] | None = None
    ) -> tuple[Float[Tensor, "B T H"], LSTMState]:
        """Outputs h at every position, and (h, c) after the last one.

        Where `mask` is False c is unchanged, and outputs are finite but undefined: read h at a real position.
        """
        if x.size(1) == 1 and mask is None:
            h, c = torch.lstm_cell(
                x[:, 0], state, self.weight_input, self.weight_hidden, self.bias, torch.zeros_like(self.bias)
            )
            return h[:, None], (h, c)
        weight_input: Tensor = self.weight_input
        if mask is not None:
            x, weight_input = self._close_gates_at_padding(x, mask)
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

    def _close_gates_at_padding(
        self, x: Float[Tensor, "B T I"], mask: Bool[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B T J"], Float[Tensor, "G J"]]:
        gates = torch.tensor([-SATURATE, SATURATE, 0.0, 0.0], dtype=x.dtype, device=x.device)
        column = gates.repeat_interleave(self.width)[:, None]
        padding = (~mask)[..., None].to(x.dtype)
        x, weight = torch.cat([x, padding], -1), torch.cat([self.weight_input, column], -1)
        if torch.is_autocast_enabled(x.device.type):
            unused = -x.size(-1) % FAST_WIDTH
            x, weight = pad(x, (0, unused)), pad(weight, (0, unused))
        return x, weight


class DirectedLSTM(nn.Module):
    """An LSTM that reads padded sequences forward or backward; its outputs stay in source order."""

    def __init__(self, input_width: int, width: int, *, backward: bool) -> None:
        super().__init__()
        self.lstm = LSTM(input_width, width)
        self.backward = backward

    def forward(self, x: Float[Tensor, "B S I"], mask: Bool[Tensor, "B S"]) -> tuple[Float[Tensor, "B S H"], LSTMState]:
        """Outputs, and (h, c) after the last real token read: position length-1 forward, position 0 backward."""
        if self.backward:
            # Flipped, a row begins with its padding, which leaves the all-zero state unchanged.
            outputs, final = self.lstm(x.flip(1), self.lstm.zeros(x), mask.flip(1))
            return outputs.flip(1), final
        outputs, (_, c) = self.lstm(x, self.lstm.zeros(x), mask)
        last = mask.sum(1) - 1
        return outputs, (outputs[torch.arange(x.size(0), device=x.device), last], c)


class Recurrent(Layer):
    """A decoder layer: an LSTM that starts from the final state of the encoder layer at the same height."""

    def __init__(self, input_width: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.lstm = LSTM(input_width, width)
        self.dropout = SequenceDropout(dropout)

    def start(self, memory: Memory, finals: Iterator[LSTMState]) -> Carry:
        return next(finals, None) or self.lstm.zeros(memory.states)

    def forward(self, stream: Stream, carry: Carry, reading: Carry) -> tuple[Stream, Carry]:
        h, c = carry
        outputs, state = self.lstm(stream.x, (h, c))
        return stream._replace(x=self.dropout(outputs)), state
