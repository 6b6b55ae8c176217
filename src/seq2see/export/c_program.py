"""The programs of a model as C functions, one sentence at a time: B is 1; K, S and P stay variables.

prepare(work, prepared, file)               once
encode(work, prepared, state, ids, S)       once for each text
step(work, prepared, state, ids, K, S, P)   the next log-probabilities, weights and carry
keep(work, state, rows, kept, K, S, P)      the carry of the rows that a search keeps
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from seq2see.export.c_function import ALIGNMENT, Function
from seq2see.export.c_views import CTYPES, INT8, PANELS, WIDTHS, View, bytes_of, factor, in_order, text
from seq2see.export.c_weights import CWeights, steps_name
from seq2see.program import Program
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


def write_programs(weights: CWeights) -> Written:
    """The functions prepare, encode, step and keep."""
    programs = weights.programs
    prepared = {name: programs.prepare.type(number) for name, number in programs.prepare.outputs}
    given_types = dict((*programs.encode.inputs, *programs.step.inputs))
    prepared |= {name: given_types[name]._replace(dtype=INT8) for name in weights.int8}
    prepared |= {name: given_types[name]._replace(dtype=PANELS) for name in weights.panels}
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
        types = [prepared.get(name, type_) for name, type_ in program.inputs]
        views = [
            input_view(name, type_, own) for own, (name, _), type_ in zip(names, program.inputs, types, strict=True)
        ]
        function = Function(program, views, places.__getitem__)
        lines = []
        for own, (name, _), type_ in zip(names, program.inputs, types, strict=True):
            lines.append(f"const {CTYPES[type_.dtype]} *const {own} = {given[name]};")
            if type_.dtype == INT8:
                lines.append(f"const float *const {own}_scales = {given[name]}_scales;")
        function.constants[:0] = lines
        return function

    prepare, encode, step = (
        body(programs.prepare, weights.names),
        body(programs.encode, places),
        body(programs.step, places),
    )
    sizes = "size_t K, size_t S, size_t P"
    unused = ["(void)prepared; (void)ids; (void)K; (void)S; (void)P;"]
    functions = [
        *function_lines(
            "prepare(Work *work, Prepared *prepared, const unsigned char *file)",
            [
                *weights.restored,
                *prepare.body("ONCE"),
                *copied_lines(prepare, weights, places),
                "(void)prepared; (void)file;",
            ],
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
            [
                *(f"const {CTYPES[type_.dtype]} *{identifier(name)};" for name, type_ in prepared.items()),
                *(f"const float *{identifier(name)}_scales;" for name in weights.int8),
            ]
            or ["int none;"],
        ),
        *struct_lines("State", fields),
    ]
    kernels = prepare.kernels | encode.kernels | step.kernels | ({"panels", "in_panels"} if weights.panels else set())
    return Written(declarations, functions, kernels)


def copied_lines(prepare: Function, weights: CWeights, places: Mapping[str, str]) -> list[str]:
    """What was prepared, moved out of the memory for preparing it, which is freed with all that was restored."""
    fixed = {f"x{number}" for number, (name, _) in enumerate(prepare.program.inputs) if name in weights.constant}
    lines = ["Block *const before = work->blocks;"]
    for name, number in prepare.program.outputs:
        view = prepare.values[number]
        if name in weights.panels:
            rows, columns = view.shape
            lines.append(f"{places[name]} = in_panels(work, {places[name]}, {text(rows)}, {text(columns)});")
        elif not (view.is_whole and view.name in fixed):
            size = bytes_of(product_of(view.shape), view.dtype)
            lines.append(f"{places[name]} = copied(work, {places[name]}, {size});")
    for name, matrix in weights.int8.items():
        for part, content in (("", matrix.steps), ("_scales", matrix.scales)):
            own = f"{steps_name(name)}{part}"
            value = f"copied(work, {own}, {content.nbytes})" if weights.file else own
            lines.append(f"{places[name]}{part} = {value};")
    return [*lines, "release(work, before);"]


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
