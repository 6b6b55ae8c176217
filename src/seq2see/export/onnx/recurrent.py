"""LSTM and GRU of a program as those of ONNX, which multiply their inputs by weights themselves.

A program gives them the product, which may come from a table with a row per token. So what was multiplied is looked
up: gates = x·W + b, or gates = table[ids] with table = E·W + b, or a sum of such.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

from onnx import TensorProto

from seq2see.export.onnx.graph import Graph
from seq2see.export.onnx.values import Values
from seq2see.program.operations import Operation


class Product(NamedTuple):
    """x·W + b, of which x [B S I] and W [I 4H] are concatenations along I, and b [4H] is a sum."""

    inputs: list[str]
    weights: list[str]
    biases: list[str]


def product(graph: Graph, values: Values, number: int) -> Product:
    """The product that a value is."""
    operation = values.operation(number)
    if operation.kind == "matmul":
        x, weights = values.names(operation)
        return Product([x], [weights], [])
    if operation.kind == "gather":
        table, ids = operation.inputs
        of_table = product(graph, values, table)
        return of_table._replace(inputs=[graph.add("Gather", x, values.name(ids), axis=0) for x in of_table.inputs])
    assert operation.kind == "add", f"gates made by {operation.kind}, of which the weights aren't known"
    found = Product([], [], [])
    for each in operation.inputs:
        is_bias = len(values.type(each).shape) == 1
        part = Product([], [], [values.name(each)]) if is_bias else product(graph, values, each)
        found = Product(*(one + other for one, other in zip(found, part, strict=True)))
    return found


def lstm(graph: Graph, operation: Operation, values: Values) -> str:
    """LSTM. The gates of ONNX are input, output, forget, cell."""
    gates, _, hidden = operation.inputs
    found = product(graph, values, gates)

    def ordered(matrix: str) -> str:
        input_gate, forget, output, cell = quarters(graph, matrix)
        return joined(graph, [*(doubled(graph, gate) for gate in (input_gate, output, forget)), cell], -1)

    biases = [ordered(summed(graph, found.biases)), zeros(graph, 4 * units_of(values, operation))]
    weights = [ordered(joined(graph, found.weights, 0)), ordered(values.name(hidden))]
    return run(graph, "LSTM", values, operation, found, weights, biases)


def gru(graph: Graph, operation: Operation, values: Values) -> str:
    """GRU. The gates of ONNX are update, reset, new; the reset gate is applied after the product with the state."""
    gates, _, hidden = operation.inputs
    found = product(graph, values, gates)

    def ordered(matrix: str, new: int) -> str:
        reset, update, *others = quarters(graph, matrix)
        return joined(graph, [doubled(graph, update), doubled(graph, reset), others[new]], -1)

    of_state, of_input = 0, 1
    bias = summed(graph, found.biases)
    biases = [ordered(bias, of_input), zeros(graph, 2 * units_of(values, operation)), quarters(graph, bias)[2]]
    weights = [ordered(joined(graph, found.weights, 0), of_input), ordered(values.name(hidden), of_state)]
    return run(graph, "GRU", values, operation, found, weights, biases, linear_before_reset=1)


def run(
    graph: Graph,
    kind: str,
    values: Values,
    operation: Operation,
    found: Product,
    weights: list[str],
    biases: list[str],
    **attributes: int,
) -> str:
    """The states at all positions, then those after the last one: [B S+1 H] of a GRU, [B S+2 H] of an LSTM."""
    lengths = graph.add("Cast", values.name(operation.inputs[1]), to=TensorProto.INT32)
    x = graph.add("Transpose", joined(graph, found.inputs, 2), perm=[1, 0, 2])
    by_gate = [graph.add("Transpose", matrix, perm=[1, 0]) for matrix in weights]
    of_direction = [one_direction(graph, each) for each in (*by_gate, joined(graph, biases, 0))]
    direction = "reverse" if operation.attributes["reverse"] else "forward"
    states, *last = graph.add_all(
        kind,
        [x, *of_direction, lengths],
        3 if kind == "LSTM" else 2,
        hidden_size=units_of(values, operation),
        direction=direction,
        **attributes,
    )
    by_time = joined(graph, [graph.add("Squeeze", states, graph.numbers([1])), *last], 0)
    return graph.add("Transpose", by_time, perm=[1, 0, 2])


def units_of(values: Values, operation: Operation) -> int:
    """The number of units H."""
    units = values.type(operation.inputs[2]).shape[0]
    assert isinstance(units, int)
    return units


def quarters(graph: Graph, matrix: str) -> list[str]:
    """The parts of the four gates."""
    return graph.add_all("Split", [matrix], 4, axis=-1, num_outputs=4)


def doubled(graph: Graph, gate: str) -> str:
    """What belongs to a gate that was halved, for 1/2 + 1/2 tanh(a/2) is σ(a)."""
    return graph.add("Mul", gate, graph.numbers(2, "float"))


def joined(graph: Graph, parts: list[str], axis: int) -> str:
    """The concatenation of these."""
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=axis)


def summed(graph: Graph, parts: list[str]) -> str:
    """The sum of these."""
    return reduce(lambda one, other: graph.add("Add", one, other), parts)


def zeros(graph: Graph, number: int) -> str:
    """A bias that isn't there."""
    return graph.add("ConstantOfShape", graph.numbers([number]))


def one_direction(graph: Graph, weights: str) -> str:
    """With a first axis for the directions."""
    return graph.add("Unsqueeze", weights, graph.numbers([0]))
