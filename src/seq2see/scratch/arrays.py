"""Array types, states and their gradients: the NumPy counterpart of `seq2see.model.tensors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Ids: TypeAlias = npt.NDArray[np.integer[Any]]
Mask: TypeAlias = npt.NDArray[np.bool_]
State: TypeAlias = tuple[Any, ...]
"""Nested tuples of arrays whose first axis is the row, or their gradients; a gradient of None is zero."""


def add_gradients(one: Array | None, other: Array | None) -> Array | None:
    """The sum of two gradients of the same value; None is zero."""
    if one is None or other is None:
        return one if other is None else other
    return one + other


def map_state(function: Callable[[Any], Any], state: Any) -> Any:
    """Apply `function` to every array of a state."""
    return tuple(map_state(function, part) for part in state) if isinstance(state, tuple) else function(state)
