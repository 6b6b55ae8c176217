"""Muon: hidden matrices take steps in which all directions are equally long (Jordan et al. 2024)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2see.model import Seq2Seq
from seq2see.model.recurrent import GRU, LSTM
from seq2see.model.transformer import CrossAttention, FeedForward, MultiHeadSelfAttention
from seq2see.model.values import VectorProjection
from seq2see.training.adam import MOMENTS, STEP, Adam
from seq2see.training.sharding import full_tensor, sharded_like

MOMENTUM = 0.95
ADAM_SIZE = 0.2
"""Root mean square of a step relative to the rate, about that of Adam's steps, so that the rates of one suit the other
(Liu et al. 2025, "Muon is scalable for LLM training", section 2.2)."""
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
"""Of the Newton-Schulz iteration: singular values become 0.7 to 1.2 in few steps (Jordan et al. 2024)."""


class Muon(Adam):
    """AdamW for embeddings, biases, norms and the output layer; Muon for the matrices between them.

    The step of a matrix is its momentum (Nesterov's), U S Vᵀ, with all singular values replaced by about 1: U Vᵀ.
    Matrices that are stored as one, such as those of queries, keys and values, or of the gates of an LSTM, take steps
    of their own. Those of one shape are calculated together. `state` has the momentum under the name of Adam's first
    moment. If `in_bfloat16`, the products that make U Vᵀ are in that format, which is exact enough.
    """

    def __init__(self, model: Seq2Seq, rate: float, *, weight_decay: float = 0.0, in_bfloat16: bool = False) -> None:
        self.in_bfloat16 = in_bfloat16
        self.matrices = hidden_matrices(model)
        self.by_shape: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
        for matrix, parts in self.matrices.items():
            rows, columns = matrix.shape
            self.by_shape[rows // parts, columns].append(matrix)
        others = [each for each in model.parameters() if each not in self.matrices]
        super().__init__(others, rate, weight_decay=weight_decay, decoupled=True)

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters that have a gradient."""
        super().step()
        for matrices in self.by_shape.values():
            self._step_of_one_shape([matrix for matrix in matrices if matrix.grad is not None])

    def _step_of_one_shape(self, matrices: Sequence[Tensor]) -> None:
        """Update matrices whose parts all have the same shape, which are orthogonalized together."""
        if not matrices:
            return
        counts = [self.matrices[matrix] for matrix in matrices]
        parts = torch.cat([self._momentum(matrix) for matrix in matrices])
        parts = parts.view(sum(counts), -1, parts.size(1))
        directions = newton_schulz(parts.bfloat16() if self.in_bfloat16 else parts)
        size = self.rate * ADAM_SIZE * max(directions.shape[1:]) ** 0.5
        for matrix, direction in zip(matrices, torch.split(directions, counts), strict=True):
            matrix.mul_(1 - self.rate * self.weight_decay)
            matrix.sub_(sharded_like(direction.flatten(0, 1).to(matrix.dtype), matrix), alpha=size)

    def _momentum(self, matrix: Tensor) -> Tensor:
        """The whole matrix of Nesterov's momentum, after this gradient."""
        assert matrix.grad is not None
        state = self.state_of(matrix, MOMENTS[:1])
        state[STEP] += 1
        momentum = state[MOMENTS[0]].lerp_(matrix.grad, 1 - MOMENTUM)
        return full_tensor(matrix.grad.lerp(momentum, MOMENTUM))


def hidden_matrices(model: Seq2Seq) -> dict[Tensor, int]:
    """The matrices between the first and the last layer, each with the number of those that it holds one above another.

    Embeddings, and what is in their place, and the output layer are no hidden layers; convolutions and vectors are no
    matrices.
    """
    found: dict[Tensor, int] = {}
    for module in model.modules():  # a module comes before those that it consists of
        match module:
            case LSTM():
                found |= {module.weight_input: 4, module.weight_hidden: 4}
            case GRU():
                found |= {module.weight_input: 3, module.weight_hidden: 3}
            case MultiHeadSelfAttention():
                found[module.projection.weight] = 3
            case CrossAttention():
                found[module.projection.weight] = 2
            case FeedForward():
                found[module.widen.weight] = len(module.widen.weight) // module.narrow.in_features  # 2 with SwiGLU
            case nn.Linear() if len(module.weight) > 1:
                found.setdefault(module.weight, 1)
    found.pop(model.decoder.output.weight, None)
    for module in model.modules():
        if isinstance(module, VectorProjection):
            found.pop(module.linear.weight, None)
    return found


def newton_schulz(matrices: Float[Tensor, "N O I"]) -> Float[Tensor, "N O I"]:
    """About U Vᵀ of each U S Vᵀ, by an iteration of products alone: x ← (a + b x xᵀ + c (x xᵀ)²) x."""
    is_tall = matrices.size(1) > matrices.size(2)
    x = matrices.mT if is_tall else matrices  # x xᵀ is then the smaller of the two
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = x @ x.mT
        polynomial = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x.mT if is_tall else x
