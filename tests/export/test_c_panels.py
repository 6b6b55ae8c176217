"""Products with matrices in panels: as in NumPy for any numbers of rows and columns, and each row as if alone."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seq2see.export.c_target import section
from seq2see.export.c_weights import PANEL, panels_of

SHAPES = [(1, 1, 1), (1, 8, 32), (2, 7, 31), (3, 16, 33), (4, 5, 64), (5, 9, 96), (6, 32, 65), (7, 4, 2), (11, 13, 40)]
SHAPES += [(64, 3, 7), (5, 64, 33), (5, 65, 33), (6, 130, 70)]
"""Rows, inner size, columns: tiles of one to five rows, whole and partial panels, one and several pieces of int8."""
PROCESSORS = {"usual": [], "avx2": ["-mavx2", "-mfma"], "avx512f": ["-mavx512f"], "no vectors": []}
"""The flags for registers of each width, which this processor may lack."""
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused-function", "-pedantic", "-Werror"]
HARNESS = """
void product(float *y, const float *a, size_t a_row, const float *b, size_t N, size_t I, size_t M)
{
  op_matmul_panels(y, a, a_row, b, N, I, M);
}
void product_int8(float *y, const float *a, size_t a_row, const signed char *b, const float *scales, size_t N, size_t I,
                  size_t M)
{
  op_matmul_int8(y, a, a_row, b, scales, N, I, M);
}
void panels(float *to, const float *b, size_t I, size_t M)
{
  Work work;
  memset(&work, 0, sizeof(work));
  memcpy(to, in_panels(&work, b, I, M), (M + PANEL - 1) / PANEL * I * PANEL * sizeof(float));
  free_blocks(work.blocks);
}
"""


@pytest.fixture(scope="module", params=PROCESSORS)
def library(request, compiler, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    name: str = request.param
    information = Path("/proc/cpuinfo")
    if PROCESSORS[name] and not (information.exists() and f" {name} " in information.read_text("utf-8")):
        pytest.skip(f"the processor has no {name}")
    folder: Path = tmp_path_factory.mktemp("panels")
    includes = ["setjmp.h", "stdint.h", "stdlib.h", "string.h"]
    parts = ("memory", "fail", "blocks", "panels", "in_panels", "matmul_panels", "matmul_int8")
    lines = [f"#include <{each}>" for each in includes]
    lines += ["#undef __GNUC__"] if name == "no vectors" else []
    lines += [f"#define PANEL {PANEL}", "enum { SEQ2SEE_NO_MEMORY = -1 };"]
    lines += [line for part in parts for line in section(part)]
    source, built = folder / "panels.c", folder / "panels.so"
    source.write_text("\n".join([*lines, HARNESS]), encoding="utf-8")
    flags = ["-std=c99", "-O2", "-shared", "-fPIC", *PROCESSORS[name], *WARNINGS]
    subprocess.run([*compiler, *flags, str(source), "-o", str(built)], check=True)
    return ctypes.CDLL(str(built))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def sizes(*numbers: int) -> list[ctypes.c_size_t]:
    return [ctypes.c_size_t(number) for number in numbers]


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def products(library: ctypes.CDLL, kind: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function that multiplies rows by a matrix of whole numbers; of int8 with scales of 1/2, 1, 3/2 and so on."""

    def multiplied(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        y, shape = np.full((len(a), b.shape[1]), np.nan, np.float32), sizes(*a.shape, b.shape[1])
        a_row = ctypes.c_size_t(a.strides[0] // a.itemsize)
        if kind == "float":
            own = panels_of(b)
            library.product(pointer(y), pointer(a), a_row, pointer(own), *shape)
        else:
            steps, scales = panels_of(b.astype(np.int8)), scales_of(b)
            library.product_int8(pointer(y), pointer(a), a_row, pointer(steps), pointer(scales), *shape)
        return y

    return multiplied


def scales_of(b: np.ndarray) -> np.ndarray:
    return np.arange(1, b.shape[1] + 1, dtype=np.float32) / 2


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["float", "int8"])
def test_a_product_is_that_of_numpy(kind, shape, library) -> None:
    rows, inner, columns = shape
    a, b = drawn(rows, inner), np.rint(drawn(inner, columns) * 20)
    expected = a.astype(np.float64) @ b * (scales_of(b) if kind == "int8" else 1)
    assert products(library, kind)(a, b) == pytest.approx(expected, rel=1e-5, abs=1e-3)


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_rows_may_lie_apart(kind, library) -> None:
    wide, b = drawn(7, 73), np.rint(drawn(70, 40) * 20)
    product = products(library, kind)
    assert (product(wide[:, :70], b) == product(np.ascontiguousarray(wide[:, :70]), b)).all()


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_a_row_does_not_depend_on_the_others(kind, library) -> None:
    a, b = drawn(64, 50), np.rint(drawn(50, 70) * 20)
    product = products(library, kind)
    alone = np.concatenate([product(a[n : n + 1], b) for n in range(len(a))])
    for rows in (2, 3, 4, 5, 6, 7, 13, 64):
        assert (product(a[:rows], b) == alone[:rows]).all(), rows


@pytest.mark.parametrize("shape", [(1, 1), (3, 31), (3, 32), (2, 33), (5, 64)])
def test_panels_in_python_and_in_c_are_the_same(shape, library) -> None:
    matrix = drawn(*shape)
    expected = panels_of(matrix)
    assert expected.shape == (-(-shape[1] // PANEL), shape[0], PANEL)
    assert (np.concatenate(list(expected), axis=1)[:, : shape[1]] == matrix).all()
    assert not np.concatenate(list(expected), axis=1)[:, shape[1] :].any()
    found = np.full_like(expected, np.nan)
    library.panels(pointer(found), pointer(matrix), *sizes(*shape))
    assert (found == expected).all()
