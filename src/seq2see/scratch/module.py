"""Parameters with their gradients, and the modules that hold them.

Every module has `forward`, which returns its output and a cache, and `backward`, which takes the gradient of the loss
by that output, and the cache. It returns the gradient by the input, and **adds** the gradients by the parameters to
`Parameter.gradient`: a parameter used many times, at many positions or in many calls, gets the sum over all its uses.
A module stores nothing between calls, so it may be called many times before the first backward pass. A cache serves
one backward pass, which may overwrite it.

Attributes, and so tensors, have the names of `seq2see.model`: `encoder.layers.0.reader.lstm.bias`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from seq2see.errors import CheckpointError
from seq2see.scratch.arrays import Array


class Parameter:
    """A learned array and the gradient of the loss by it, both initially zero."""

    def __init__(self, *shape: int) -> None:
        self.value: Array = np.zeros(shape, np.float32)
        self.gradient: Array = np.zeros(shape, np.float32)


class Module:
    """Contains parameters and other modules."""

    def children(self) -> Iterator[tuple[str, Module | Parameter]]:
        """Parameters and modules among the attributes, by name; items of a list by index (`layers.0`)."""
        for name, value in vars(self).items():
            if isinstance(value, Module | Parameter):
                yield name, value
            elif isinstance(value, list):
                yield from ((f"{name}.{number}", item) for number, item in enumerate(value) if isinstance(item, Module))

    def modules(self) -> Iterator[Module]:
        """This module and all modules in it."""
        yield self
        for _, child in self.children():
            if isinstance(child, Module):
                yield from child.modules()

    def parameters(self) -> dict[str, Parameter]:
        """All parameters by name; a shared one appears once, under its first name."""
        found: dict[str, Parameter] = {}
        for name, child in self.children():
            inner = {name: child} if isinstance(child, Parameter) else child.parameters()
            for inner_name, parameter in inner.items():
                if parameter not in found.values():
                    found[name if isinstance(child, Parameter) else f"{name}.{inner_name}"] = parameter
        return found

    def tensors(self) -> dict[str, Array]:
        """A copy of all values, by their names in `seq2see.model`."""
        return {name: parameter.value.copy() for name, parameter in self.parameters().items()}

    def load(self, tensors: Mapping[str, Array]) -> None:
        """Set all values, and their precision. CheckpointError if a name or shape differs."""
        parameters = self.parameters()
        for name in sorted(parameters.keys() ^ tensors.keys()):
            what = "missing tensor" if name in parameters else "unknown tensor"
            raise CheckpointError(what, where=name, fix="load the tensors of a model of the same architecture")
        for name, parameter in parameters.items():
            if tensors[name].shape != parameter.value.shape:
                what = f"has shape {tensors[name].shape}, not {parameter.value.shape}"
                raise CheckpointError(what, where=name, fix="load the tensors of a model of the same sizes")
            parameter.value = np.array(tensors[name])
            parameter.gradient = np.zeros_like(parameter.value)

    def astype(self, dtype: npt.DTypeLike) -> None:
        """Compute in this precision from now on."""
        self.load({name: value.astype(dtype) for name, value in self.tensors().items()})

    def zero_gradients(self) -> None:
        """Set all gradients to zero; needed before each update."""
        for parameter in self.parameters().values():
            parameter.gradient.fill(0)
