"""What learns: parameters with their gradients, and the parts of a model that hold them.

Every part has `forward`, which returns what it made and a cache, and `backward`, which is given the gradient of the
loss by what was made, and that cache. It returns the gradient by what `forward` was given, and **adds** the gradients
by its parameters to `Parameter.gradient`: a parameter used many times, by many positions or in many calls, has the sum
of the gradients of all its uses. Nothing is kept on the part itself, so that a part may be called many times before
the first way back. A cache serves one way back, which may overwrite it.

Attributes have the names that `seq2see.model` gives them, and so have the tensors: `encoder.layers.0.reader.lstm.bias`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from seq2see.errors import CheckpointError
from seq2see.scratch.arrays import Array


class Parameter:
    """Numbers that are learnt, and the gradient of the loss by them; all zero at first."""

    def __init__(self, *shape: int) -> None:
        self.value: Array = np.zeros(shape, np.float32)
        self.gradient: Array = np.zeros(shape, np.float32)


class Part:
    """Something made of parameters and of other parts."""

    def children(self) -> Iterator[tuple[str, Part | Parameter]]:
        """The parameters and parts that are attributes, by name; those of a list by number (`layers.0`)."""
        for name, value in vars(self).items():
            if isinstance(value, Part | Parameter):
                yield name, value
            elif isinstance(value, list):
                yield from ((f"{name}.{number}", item) for number, item in enumerate(value) if isinstance(item, Part))

    def parts(self) -> Iterator[Part]:
        """This part and all those in it."""
        yield self
        for _, child in self.children():
            if isinstance(child, Part):
                yield from child.parts()

    def parameters(self) -> dict[str, Parameter]:
        """All parameters by name; one that two parts share has the name under which it is met first."""
        found: dict[str, Parameter] = {}
        for name, child in self.children():
            inner = {name: child} if isinstance(child, Parameter) else child.parameters()
            for inner_name, parameter in inner.items():
                if parameter not in found.values():
                    found[name if isinstance(child, Parameter) else f"{name}.{inner_name}"] = parameter
        return found

    def tensors(self) -> dict[str, Array]:
        """A copy of all values, by the names that `seq2see.model` gives them."""
        return {name: parameter.value.copy() for name, parameter in self.parameters().items()}

    def load(self, tensors: Mapping[str, Array]) -> None:
        """Take over these values, and the precision they have; CheckpointError where a name or a shape differs."""
        parameters = self.parameters()
        for name in sorted(parameters.keys() ^ tensors.keys()):
            what = "is missing" if name in parameters else "is not part of this model"
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

    def forget_gradients(self) -> None:
        """Set all gradients to zero, as must be done before each update."""
        for parameter in self.parameters().values():
            parameter.gradient.fill(0)
