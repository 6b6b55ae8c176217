"""The products of a decoder's layers with what is the same at every step: their weights, and the source.

In a loop over time, autograd adds the gradient of a weight up step by step, each time as large as the weight. With
`DeferredGradients` the steps only leave their inputs and the gradients of their outputs, and one product over all steps
gives the gradient of the weight. The sums are the same but for the order of their terms. Only first derivatives are
computed, and the gradients of all steps are in memory until the last.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from seq2see.model.tensors import at_least_float32

Steps: TypeAlias = list[tuple[Tensor, Tensor]]
"""Input and gradient of the output of the steps that a backward pass has come through."""


class Products:
    """Each product as torch computes it."""

    def linear(self, x: Float[Tensor, "*N I"], weight: Float[Tensor, "O I"], bias: Tensor | None) -> Tensor:
        """The map x Wᵀ + b [*N O]."""
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
        """The state (h, c) after one step; `weights` are those of the input and of h, and the bias."""
        h, c = state
        weight_input, weight_hidden, bias = weights
        state = (h, at_least_float32(c))  # c is a sum over all steps: in 16 bits it would soon stand still
        return torch.lstm_cell(x, state, weight_input, weight_hidden, bias, torch.zeros_like(bias))

    def gru_step(
        self, x: Float[Tensor, "B I"], h: Float[Tensor, "B H"], weights: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> Float[Tensor, "B H"]:
        """The state after one step; `weights` are those of the input and of h, the bias, and that of n behind r."""
        weight_input, weight_hidden, bias, bias_hidden = weights
        return torch.gru_cell(x, h, weight_input, weight_hidden, bias, behind_reset(bias, bias_hidden))


PLAIN = Products()
"""What layers use outside of a loop."""


def behind_reset(bias: Float[Tensor, " G"], bias_hidden: Float[Tensor, " H"]) -> Float[Tensor, " G"]:
    """The bias of a GRU's h in PyTorch's form: 0 for r and z, whose biases are with the input."""
    return torch.cat([torch.zeros_like(bias[bias_hidden.numel() :]), bias_hidden])


class DeferredGradients(Products):
    """The products of one loop, after which their weights, and keys and states of the source, get their gradients."""

    def __init__(self) -> None:
        self._weights: dict[tuple[int, ...], _LoopWeight] = {}

    def linear(self, x: Float[Tensor, "*N I"], weight: Float[Tensor, "O I"], bias: Tensor | None) -> Tensor:
        return self._weight(x, weight, bias=bias)(x)

    def scores(self, queries: Float[Tensor, "B Q K"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B Q S"]:
        return self._weight(queries, keys)(queries)

    def weighted_sums(self, weights: Float[Tensor, "B Q S"], states: Float[Tensor, "B S D"]) -> Float[Tensor, "B Q D"]:
        return self._weight(weights, states, transposes=False)(weights)

    def lstm_step(
        self, x: Float[Tensor, "B I"], state: tuple[Tensor, ...], weights: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
        (h, c), (weight_input, weight_hidden, bias) = state, weights
        joint = torch.cat([x, h.to(x.dtype)], -1)
        gates = self._weight(joint, weight_input, weight_hidden, bias=bias)(joint)
        found = _GatesToState.apply(at_least_float32(gates), at_least_float32(c))  # type: ignore[no-untyped-call]
        new_h, new_c = found if torch.is_autocast_enabled(x.device.type) else (each.to(h.dtype) for each in found)
        return new_h, new_c

    def gru_step(
        self, x: Float[Tensor, "B I"], h: Float[Tensor, "B H"], weights: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> Float[Tensor, "B H"]:
        weight_input, weight_hidden, bias, bias_hidden = weights
        of_input = at_least_float32(self.linear(x, weight_input, bias))
        of_h = at_least_float32(self.linear(h, weight_hidden, None))
        width = h.size(-1)
        r, z = torch.sigmoid(of_input[:, : 2 * width] + of_h[:, : 2 * width]).chunk(2, -1)
        n = torch.tanh(of_input[:, 2 * width :] + r * (of_h[:, 2 * width :] + bias_hidden))
        new_h: Tensor = n + z * (h - n)
        return new_h if torch.is_autocast_enabled(x.device.type) else new_h.to(h.dtype)

    def _weight(self, x: Tensor, *weights: Tensor, bias: Tensor | None = None, transposes: bool = True) -> _LoopWeight:
        """The weights, side by side, as all steps of this loop use them."""
        key = (*map(id, weights), id(bias), transposes)
        if key not in self._weights:
            # Weights and bias are kept there so that no others get their identities.
            self._weights[key] = _LoopWeight(weights, bias, transposes=transposes, dtype=_dtype_of_products(x))
        return self._weights[key]


def _dtype_of_products(x: Tensor) -> torch.dtype:
    """What autocast computes products in, which leaves float64 as it is; else the type of x."""
    kind = x.device.type
    is_cast = torch.is_autocast_enabled(kind) and x.dtype != torch.float64
    return torch.get_autocast_dtype(kind) if is_cast else x.dtype


class _LoopWeight:
    """The map x Wᵀ + b, or x W without `transposes`, for the x of every step; W is [O I], or one per row of x."""

    def __init__(
        self, weights: tuple[Tensor, ...], bias: Tensor | None, *, transposes: bool, dtype: torch.dtype
    ) -> None:
        self._kept = weights, bias
        steps: Steps = []
        weight = (torch.cat(weights, -1) if len(weights) > 1 else weights[0]).to(dtype)
        own_bias = None if bias is None else bias.to(dtype)
        self._values = *_Deferred.apply(weight, own_bias, steps, transposes), steps, transposes  # type: ignore[no-untyped-call]

    def __call__(self, x: Tensor) -> Tensor:
        weight, *_ = self._values
        result: Tensor = _Step.apply(x.to(weight.dtype), *self._values)  # type: ignore[no-untyped-call]
        return result


class _Deferred(Function):
    """Weight and bias unchanged; backward, which autograd reaches after all steps, computes their gradients at once.

    The third value is 0. Its gradient is the number of steps that this backward pass came through, of those in `steps`
    the last ones: another pass may have ended before it came here, such as one for the gradient of an input alone.
    """

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bias: Tensor | None, steps: Steps, transposes: bool
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.steps, ctx.transposes = steps, transposes
        own_bias = None if bias is None else bias.view_as(bias)
        return weight.view_as(weight), own_bias, torch.zeros(())  # on the CPU, whatever device has the weight

    @staticmethod
    def backward(ctx: Any, _: None, __: None, number: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        needs_weight, needs_bias, *_rest = ctx.needs_input_grad
        inputs, gradients = (torch.cat(each, -2) for each in zip(*ctx.steps[-int(number) :], strict=True))
        ctx.steps.clear()
        first, second = (gradients, inputs) if ctx.transposes else (inputs, gradients)
        return first.mT @ second if needs_weight else None, gradients.sum(0) if needs_bias else None, None, None


class _Step(Function):
    """One product; backward leaves the input and the gradient of the output for `_Deferred`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, counted: Tensor, steps: Steps, transposes: bool
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.steps, ctx.transposes = steps, transposes
        matrix = weight.mT if transposes else weight
        if bias is None:
            return x @ matrix
        return torch.addmm(bias, x.reshape(-1, x.size(-1)), matrix).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        one = None
        if ctx.needs_input_grad[1]:  # as both values of `_Deferred` do if one of them does
            # Detached: a list that held the graph, which holds the list, would never be freed.
            pair = x.detach(), gradient.detach()
            is_shared = weight.dim() == 2
            ctx.steps.append(tuple(each.reshape(-1, each.size(-1)) for each in pair) if is_shared else pair)
            one = torch.ones(())
        return gradient @ (weight if ctx.transposes else weight.mT), None, None, one, None, None


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
