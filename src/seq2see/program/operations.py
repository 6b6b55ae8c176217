"""The operations of programs, and the type of what each gives: all that a target has to know of a model.

A value is an array of `float` (32 bits), `int` (at least 32 bits) or `bool`. `OPERATIONS` has one function per kind of
operation: from the types of the inputs and the attributes to the type of the result. It is used where operations are
recorded, and again where a stored program is read: ValueError for inputs or attributes that don't fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from seq2see.program.sizes import AnySize, is_at_most, product_of

Shape: TypeAlias = tuple[AnySize, ...]
Attributes: TypeAlias = Mapping[str, Any]

DTYPES = ("float", "int", "bool")
MAX_RANK = 6


class Type(NamedTuple):
    """The type of a value."""

    dtype: str
    shape: Shape


class Operation(NamedTuple):
    """One operation; its inputs are numbers of values that are defined before it."""

    kind: str
    inputs: tuple[int, ...]
    attributes: Attributes
    type: Type


Infer: TypeAlias = Callable[[Sequence[Type], Attributes], Type]


def require(condition: bool, what: str) -> None:
    """ValueError unless this holds."""
    if not condition:
        raise ValueError(what)


def joined(*shapes: Shape) -> Shape:
    """The shape that these broadcast to, as in NumPy."""
    rank = max(map(len, shapes))
    padded = [(*(1 for _ in range(rank - len(shape))), *shape) for shape in shapes]
    found = []
    for sizes in zip(*padded, strict=True):
        others = {size for size in sizes if size != 1}
        require(len(others) < 2, f"shapes don't fit: {', '.join(map(str, shapes))}")
        found.append(others.pop() if others else 1)
    return tuple(found)


def constant(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Numbers that are part of the program, in C order."""
    type_, data = Type(attributes["dtype"], attributes["shape"]), attributes["data"]
    require(type_.dtype in DTYPES, f"unknown type {type_.dtype!r}")
    require(product_of(type_.shape) == len(data), f"{len(data):,} numbers don't fill {type_.shape}")
    return type_


