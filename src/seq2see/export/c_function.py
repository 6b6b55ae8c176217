"""A program as straight-line C: loops with their sizes for each operation, calls for products and recurrent layers.

Slices, transposes and repeats cost nothing: they are `View`s, which what uses them reads with other steps. A buffer is
used again once its value isn't needed any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seq2see.export.c_views import (
    CTYPES,
    INT8,
    PANELS,
    WIDTHS,
    View,
    bytes_of,
    factor,
    in_order,
    literal,
    offset_of,
    repeated,
    terms,
    text,
)
from seq2see.program import Program
from seq2see.program.operations import Operation, Shape, Type
from seq2see.program.sizes import AnySize, product_of
from seq2see.program.storing import replaced

ALIGNMENT = 64
INDICES = "ijklmn"

EXPRESSIONS: dict[str, str] = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "floor_divide": "{0} / {1}",
    "maximum": "{0} > {1} ? {0} : {1}",
    "minimum": "{0} < {1} ? {0} : {1}",
    "equal": "{0} == {1}",
    "less": "{0} < {1}",
    "where": "{0} ? {1} : {2}",
    "cast": "{0}",
    "tanh": "op_tanh({0})",
    "exp": "op_exp({0})",
    "log": "logf({0})",
    "sqrt": "sqrtf({0})",
    "sin": "sinf({0})",
    "cos": "cosf({0})",
}
"""Of the operations that are computed element by element; {0} is the element of the first input."""
KERNELS = {"tanh": ("exp", "tanh"), "exp": ("exp",), "gather": ("gather",)}
"""The functions that they call, beside those of products and recurrent layers."""
RECURRENT_PRODUCTS = {
    "float": ("matmul", "product"),
    PANELS: ("panels", "matmul_panels", "product_panels"),
    INT8: ("panels", "matmul_panels", "matmul_int8", "product_int8"),
}
"""The functions for the product with the hidden state, by the dtype of its matrix."""
ALIASES = ("reshape", "slice", "transpose", "broadcast", "cast")
"""What may give a view of its input, which has to live as long."""


class Function:
    """A program as the body of a C function."""

    def __init__(self, program: Program, inputs: Sequence[View], kept: Callable[[str], str]) -> None:
        self.kernels: set[str] = set()
        self.lines: list[str] = []
        self.buffers: list[tuple[str, str, AnySize]] = []
        self.constants: list[str] = []
        self._free: dict[tuple[str, AnySize], list[str]] = {}
        self._deaths: dict[int, list[str]] = {}
        self.program = program
        self.needed = needed_until(program)
        self.values = list(inputs)
        for operation in program.operations:
            self.now = len(self.values)
            shape = replaced(operation.type.shape, {"B": 1})
            given = [self.values[number] for number in operation.inputs]
            self.note(f"{self.now}: {operation.kind} [{', '.join(map(text, shape))}]")
            self.values.append(self.compute(operation, given, shape))
            for name in self._deaths.pop(self.now, ()):
                dtype, size = next((dtype, size) for own, dtype, size in self.buffers if own == name)
                self._free.setdefault((dtype, size), []).append(name)
        self.now = len(self.values)
        for name, number in program.outputs:
            self.lines.append(f"{kept(name)} = {self.whole(self.values[number]).pointer};")

    def note(self, what: str) -> None:
        """A comment, unless the operation before it wrote nothing."""
        if self.lines and self.lines[-1].startswith("/*"):
            self.lines.pop()
        self.lines.append(f"/* {what} */")

    def body(self, arena: str) -> list[str]:
        """All lines: the constants, the memory in this arena, the operations."""
        total: AnySize = 0
        for _, dtype, size in self.buffers:
            total = total + size * WIDTHS[dtype]
        names = [
            f"{CTYPES[dtype]} *const {name} = take(work, {bytes_of(size, dtype)});"
            for name, dtype, size in self.buffers
        ]
        room = " + ".join(
            "".join([f"(double){coefficient}", *(f" * (double){each}" for each in factors)])
            for factors, coefficient in terms(total)
        )
        total_room = f"{room or '0'} + {len(self.buffers) * ALIGNMENT}"
        start = [f"begin(work, {arena}, {total_room});"] if self.buffers else []
        return [*self.constants, *start, *names, *self.lines]

    def new(self, dtype: str, shape: Shape, until: int) -> View:
        """Memory for a value that is needed until that operation."""
        size = product_of(shape)
        free = self._free.get((dtype, size))
        if free:
            name = free.pop()
        else:
            name = f"b{len(self.buffers)}"
            self.buffers.append((name, dtype, size))
        self._deaths.setdefault(until, []).append(name)
        return View(dtype, shape, in_order(shape), name)

    def result(self, dtype: str, shape: Shape) -> View:
        """Memory for the value of the operation."""
        return self.new(dtype, shape, self.needed[self.now])

    def loops(self, shape: Shape, views: Sequence[View], statement: Callable[[list[str]], str]) -> None:
        """Loops over a shape, around a statement made of the elements."""
        if 0 in shape:
            return
        axes: list[tuple[AnySize, list[AnySize]]] = []
        for axis, size in enumerate(shape):
            steps = [view.steps[axis] if not view.literal else 0 for view in views]
            if size == 1:
                continue
            if axes and all(before == step * size for before, step in zip(axes[-1][1], steps, strict=True)):
                axes[-1] = (axes[-1][0] * size, steps)
            else:
                axes.append((size, steps))
        indices = INDICES[: len(axes)]
        elements = [view.element(indices, [own[i] for _, own in axes]) for i, view in enumerate(views)]
        heads = "".join(
            f"for (size_t {index} = 0; {index} < {text(size)}; {index}++) "
            for index, (size, _) in zip(indices, axes, strict=True)
        )
        self.lines.append(heads + statement(elements))

    def copy(self, to: View, view: View) -> None:
        """Copy elements."""
        self.loops(view.shape, [to, view], lambda each: f"{each[0]} = {each[1]};")

    def whole(self, view: View) -> View:
        """The same in C order."""
        if view.is_whole:
            return view
        found = self.new(view.dtype, view.shape, max(self.now, self.needed.get(self.now, self.now)))
        self.copy(found, view)
        return found

    def compute(self, operation: Operation, inputs: list[View], shape: Shape) -> View:
        """One operation."""
        kind, attributes = operation.kind, operation.attributes
        self.kernels.update(KERNELS.get(kind, ()))
        if kind == "cast" and inputs[0].dtype == attributes["dtype"]:
            return inputs[0]
        if kind in EXPRESSIONS:
            return self.elementwise(kind, operation.type, inputs, shape)
        found: View = getattr(self, f"op_{kind}")(inputs, attributes, Type(operation.type.dtype, shape))
        return found

    def elementwise(self, kind: str, type_: Type, inputs: list[View], shape: Shape) -> View:
        """An operation of `EXPRESSIONS`."""
        found = self.result(type_.dtype, shape)
        cast = f"({CTYPES[type_.dtype]})" if kind in ("cast", "equal", "less") else ""
        expression = EXPRESSIONS[kind]

        def statement(each: list[str]) -> str:
            value = expression.format(*each[1:])
            return f"{each[0]} = {f'{cast}({value})' if cast else value};"

        self.loops(shape, [found, *(repeated(view, shape) for view in inputs)], statement)
        return found

    def op_constant(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """See `View`: a single number is no array."""
        data = attributes["data"]
        if len(data) == 1:
            return View(type_.dtype, type_.shape, (0,) * len(type_.shape), "", literal=literal(data[0], type_.dtype))
        name = f"c{self.now}"
        numbers = ", ".join(literal(each, type_.dtype) for each in data)
        self.constants.append(f"static const {CTYPES[type_.dtype]} {name}[] = {{{numbers or '0'}}};")
        return View(type_.dtype, type_.shape, in_order(type_.shape), name)

    def op_full(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """One number."""
        number = literal(attributes["value"], type_.dtype)
        return View(type_.dtype, type_.shape, (0,) * len(type_.shape), "", literal=number)

    def op_range(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """Whole numbers."""
        (size,) = type_.shape
        (start,) = replaced((attributes["start"],), {"B": 1})
        found = self.result("int", type_.shape)
        if size != 0:
            head = f"for (size_t i = 0; i < {text(size)}; i++)"
            self.lines.append(f"{head} {found.name}[i] = (int32_t)({text(start)} + i);")
        return found

    def op_gather(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """Rows of a table."""
        table, ids = self.whole(inputs[0]), inputs[1]
        width = product_of(table.shape[1:])
        found = self.result(type_.dtype, type_.shape)
        steps = tuple(each * width for each in in_order(ids.shape))
        to = found._replace(shape=ids.shape, steps=steps)
        number = bytes_of(width, type_.dtype)
        self.loops(
            ids.shape,
            [to, ids],
            lambda each: (
                f"memcpy(&{each[0]}, {table.pointer} + row_of(work, {each[1]}, {text(table.shape[0])})"
                f" * {factor(width)}, {number});"
            ),
        )
        return found

    def op_slice(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """A view."""
        (view,) = inputs
        offset = view.offset
        if not view.literal:
            for start, step in zip(replaced(attributes["starts"], {"B": 1}), view.steps, strict=True):
                offset = offset + start * step
        return view._replace(shape=type_.shape, offset=offset)

    def op_reshape(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """A view, unless elements have to be moved."""
        (view,) = inputs
        if view.literal:
            return view._replace(shape=type_.shape, steps=(0,) * len(type_.shape))
        own = [(size, step) for size, step in zip(view.shape, view.steps, strict=True) if size != 1]
        if [size for size, _ in own] == [size for size in type_.shape if size != 1]:
            steps = iter([step for _, step in own])
            return view._replace(shape=type_.shape, steps=tuple(0 if n == 1 else next(steps) for n in type_.shape))
        return self.whole(view)._replace(shape=type_.shape, steps=in_order(type_.shape))

    def op_transpose(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """A view."""
        return inputs[0]._replace(shape=type_.shape, steps=tuple(inputs[0].steps[axis] for axis in attributes["axes"]))

    def op_broadcast(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """A view."""
        return repeated(inputs[0], type_.shape)

    def op_concat(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """Each part copied to its place."""
        found, axis = self.result(type_.dtype, type_.shape), attributes["axis"]
        begin: AnySize = 0
        for part in inputs:
            self.copy(found._replace(shape=part.shape, offset=begin * found.steps[axis]), part)
            begin = begin + part.shape[axis]
        return found

    def op_sum(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """Along an axis."""
        return self.reduced(inputs[0], attributes["axis"], type_, "0", "t += {0};")

    def op_max(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """Along an axis."""
        least = "-INFINITY" if type_.dtype == "float" else "INT32_MIN"
        return self.reduced(inputs[0], attributes["axis"], type_, least, "if ({0} > t) t = {0};")

    def reduced(self, view: View, axis: int, type_: Type, first: str, statement: str) -> View:
        """Along an axis, beginning with a number."""
        found = self.result(type_.dtype, type_.shape)
        step = 0 if view.literal else view.steps[axis]
        length = view.shape[axis]
        along = f"for (size_t r = 0; r < {text(length)}; r++) " if length != 0 else "if (0) "

        def each_row(each: list[str]) -> str:
            # The element that a loop over the other axes names, moved along this one.
            element = each[1] if view.literal else f"(&{each[1]})[{offset_of(0, ['r'], [step])}]"
            inner = along + statement.format(element)
            return f"{{ {CTYPES[type_.dtype]} t = {first}; {inner} {each[0]} = t; }}"

        self.loops(type_.shape, [found, view._replace(shape=type_.shape)], each_row)
        return found

    def op_cumsum(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """Along an axis."""
        axis, shape = attributes["axis"], type_.shape
        found = self.result(type_.dtype, shape)
        self.copy(found, inputs[0])
        outer, length, inner = product_of(shape[:axis]), shape[axis], product_of(shape[axis + 1 :])
        at = f"{found.name}[(i * {factor(length)} + j) * {factor(inner)} + k"
        self.lines.append(
            f"for (size_t i = 0; i < {text(outer)}; i++) for (size_t j = 1; j < {text(length)}; j++) "
            f"for (size_t k = 0; k < {text(inner)}; k++) {at}] += {at} - {factor(inner)}];"
        )
        return found

    def op_matmul(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """A product of matrices for each batch; the second may be read as its transpose."""
        one, other = inputs
        if one.literal or not (one.steps[-1] == 1 or one.shape[-1] == 1):
            one = self.whole(one)
        found = self.result("float", type_.shape)
        n, i, m = one.shape[-2], one.shape[-1], other.shape[-1]
        if other.dtype in (PANELS, INT8):
            kernel = "matmul_int8" if other.dtype == INT8 else "matmul_panels"
            how = f"{other.name}_scales, " if other.dtype == INT8 else ""
            self.kernels.add("panels")
        else:
            by_columns = not other.literal and (other.steps[-2] == 1 or other.shape[-2] == 1)
            by_rows = not other.literal and other.steps[-1] == 1 and not (by_columns and other.shape[-1] == 1)
            if not (by_rows or by_columns):
                other, by_rows = self.whole(other), True
            kernel = "matmul" if by_rows else "matmul_columns"
            how = f"{text(other.steps[-2] if by_rows else other.steps[-1])}, "
        self.kernels.add(kernel)
        batch = type_.shape[:-2]
        one_batch = repeated(one._replace(shape=one.shape[:-2], steps=one.steps[:-2]), batch)
        other_batch = repeated(other._replace(shape=other.shape[:-2], steps=other.steps[:-2]), batch)
        to = found._replace(shape=batch, steps=found.steps[:-2])
        self.loops(
            batch,
            [to, one_batch, other_batch],
            lambda each: (
                f"op_{kernel}(&{each[0]}, &{each[1]}, {text(one.steps[-2])}, &{each[2]}, "
                f"{how}{text(n)}, {text(i)}, {text(m)});"
            ),
        )
        return found

    def op_lstm(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """The layer over the sentence."""
        return self.recurrent("lstm", inputs, attributes, type_)

    def op_gru(self, inputs: list[View], attributes: Any, type_: Type) -> View:
        """The layer over the sentence."""
        return self.recurrent("gru", inputs, attributes, type_)

    def recurrent(self, kind: str, inputs: list[View], attributes: Any, type_: Type) -> View:
        """A call of the layer."""
        gates, lengths, hidden = (self.whole(each) for each in inputs)
        is_int8 = hidden.dtype == INT8
        self.kernels.update(("exp", "tanh", *RECURRENT_PRODUCTS[hidden.dtype], kind))
        found = self.result("float", type_.shape)
        units = hidden.shape[0]
        room = self.new("float", (units * 4,), self.now)
        padded = gates.shape[1]
        self.lines.append(
            f"op_{kind}({found.pointer}, {gates.pointer}, (size_t){lengths.pointer}[0], {text(padded)}, "
            f"{hidden.pointer}, {f'{hidden.name}_scales' if is_int8 else 'NULL'}, {text(units)}, "
            f"{int(attributes['reverse'])}, {room.name});"
        )
        return found


def needed_until(program: Program) -> dict[int, int]:
    """Of each value the last operation that uses it, or a view of it."""
    end = len(program.inputs) + len(program.operations)
    last = {number: end for _, number in program.outputs}
    for place in reversed(range(len(program.operations))):
        own = len(program.inputs) + place
        last.setdefault(own, own)
        for number in program.operations[place].inputs:
            until = max(own, last[own]) if program.operations[place].kind in ALIASES else own
            last[number] = max(last.get(number, 0), until)
    return last
