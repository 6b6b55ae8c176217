"""Output layer and cross-entropy in one function, without materializing the logits of a whole batch.

With a large vocabulary the logits [N V] are by far the largest tensor of an update. Here they are calculated a few rows
at a time, turned into loss and gradient, and discarded: less memory, and 1.9 times faster at 16,000 tokens in bfloat16
(at 8,000 and below about as fast or a little slower).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import linear

from seq2see.model.tensors import at_least_float32

MAX_LOGITS = 1 << 21
"""Maximum number of logits in memory: 8 MB in float32."""
MIN_ROWS = 128
"""Rows at a time even if these are more logits: with fewer, a product is slower than reading its weights."""


def linear_cross_entropy(
    x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Summed cross-entropy in nats of softmax(x Wᵀ + b) against `targets`.

    Shapes: x [N D], weight [V D], bias [V], targets [N]. `label_smoothing` is the share of each target that is
    spread evenly over all V tokens (Szegedy et al. 2015, section 7). Under autocast the products are calculated in its
    format, softmax and sums in float32 or wider.
    """
    device = x.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        x, weight = x.to(dtype), weight.to(dtype)
    loss: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        x, weight, bias, targets, label_smoothing, torch.is_grad_enabled()
    )
    return loss


class _LinearCrossEntropy(Function):
    """loss = Σ_n −(1−ε) log p[n, y_n] − ε/V Σ_v log p[n, v];  dloss/dlogits = p − (1−ε) onehot(y) − ε/V."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float, needs_gradient: bool
    ) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            spread = label_smoothing / len(weight)
            loss = bias.new_zeros(())
            x_gradient = torch.empty_like(x) if needs_gradient else None
            weight_gradient, bias_gradient = bias.new_zeros(weight.shape), torch.zeros_like(bias)
            narrow_bias = bias.to(x.dtype)
            step = max(MIN_ROWS, MAX_LOGITS // len(weight))
            for start in range(0, len(x), step):
                rows = slice(start, start + step)
                target = targets[rows, None]
                logits = at_least_float32(linear(x[rows], weight, narrow_bias))
                p = logits.softmax(-1)
                # log Σ exp(logits) from the best token, whose probability exp(0) / Σ never underflows.
                total = logits.amax(-1, keepdim=True) - p.amax(-1, keepdim=True).log()
                loss -= (1 - label_smoothing) * (logits.gather(1, target) - total).sum()
                if label_smoothing:
                    loss -= spread * (logits.sum() - len(weight) * total.sum())
                if x_gradient is None:
                    continue
                gradient = p.scatter_add_(1, target, torch.full_like(target, label_smoothing - 1, dtype=p.dtype))
                bias_gradient += gradient.sum(0)
                gradient = gradient.to(x.dtype)
                x_gradient[rows] = gradient @ weight
                weight_gradient += gradient.T @ x[rows]
            if x_gradient is not None and label_smoothing:
                # The gradient of smoothing is the same for every token, so it is added once, outside the loop.
                x_gradient -= spread * weight.sum(0)
                weight_gradient -= spread * x.sum(0)
                bias_gradient -= spread * len(x)
        if x_gradient is not None:
            ctx.save_for_backward(x_gradient, weight_gradient.to(weight.dtype), bias_gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, loss_gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (*(gradient * loss_gradient for gradient in ctx.saved_tensors), None, None, None)
