"""The weights of a C file: arrays in it, or bytes of a file beside it that it reads and checks."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
import safetensors.numpy

from seq2see.export.bundle import Bundle
from seq2see.export.c_int8 import Steps, only_in_products, steps_of, without
from seq2see.export.c_text import numbers
from seq2see.export.javascript import one_line
from seq2see.program import Programs
from seq2see.storage.weights import SCALE

ALIGNMENT = 16
"""Of each array in the file: what malloc gives."""
MARK = (0x53325301).to_bytes(4, "little")
"""The file begins with it; a machine with the other order of bytes reads another number."""
PANEL = 32
"""Columns of a panel (see `panels_of`)."""
C_TYPES = {"f": "float", "i": "signed char", "u": "uint16_t"}


class CWeights(NamedTuple):
    """What a C file needs of the weights."""

    programs: Programs
    """Those of the model, without what prepares int8."""
    int8: dict[str, Steps]
    """The prepared matrices that stay int8, in panels, by their names in programs; see `steps_name`."""
    panels: set[str]
    """The prepared matrices of float32 that are put into panels."""
    constants: list[str]
    """The arrays, or the size and the checksum of the file."""
    restored: list[str]
    """What defines the weights in `prepare`, where they aren't arrays of that name."""
    names: dict[str, str]
    """Of each weight, in `prepare`."""
    kinds: set[str]
    """The functions that `restored` calls."""
    constant: set[str]
    """The weights that are arrays as `prepare` reads them."""
    file: bytes
    """Empty if the weights are arrays."""


def c_weights(bundle: Bundle, *, separate: bool, in_panels: bool = True) -> CWeights:
    """The weights of a model; `separate` puts them into a file.

    With `in_panels` matrices that only products read are in panels, and stay int8 if they may.
    """
    stored = safetensors.numpy.load(bundle.weights)
    places = _File() if separate else _Arrays()
    restored, names, kinds, constant = [], {}, set(), set()
    multiplied = only_in_products(bundle.programs) if in_panels else set[str]()
    found = steps_of(bundle, multiplied)
    steps = {name: matrix._replace(steps=panels_of(matrix.steps)) for name, matrix in found.items()}
    prepare = without(bundle.programs.prepare, steps)
    for name, matrix in steps.items():
        places.note(f"{name}: {' x '.join(map(str, matrix.steps.shape))}")
        places.add(steps_name(name), matrix.steps)
        places.add(f"{steps_name(name)}_scales", matrix.scales)
    for number, (name, _) in enumerate(prepare.inputs):
        tensor, own = stored[name], f"weights_{number}"
        names[name] = own
        places.note(f"{one_line(name)}: {' x '.join(map(str, tensor.shape))}")
        if tensor.dtype == np.int8:
            kinds.add("int8")
            rows, width = len(tensor), tensor.size // max(1, len(tensor))
            places.add(f"{own}_steps", tensor)
            places.add(f"{own}_scales", stored[name + SCALE])
            restored.append(f"const float *const {own} = from_int8(work, {own}_steps, {own}_scales, {rows}, {width});")
        elif tensor.dtype == np.float16:
            kinds.add("float16")
            places.add(f"{own}_halves", tensor.view(np.uint16))
            restored.append(f"const float *const {own} = from_float16(work, {own}_halves, {tensor.size});")
        else:
            places.add(own, tensor)
            if not separate:
                constant.add(name)
    programs = bundle.programs._replace(prepare=prepare)
    defined = places.definitions + restored
    return CWeights(
        programs,
        steps,
        multiplied - steps.keys(),
        places.constants(),
        defined,
        names,
        kinds,
        constant,
        places.content(),
    )


def panels_of(matrix: np.ndarray) -> np.ndarray:
    """A matrix [I M] as products read it: [panel I 32], the last panel filled up with 0."""
    height, width = matrix.shape
    filled = np.pad(matrix, ((0, 0), (0, -width % PANEL)))
    return np.ascontiguousarray(filled.reshape(height, -1, PANEL).transpose(1, 0, 2))


def steps_name(name: str) -> str:
    """The array in C of a prepared matrix that stays int8; that of its scales has `_scales` after it."""
    return f"{name.replace('.', '_')}_steps"


class _Arrays:
    """Arrays in the C file."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.definitions: list[str] = []

    def note(self, what: str) -> None:
        """What follows."""
        self.lines.append(f"/* {what} */")

    def add(self, name: str, values: np.ndarray) -> None:
        """An array."""
        written = map(c_float, values.ravel()) if values.dtype.kind == "f" else values.ravel().tolist()
        self.lines += numbers(f"static const {C_TYPES[values.dtype.kind]} {name}[]", written)

    def constants(self) -> list[str]:
        """See `CWeights`."""
        return self.lines

    def content(self) -> bytes:
        """See `CWeights`."""
        return b""


class _File(_Arrays):
    """Bytes of a file, and where each array is in them."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = bytearray(MARK)

    def add(self, name: str, values: np.ndarray) -> None:
        """An array."""
        self.bytes += bytes(-len(self.bytes) % ALIGNMENT)
        type_ = C_TYPES[values.dtype.kind]
        self.definitions.append(f"const {type_} *const {name} = (const void *)(file + {len(self.bytes)});")
        self.bytes += np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()

    def constants(self) -> list[str]:
        """See `CWeights`."""
        values = {
            "WEIGHTS_BYTES": len(self.bytes),
            "WEIGHTS_MARK": int.from_bytes(MARK, "little"),
            "WEIGHTS_CHECKSUM": zlib.crc32(self.bytes),
        }
        return [f"#define {name} {value}u" for name, value in values.items()]

    def content(self) -> bytes:
        """See `CWeights`."""
        return bytes(self.bytes)


def c_float(value: np.float32) -> str:
    """The shortest number that is read as this one."""
    written = str(value)
    return f"{written}f" if "." in written or "e" in written else f"{written}.0f"
