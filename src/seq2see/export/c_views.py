"""Arrays in C: where their elements are, and sizes and numbers as C writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2see.program.operations import Shape
from seq2see.program.sizes import AnySize, Size, product_of, text_of

PANELS, INT8 = "panels", "int8"
"""Instead of the dtype of a matrix that only products read: float or int8, in panels of columns (see `panels_of`)."""
CTYPES = {"float": "float", "int": "int32_t", "bool": "unsigned char", PANELS: "float", INT8: "signed char"}
WIDTHS = {"float": 4, "int": 4, "bool": 1, PANELS: 4, INT8: 1}


class View(NamedTuple):
    """Elements of an array in memory, or one number everywhere."""

    dtype: str
    shape: Shape
    steps: Shape
    """From one element to the next along each axis; 0 where they are repeated."""
    name: str
    offset: AnySize = 0
    literal: str = ""

    def element(self, indices: Sequence[str], steps: Sequence[AnySize]) -> str:
        """The C expression of one element."""
        return self.literal or f"{self.name}[{offset_of(self.offset, indices, steps)}]"

    @property
    def pointer(self) -> str:
        """To the first element."""
        return self.name if self.offset == 0 else f"{self.name} + {text(self.offset)}"

    @property
    def is_whole(self) -> bool:
        """Whether it lies in memory in C order."""
        return not self.literal and all(
            size == 1 or own == step
            for size, own, step in zip(self.shape, self.steps, in_order(self.shape), strict=True)
        )


def in_order(shape: Shape) -> Shape:
    """The steps of an array in C order."""
    return tuple(product_of(shape[axis + 1 :]) for axis in range(len(shape)))


def text(size: AnySize) -> str:
    """A size in C."""
    return text_of(size).replace("*", " * ").replace("+", " + ")


def factor(size: AnySize) -> str:
    """A size in C, as a factor."""
    written = text(size)
    return f"({written})" if " + " in written else written


def offset_of(offset: AnySize, indices: Sequence[str], steps: Sequence[AnySize]) -> str:
    """The index into an array."""
    terms = [] if offset == 0 else [text(offset)]
    terms += [
        index if step == 1 else f"{index} * {factor(step)}"
        for index, step in zip(indices, steps, strict=True)
        if step != 0
    ]
    return " + ".join(terms) or "0"


def literal(value: Any, dtype: str) -> str:
    """A number in C."""
    if dtype != "float":
        return str(int(value))
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    written = str(np.float32(value))
    return f"{written if '.' in written or 'e' in written else written + '.0'}f"


def terms(size: AnySize) -> Iterable[tuple[tuple[str, ...], int]]:
    """The names of the factors of each term of a size, and its coefficient."""
    return size.terms.items() if isinstance(size, Size) else [((), int(size))]


def bytes_of(size: AnySize, dtype: str) -> str:
    """The bytes of this many elements, in C."""
    return f"{factor(size)} * sizeof({CTYPES[dtype]})"


def repeated(view: View, shape: Shape) -> View:
    """A view repeated along axes of size 1 and new first axes, as in NumPy."""
    new = len(shape) - len(view.shape)
    steps = [0] * new + [
        0 if own == 1 and size != 1 else step
        for own, size, step in zip(view.shape, shape[new:], view.steps, strict=True)
    ]
    return view._replace(shape=shape, steps=tuple(steps))
