"""Weights on disk: float32 exactly, float16 and int8 within what they promise, and nothing else is taken for them."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from seq2see.errors import CheckpointError, ConfigError
from seq2see.storage.weights import MIN_SCALE, WEIGHTS, Weights, quantize, read_weights, write_weights

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
MATRICES = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=6), elements=FLOATS
)


def back(tensors: dict[str, np.ndarray], weights: Weights) -> dict[str, np.ndarray]:
    return read_weights(write_weights(tensors, weights), weights, where="here")


def random_tensors() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(3)
    return {
        "a.weight": chance.normal(size=(40, 30)).astype(np.float32),
        "a.bias": chance.normal(size=40).astype(np.float32),
        "table": (10 ** chance.uniform(-4, 2, (9, 1)) * chance.normal(size=(9, 5))).astype(np.float32),
        "nothing": np.zeros((3, 4), np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "number": np.array(2.5, np.float32),
        "by.column": np.asfortranarray(chance.normal(size=(6, 7)).astype(np.float32)),
    }


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", WEIGHTS)
def test_names_shapes_and_vectors_stay(weights: Weights) -> None:
    tensors = random_tensors()
    found = back(tensors, weights)
    assert {name: tensor.shape for name, tensor in found.items()} == {n: t.shape for n, t in tensors.items()}
    for name, tensor in found.items():
        assert tensor.dtype == np.float32
        assert tensor.flags.writeable
        if weights == "float32" or tensor.ndim < 2:
            assert tensor.tobytes() == tensors[name].tobytes()


def test_float16_is_right_to_half_precision() -> None:
    tensors = random_tensors()
    for name, tensor in back(tensors, "float16").items():
        np.testing.assert_allclose(tensor, tensors[name], rtol=2**-11, atol=2**-25)


@given(MATRICES)
def test_int8_is_off_by_half_a_scale_at_most(matrix: np.ndarray) -> None:
    steps, scales = quantize(matrix)
    assert scales.shape == matrix.shape[:1]
    found = back({"m": matrix}, "int8")["m"].astype(np.float64)
    allowed = scales.astype(np.float64).reshape(-1, *[1] * (matrix.ndim - 1)) / 2
    assert (np.abs(found - matrix) <= allowed * (1 + 1e-5)).all()
    assert (np.abs(steps.astype(int)) <= 127).all()
    largest = np.abs(matrix).max(axis=tuple(range(1, matrix.ndim)), initial=0)
    assert np.allclose(scales, np.maximum(largest / 127, MIN_SCALE))


def test_each_row_has_a_scale_of_its_own() -> None:
    matrix = np.array([[1e-6, -1e-6], [1e6, 3.0]], np.float32)
    found = back({"m": matrix}, "int8")["m"]
    np.testing.assert_allclose(found[0], matrix[0], rtol=1e-6)
    assert found[1].tolist() == [1e6, 0.0]


@given(MATRICES)
def test_a_value_and_its_negative_are_stored_alike(matrix: np.ndarray) -> None:
    assert np.array_equal(back({"m": -matrix}, "int8")["m"], -back({"m": matrix}, "int8")["m"])


@pytest.mark.parametrize("weights", WEIGHTS)
def test_what_was_rounded_once_stays(weights: Weights) -> None:
    once = back(random_tensors(), weights)
    for name, tensor in back(once, weights).items():
        np.testing.assert_allclose(tensor, once[name], rtol=1e-6, err_msg=name)


def test_the_same_tensors_are_the_same_bytes() -> None:
    for weights in WEIGHTS:
        assert write_weights(random_tensors(), weights) == write_weights(random_tensors(), weights)


def test_a_model_may_have_scales_of_its_own() -> None:
    tensors = {"norm.scale": np.arange(3, dtype=np.float32), "norm.weight": np.ones((2, 2), np.float32)}
    assert set(back(tensors, "int8")) == {"norm.scale", "norm.weight"}


def test_names_that_can_not_be_told_apart_are_not_written() -> None:
    with pytest.raises(AssertionError):
        write_weights({"a": np.ones((2, 2), np.float32), "a.scale": np.ones(2, np.float32)}, "int8")


def test_files_are_as_small_as_their_values() -> None:
    tensors = {"m": np.ones((300, 200), np.float32)}
    sizes = {weights: len(write_weights(tensors, weights)) for weights in WEIGHTS}
    assert sizes["float16"] == pytest.approx(sizes["float32"] / 2, rel=0.01)
    assert sizes["int8"] == pytest.approx(sizes["float32"] / 4, rel=0.03)


# --- what a format can't hold ---------------------------------------------------------------------------------------


def test_values_beyond_float16_are_refused_by_name() -> None:
    tensors = {"fine": np.full((2, 2), 65504, np.float32), "large": np.array([[1, -70_000]], np.float32)}
    with pytest.raises(ConfigError) as caught:
        write_weights(tensors, "float16")
    assert "'large' contains 70,000" in caught.value.what
    assert "int8 or float32" in caught.value.fix
    assert back(tensors, "int8")["large"][0, 1] == -70_000
    assert back({"vector": np.array([1e30], np.float32)}, "float16")["vector"][0] == np.float32(1e30)


@pytest.mark.parametrize("weights", ["float16", "int8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_by_name(weights: Weights, value: float) -> None:
    with pytest.raises(ConfigError, match="'m' contains NaN or infinity"):
        write_weights({"m": np.array([[1, value]], np.float32)}, weights)


# --- what is no file of weights -------------------------------------------------------------------------------------


def header(values: object, rest: bytes = b"") -> bytes:
    text = json.dumps(values).encode()
    return struct.pack("<Q", len(text)) + text + rest


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


ONES = np.ones((2, 2), np.int8)
SCALES = np.ones(2, np.float32)


def saved(**tensors: np.ndarray) -> bytes:
    return safetensors.numpy.save({name.replace("_", "."): tensor for name, tensor in tensors.items()})


BROKEN: dict[str, tuple[Weights, bytes]] = {
    "nothing": ("float32", b""),
    "no header": ("float32", b"\x00" * 8),
    "a header without end": ("float32", b"\xff" * 64),
    "a header of other JSON": ("float32", header([1, 2])),
    "a header nested without end": ("float32", struct.pack("<Q", 200_000) + b"[" * 200_000),
    "values that aren't there": ("float32", header({"m": entry("F32", [2, 2], 0, 16)})),
    "places that overlap": (
        "float32",
        header({"m": entry("F32", [2], 0, 8), "n": entry("F32", [2], 4, 12)}, bytes(12)),
    ),
    "a shape of another size": ("float32", header({"m": entry("F32", [2**40, 2**40], 0, 4)}, bytes(4))),
    "a shape beyond all": ("float32", header({"m": entry("F32", [2**64 - 1, 2**64 - 1], 0, 4)}, bytes(4))),
    "huge and empty": ("float32", header({"m": entry("F32", [2**62, 2**62, 0], 0, 0)})),
    "a kind NumPy lacks": ("float32", header({"m": entry("F8_E5M2", [4], 0, 4)}, bytes(4))),
    "bfloat16": ("float32", header({"m": entry("BF16", [2], 0, 4)}, bytes(4))),
    "an unknown type": ("float32", header({"m": entry("F33", [1], 0, 4)}, bytes(4))),
    "pickled": ("float32", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."),
    "float64": ("float32", saved(m=np.ones((2, 2)))),
    "float16 in float32": ("float32", saved(m=np.ones((2, 2), np.float16))),
    "int8 in float32": ("float32", saved(m=ONES, m_scale=SCALES)),
    "int8 in float16": ("float16", saved(m=ONES, m_scale=SCALES)),
    "float16 in int8": ("int8", saved(m=np.ones((2, 2), np.float16))),
    "int64 in int8": ("int8", saved(m=np.ones((2, 2), np.int64))),
    "no scales": ("int8", saved(m=ONES)),
    "int8 scales": ("int8", saved(m=ONES, m_scale=np.ones(2, np.int8))),
    "too many scales": ("int8", saved(m=ONES, m_scale=np.ones(3, np.float32))),
    "scales of two axes": ("int8", saved(m=ONES, m_scale=np.ones((2, 1), np.float32))),
    "a scale of no axis": ("int8", saved(m=np.array(1, np.int8), m_scale=np.array(1, np.float32))),
    "scales that are no numbers": ("int8", saved(m=ONES, m_scale=np.array([1, np.nan], np.float32))),
    "endless scales": ("int8", saved(m=ONES, m_scale=np.full(2, np.inf, np.float32))),
    "float32 with NaN": ("float32", saved(m=np.array([np.nan], np.float32))),
    "float16 without end": ("float16", saved(m=np.array([[np.inf]], np.float16))),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_file_of_weights_is_refused(name: str) -> None:
    weights, data = BROKEN[name]
    with pytest.raises(CheckpointError) as caught:
        read_weights(data, weights, where="here")
    assert caught.value.where == "here"
    assert caught.value.fix


def test_scales_beyond_float32_give_no_warnings() -> None:
    data = saved(m=np.full((1, 1), 127, np.int8), m_scale=np.array([3e38], np.float32))
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        read_weights(data, "int8", where="here")


def test_any_bit_of_a_file_of_weights_may_flip_and_nothing_but_this_error_is_raised() -> None:
    """Hashes are checked before; this is for files with recalculated hashes."""
    tensors = {"m": np.ones((2, 3), np.float32), "b": np.ones(2, np.float32)}
    for weights in WEIGHTS:
        whole = write_weights(tensors, weights)
        for bit in range(8 * len(whole)):
            broken = bytearray(whole)
            broken[bit // 8] ^= 1 << bit % 8
            with contextlib.suppress(CheckpointError):
                read_weights(bytes(broken), weights, where="here")
