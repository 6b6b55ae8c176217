"""Saved tensors by name, from which each layer takes its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2see.blueprint import Field
from seq2see.errors import CheckpointError

Array: TypeAlias = NDArray[Any]
"""Floating-point values in the network's dtype, unless a docstring says otherwise.

It may also be a symbolic array, which records what is done with it (`seq2see.program`). Such an array is used through
NumPy's functions and its own methods; `is_traced`, `empty` and `contiguous` are for what these can't express.
"""


def is_traced(x: Array) -> bool:
    """Whether it is a symbolic array: then the general path is taken, not one for a size or for speed."""
    return not isinstance(x, np.ndarray)


def empty(like: Array, *shape: int) -> Array:
    """Memory of this shape, of the dtype and the kind of `like`."""
    if type(like) is np.ndarray:
        return np.empty(shape, like.dtype)
    return np.empty_like(like, shape=shape)


def contiguous(x: Array) -> Array:
    """The same array in C order."""
    return x if is_traced(x) else np.ascontiguousarray(x)


class Tensors:
    """Saved tensors, whose names and shapes are known to be those of the model.

    The network's dtype is the widest among the tensors, at least float32: float16 is converted. `fields` are the kinds
    of the source's fields, if it has several; `copies` has for each source token the target's that it is copied as.
    """

    def __init__(self, tensors: Mapping[str, Array], fields: Sequence[Field] = (), copies: Sequence[int] = ()) -> None:
        for name, tensor in tensors.items():
            if tensor.dtype.kind != "f":
                raise CheckpointError(
                    f"must be a floating-point tensor, not {tensor.dtype}",
                    where=name,
                    fix="save the model in float16, float32 or float64",
                )
        self.dtype: np.dtype[Any] = np.result_type(np.float32, *{tensor.dtype for tensor in tensors.values()})
        self.fields = fields
        self.copies = copies
        self._tensors = tensors
        self._prefix = ""

    def at(self, *path: str | int) -> Tensors:
        """The tensors whose names start with this path."""
        part = Tensors.__new__(Tensors)
        part.dtype, part.fields, part.copies, part._tensors = self.dtype, self.fields, self.copies, self._tensors
        part._prefix = self._prefix + "".join(f"{step}." for step in path)
        return part

    def take(self, name: str, *shape: int | None) -> Array:
        """The tensor of that name and shape in the network's dtype; None in `shape` is any size."""
        tensor = self._tensors[self._prefix + name]
        assert all(size in (None, own) for size, own in zip(shape, tensor.shape, strict=True)), self._prefix + name
        return tensor.astype(self.dtype, copy=False)
