"""The values of a program while it is converted."""

from __future__ import annotations

from seq2see.export.onnx.graph import Graph
from seq2see.program import Program
from seq2see.program.operations import Operation, Type


class Values:
    """Names in the graph, by the numbers that the program's values have."""

    def __init__(self, graph: Graph, program: Program) -> None:
        self.program = program
        self._inputs = len(program.inputs)
        self._names = [graph.weight(name) if name in graph.stored else name for name, _ in program.inputs]

    def append(self, name: str) -> None:
        """Name the result of the next operation."""
        self._names.append(name)

    def name(self, number: int) -> str:
        """The name of a value."""
        return self._names[number]

    def names(self, operation: Operation) -> list[str]:
        """The names of the inputs of an operation."""
        return [self._names[number] for number in operation.inputs]

    def type(self, number: int) -> Type:
        """The type of a value."""
        return self.program.type(number)

    def operation(self, number: int) -> Operation:
        """The operation whose result a value is."""
        assert number >= self._inputs, f"{self.program.inputs[number][0]} is an input"
        return self.program.operations[number - self._inputs]
