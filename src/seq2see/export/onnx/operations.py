"""What each operation of a program is in ONNX: one row per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from onnx import numpy_helper

from seq2see.export.onnx.graph import TO_THE_END, TYPES, Graph, can_be_empty
from seq2see.export.onnx.recurrent import gru, lstm
from seq2see.export.onnx.values import Values
from seq2see.program import Program
from seq2see.program.operations import Operation, Shape
from seq2see.program.replay import DTYPES
from seq2see.program.sizes import Size

Convert: TypeAlias = Callable[[Graph, Operation, Values], str]
"""From an operation and the values before it to the name of its result."""


def named(kind: str) -> Convert:
    """An operation that ONNX has with the same inputs."""
    return lambda graph, operation, values: graph.add(kind, *values.names(operation))


def constant(graph: Graph, operation: Operation, values: Values) -> str:
    """See `seq2see.program.operations`, here and below."""
    dtype, shape, data = (operation.attributes[name] for name in ("dtype", "shape", "data"))
    return graph.numbers(np.array(data, DTYPES[dtype]).reshape(shape), dtype)


def full(graph: Graph, operation: Operation, values: Values) -> str:
    """ConstantOfShape."""
    value: np.ndarray = np.array([operation.attributes["value"]], DTYPES[operation.type.dtype])
    return graph.add("ConstantOfShape", graph.shape(operation.type.shape), value=numpy_helper.from_array(value))


def range_(graph: Graph, operation: Operation, values: Values) -> str:
    """Range."""
    start, stop = (graph.add("Squeeze", graph.size(operation.attributes[name])) for name in ("start", "stop"))
    return graph.add("Range", start, stop, graph.numbers(1))


def gather(graph: Graph, operation: Operation, values: Values) -> str:
    """Gather."""
    return graph.add("Gather", *values.names(operation), axis=0)


def slice_(graph: Graph, operation: Operation, values: Values) -> str:
    """Slice, along those axes that aren't whole."""
    (source,) = operation.inputs
    shape = values.type(source).shape
    starts, stops = operation.attributes["starts"], operation.attributes["stops"]
    cut = [axis for axis, size in enumerate(shape) if starts[axis] != 0 or stops[axis] != size]
    ends = tuple(TO_THE_END if stops[axis] == shape[axis] else stops[axis] for axis in cut)
    begins = graph.shape(tuple(starts[axis] for axis in cut))
    return graph.add("Slice", values.name(source), begins, graph.shape(ends), graph.numbers(cut))


def reshape(graph: Graph, operation: Operation, values: Values) -> str:
    """Reshape: 0 is a size of the input at the same axis, and -1 the one that is left."""
    (source,) = operation.inputs
    shape, before = operation.attributes["shape"], values.type(source).shape
    short: Shape = tuple(
        0 if isinstance(size, Size) and axis < len(before) and size == before[axis] else size
        for axis, size in enumerate(shape)
    )
    left = [axis for axis, size in enumerate(short) if isinstance(size, Size)]
    if 0 in shape or len(left) > 1:
        return graph.add("Reshape", values.name(source), graph.shape(shape), allowzero=1)
    if left and any(can_be_empty(size) for axis, size in enumerate(shape) if axis not in left):
        return graph.add("Reshape", values.name(source), graph.shape(shape), allowzero=1)
    return graph.add(
        "Reshape",
        values.name(source),
        graph.numbers([-1 if axis in left else short[axis] for axis in range(len(short))]),
    )


def transpose(graph: Graph, operation: Operation, values: Values) -> str:
    """Transpose."""
    return graph.add("Transpose", *values.names(operation), perm=list(operation.attributes["axes"]))


def broadcast(graph: Graph, operation: Operation, values: Values) -> str:
    """Expand, whose shape has 1 where nothing is repeated."""
    (source,) = operation.inputs
    shape, before = operation.attributes["shape"], values.type(source).shape
    old = (*(1 for _ in range(len(shape) - len(before))), *before)
    repeated = tuple(1 if size == own else size for size, own in zip(shape, old, strict=True))
    return graph.add("Expand", values.name(source), graph.shape(repeated))


def concat(graph: Graph, operation: Operation, values: Values) -> str:
    """Concat."""
    return graph.add("Concat", *values.names(operation), axis=operation.attributes["axis"])


def cast(graph: Graph, operation: Operation, values: Values) -> str:
    """Cast."""
    return graph.add("Cast", *values.names(operation), to=TYPES[operation.type.dtype])


def reduction(kind: str) -> Convert:
    """A reduction along an axis, which stays."""

    def convert(graph: Graph, operation: Operation, values: Values) -> str:
        axes = graph.numbers([operation.attributes["axis"]])
        return graph.add(kind, *values.names(operation), axes, keepdims=1)

    return convert


def cumsum(graph: Graph, operation: Operation, values: Values) -> str:
    """CumSum."""
    return graph.add("CumSum", *values.names(operation), graph.numbers(operation.attributes["axis"]))


OPERATIONS: Mapping[str, Convert] = {
    "constant": constant,
    "full": full,
    "range": range_,
    "gather": gather,
    "slice": slice_,
    "reshape": reshape,
    "transpose": transpose,
    "broadcast": broadcast,
    "concat": concat,
    "add": named("Add"),
    "subtract": named("Sub"),
    "multiply": named("Mul"),
    "maximum": named("Max"),
    "minimum": named("Min"),
    "divide": named("Div"),
    "floor_divide": named("Div"),
    "equal": named("Equal"),
    "less": named("Less"),
    "tanh": named("Tanh"),
    "exp": named("Exp"),
    "log": named("Log"),
    "sqrt": named("Sqrt"),
    "sin": named("Sin"),
    "cos": named("Cos"),
    "where": named("Where"),
    "cast": cast,
    "matmul": named("MatMul"),
    "sum": reduction("ReduceSum"),
    "max": reduction("ReduceMax"),
    "cumsum": cumsum,
    "lstm": lstm,
    "gru": gru,
}


def convert(program: Program, stored: Mapping[str, np.ndarray]) -> tuple[Graph, list[str]]:
    """The graph of a program that begins with the weights, and the names of its outputs' values."""
    graph = Graph(program, stored)
    values = Values(graph, program)
    for operation in program.operations:
        values.append(OPERATIONS[operation.kind](graph, operation, values))
    return graph, [values.name(number) for _, number in program.outputs]
