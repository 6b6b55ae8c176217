"""An ONNX graph as it is written: nodes, initializers, and the sizes that are known only when it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seq2see.program import Program
from seq2see.program.operations import Shape, Type
from seq2see.program.program import PREPARED
from seq2see.program.replay import DTYPES
from seq2see.program.sizes import AnySize, Size, terms_of, text_of

OPSET = 18
IR_VERSION = 8
"""That of this opset; ONNX Runtime reads both from version 1.14 on."""
AXES = {"B": "batch", "K": "hypotheses", "S": "source", "P": "past"}
"""What the named sizes are called; B*K are the rows."""
B, K = (Size({(name,): 1}) for name in "BK")
ROWS: AnySize = B * K
TYPES = {"float": TensorProto.FLOAT, "int": TensorProto.INT64, "bool": TensorProto.BOOL}
TO_THE_END = 2**63 - 1
"""As a slice of ONNX has it."""


class Graph:
    """The nodes of an ONNX graph; equal nodes are one.

    Sizes are read from the shapes of the inputs. What can't be read there becomes another input, a tensor of one
    number: a language model's encoder has only the number of sentences.
    """

    def __init__(self, program: Program, stored: Mapping[str, np.ndarray]) -> None:
        self.stored = stored
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self._made: dict[Any, str] = {}
        self._sizes: dict[AnySize, str] = {}
        self.given = [(name, type_) for name, type_ in program.inputs if name not in stored]
        for name, type_ in self.given:
            self.inputs.append(described(name, type_))
            for axis, size in enumerate(type_.shape):
                if isinstance(size, Size) and size not in self._sizes and len(size.terms) == 1:
                    self._sizes[size] = self.add("Shape", name, start=axis, end=axis + 1)

    # --- nodes

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The result of a node."""
        return self.add_all(kind, inputs, 1, **attributes)[0]

    def add_all(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """All results of a node that has several."""
        key = kind, tuple(inputs), tuple((name, repr(value)) for name, value in sorted(attributes.items()))

        def make(name: str) -> None:  # older versions of ONNX Runtime need the name of the node too
            self.nodes.append(helper.make_node(kind, inputs, numbered(name, outputs), name, **attributes))

        name = self._once(key, make)
        return numbered(name, outputs)

    def numbers(self, values: Any, dtype: str = "int") -> str:
        """Numbers that are part of the graph."""
        array: np.ndarray = np.asarray(values, DTYPES[dtype])

        def make(name: str) -> None:
            self.initializers[name] = numpy_helper.from_array(array, name)

        return self._once((array.tobytes(), array.shape, dtype), make)

    def weight(self, name: str) -> str:
        """A tensor of the model in float32, however it is stored."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(self.stored[name], name)
        if self.stored[name].dtype == np.float32:
            return name
        stored = self.add("Cast", name, to=TensorProto.FLOAT)
        if f"{name}.scale" not in self.stored:
            return stored
        # Not DequantizeLinear, which ONNX Runtime computes again in every step.
        scales = self.stored[f"{name}.scale"]
        return self.add("Mul", stored, self.numbers(scales.reshape(-1, *(1,) * (self.stored[name].ndim - 1)), "float"))

    def _once(self, key: Any, make: Callable[[str], None]) -> str:
        """The name of what has this key; made if there is none yet."""
        if key not in self._made:
            self._made[key] = f"v{len(self._made)}"
            make(self._made[key])
        return self._made[key]

    # --- sizes

    def size(self, size: AnySize) -> str:
        """A tensor [1] with a size."""
        if not isinstance(size, Size):
            return self.numbers([size])
        if size not in self._sizes:
            self._sizes[size] = self._computed(size)
        return self._sizes[size]

    def _computed(self, size: Size) -> str:
        terms = [Size({names: number}) if names else number for names, number in size.terms.items()]
        if len(terms) > 1:
            return reduce(lambda one, other: self.add("Add", one, other), map(self.size, terms))
        ((names, coefficient),) = size.terms.items()
        if coefficient != 1:
            return self.add("Mul", self.size(Size({names: 1})), self.size(coefficient))
        if len(names) > 1:
            factor = ROWS if {"B", "K"} <= set(names) and ROWS in self._sizes else Size({names[:1]: 1})
            return self.add("Mul", self.size(factor), self.size(size // factor))
        if size == K and ROWS in self._sizes:
            return self.add("Div", self.size(ROWS), self.size(B))
        name = AXES[names[0]]
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, [1]))
        return name

    def shape(self, shape: Shape) -> str:
        """A tensor with the sizes of a shape."""
        if not any(isinstance(size, Size) for size in shape):
            return self.numbers(shape)
        return self.add("Concat", *(self.size(size) for size in shape), axis=0)

    def model(self, name: str, outputs: Sequence[tuple[str, str, Type]], about: Mapping[str, str]) -> onnx.ModelProto:
        """The model with outputs of these names, values and types; without what these don't depend on."""
        final = [helper.make_node("Identity", [value], [own], own) for own, value, _ in outputs]
        needed = {value for _, value, _ in outputs}
        nodes: list[onnx.NodeProto] = []
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.output):
                needed.update(node.input)
                nodes.append(node)
        graph = helper.make_graph(
            [*reversed(nodes), *final],
            name,
            self.inputs,
            [described(own, type_) for own, _, type_ in outputs],
            [each for name, each in self.initializers.items() if name in needed],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="seq2see"
        )
        helper.set_model_props(model, dict(about))
        return model


def numbered(name: str, number: int) -> list[str]:
    """The names of the results of a node."""
    return [name, *(f"{name}.{each}" for each in range(1, number))]


def described(name: str, type_: Type) -> onnx.ValueInfoProto:
    """An input or output with the names of its axes."""
    return helper.make_tensor_value_info(name, TYPES[type_.dtype], [axis_name(size) for size in type_.shape])


def axis_name(size: AnySize) -> int | str:
    """A size as the graph shows it."""
    if not isinstance(size, Size):
        return size
    return "rows" if size == ROWS else "".join(AXES.get(letter, letter) for letter in text_of(size))


def can_be_empty(size: AnySize) -> bool:
    """Whether a size may be 0: the number of positions so far is, at first; a batch is never empty."""
    return not size or all("P" in names for names in terms_of(size))


def whole(prepare: Program, program: Program) -> Program:
    """A program that begins with the weights: with the operations of `prepare` before its own."""
    own = [(name, type_) for name, type_ in program.inputs if not name.startswith(PREPARED)]
    inputs = [*prepare.inputs, *own]

    def moved(number: int) -> int:
        return number if number < len(prepare.inputs) else number + len(own)

    numbers = {name: len(prepare.inputs) + place for place, (name, _) in enumerate(own)}
    numbers |= {name: moved(number) for name, number in prepare.outputs}
    values = [numbers[name] for name, _ in program.inputs]
    before = len(inputs) + len(prepare.operations)
    values += range(before, before + len(program.operations))
    operations = [each._replace(inputs=tuple(map(moved, each.inputs))) for each in prepare.operations]
    operations += [each._replace(inputs=tuple(values[number] for number in each.inputs)) for each in program.operations]
    return Program(tuple(inputs), tuple(operations), tuple((name, values[number]) for name, number in program.outputs))
