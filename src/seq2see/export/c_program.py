"""The programs of a model as C functions, one sentence at a time: B is 1; K, S and P stay variables.

prepare(work, prepared, file)               once
encode(work, prepared, state, ids, S)       once for each text
step(work, prepared, state, ids, K, S, P)   the next log-probabilities, weights and carry
keep(work, state, rows, kept, K, S, P)      the carry of the rows that a search keeps
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from seq2see.export.c_function import ALIGNMENT, Function
from seq2see.export.c_views import CTYPES, WIDTHS, View, bytes_of, factor, in_order, text
from seq2see.program import Program, Programs
from seq2see.program.operations import Type
from seq2see.program.program import CARRY, IDS, LENGTHS, LOG_PROBS, READING, WEIGHTS
from seq2see.program.replay import rows_axis
from seq2see.program.sizes import Size, product_of
from seq2see.program.storing import replaced


def identifier(name: str) -> str:
    """The name of an input or an output in C."""
    return name.replace(".", "_")


def input_view(name: str, type_: Type, place: str) -> View:
    """An input of a program, in memory at `place`."""
    shape = replaced(type_.shape, {"B": 1})
    return View(type_.dtype, shape, in_order(shape), place)


class Written(NamedTuple):
    """Programs in C."""

    declarations: list[str]
    """The structures of the prepared weights, and of a state."""
    functions: list[str]
    kernels: set[str]
    """The functions that they call."""


def write_programs(programs: Programs, weights: dict[str, str], restored: Sequence[str]) -> Written:
    """The functions prepare, encode, step and keep; `weights` has the C name of each, `restored` what defines some."""
    prepared = {name: programs.prepare.type(number) for name, number in programs.prepare.outputs}
    readings = {name: type_ for name, type_ in programs.step.inputs if name.startswith(READING)}
    carries = {name: type_ for name, type_ in programs.step.inputs if name.startswith(CARRY)}
    places = {
        **{name: f"prepared->{identifier(name)}" for name in prepared},
        **{name: f"state->{identifier(name)}" for name in (*readings, *carries)},
        IDS: IDS,
        LENGTHS: LENGTHS,
        LOG_PROBS: "state->log_probs",
        WEIGHTS: "state->weights",
    }

    def body(program: Program, given: dict[str, str]) -> Function:
        names = [f"x{number}" for number in range(len(program.inputs))]
        views = [input_view(name, type_, own) for own, (name, type_) in zip(names, program.inputs, strict=True)]
        function = Function(program, views, places.__getitem__)
        function.constants[:0] = [
            f"const {CTYPES[type_.dtype]} *const {own} = {given[name]};"
            for own, (name, type_) in zip(names, program.inputs, strict=True)
        ]
        return function

    prepare, encode, step = (
        body(programs.prepare, weights),
        body(programs.encode, places),
        body(programs.step, places),
    )
    sizes = "size_t K, size_t S, size_t P"
    unused = ["(void)prepared; (void)ids; (void)K; (void)S; (void)P;"]
    functions = [
        *function_lines(
            "prepare(Work *work, Prepared *prepared, const unsigned char *file)",
            [*restored, *prepare.body("ONCE"), "(void)work; (void)prepared; (void)file;"],
        ),
        *function_lines(
            "encode(Work *work, const Prepared *prepared, State *state, const int32_t *ids, size_t S)",
            [
                "const int32_t lengths[1] = {(int32_t)S};",
                *encode.body("ONCE"),
                "(void)prepared; (void)ids; (void)lengths;",
                "(void)work; (void)state;",
            ],
        ),
        *function_lines(
            f"step(Work *work, const Prepared *prepared, State *state, const int32_t *ids, {sizes})",
            [*step.body("EACH_STEP"), *unused],
        ),
        *function_lines(
            f"keep(Work *work, State *state, const int32_t *rows, size_t kept, {sizes})", kept_lines(carries)
        ),
    ]
    fields = [
        *(f"const {CTYPES[type_.dtype]} *{identifier(name)};" for name, type_ in {**readings, **carries}.items()),
        "float *log_probs;",
        "const float *weights;",
    ]
    declarations = [
        *struct_lines(
            "Prepared",
            [f"const {CTYPES[type_.dtype]} *{identifier(name)};" for name, type_ in prepared.items()] or ["int none;"],
        ),
        *struct_lines("State", fields),
    ]
    return Written(declarations, functions, prepare.kernels | encode.kernels | step.kernels)


def kept_lines(carries: dict[str, Type]) -> list[str]:
    """The carry of the rows that a search keeps, copied out of the memory of the step that was at P."""
    lines, room = [], ["0"]
    for name, type_ in carries.items():
        shape = replaced(type_.shape, {"B": 1, "P": Size({("P",): 1}) + 1})
        axis = rows_axis(shape)
        own = identifier(name)
        outer, inner = product_of(shape[:axis]), product_of(shape[axis + 1 :])
        number = f"{factor(outer)} * kept * {bytes_of(inner, type_.dtype)}"
        room.append(f"(double){factor(outer)} * (double)kept * (double){factor(inner)} * {WIDTHS[type_.dtype]}.0")
        lines += [
            f"{{ unsigned char *to = take(work, {number});",
            f"  copy_rows(to, state->{own}, rows, kept, K, {text(outer)}, {bytes_of(inner, type_.dtype)});",
            f"  state->{own} = (const void *)to; }}",
        ]
    start = f"begin(work, KEPT, {' + '.join(room)} + {ALIGNMENT * len(carries)});"
    return [start, *lines, "(void)K; (void)S; (void)P; (void)rows; (void)kept; (void)state;"]


def function_lines(head: str, lines: Sequence[str]) -> list[str]:
    """A static function."""
    return [f"static void {head}", "{", *(f"  {line}" for line in lines), "}", ""]


def struct_lines(name: str, fields: Sequence[str]) -> list[str]:
    """A structure."""
    return ["typedef struct {", *(f"  {field}" for field in fields), f"}} {name};", ""]
