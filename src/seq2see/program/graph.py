"""The graph that tracing records: equal operations are one node, and each is simplified when it is added.

Nothing is written in place: a write into a part of an array is a `concat` of what is before, the new part, and what is
after. Slices of a `concat` are slices of its parts, so that memory which is filled before it is read never occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from seq2see.program.operations import Attributes, Operation, Shape, Type, type_of
from seq2see.program.program import PREPARED, Program
from seq2see.program.sizes import AnySize, Size, is_at_most


class Node(NamedTuple):
    """An operation of the graph, or an `input` or a `weight` with its name."""

    kind: str
    inputs: tuple[int, ...]
    attributes: tuple[tuple[str, Any], ...]
    type: Type


class Graph:
    """Nodes by number; each depends on those before it alone."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._numbers: dict[Node, int] = {}

    def leaf(self, kind: str, name: str, type_: Type) -> int:
        """A new input or weight."""
        return self._number(Node(kind, (), (("name", name),), type_))

    def add(self, kind: str, *inputs: int, **attributes: Any) -> int:
        """The number of the node with the result of this operation."""
        simplified = SIMPLIFICATIONS[kind](self, inputs, attributes) if kind in SIMPLIFICATIONS else None
        if simplified is not None:
            return simplified
        type_ = type_of(kind, [self.nodes[number].type for number in inputs], attributes)
        return self._number(Node(kind, inputs, tuple(sorted(attributes.items())), type_))

    def _number(self, node: Node) -> int:
        number = self._numbers.setdefault(node, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(node)
        return number

    def type(self, number: int) -> Type:
        """The type of a node."""
        return self.nodes[number].type

    def attributes(self, number: int) -> dict[str, Any]:
        """The attributes of a node."""
        return dict(self.nodes[number].attributes)

    def cut(self, number: int, axis: int, start: AnySize, stop: AnySize) -> int:
        """A slice along one axis."""
        shape = self.type(number).shape
        starts = tuple(start if i == axis else 0 for i in range(len(shape)))
        stops = tuple(stop if i == axis else size for i, size in enumerate(shape))
        return self.add("slice", number, starts=starts, stops=stops)

    def put(self, base: int, starts: Shape, stops: Shape, value: int) -> int:
        """The base with another value in a part of it."""
        shape = self.type(base).shape
        for axis, (start, stop, size) in enumerate(zip(starts, stops, shape, strict=True)):
            if start == 0 and stop == size:
                continue
            inner = self.cut(base, axis, start, stop)
            own_starts = tuple(0 if i == axis else each for i, each in enumerate(starts))
            own_stops = tuple(stop - start if i == axis else each for i, each in enumerate(stops))
            middle = self.put(inner, own_starts, own_stops, value)
            before, after = self.cut(base, axis, 0, start), self.cut(base, axis, stop, size)
            return self.add("concat", before, middle, after, axis=axis)
        return value

    # --- programs

    def weights_alone(self) -> list[bool]:
        """Of each node, whether it is made of weights alone (and constants); constants don't count."""
        found: list[bool] = []
        constant: list[bool] = []
        for node in self.nodes:
            fixed = node.kind != "input" and is_known(node.type.shape) and is_known(node.attributes)
            constant.append(fixed and node.kind != "weight" and all(constant[number] for number in node.inputs))
            both = all(found[number] or constant[number] for number in node.inputs)
            found.append(node.kind == "weight" or (fixed and both and not constant[-1]))
        return found

    def programs(self, encode: Mapping[str, int], step: Mapping[str, int]) -> tuple[Program, Program, Program]:
        """The programs that compute these outputs, and the one that prepares the weights for both."""
        prepared = self.weights_alone()
        wanted: dict[int, str] = {}
        for outputs in (encode, step):
            for number in self._needed(outputs.values(), stop=prepared):
                if prepared[number]:
                    wanted.setdefault(number, f"{PREPARED}{len(wanted)}")
        every = [False] * len(self.nodes)
        return (
            self._program({name: number for number, name in wanted.items()}, every, {}),
            self._program(encode, prepared, wanted),
            self._program(step, prepared, wanted),
        )

    def inputs_of(self, outputs: Iterable[int]) -> list[int]:
        """The inputs of programs that these nodes depend on."""
        needed = self._needed(outputs, [False] * len(self.nodes))
        return [number for number in needed if self.nodes[number].kind == "input"]

    def _needed(self, outputs: Iterable[int], stop: Sequence[bool]) -> list[int]:
        """The nodes that the outputs depend on, in their order; nothing below those to stop at."""
        needed: set[int] = set()
        todo = list(outputs)
        while todo:
            number = todo.pop()
            if number not in needed:
                needed.add(number)
                todo += () if stop[number] else self.nodes[number].inputs
        return sorted(needed)

    def _program(self, outputs: Mapping[str, int], stop: Sequence[bool], names: Mapping[int, str]) -> Program:
        needed = self._needed(outputs.values(), stop)
        is_input = {number: stop[number] or self.nodes[number].kind in ("input", "weight") for number in needed}
        inputs = [number for number in needed if is_input[number]]
        values = {number: place for place, number in enumerate(inputs)}
        operations: list[Operation] = []
        for number in needed:
            node = self.nodes[number]
            if not is_input[number]:
                values[number] = len(inputs) + len(operations)
                own = tuple(values[each] for each in node.inputs)
                operations.append(Operation(node.kind, own, dict(node.attributes), node.type))
        named = tuple((names.get(each) or self.attributes(each)["name"], self.type(each)) for each in inputs)
        return Program(named, tuple(operations), tuple((name, values[each]) for name, each in outputs.items()))


def is_known(value: Any) -> bool:
    """Whether a size, a shape or an attribute depends on no named size."""
    return all(map(is_known, value)) if isinstance(value, tuple) else not isinstance(value, Size)


def _slice(graph: Graph, inputs: Sequence[int], attributes: Attributes) -> int | None:
    (base,) = inputs
    node = graph.nodes[base]
    starts, stops = attributes["starts"], attributes["stops"]
    shape = node.type.shape
    if stops == shape and not any(starts):
        return base
    sizes = tuple(stop - start for start, stop in zip(starts, stops, strict=True))
    if node.kind == "full":
        return graph.add("full", **{**graph.attributes(base), "shape": sizes})
    if node.kind == "slice":
        inner = graph.attributes(base)["starts"]
        starts = tuple(start + own for start, own in zip(inner, starts, strict=True))
        stops = tuple(start + own for start, own in zip(inner, stops, strict=True))
        return graph.add("slice", node.inputs[0], starts=starts, stops=stops)
    if node.kind == "concat":
        return _slice_of_parts(graph, base, starts, stops)
    return None


def _slice_of_parts(graph: Graph, base: int, starts: Shape, stops: Shape) -> int | None:
    """A slice of a `concat` as the concat of slices; None if it isn't known where the parts end."""
    axis = graph.attributes(base)["axis"]
    begin: AnySize = 0
    found = []
    for part in graph.nodes[base].inputs:
        end = begin + graph.type(part).shape[axis]
        first = later_of(begin, starts[axis])
        last = earlier_of(end, stops[axis])
        if first is None or last is None:
            return None
        if is_at_most(last, first):
            pass
        elif is_at_most(first, last):
            own_starts = tuple(first - begin if i == axis else each for i, each in enumerate(starts))
            own_stops = tuple(last - begin if i == axis else each for i, each in enumerate(stops))
            found.append(graph.add("slice", part, starts=own_starts, stops=own_stops))
        else:
            return None
        begin = end
    return graph.add("concat", *found, axis=axis) if found else None


def later_of(one: AnySize, other: AnySize) -> AnySize | None:
    """The larger of two sizes; None if that depends."""
    return other if is_at_most(one, other) else one if is_at_most(other, one) else None


def earlier_of(one: AnySize, other: AnySize) -> AnySize | None:
    """The smaller of two sizes; None if that depends."""
    return one if is_at_most(one, other) else other if is_at_most(other, one) else None


def _concat(graph: Graph, inputs: Sequence[int], attributes: Attributes) -> int | None:
    axis = attributes["axis"]
    parts: list[int] = []
    for number in inputs:
        node = graph.nodes[number]
        nested = node.kind == "concat" and graph.attributes(number)["axis"] == axis
        for part in node.inputs if nested else (number,):
            if graph.type(part).shape[axis] == 0:
                continue
            together = _adjacent(graph, parts[-1], part, axis) if parts else None
            parts[-1:] = [parts[-1], part] if parts and together is None else [part if together is None else together]
    if not parts:
        return inputs[0]
    if len(parts) == 1:
        return parts[0]
    return None if tuple(parts) == tuple(inputs) else graph.add("concat", *parts, axis=axis)


def _adjacent(graph: Graph, one: int, other: int, axis: int) -> int | None:
    """Two slices of an array that follow each other as one; two arrays of one number likewise."""
    before, after = graph.nodes[one], graph.nodes[other]
    if before.kind == after.kind == "full":
        own, others = graph.attributes(one), graph.attributes(other)
        if own["value"] != others["value"]:
            return None
        shape = before.type.shape
        total = shape[axis] + after.type.shape[axis]
        return graph.add("full", **{**own, "shape": (*shape[:axis], total, *shape[axis + 1 :])})
    if before.kind != "slice" or after.kind != "slice" or before.inputs != after.inputs:
        return None
    own, others = graph.attributes(one), graph.attributes(other)
    if own["stops"][axis] != others["starts"][axis]:
        return None
    for i in range(len(own["starts"])):
        if i != axis and (own["starts"][i], own["stops"][i]) != (others["starts"][i], others["stops"][i]):
            return None
    stops = tuple(others["stops"][i] if i == axis else stop for i, stop in enumerate(own["stops"]))
    return graph.add("slice", before.inputs[0], starts=own["starts"], stops=stops)


def _reshape(graph: Graph, inputs: Sequence[int], attributes: Attributes) -> int | None:
    (base,) = inputs
    node = graph.nodes[base]
    if node.type.shape == attributes["shape"]:
        return base
    if node.kind == "reshape":
        return graph.add("reshape", node.inputs[0], shape=attributes["shape"])
    if node.kind in ("full", "constant"):
        return graph.add(node.kind, **{**graph.attributes(base), "shape": attributes["shape"]})
    return None


def _transpose(graph: Graph, inputs: Sequence[int], attributes: Attributes) -> int | None:
    (base,) = inputs
    node, axes = graph.nodes[base], attributes["axes"]
    if axes == tuple(range(len(axes))):
        return base
    if node.kind == "transpose":
        inner = graph.attributes(base)["axes"]
        return graph.add("transpose", node.inputs[0], axes=tuple(inner[axis] for axis in axes))
    return None


def _broadcast(graph: Graph, inputs: Sequence[int], attributes: Attributes) -> int | None:
    (base,) = inputs
    node = graph.nodes[base]
    if node.type.shape == attributes["shape"]:
        return base
    if node.kind == "constant" and len(graph.attributes(base)["data"]) == 1:
        value = graph.attributes(base)["data"][0]
        return graph.add("full", dtype=node.type.dtype, shape=attributes["shape"], value=value)
    return None


def _cast(graph: Graph, inputs: Sequence[int], attributes: Attributes) -> int | None:
    (base,) = inputs
    node, dtype = graph.nodes[base], attributes["dtype"]
    if node.type.dtype == dtype:
        return base
    if node.kind == "constant":
        data = tuple(map(float if dtype == "float" else int, graph.attributes(base)["data"]))
        return graph.add("constant", dtype=dtype, shape=node.type.shape, data=data)
    return None


def _matmul(graph: Graph, inputs: Sequence[int], attributes: Attributes) -> int | None:
    one, other = inputs
    node = graph.nodes[other]
    if node.kind == "full" and graph.attributes(other)["value"] == 1 and node.type.shape[1:] == (1,):
        return graph.add("sum", one, axis=len(graph.type(one).shape) - 1)
    return None


SIMPLIFICATIONS: dict[str, Callable[[Graph, Sequence[int], Attributes], int | None]] = {
    "slice": _slice,
    "concat": _concat,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast": _broadcast,
    "cast": _cast,
    "matmul": _matmul,
}
"""By kind: a node that has the same value, or None."""
