"""Gradients by central differences, and parts with random weights to try them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from seq2see.scratch import Padded, Part
from seq2see.text import EOS, SPECIALS

STEP = 1e-5
BOUND = 1e-8
VOCABULARY = 9


def numeric_gradient(loss: Callable[[], float], array: np.ndarray, places: Sequence[tuple] | None = None) -> np.ndarray:
    """(loss(x + step) - loss(x - step)) / 2 step, for all numbers of `array` or for those in some places."""
    gradient = []
    for place in places or np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + STEP
        above = loss()
        array[place] = kept - STEP
        gradient.append((above - loss()) / (2 * STEP))
        array[place] = kept
    return np.array(gradient) if places else np.array(gradient).reshape(array.shape)


def require_close(name: str, found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape, f"{name}: {found.shape}, not {expected.shape}"
    error = np.abs(found - expected).max(initial=0) / max(1.0, np.abs(expected).max(initial=0))
    assert error < BOUND, f"{name}: off by {error:.1e}"


@pytest.fixture
def random_part():
    """Gives a part random weights in float64."""

    def fill(part: Part, seed: int = 0) -> Part:
        chance = np.random.default_rng(seed)
        part.load({name: 0.7 * chance.standard_normal(value.shape) for name, value in part.tensors().items()})
        return part

    return fill


@pytest.fixture
def check_part():
    """Compares a part's way back with central differences, by every input and every parameter."""

    def check(part: Part, forward: Callable, backward: Callable, inputs: Sequence[np.ndarray]) -> None:
        """`forward(*inputs)` gives the outputs and a cache; `backward(gradients, cache)` the gradients by the inputs.

        The loss is the sum of all outputs, each number with a random weight. Gradients add up: after two ways back
        every parameter has twice its gradient.
        """
        chance = np.random.default_rng(1)
        outputs, _ = forward(*inputs)
        weights = [chance.standard_normal(output.shape) for output in outputs]

        def loss() -> float:
            outputs, _ = forward(*inputs)
            return sum(float((output * weight).sum()) for output, weight in zip(outputs, weights, strict=True))

        part.forget_gradients()
        for _ in range(2):
            _, cache = forward(*inputs)
            gradients = backward([weight.copy() for weight in weights], cache)
        for number, (array, gradient) in enumerate(zip(inputs, gradients, strict=True)):
            require_close(f"input {number}", gradient, numeric_gradient(loss, array))
        for name, parameter in part.parameters().items():
            require_close(name, parameter.gradient, 2 * numeric_gradient(loss, parameter.value))

    return check


@pytest.fixture
def check_model():
    """Compares the gradient of a whole model's loss with central differences, at a few places of every parameter."""

    def check(model, source: Padded, target: Padded) -> None:
        model.forget_gradients()
        _, cache = model.forward(source, target)
        model.backward(cache)
        chance = np.random.default_rng(0)
        for name, parameter in model.parameters().items():
            places = [tuple(chance.integers(parameter.value.shape)) for _ in range(10)]
            numeric = numeric_gradient(lambda: model.forward(source, target)[0], parameter.value, places)
            require_close(name, np.array([parameter.gradient[place] for place in places]), numeric)

    return check


@pytest.fixture
def padded():
    """Makes random sequences of these lengths; each ends with EOS, and the padding holds junk."""

    def make(lengths: Sequence[int], seed: int = 0) -> Padded:
        chance = np.random.default_rng(seed)
        ids = chance.integers(len(SPECIALS), VOCABULARY, (len(lengths), max(lengths)))
        for row, length in enumerate(lengths):
            if length:
                ids[row, length - 1] = EOS
        return Padded(ids, np.array(lengths))

    return make
