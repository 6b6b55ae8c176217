"""Programs as JSON, and the checks that a file has to pass before anything of it runs.

    {"format": …, "prepare": P, "encode": P, "step": P}
    P = {"inputs": [[name, type, shape], …],
         "operations": [[kind, [inputs], {attributes}, type, shape], …],
         "outputs": [[name, value], …]}

An operation can only use values defined before it, so there are no cycles; its type is inferred again and must be the
one in the file; what one program gives must be what the next takes. CheckpointError, naming the operation, for
anything else, without computing anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from seq2see.errors import CheckpointError
from seq2see.program.operations import ATTRIBUTES, DTYPES, MAX_RANK, OPERATIONS, Operation, Shape, Type, type_of
from seq2see.program.program import CARRY, IDS, LENGTHS, LOG_PROBS, PREPARED, READING, WEIGHTS, Program, Programs
from seq2see.program.sizes import LARGEST, AnySize, Size, product_of, read_size, terms_of, text_of

FORMAT = "seq2see-program-1"
MAX_BYTES = 2**22
"""Of a file: many times the size of any model's programs."""
MAX_VALUES = 20_000
"""Inputs and operations of one program."""
MAX_CONSTANTS = 2**20
"""Numbers in one program."""
MAX_ELEMENTS = 2**28
"""Elements of one value, for each product of named sizes; and of all prepared weights together."""
MAX_NAME = 200
EXPORT_AGAIN = "export the model again"
NOT_FINITE = {"Infinity": math.inf, "-Infinity": -math.inf}


def to_json(programs: Programs) -> str:
    """The programs as one line of JSON."""
    content = {"format": FORMAT, **{name: written(program) for name, program in programs._asdict().items()}}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def written(program: Program) -> dict[str, Any]:
    """A program as plain values."""
    return {
        "inputs": [[name, type_.dtype, sizes_written(type_.shape)] for name, type_ in program.inputs],
        "operations": [
            [
                each.kind,
                list(each.inputs),
                {name: attribute_written(value) for name, value in each.attributes.items()},
                each.type.dtype,
                sizes_written(each.type.shape),
            ]
            for each in program.operations
        ],
        "outputs": [list(output) for output in program.outputs],
    }


def sizes_written(shape: Shape) -> list[int | str]:
    """A shape as plain values."""
    return [text_of(size) if isinstance(size, Size) else size for size in shape]


def attribute_written(value: Any) -> Any:
    """An attribute as plain values."""
    if isinstance(value, tuple):
        return [attribute_written(each) for each in value]
    if isinstance(value, Size):
        return text_of(value)
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def read_programs(
    content: str | bytes, *, tensors: Mapping[str, Sequence[int]] | None = None, where: str = "program"
) -> Programs:
    """The programs of `to_json`. CheckpointError, located at `where`, for anything else.

    `tensors` are the names and shapes of the weights, which the programs' inputs must be.
    """
    if len(content) > MAX_BYTES:
        refuse(where, f"has {len(content):,} bytes, and at most {MAX_BYTES:,} are read")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        refuse(where, f"invalid JSON: {error}")
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        refuse(where, f"expected programs of format {FORMAT!r}")
    programs = Programs(*(read_program(values.get(name), f"{where}, {name}") for name in Programs._fields))
    check_together(programs, tensors, where)
    return programs


def refuse(where: str, what: str) -> NoReturn:
    """CheckpointError."""
    raise CheckpointError(what, where=where, fix=EXPORT_AGAIN)


def read_program(values: Any, where: str) -> Program:
    """One program. CheckpointError for an invalid one."""
    if not isinstance(values, dict):
        refuse(where, "is missing")
    inputs, rows, outputs = (list_of(values.get(key), f"{where}, {key}") for key in ("inputs", "operations", "outputs"))
    if len(inputs) + len(rows) > MAX_VALUES:
        refuse(where, f"has {len(inputs) + len(rows):,} values, and at most {MAX_VALUES:,} are possible")
    types: list[Type] = []
    names = []
    for number, each in enumerate(inputs):
        with Place(f"{where}, input {number}"):
            name, dtype, shape = each
            names.append(read_name(name))
            types.append(read_type(dtype, shape))
    operations, constants = [], 0
    for number, each in enumerate(rows):
        with Place(f"{where}, operation {number}") as place:
            kind, own, attributes, dtype, shape = each
            place.name(kind)
            operation = read_operation(kind, own, attributes, read_type(dtype, shape), types)
            constants += len(operation.attributes.get("data", ()))
            if constants > MAX_CONSTANTS:
                raise ValueError(f"has constants of more than {MAX_CONSTANTS:,} numbers")
            operations.append(operation)
            types.append(operation.type)
    found = []
    for number, each in enumerate(outputs):
        with Place(f"{where}, output {number}"):
            name, value = each
            found.append((read_name(name), read_index(value, len(types))))
    for kind, each in (("input", names), ("output", [name for name, _ in found])):
        if len(set(each)) < len(each):
            refuse(where, f"two {kind}s have the same name")
    return Program(tuple(zip(names, types, strict=False)), tuple(operations), tuple(found))


