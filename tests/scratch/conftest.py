"""Gradients by central differences, and modules with random weights to check them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from seq2see.scratch import Module, Padded
from seq2see.text import EOS, SPECIALS

STEP = 1e-5
BOUND = 1e-8
VOCABULARY = 9


def numeric_gradient(
    loss: Callable[[], float], array: np.ndarray, indices: Sequence[tuple] | None = None
) -> np.ndarray:
    """(loss(x + step) - loss(x - step)) / 2 step, for all values of `array` or those at `indices`."""
    gradient = []
    for index in indices or np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + STEP
        above = loss()
        array[index] = kept - STEP
        gradient.append((above - loss()) / (2 * STEP))
        array[index] = kept
    return np.array(gradient) if indices else np.array(gradient).reshape(array.shape)


def require_close(name: str, found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape, f"{name}: {found.shape}, not {expected.shape}"
    error = np.abs(found - expected).max(initial=0) / max(1.0, np.abs(expected).max(initial=0))
    assert error < BOUND, f"{name}: off by {error:.1e}"


@pytest.fixture
def random_module():
    """Gives a module random weights in float64."""

    def fill(module: Module, seed: int = 0) -> Module:
        rng = np.random.default_rng(seed)
        module.load({name: 0.7 * rng.standard_normal(value.shape) for name, value in module.tensors().items()})
        return module

    return fill


@pytest.fixture
def check_module():
    """Compares a module's backward with central differences, for every input and parameter."""

    def check(module: Module, forward: Callable, backward: Callable, inputs: Sequence[np.ndarray]) -> None:
        """`forward(*inputs)` returns the outputs and a cache; `backward(gradients, cache)` the gradients by the inputs.

        The loss is the sum of all output values with random weights. Gradients accumulate: after two backward passes
        every parameter has twice its gradient.
        """
        rng = np.random.default_rng(1)
        outputs, _ = forward(*inputs)
        weights = [rng.standard_normal(output.shape) for output in outputs]

        def loss() -> float:
            outputs, _ = forward(*inputs)
            return sum(float((output * weight).sum()) for output, weight in zip(outputs, weights, strict=True))

        module.zero_gradients()
        for _ in range(2):
            _, cache = forward(*inputs)
            gradients = backward([weight.copy() for weight in weights], cache)
        for number, (array, gradient) in enumerate(zip(inputs, gradients, strict=True)):
            require_close(f"input {number}", gradient, numeric_gradient(loss, array))
        for name, parameter in module.parameters().items():
            require_close(name, parameter.gradient, 2 * numeric_gradient(loss, parameter.value))

    return check


@pytest.fixture
def check_model():
    """Compares the gradient of a model's loss with central differences, for a few values of every parameter."""

    def check(model, source: Padded, target: Padded) -> None:
        model.zero_gradients()
        _, cache = model.forward(source, target)
        model.backward(cache)
        rng = np.random.default_rng(0)
        for name, parameter in model.parameters().items():
            indices = [tuple(rng.integers(parameter.value.shape)) for _ in range(10)]
            numeric = numeric_gradient(lambda: model.forward(source, target)[0], parameter.value, indices)
            require_close(name, np.array([parameter.gradient[index] for index in indices]), numeric)

    return check


@pytest.fixture
def padded():
    """Makes random sequences of these lengths; each ends with EOS, and the padding is random."""

    def make(lengths: Sequence[int], seed: int = 0) -> Padded:
        rng = np.random.default_rng(seed)
        ids = rng.integers(len(SPECIALS), VOCABULARY, (len(lengths), max(lengths)))
        for row, length in enumerate(lengths):
            if length:
                ids[row, length - 1] = EOS
        return Padded(ids, np.array(lengths))

    return make
