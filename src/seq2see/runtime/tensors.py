"""Named tensors as they were saved, each asked for by the part that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2see.errors import CheckpointError

Array: TypeAlias = NDArray[Any]
"""Floating-point numbers of the network's format, unless a docstring says otherwise."""

FIX = "config and weights are those of different models: take both from one folder, or save the model again"


class Tensors:
    """The tensors whose names begin with `prefix`. Each is checked as it is taken; what nobody takes is an error too.

    The network's format is the widest among the tensors, and float32 at least: what was stored in float16 is widened.
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        for name, tensor in tensors.items():
            if tensor.dtype.kind != "f":
                raise CheckpointError(
                    f"the tensor holds numbers of type {tensor.dtype}",
                    where=name,
                    fix="save the model in float16, float32 or float64",
                )
        self.dtype: np.dtype[Any] = np.result_type(np.float32, *{tensor.dtype for tensor in tensors.values()})
        self._tensors = tensors
        self._taken: set[str] = set()
        self._prefix = ""

    def at(self, *path: str | int) -> Tensors:
        """The tensors of a part of this part."""
        part = Tensors.__new__(Tensors)
        part.dtype, part._tensors, part._taken = self.dtype, self._tensors, self._taken
        part._prefix = self._prefix + "".join(f"{step}." for step in path)
        return part

    def take(self, name: str, *shape: int | None) -> Array:
        """The tensor of that name in the network's format; None in `shape` stands for any size.

        CheckpointError if it is not there or has another shape.
        """
        full = self._prefix + name
        if full not in self._tensors:
            raise CheckpointError(f"there is no such tensor among the {len(self._tensors)} given", where=full, fix=FIX)
        tensor = self._tensors[full]
        if len(tensor.shape) != len(shape) or any(
            size not in (None, there) for size, there in zip(shape, tensor.shape, strict=True)
        ):
            wanted = " × ".join("any" if size is None else str(size) for size in shape)
            found = " × ".join(map(str, tensor.shape)) or "a single number"
            raise CheckpointError(f"the tensor's shape is {found}, and the model's {wanted}", where=full, fix=FIX)
        self._taken.add(full)
        return tensor.astype(self.dtype, copy=False)

    def require_all_taken(self) -> None:
        """CheckpointError if some tensor is none of the model's."""
        if unknown := sorted(self._tensors.keys() - self._taken):
            more = f", nor of {len(unknown) - 1} others" if len(unknown) > 1 else ""
            raise CheckpointError(f"the model makes no use of this tensor{more}", where=unknown[0], fix=FIX)
