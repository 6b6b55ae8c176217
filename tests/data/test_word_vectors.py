"""Files of pretrained word vectors."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from seq2see.data.word_vectors import read_word_vectors
from seq2see.errors import DataError

LINES = "the 0.5 -1 2e-1\nNew York 1 2 3\nthe 9 9 9\nhaus\t4\t5\t6 \n"
WANTED = {"the", "New York", "haus", "missing"}


def written(path: Path, content: str | bytes) -> Path:
    """The file, written."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("header", ["", "4 3\n"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_text_has_a_word_and_its_numbers_per_line(header: str, is_packed: bool, tmp_path: Path) -> None:
    content = (header + LINES).encode()
    path = written(tmp_path / "some.vec", gzip.compress(content) if is_packed else content)
    read = read_word_vectors(path, WANTED)
    assert read.width == 3
    assert {word: vector.tolist() for word, vector in read.found.items()} == {
        "the": [0.5, -1.0, np.float32(0.2)],
        "New York": [1, 2, 3],
        "haus": [4, 5, 6],
    }


def test_arrays_have_words_and_vectors(tmp_path: Path) -> None:
    words, vectors = ["the", "haus", "b"], np.arange(6.0).reshape(3, 2)
    np.savez(tmp_path / "both.npz", words=np.array(words), vectors=vectors)
    np.save(tmp_path / "alone.npy", vectors)
    written(tmp_path / "alone.txt", "\n".join(words))
    for name in ("both.npz", "alone.npy"):
        read = read_word_vectors(tmp_path / name, WANTED)
        assert (read.width, {word: vector.tolist() for word, vector in read.found.items()}) == (
            2,
            {"the": [0, 1], "haus": [2, 3]},
        )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("4 3\n" + "the 1 2 3\n", "must have 4 words, as its first line says, found 1"),
        ("the 1 2 3\nhaus 1 2\n", "must have a word and 3 numbers, found 'haus 1 2'"),
        ("b 1 2 x\nthe 1 2 3\n", "must have a word and 3 numbers, found 'b 1 2 x'"),
        ("the 1 2 3\nhaus 1 x 2\n", "must have a word and 3 numbers, found 'haus 1 x 2'"),
        ("wort\tword\nhaus\thouse\n", "must have a word and 1 numbers, found 'wort"),
        ("the\n", "must have a word and its numbers"),
        ("the 1 nan 3\n", "the vector of 'the' is not finite"),
        ("2 0\nthe\nb\n", "must have a word and its numbers"),
        (b"2 3\nthe " + bytes(range(1, 13)) * 4 + b"\0" * 60, "not text"),
        ("", "is empty"),
    ],
)
def test_damaged_text_is_refused(content: str | bytes, what: str, tmp_path: Path) -> None:
    path = written(tmp_path / "bad.vec", content)
    with pytest.raises(DataError, match=what) as caught:
        read_word_vectors(path, WANTED)
    assert str(path) in caught.value.where
    assert caught.value.fix


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"words": np.array(["the"])}, "must have arrays of words and vectors"),
        ({"words": np.array(["the"]), "vectors": np.zeros((2, 3))}, "found 1 words and 2 vectors"),
        ({"words": np.array(["the"]), "vectors": np.zeros(1)}, "found 1 of float64"),
        ({"words": np.array([1]), "vectors": np.zeros((1, 3))}, "must have words, and vectors"),
        ({"words": np.array(["the"], dtype=object), "vectors": np.zeros((1, 3))}, "arrays of words and vectors"),
    ],
)
def test_arrays_of_another_kind_are_refused(arrays: dict[str, np.ndarray], what: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=what):
        read_word_vectors(tmp_path / "bad.npz", WANTED)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    for name in ("no.vec", "no.npz", "no.npy"):
        with pytest.raises(DataError, match=r"no such file|can't be read"):
            read_word_vectors(tmp_path / name, WANTED)
    np.save(tmp_path / "alone.npy", np.zeros((1, 2)))
    with pytest.raises(DataError, match="no such file"):
        read_word_vectors(tmp_path / "alone.npy", WANTED)
    with pytest.raises(DataError, match="arrays of words and vectors"):
        read_word_vectors(written(tmp_path / "bad.npz", b"PK\x03\x04 nothing"), WANTED)