class Place:
    """Turns what goes wrong while a part is read into a CheckpointError that names it."""

    def __init__(self, where: str) -> None:
        self.where = where

    def name(self, kind: Any) -> None:
        """Add the kind of the operation."""
        if isinstance(kind, str) and kind in OPERATIONS:
            self.where = f"{self.where} ({kind})"

    def __enter__(self) -> Place:
        return self

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, ValueError | TypeError | KeyError | OverflowError | AttributeError):
            what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            raise CheckpointError(what, where=self.where, fix=EXPORT_AGAIN) from None


def list_of(value: Any, where: str) -> list[Any]:
    """A list. CheckpointError for anything else."""
    if not isinstance(value, list):
        refuse(where, "is no list")
    return value


def read_name(value: Any) -> str:
    """A name. ValueError for anything else."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise ValueError("has no name")
    return value


def read_index(value: Any, number: int) -> int:
    """The number of a value that is defined. ValueError for anything else."""
    if type(value) is not int or not 0 <= value < number:
        raise ValueError(f"value {value!r:.20} is not defined before it, where there are {number:,}")
    return value


def read_shape(values: Any) -> Shape:
    """A shape. ValueError for one that is invalid or too large."""
    if not isinstance(values, list) or len(values) > MAX_RANK:
        raise ValueError(f"a shape must be a list of at most {MAX_RANK} sizes")
    shape = tuple(read_size(each) for each in values)
    if any(each < 0 for each in shape if isinstance(each, int)):
        raise ValueError("a size is negative")
    return shape


def read_type(dtype: Any, shape: Any) -> Type:
    """A type. ValueError for one that is invalid or too large."""
    if dtype not in DTYPES:
        raise ValueError(f"unknown type {dtype!r:.20}")
    found = Type(dtype, read_shape(shape))
    require_size(found.shape)
    return found


def require_size(shape: Shape) -> None:
    """ValueError for more elements than a value may have."""
    if sum(abs(coefficient) for coefficient in terms_of(product_of(shape)).values()) > MAX_ELEMENTS:
        raise ValueError(f"{shape} has more than {MAX_ELEMENTS:,} elements")


def read_operation(kind: Any, inputs: Any, attributes: Any, declared: Type, types: Sequence[Type]) -> Operation:
    """An operation. ValueError for one that is invalid, or has another type than declared."""
    if not isinstance(kind, str) or kind not in OPERATIONS:
        raise ValueError(f"unknown operation {kind!r:.40}")
    if not isinstance(inputs, list) or not isinstance(attributes, dict):
        raise ValueError("must have a list of inputs, and attributes")
    own = tuple(read_index(each, len(types)) for each in inputs)
    if set(attributes) != set(ATTRIBUTES.get(kind, ())):
        raise ValueError(f"must have these attributes: {', '.join(ATTRIBUTES.get(kind, ('none',)))}")
    read = {name: READERS[name](value) for name, value in attributes.items()}
    found = type_of(kind, [types[each] for each in own], read)
    if found != declared:
        raise ValueError(f"gives {found.dtype} {found.shape}, not {declared.dtype} {declared.shape}")
    return Operation(kind, own, read, found)


def read_sizes(values: Any) -> tuple[AnySize, ...]:
    """Sizes. ValueError for anything else."""
    return read_shape(values)


def read_number(value: Any) -> float:
    """A number. ValueError for anything else."""
    if isinstance(value, str) and value in NOT_FINITE:
        return NOT_FINITE[value]
    if type(value) is int and abs(value) < LARGEST:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is bool:
        return value
    raise ValueError("must be a number")


def read_numbers(values: Any) -> tuple[float, ...]:
    """Numbers. ValueError for anything else."""
    if not isinstance(values, list) or len(values) > MAX_CONSTANTS:
        raise ValueError(f"data must be a list of at most {MAX_CONSTANTS:,} numbers")
    return tuple(map(read_number, values))


def read_axis(value: Any) -> int:
    """An axis. ValueError for anything else."""
    if type(value) is not int or not 0 <= value < MAX_RANK:
        raise ValueError("an axis must be a number from 0")
    return value


def read_axes(values: Any) -> tuple[int, ...]:
    """Axes. ValueError for anything else."""
    if not isinstance(values, list) or len(values) > MAX_RANK:
        raise ValueError("axes must be a list")
    return tuple(map(read_axis, values))


def read_flag(value: Any) -> bool:
    """True or false. ValueError for anything else."""
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


READERS = {
    "dtype": lambda value: value if isinstance(value, str) else "",
    "shape": read_shape,
    "data": read_numbers,
    "value": read_number,
    "start": read_size,
    "stop": read_size,
    "starts": read_sizes,
    "stops": read_sizes,
    "axes": read_axes,
    "axis": read_axis,
    "reverse": read_flag,
}
"""How each attribute is read."""


def check_together(programs: Programs, tensors: Mapping[str, Sequence[int]] | None, where: str) -> None:
    """CheckpointError unless what one program gives is what the next one takes."""
    prepare, encode, step = programs
    for name, type_ in prepare.inputs:
        if type_.dtype != "float" or not all(isinstance(size, int) for size in type_.shape):
            refuse(f"{where}, prepare, input {name}", "must be a weight")
        if tensors is not None and tuple(tensors.get(name, (-1,))) != type_.shape:
            refuse(f"{where}, prepare, input {name}", f"the model has no tensor of this name and shape {type_.shape}")
    if sum(elements_of(each.type) for each in prepare.operations) > MAX_ELEMENTS:
        refuse(f"{where}, prepare", f"makes more than {MAX_ELEMENTS:,} numbers of the weights")
    prepared = {name: prepare.type(value) for name, value in prepare.outputs}
    first = {name: encode.type(value) for name, value in encode.outputs}
    given = {IDS: Type("int", (size("B"), size("S"))), LENGTHS: Type("int", (size("B"),))}
    require_inputs(encode, {**prepared, **given}, f"{where}, encode")
    carries = {name: type_ for name, type_ in step.inputs if name.startswith(CARRY)}
    readings = {name: type_ for name, type_ in step.inputs if name.startswith(READING)}
    rows = size("B") * size("K")
    require_inputs(step, {**prepared, **carries, **readings, IDS: Type("int", (rows,))}, f"{where}, step")
    if set(first) != {*carries, *readings}:
        refuse(f"{where}, encode", "must give what a step takes: readings and carries")
    for name, type_ in {**carries, **readings}.items():
        axes = [axis for axis, each in enumerate(type_.shape) if each == rows]
        if name in carries and len(axes) != 1:
            refuse(f"{where}, step, input {name}", "must have one axis of rows, B*K")
        if first[name] != Type(type_.dtype, replaced(type_.shape, {"K": 1, "P": 0})):
            refuse(f"{where}, step, input {name}", "has another type than encode gives")
    after = {name: step.type(value) for name, value in step.outputs}
    vocabulary = after.get(LOG_PROBS, Type("", ())).shape[-1:]
    expected = {name: Type(type_.dtype, replaced(type_.shape, {"P": size("P") + 1})) for name, type_ in carries.items()}
    expected[LOG_PROBS] = Type("float", (rows, *vocabulary))
    if WEIGHTS in after:
        expected[WEIGHTS] = Type("float", (rows, size("S")))
    if after != expected or not all(isinstance(each, int) for each in vocabulary):
        refuse(f"{where}, step", "must give log-probabilities [B*K V], and the carries with one more position")


def require_inputs(program: Program, given: Mapping[str, Type], where: str) -> None:
    """CheckpointError unless the inputs of a program are among these."""
    for name, type_ in program.inputs:
        if given.get(name) != type_:
            kind = "what prepare gives" if name.startswith(PREPARED) else "any input"
            refuse(f"{where}, input {name}", f"is not {kind}")


def size(name: str) -> AnySize:
    """The named size."""
    return Size({(name,): 1})


def elements_of(type_: Type) -> int:
    """The number of elements of a value whose sizes are known; of others, none."""
    number = product_of(type_.shape)
    return number if isinstance(number, int) else 0


def replaced(shape: Shape, sizes: Mapping[str, AnySize]) -> Shape:
    """The shape with other sizes in place of named ones."""
    found = []
    for each in shape:
        total: AnySize = 0
        for names, coefficient in terms_of(each).items():
            term: AnySize = coefficient
            for name in names:
                term = term * sizes.get(name, size(name))
            total = total + term
        found.append(total)
    return tuple(found)
