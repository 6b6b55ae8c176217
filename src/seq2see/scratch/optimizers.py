"""Optimizers and gradient clipping."""

from __future__ import annotations

import numpy as np

from seq2see.scratch.arrays import Array
from seq2see.scratch.module import Module


class SGD:
    """Stochastic gradient descent: w ← w - rate · dw."""

    def __init__(self, model: Module) -> None:
        self.parameters = list(model.parameters().values())

    def update(self, rate: float) -> None:
        """One step."""
        for parameter in self.parameters:
            parameter.value -= rate * parameter.gradient


class Adam:
    """Steps of about `rate` in each parameter, whatever the size of its gradient (Kingma & Ba 2014, algorithm 1).

    m ← β₁ m + (1 - β₁) dw            a running mean over about 1/(1 - β₁) gradients
    v ← β₂ v + (1 - β₂) dw²           a running mean of their squares
    w ← w - rate · m̂ / (√v̂ + ε)       m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ): both start at zero
    """

    def __init__(self, model: Module, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.parameters = list(model.parameters().values())
        self.mean = [np.zeros_like(parameter.value) for parameter in self.parameters]
        self.square = [np.zeros_like(parameter.value) for parameter in self.parameters]
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.steps = 0

    def update(self, rate: float) -> None:
        """One step; the bias corrections 1 - βᵗ are applied to the rate and ε instead of to arrays."""
        self.steps += 1
        root = (1 - self.beta2**self.steps) ** 0.5
        step, epsilon = rate * root / (1 - self.beta1**self.steps), self.epsilon * root
        for parameter, mean, square in zip(self.parameters, self.mean, self.square, strict=True):
            mean *= self.beta1
            mean += (1 - self.beta1) * parameter.gradient
            square *= self.beta2
            square += (1 - self.beta2) * parameter.gradient * parameter.gradient
            change: Array = np.sqrt(square)
            change += epsilon
            np.divide(mean, change, out=change)
            change *= step
            parameter.value -= change


def clip_by_norm(model: Module, max_norm: float) -> float:
    """Scale all gradients so that their joint norm is at most `max_norm` (Pascanu et al. 2012); returns the old norm.

    norm = √Σ dw²  over all values of all parameters        dw ← dw · min(1, max_norm / norm)
    """
    parameters = model.parameters().values()
    norm = float(np.sqrt(sum(np.vdot(parameter.gradient, parameter.gradient) for parameter in parameters)))
    if norm > max_norm:
        for parameter in parameters:
            parameter.gradient *= max_norm / norm
    return norm
