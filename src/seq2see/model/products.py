"""The products of a decoder's layers with what is the same at every step: their weights, and the source.

In a loop over time, autograd adds the gradient of a weight up step by step, each time as large as the weight. In
`AfterLoop` the steps only leave their inputs and the gradients of their outputs, and one product over all steps gives
the gradient of the weight. The sums are the same but for the order of their terms.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from seq2see.model.tensors import at_least_float32


class Products:
    """Each product as torch computes it."""

    def linear(self, x: Float[Tensor, "*N I"], weight: Float[Tensor, "O I"], bias: Tensor | None) -> Tensor:
        """X Wᵀ + b [*N O]."""
        return torch.nn.functional.linear(x, weight, bias)

    def scores(self, queries: Float[Tensor, "B Q K"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B Q S"]:
        """The dot product of each query with each key."""
        return queries @ keys.transpose(1, 2)

    def weighted_sums(self, weights: Float[Tensor, "B Q S"], states: Float[Tensor, "B S D"]) -> Float[Tensor, "B Q D"]:
        """The sum of the states for each row of weights."""
        return weights @ states

    def lstm_step(
        self, x: Float[Tensor, "B I"], state: tuple[Tensor, ...], weights: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
        """(h, c) after one step; `weights` are those of the input and of h, and the bias."""
        weight_input, weight_hidden, bias = weights
        return torch.lstm_cell(x, state, weight_input, weight_hidden, bias, torch.zeros_like(bias))

    def gru_step(
        self, x: Float[Tensor, "B I"], h: Float[Tensor, "B H"], weights: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> Float[Tensor, "B H"]:
        """H after one step; `weights` are those of the input and of h, and the bias of each."""
        return torch.gru_cell(x, h, *weights)


PLAIN = Products()
"""What layers use outside of a loop."""


class AfterLoop(Products):
    """Products whose weights get their gradients after the loop in which they are used; for one loop."""

    def __init__(self) -> None:
        self._weights: dict[tuple[int, ...], _LoopWeight] = {}

    def linear(self, x: Float[Tensor, "*N I"], weight: Float[Tensor, "O I"], bias: Tensor | None) -> Tensor:
        """X Wᵀ + b [*N O]."""
        return self._weight(x, weight, bias=bias)(x)

    def scores(self, queries: Float[Tensor, "B Q K"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B Q S"]:
        """The dot product of each query with each key."""
        return self._weight(queries, keys)(queries)

    def weighted_sums(self, weights: Float[Tensor, "B Q S"], states: Float[Tensor, "B S D"]) -> Float[Tensor, "B Q D"]:
        """The sum of the states for each row of weights."""
        return self._weight(weights, states, is_transposed=True)(weights)

    def lstm_step(
        self, x: Float[Tensor, "B I"], state: tuple[Tensor, ...], weights: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
        """(h, c) after one step; `weights` are those of the input and of h, and the bias."""
        (h, c), (weight_input, weight_hidden, bias) = state, weights
        joint = torch.cat([x, h.to(x.dtype)], -1)
        gates = self._weight(joint, weight_input, weight_hidden, bias=bias)(joint)
        h_and_c: tuple[Tensor, Tensor] = _GatesToState.apply(at_least_float32(gates), at_least_float32(c))  # type: ignore[no-untyped-call]
        return h_and_c

    def gru_step(
        self, x: Float[Tensor, "B I"], h: Float[Tensor, "B H"], weights: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> Float[Tensor, "B H"]:
        """H after one step; `weights` are those of the input and of h, and the bias of each."""
        weight_input, weight_hidden, bias, bias_hidden = weights
        of_input = at_least_float32(self.linear(x, weight_input, bias))
        of_h = at_least_float32(self.linear(h, weight_hidden, bias_hidden))
        width = h.size(-1)
        r, z = torch.sigmoid(of_input[:, : 2 * width] + of_h[:, : 2 * width]).chunk(2, -1)
        n: Tensor = torch.tanh(of_input[:, 2 * width :] + r * of_h[:, 2 * width :])
        return n + z * (h - n)

    def _weight(
        self, x: Tensor, *weights: Tensor, bias: Tensor | None = None, is_transposed: bool = False
    ) -> _LoopWeight:
        """The weights, side by side, as all steps of this loop use them."""
        key = (*map(id, weights), is_transposed)
        if key not in self._weights:
            # The weights are kept so that no others get their identities.
            self._weights[key] = _LoopWeight(weights, bias, is_transposed=is_transposed, dtype=_dtype_of_products(x))
        return self._weights[key]


def _dtype_of_products(x: Tensor) -> torch.dtype:
    """What autocast would compute products in, else the type of x."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class _LoopWeight:
    """x Wᵀ + b, or x W if transposed, for the x of every step; W is [O I], or one [O I] per row of x."""

    def __init__(
        self, weights: tuple[Tensor, ...], bias: Tensor | None, *, is_transposed: bool, dtype: torch.dtype
    ) -> None:
        self._kept = weights
        self._steps: list[tuple[Tensor, Tensor]] = []
        weight = (torch.cat(weights, -1) if len(weights) > 1 else weights[0]).to(dtype)
        own_bias = None if bias is None else bias.to(dtype)
        self._weight, self._bias = _BeforeLoop.apply(weight, own_bias, self._steps, is_transposed)  # type: ignore[no-untyped-call]
        self._is_transposed = is_transposed

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self._weight.dtype)
        result: Tensor = _Step.apply(x, self._weight, self._bias, self._steps, self._is_transposed)  # type: ignore[no-untyped-call]
        return result


