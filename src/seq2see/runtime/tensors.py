"""Saved tensors by name, from which each layer takes its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2see.errors import CheckpointError

Array: TypeAlias = NDArray[Any]
"""Floating-point values in the network's dtype, unless a docstring says otherwise."""

FIX = "configuration and weights belong to different models: use the files of one model folder"


class Tensors:
    """Saved tensors, checked as they are taken; a tensor that is never taken is an error.

    The network's dtype is the widest among the tensors, at least float32: float16 is converted.
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        for name, tensor in tensors.items():
            if tensor.dtype.kind != "f":
                raise CheckpointError(
                    f"must be a floating-point tensor, not {tensor.dtype}",
                    where=name,
                    fix="save the model in float16, float32 or float64",
                )
        self.dtype: np.dtype[Any] = np.result_type(np.float32, *{tensor.dtype for tensor in tensors.values()})
        self._tensors = tensors
        self._taken: set[str] = set()
        self._prefix = ""

    def at(self, *path: str | int) -> Tensors:
        """The tensors whose names start with this path."""
        part = Tensors.__new__(Tensors)
        part.dtype, part._tensors, part._taken = self.dtype, self._tensors, self._taken
        part._prefix = self._prefix + "".join(f"{step}." for step in path)
        return part

    def take(self, name: str, *shape: int | None) -> Array:
        """The tensor of that name in the network's dtype; None in `shape` matches any size.

        CheckpointError if it is missing or has another shape.
        """
        full = self._prefix + name
        if full not in self._tensors:
            raise CheckpointError(f"missing from the {len(self._tensors)} tensors", where=full, fix=FIX)
        tensor = self._tensors[full]
        if len(tensor.shape) != len(shape) or any(
            size not in (None, actual) for size, actual in zip(shape, tensor.shape, strict=True)
        ):
            wanted = " × ".join("any" if size is None else str(size) for size in shape)
            found = " × ".join(map(str, tensor.shape)) or "scalar"
            raise CheckpointError(f"must have shape {wanted}, not {found}", where=full, fix=FIX)
        self._taken.add(full)
        return tensor.astype(self.dtype, copy=False)

    def require_all_taken(self) -> None:
        """CheckpointError if a tensor was never taken."""
        if unknown := sorted(self._tensors.keys() - self._taken):
            more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
            raise CheckpointError(f"unknown tensor{more}", where=unknown[0], fix=FIX)
