"""Symbolic arrays: what the NumPy runtime does with them is recorded in a graph.

A `Symbol` has NumPy's views and in-place writes. It is given to NumPy's own functions, which leave the work to it
(`__array_ufunc__`, `__array_function__`), so the runtime is traced as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from seq2see.program.graph import Graph
from seq2see.program.operations import Shape
from seq2see.program.sizes import AnySize, Size, exact_quotient, product_of
from seq2see.program.views import Reshaped, Sliced, Transposed, View

NUMPY_DTYPES: dict[str, np.dtype[Any]] = {
    "float": np.dtype(np.float32),
    "int": np.dtype(np.int64),
    "bool": np.dtype(np.bool_),
}
KINDS = {"f": "float", "i": "int", "u": "int", "b": "bool"}
ORDER = ("bool", "int", "float")
"""Of two types, an operation computes in the later one."""
ELEMENTWISE = {
    np.add: "add",
    np.subtract: "subtract",
    np.multiply: "multiply",
    np.divide: "divide",
    np.floor_divide: "floor_divide",
    np.maximum: "maximum",
    np.minimum: "minimum",
    np.equal: "equal",
    np.less: "less",
    np.tanh: "tanh",
    np.exp: "exp",
    np.log: "log",
    np.sqrt: "sqrt",
    np.sin: "sin",
    np.cos: "cos",
}
SWAPPED = {np.greater: "less"}
"""Those that are another one with its inputs in the other order."""
REDUCTIONS = {np.add: "sum", np.maximum: "max"}


class Symbol(NDArrayOperatorsMixin):
    """An array of a graph: a node, or a view of another symbol."""

    def __init__(self, graph: Graph, node: int, view: View | None = None) -> None:
        self.graph = graph
        self._node = node
        self._view = view
        type_ = graph.type(node)
        self.shape: Shape = type_.shape
        self.dtype = NUMPY_DTYPES[type_.dtype]

    @property
    def node(self) -> int:
        """The node with the present value."""
        return self._node if self._view is None else self._view.read()

    def write(self, node: int) -> None:
        """Give it, and what it is a view of, another value."""
        if self._view is None:
            self._node = node
        else:
            self._view.write(node)

    def _as_view(self, view: View) -> Symbol:
        return Symbol(self.graph, view.read(), view)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> AnySize:
        """The number of elements."""
        return product_of(self.shape)

    @property
    def T(self) -> Symbol:  # noqa: N802 (NumPy's name)
        """The axes in reverse order."""
        return self.transpose()

    def __len__(self) -> int:
        """For comparisons alone: an unknown size is larger than any number."""
        first = self.shape[0]
        return first if isinstance(first, int) else sys.maxsize

    def __bool__(self) -> bool:
        raise TypeError("a program can't depend on values: take the general path for a traced array")

    def __iter__(self) -> Iterator[Symbol]:
        if not isinstance(self.shape[0], int):
            raise TypeError(f"a program can't depend on the size {self.shape[0]}")
        return (self[index] for index in range(self.shape[0]))

    def reshape(self, *shape: Any) -> Symbol:
        """See NumPy."""
        sizes: Sequence[AnySize] = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        known = product_of(tuple(size for size in sizes if size != -1))
        found = tuple(exact_quotient(self.size, known) if size == -1 else size for size in sizes)
        return self._as_view(Reshaped(self, found))

    def transpose(self, *axes: int) -> Symbol:
        """See NumPy."""
        return self._as_view(Transposed(self, axes or tuple(reversed(range(self.ndim)))))

    def swapaxes(self, one: int, other: int) -> Symbol:
        """See NumPy."""
        axes = list(range(self.ndim))
        axes[one], axes[other] = axes[other], axes[one]
        return self.transpose(*axes)

    def __getitem__(self, index: Any) -> Any:
        index = index if isinstance(index, tuple) else (index,)
        chosen = [place for place, each in enumerate(index) if isinstance(each, Symbol)]
        if chosen:
            others = [each for each in index if not isinstance(each, Symbol)]
            if len(chosen) > 1 or any(each != slice(None) for each in others):
                raise NotImplementedError("one array of indices, and whole axes beside it")
            return index[chosen[0]].selected_from(self, chosen[0])
        return self._sliced(index)

    def selected_from(self, table: Symbol, axis: int) -> Symbol:
        """What a table has at these indices along an axis, which their axes replace."""
        axes = list(range(table.ndim))
        axes.insert(0, axes.pop(axis))
        rows = Symbol(self.graph, self.graph.add("gather", table.transpose(*axes).node, self.node))
        others = list(range(self.ndim, rows.ndim))
        return rows.transpose(*others[:axis], *range(self.ndim), *others[axis:])

    def _sliced(self, index: tuple[Any, ...]) -> Symbol:
        given = sum(each is not None and each is not Ellipsis for each in index)
        at = index.index(Ellipsis) if Ellipsis in index else len(index)
        index = (*index[:at], *(slice(None) for _ in range(self.ndim - given)), *index[at + 1 :])
        starts: list[AnySize] = []
        stops: list[AnySize] = []
        shape: list[AnySize] = []
        for each in index:
            if each is None:
                shape.append(1)
                continue
            size = self.shape[len(starts)]
            if isinstance(each, slice):
                if each.step is not None:
                    raise NotImplementedError("slices without a step")
                start, stop = (from_start(each.start, 0, size), from_start(each.stop, size, size))
                shape.append(stop - start)
            else:
                start = from_start(each, 0, size)
                stop = start + 1
            starts.append(start)
            stops.append(stop)
        cut = self._as_view(Sliced(self, tuple(starts), tuple(stops)))
        return cut._as_view(Reshaped(cut, tuple(shape)))

    def __setitem__(self, index: Any, value: Any) -> None:
        target = self[index] if index is not Ellipsis else self
        target.write(self._filled(value, target.shape))

    def _filled(self, value: Any, shape: Shape) -> int:
        node = self.graph.add("cast", node_of(self.graph, value, self), dtype=KINDS[self.dtype.kind])
        return self.graph.add("broadcast", node, shape=shape)

    # --- methods of arrays

    def astype(self, dtype: Any, copy: bool = True) -> Symbol:
        """See NumPy; floats have 32 bits."""
        return Symbol(self.graph, self.graph.add("cast", self.node, dtype=KINDS[np.dtype(dtype).kind]))

    def copy(self) -> Symbol:
        """See NumPy."""
        return Symbol(self.graph, self.node)

    def dot(self, other: Any, out: Symbol | None = None) -> Symbol:
        """See NumPy."""
        return product(self, other, out)

    def sum(self, axis: int, keepdims: bool = False) -> Symbol:
        """See NumPy."""
        found = self.astype(np.int64) if self.dtype.kind == "b" else self
        return reduced(found, "sum", axis, keepdims)

    def max(self, axis: int, keepdims: bool = False) -> Symbol:
        """See NumPy."""
        return reduced(self, "max", axis, keepdims)

    def mean(self, axis: int) -> Symbol:
        """See NumPy."""
        size = self.shape[axis]
        assert isinstance(size, int), "a mean needs a known number"
        mean: Symbol = self.sum(axis) / size
        return mean

    def cumsum(self, axis: int) -> Symbol:
        """See NumPy."""
        whole = self.astype(np.int64) if self.dtype.kind == "b" else self
        return Symbol(self.graph, self.graph.add("cumsum", whole.node, axis=axis))

    # --- NumPy's functions

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        target = out[0] if out else None
        found: Symbol
        if method == "reduce" and ufunc in REDUCTIONS:
            found = reduced(inputs[0], REDUCTIONS[ufunc], options["axis"], options.get("keepdims", False))
        elif method == "__call__" and ufunc is np.matmul:
            found = product(inputs[0], inputs[1], None)
        elif method == "__call__" and ufunc in ELEMENTWISE and not options:
            found = elementwise(self.graph, ELEMENTWISE[ufunc], inputs)
        elif method == "__call__" and ufunc in SWAPPED and not options:
            found = elementwise(self.graph, SWAPPED[ufunc], inputs[::-1])
        elif method == "__call__" and ufunc is np.negative and not options:
            found = np.subtract(0, inputs[0])
        elif method == "__call__" and ufunc is np.logaddexp and not options:
            largest = np.maximum(*inputs)
            found = largest + np.log(np.exp(inputs[0] - largest) + np.exp(inputs[1] - largest))
        else:
            return NotImplemented
        return found if target is None else written(found, target)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in FUNCTIONS:
            return NotImplemented
        return FUNCTIONS[function](self, *args, **kwargs)


def from_start(index: int | Size | None, default: AnySize, size: AnySize) -> AnySize:
    """A bound of a slice, counted from the start."""
    if index is None:
        return default
    if isinstance(index, Size):
        return index
    index = int(index)
    if index < 0:
        return size + index
    return min(index, size) if isinstance(size, int) else index


def node_of(graph: Graph, value: Any, like: Symbol | None = None) -> int:
    """The node of a symbol, or of numbers as a constant; a Python number has the type of `like`."""
    if isinstance(value, Symbol):
        return value.node
    if isinstance(value, Size):
        one = graph.add("range", start=value, stop=value + 1)
        return graph.add("reshape", one, shape=())
    array = np.asarray(value)
    dtype = KINDS[array.dtype.kind]
    if isinstance(value, int | float) and not isinstance(value, bool) and like is not None:
        dtype = "float" if like.dtype.kind == "f" or dtype == "float" else "int"
    array = array.astype(NUMPY_DTYPES[dtype])
    # The number with the fewest digits that has the same 32 bits, as it is stored.
    data = tuple(float(str(each)) if dtype == "float" else each.item() for each in array.ravel())
    if len(data) > 1 and len(set(data)) == 1:
        return graph.add("full", dtype=dtype, shape=array.shape, value=data[0])
    return graph.add("constant", dtype=dtype, shape=array.shape, data=data)


def elementwise(graph: Graph, kind: str, inputs: Sequence[Any]) -> Symbol:
    """An operation on each element, in the type that holds both."""
    like = next(each for each in inputs if isinstance(each, Symbol))
    nodes = [node_of(graph, each, like) for each in inputs]
    dtype = max((graph.type(node).dtype for node in nodes), key=ORDER.index)
    dtype = "int" if dtype == "bool" else dtype
    return Symbol(graph, graph.add(kind, *(graph.add("cast", node, dtype=dtype) for node in nodes)))


def reduced(x: Symbol, kind: str, axis: int, keepdims: bool) -> Symbol:
    """Reduced along an axis."""
    axis %= x.ndim
    node = x.graph.add(kind, x.node, axis=axis)
    if not keepdims:
        node = x.graph.add("reshape", node, shape=(*x.shape[:axis], *x.shape[axis + 1 :]))
    return Symbol(x.graph, node)


def product(one: Any, other: Any, out: Symbol | None) -> Symbol:
    """The product of matrices, or of matrices and a vector."""
    graph = (one if isinstance(one, Symbol) else other).graph
    nodes = [node_of(graph, each) for each in (one, other)]
    shapes = [graph.type(node).shape for node in nodes]
    if len(shapes[0]) == 1:
        nodes[0] = graph.add("reshape", nodes[0], shape=(1, *shapes[0]))
    if len(shapes[1]) == 1:
        nodes[1] = graph.add("reshape", nodes[1], shape=(*shapes[1], 1))
    node = graph.add("matmul", *nodes)
    shape = list(graph.type(node).shape)
    if len(shapes[1]) == 1:
        shape.pop()
    if len(shapes[0]) == 1:
        shape.pop(-1 if len(shapes[1]) == 1 else -2)
    found = Symbol(graph, graph.add("reshape", node, shape=tuple(shape)))
    return found if out is None else written(found, out)


def written(found: Symbol, out: Any) -> Symbol:
    """Write a result into an array, which is returned."""
    if not isinstance(out, Symbol):
        raise TypeError("a symbolic array can't be written into memory of NumPy: make it with `empty(like=…)`")
    out.write(out._filled(found, out.shape))
    return out


def _filled_like(value: float) -> Callable[..., Symbol]:
    def make(one: Symbol, like: Any, dtype: Any = None, *, shape: Any = None) -> Symbol:
        kind = KINDS[np.dtype(dtype or like.dtype).kind]
        sizes = tuple(shape) if shape is not None else like.shape
        return Symbol(one.graph, one.graph.add("full", dtype=kind, shape=sizes, value=value))

    return make


def _arange(one: Symbol, stop: Any, **_: Any) -> Symbol:
    return Symbol(one.graph, one.graph.add("range", start=0, stop=stop))


def _concatenate(one: Symbol, arrays: Sequence[Any], axis: int = 0) -> Symbol:
    nodes = [node_of(one.graph, each, one) for each in arrays]
    return Symbol(one.graph, one.graph.add("concat", *nodes, axis=axis % len(one.graph.type(nodes[0]).shape)))


def _stack(one: Symbol, arrays: Sequence[Symbol], axis: int = 0) -> Symbol:
    whole = (slice(None),) * axis
    return _concatenate(one, [each[(*whole, None)] for each in arrays], axis)


def _split(one: Symbol, x: Symbol, parts: int, axis: int = 0) -> list[Symbol]:
    axis %= x.ndim
    each = exact_quotient(x.shape[axis], parts)
    whole = (slice(None),) * axis
    return [x[(*whole, slice(each * part, each * (part + 1)))] for part in range(parts)]


def _where(one: Symbol, condition: Symbol, this: Any, other: Any) -> Symbol:
    graph = one.graph
    nodes = [node_of(graph, each) for each in (this, other)]
    dtype = max((graph.type(node).dtype for node in nodes), key=ORDER.index)
    nodes = [graph.add("cast", node, dtype=dtype) for node in nodes]
    return Symbol(graph, graph.add("where", condition.node, *nodes))


def _repeat(one: Symbol, x: Symbol, repeats: Any, axis: int) -> Symbol:
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    each = x[(*(slice(None),) * (axis + 1), None)]
    node = one.graph.add("broadcast", each.node, shape=(*before, x.shape[axis], repeats, *after))
    return Symbol(one.graph, node).reshape(*before, x.shape[axis] * repeats, *after)


def _copyto(one: Symbol, target: Symbol, value: Any) -> None:
    target[...] = value


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.empty_like: _filled_like(0.0),
    np.zeros_like: _filled_like(0.0),
    np.arange: _arange,
    np.concatenate: _concatenate,
    np.stack: _stack,
    np.split: _split,
    np.where: _where,
    np.repeat: _repeat,
    np.copyto: _copyto,
    np.dot: lambda one, x, y, out=None: product(x, y, out),
}
"""NumPy's functions that symbols know."""