class _BeforeLoop(Function):
    """Weight and bias unchanged; backward, which autograd reaches after all steps, computes their gradients at once."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bias: Tensor | None, steps: list[tuple[Tensor, Tensor]], is_transposed: bool
    ) -> tuple[Tensor, Tensor | None]:
        ctx.set_materialize_grads(False)
        ctx.steps, ctx.is_transposed, ctx.has_bias = steps, is_transposed, bias is not None
        return weight.view_as(weight), None if bias is None else bias.view_as(bias)

    @staticmethod
    def backward(ctx: Any, *_: None) -> tuple[Tensor, Tensor | None, None, None]:
        inputs, gradients = (torch.cat(each, -2) for each in zip(*ctx.steps, strict=True))
        ctx.steps.clear()
        first, second = (inputs, gradients) if ctx.is_transposed else (gradients, inputs)
        return first.mT @ second, gradients.sum(0) if ctx.has_bias else None, None, None


class _Step(Function):
    """One product; backward keeps the input and the gradient of the output for `_BeforeLoop`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        steps: list[tuple[Tensor, Tensor]],
        is_transposed: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.steps, ctx.is_transposed = steps, is_transposed
        matrix = weight if is_transposed else weight.mT
        if bias is None:
            return x @ matrix
        return torch.addmm(bias, x.reshape(-1, x.size(-1)), matrix).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        x, weight = ctx.saved_tensors
        if weight.dim() == 2:
            ctx.steps.append((x.reshape(-1, x.size(-1)), gradient.reshape(-1, gradient.size(-1))))
        else:
            ctx.steps.append((x, gradient))
        return gradient @ (weight.mT if ctx.is_transposed else weight), None, None, None, None


class _GatesToState(Function):
    """The sums of an LSTM's gates [B 4H] in the order input, forget, cell, output, and c [B H], to h and the new c."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        width = c.size(-1)
        values = torch.sigmoid(gates)
        i, f, g, o = values.chunk(4, -1)
        torch.tanh(gates[:, 2 * width : 3 * width], out=g)
        new_c = torch.addcmul(f * c, i, g)
        squashed = torch.tanh(new_c)
        ctx.save_for_backward(values, c, squashed)
        return o * squashed, new_c

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor, grad_c: Tensor) -> tuple[Tensor, Tensor]:
        values, c, squashed = ctx.saved_tensors
        i, f, g, o = values.chunk(4, -1)
        grad_c = grad_c + grad_h * o * (1 - squashed * squashed)
        outer = torch.cat([grad_c * g, grad_c * c, grad_c * i, grad_h * squashed], -1)
        slope = values - values * values
        slope[:, 2 * c.size(-1) : 3 * c.size(-1)] = 1 - g * g
        return outer * slope, grad_c * f
