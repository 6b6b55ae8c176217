"""Reads pretrained word vectors: the text format of word2vec, fastText and GloVe (also gzipped), and arrays of NumPy.

A line of text has a word and its numbers, separated by blanks or TABs; the first line may have two numbers instead, how
many words there are and how many numbers each has (word2vec, fastText). A `.npz` file has two arrays, `words` and
`vectors`; beside `vectors.npy` lies `vectors.txt`, with one word per line.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.data.digits import whole_number
from seq2see.data.files import open_content, read_content
from seq2see.errors import DataError
from seq2see.system_errors import reported

Array = npt.NDArray[np.float32]

MAX_WIDTH = 100_000
"""Most numbers of a vector."""
FORMAT = "give a word and its numbers per line (word2vec, fastText, GloVe), or a .npz file with words and vectors"


class WordVectors(NamedTuple):
    """The vectors of some words of a file."""

    width: int
    found: dict[str, Array]
    """By word; of several vectors of a word the first."""


def read_word_vectors(path: Path, wanted: Collection[str]) -> WordVectors:
    """The vectors of the wanted words. DataError for a file that has none, or that is damaged."""
    if path.suffix in (".npy", ".npz"):
        words, vectors = read_arrays(path)
        found: dict[str, Array] = {}
        for word, vector in zip(words, vectors, strict=True):
            if word in wanted:
                found.setdefault(word, vector)
        return WordVectors(vectors.shape[1], require_finite(found, path))
    return read_text(path, wanted)


def read_text(path: Path, wanted: Collection[str]) -> WordVectors:
    """The same from text; only the first line, and those of wanted words, are read as numbers."""
    found: dict[str, Array] = {}
    with open_content(path) as file:
        lines: Iterator[tuple[int, bytes]] = enumerate(file.stream, 1)
        _, first = next(lines, (0, b""))
        stated = first.split()
        promised = None
        sizes = [whole_number(number.decode("ascii", "replace")) for number in stated[:3]]
        if len(sizes) == 2 and sizes[0] is not None and sizes[1] is not None:
            promised, width = sizes[0], sizes[1]
        else:
            width = len(stated) - 1
            lines = chain_first(first, lines)
        if not 0 < width <= MAX_WIDTH:
            raise DataError("must have a word and its numbers", where=f"{path}:1", fix=FORMAT)
        count, beginnings = (
            0,
            {word.encode(errors="surrogateescape").split(None, 1)[0] for word in wanted if word.strip()},
        )
        for number, line in lines:
            start = line.split(None, 1)
            if not start:
                continue
            count += 1
            if start[0] not in beginnings and count > 1:
                continue  # at once: files have millions of lines
            word, *values = line.rsplit(None, width)
            text = word.decode(errors="surrogateescape").strip()
            try:
                vector = np.array(values, dtype=np.float32)
            except ValueError:
                vector = np.zeros(0, np.float32)
            if len(vector) != width:
                what = f"must have a word and {width} numbers, found {line.decode(errors='replace').strip()!r:.60}"
                raise DataError(what, where=f"{path}:{number}", fix=FORMAT if count == 1 else "repair the line")
            if text in wanted:
                found.setdefault(text, vector)
    if promised is not None and count < promised:
        what = f"must have {promised:,} words, as its first line says, found {count:,}"
        raise DataError(what, where=str(path), fix="copy or download it again")
    return WordVectors(width, require_finite(found, path))


def chain_first(first: bytes, lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The numbered lines with the first one again."""
    yield 1, first
    yield from lines


def read_arrays(path: Path) -> tuple[list[str], Array]:
    """The words and vectors in files of NumPy."""
    fix = "write it with numpy.savez(path, words=…, vectors=…), words as text and vectors as words × numbers"
    with reported(path, "read", DataError):
        file = path.open("rb")
    try:
        with file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                names, vectors = read_content(path.with_suffix(".txt")), loaded
                words = names.decode(errors="surrogateescape").splitlines()
            else:
                words, vectors = loaded["words"].ravel().tolist(), loaded["vectors"]
    except DataError:
        raise
    except (
        ValueError,
        EOFError,
        KeyError,
        MemoryError,
        OSError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DataError(f"must have arrays of words and vectors ({error!s:.80})", where=str(path), fix=fix) from None
    is_text = all(isinstance(word, str) for word in words)
    if not is_text or vectors.dtype.kind not in "fiu" or vectors.ndim != 2 or not 0 < vectors.shape[1] <= MAX_WIDTH:
        shape = " × ".join(map(str, vectors.shape))
        what = f"must have words, and vectors of words × numbers, found {shape} of {vectors.dtype}"
        raise DataError(what, where=str(path), fix=fix)
    if len(words) != len(vectors):
        what = f"must have one vector per word, found {len(words):,} words and {len(vectors):,} vectors"
        raise DataError(what, where=str(path), fix=fix)
    return words, vectors.astype(np.float32)


def require_finite(found: dict[str, Array], path: Path) -> dict[str, Array]:
    """The vectors. DataError for one that isn't finite."""
    for word, vector in found.items():
        if not np.isfinite(vector).all():
            raise DataError(f"the vector of {word!r:.60} is not finite", where=str(path), fix="remove that word")
    return found