def full(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """One number everywhere."""
    require(attributes["dtype"] in DTYPES, f"unknown type {attributes['dtype']!r}")
    return Type(attributes["dtype"], attributes["shape"])


def range_(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """start, start + 1, … before stop."""
    start, stop = attributes["start"], attributes["stop"]
    require(is_at_most(0, start) and is_at_most(start, stop), f"not ascending: {start} to {stop}")
    return Type("int", (stop - start,))


def gather(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Rows [… N] of a table [V N] at ids […]."""
    table, ids = inputs
    require(ids.dtype == "int" and len(table.shape) > 0, "needs a table and integers")
    return Type(table.dtype, (*ids.shape, *table.shape[1:]))


def slice_(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """From starts to stops along each axis."""
    ((dtype, shape),) = inputs
    starts, stops = attributes["starts"], attributes["stops"]
    require(len(starts) == len(stops) == len(shape), "needs a start and a stop for each axis")
    for start, stop, size in zip(starts, stops, shape, strict=True):
        inside = is_at_most(0, start) and is_at_most(start, stop) and is_at_most(stop, size)
        require(inside, f"{start}:{stop} is outside {size}")
    return Type(dtype, tuple(stop - start for start, stop in zip(starts, stops, strict=True)))


def reshape(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """The same elements in another shape, in C order."""
    ((dtype, shape),) = inputs
    require(product_of(shape) == product_of(attributes["shape"]), f"{shape} has not the size of {attributes['shape']}")
    return Type(dtype, attributes["shape"])


def transpose(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Axis i of the result is axis `axes[i]`."""
    ((dtype, shape),) = inputs
    axes = attributes["axes"]
    require(sorted(axes) == list(range(len(shape))), f"{axes} are not the axes of {shape}")
    return Type(dtype, tuple(shape[axis] for axis in axes))


def broadcast(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Repeated along axes of size 1 and new first axes."""
    ((dtype, shape),) = inputs
    require(joined(shape, attributes["shape"]) == attributes["shape"], f"{shape} is not {attributes['shape']} repeated")
    return Type(dtype, attributes["shape"])


def concat(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Joined along an axis."""
    first, axis = inputs[0], attributes["axis"]
    require(0 <= axis < len(first.shape), f"axis {axis} of {first.shape}")
    total: AnySize = 0
    for dtype, shape in inputs:
        same = len(shape) == len(first.shape) and all(
            own == other for i, (own, other) in enumerate(zip(shape, first.shape, strict=True)) if i != axis
        )
        require(same and dtype == first.dtype, f"{shape} doesn't fit {first.shape}")
        total = total + shape[axis]
    return Type(first.dtype, (*first.shape[:axis], total, *first.shape[axis + 1 :]))


def arithmetic(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Element by element, with broadcasting; both of one type."""
    one, other = inputs
    require(one.dtype == other.dtype != "bool", f"{one.dtype} and {other.dtype}")
    return Type(one.dtype, joined(one.shape, other.shape))


def quotient(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Element by element; of floats."""
    require(inputs[0].dtype == "float", "needs floats")
    return arithmetic(inputs, attributes)


def integer_quotient(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Element by element; of integers of at least 0 by integers of at least 1."""
    require(inputs[0].dtype == "int", "needs integers")
    return arithmetic(inputs, attributes)


def comparison(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Element by element, with broadcasting."""
    return Type("bool", arithmetic(inputs, attributes).shape)


def function(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Of each element."""
    ((dtype, shape),) = inputs
    require(dtype == "float", "needs floats")
    return Type(dtype, shape)


def where(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """The second where the first is true, else the third; with broadcasting."""
    condition, one, other = inputs
    require(condition.dtype == "bool" and one.dtype == other.dtype, "needs a condition, and two of one type")
    return Type(one.dtype, joined(condition.shape, one.shape, other.shape))


def cast(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """As another type; true is 1."""
    require(attributes["dtype"] in ("float", "int"), f"unknown type {attributes['dtype']!r}")
    return Type(attributes["dtype"], inputs[0].shape)


def matmul(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """[… N I] times [… I M], as in NumPy; the second may be [I M]."""
    one, other = inputs
    require(one.dtype == other.dtype == "float", "needs floats")
    require(len(one.shape) > 1 and len(other.shape) > 1, "needs matrices")
    require(one.shape[-1] == other.shape[-2], f"shapes don't fit: {one.shape}, {other.shape}")
    return Type("float", (*joined(one.shape[:-2], other.shape[:-2]), one.shape[-2], other.shape[-1]))


def reduction(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """Along an axis, which stays with size 1."""
    ((dtype, shape),) = inputs
    axis = attributes["axis"]
    require(dtype != "bool" and 0 <= axis < len(shape), f"axis {axis} of {dtype} {shape}")
    return Type(dtype, (*shape[:axis], 1, *shape[axis + 1 :]))


def cumulative(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """The sum of each element and those before it along an axis."""
    reduction(inputs, attributes)
    return inputs[0]


def lstm(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """An LSTM over sequences: states h at each position beside c after the last one.

    Inputs: the inputs' share of the gates [B S 4H] with the bias, the lengths [B], the hidden weights [H 4H]. Gates are
    input, forget, output, cell; the first three are 1/2 + 1/2 tanh. `reverse`: each row from its last position to its
    first. The result [B S+2 H] has h at the S positions, 0 at padding, then h and c after the last position read.
    """
    gates, lengths, hidden = inputs
    require(gates.dtype == hidden.dtype == "float" and lengths.dtype == "int", "needs floats, integers, floats")
    require(len(gates.shape) == 3 and len(hidden.shape) == 2, f"shapes don't fit: {gates.shape}, {hidden.shape}")
    sentences, length, width = gates.shape
    units = hidden.shape[0]
    fits = lengths.shape == (sentences,) and hidden.shape[1] == width == 4 * units
    require(fits, f"shapes don't fit: {gates.shape}, {lengths.shape}, {hidden.shape}")
    require(isinstance(attributes["reverse"], bool), "reverse must be true or false")
    return Type("float", (sentences, length + 2, units))


def gru(inputs: Sequence[Type], attributes: Attributes) -> Type:
    """A GRU over sequences: states h at each position.

    Inputs as those of an `lstm`. Gates are reset r, update z and the two summands a, b of the new state, of state and
    of input; the first two are 1/2 + 1/2 tanh. n = tanh(b + r·a), and the next h is n + z·(h - n). The result
    [B S+1 H] has h at the S positions, 0 at padding, then h after the last position read.
    """
    sentences, length, units = lstm(inputs, attributes).shape
    return Type("float", (sentences, length - 1, units))


OPERATIONS: dict[str, tuple[int, Infer]] = {
    "constant": (0, constant),
    "full": (0, full),
    "range": (0, range_),
    "gather": (2, gather),
    "slice": (1, slice_),
    "reshape": (1, reshape),
    "transpose": (1, transpose),
    "broadcast": (1, broadcast),
    "concat": (-1, concat),
    "add": (2, arithmetic),
    "subtract": (2, arithmetic),
    "multiply": (2, arithmetic),
    "maximum": (2, arithmetic),
    "minimum": (2, arithmetic),
    "divide": (2, quotient),
    "floor_divide": (2, integer_quotient),
    "equal": (2, comparison),
    "less": (2, comparison),
    "tanh": (1, function),
    "exp": (1, function),
    "log": (1, function),
    "sqrt": (1, function),
    "sin": (1, function),
    "cos": (1, function),
    "where": (3, where),
    "cast": (1, cast),
    "matmul": (2, matmul),
    "sum": (1, reduction),
    "max": (1, reduction),
    "cumsum": (1, cumulative),
    "lstm": (3, lstm),
    "gru": (3, gru),
}
"""The number of inputs of each kind of operation, -1 for any, and the type of its result."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "constant": ("dtype", "shape", "data"),
    "full": ("dtype", "shape", "value"),
    "range": ("start", "stop"),
    "slice": ("starts", "stops"),
    "reshape": ("shape",),
    "transpose": ("axes",),
    "broadcast": ("shape",),
    "concat": ("axis",),
    "cast": ("dtype",),
    "sum": ("axis",),
    "max": ("axis",),
    "cumsum": ("axis",),
    "lstm": ("reverse",),
    "gru": ("reverse",),
}
"""The attributes of the kinds that have any."""


def type_of(kind: str, inputs: Sequence[Type], attributes: Attributes) -> Type:
    """The type of the result of an operation. ValueError if it is unknown, or its inputs or attributes don't fit."""
    require(kind in OPERATIONS, f"unknown operation {kind!r:.40}")
    number, infer = OPERATIONS[kind]
    require(len(inputs) == number or (number < 0 < len(inputs)), f"has {len(inputs)} inputs")
    found = infer(inputs, attributes)
    require(len(found.shape) <= MAX_RANK, f"has {len(found.shape)} axes, and at most {MAX_RANK} are possible")
    return found
