"""Fields of numbers in sources: series of vectors and pictures, read from files or JSON, and in batches.

A series is a file `.npy` or `.npz` (its first array), or JSON: a list of vectors, or of numbers. A picture is a PNG,
JPEG, PGM or another file that Pillow reads. A file of pairs names them relative to its own folder, or to the working
directory; what is read of it has the latter.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.blueprint import FIELD_BREAK, VALUE, cells_of, num_cells
from seq2see.data.advice import new_file, quoted_path
from seq2see.errors import DataError, UserError
from seq2see.system_errors import reported, require_possible
from seq2see.text import Codec, Fields, Values
from seq2see.text.fields import (
    ARRAYS,
    MAX_WIDTH,
    PICTURES,
    ValueUnit,
    fields_of,
)

if TYPE_CHECKING:
    from PIL import Image

    from seq2see.data.distortion import Distortion

Array = npt.NDArray[Any]

MAX_PIXELS = 4_000_000
"""Pixels of a picture: far more than a small model reads."""
MAX_SERIES = 10_000_000
"""Numbers of a series."""
NUM_SAMPLED = 1_000
"""Pictures or series that the normalization is learned from, evenly spaced."""
TAB = "\t"
_NAME = re.compile(rf"\.(?:{'|'.join([*PICTURES, *ARRAYS])})[ ]*(?=\t|$)", re.IGNORECASE)
_SPREAD = 1e-6
"""The smallest standard deviation that is divided by; a constant is only centered."""


class FieldValues(NamedTuple):
    """The numbers of a field in a batch, of the P rows that have any: vectors [P L D] or pictures [P C H W]."""

    array: Array
    sizes: npt.NDArray[np.int64]
    """The number of vectors [P 1], or height and width [P 2]; what is beyond is padding, 0."""


@dataclass(frozen=True, eq=False)
class ValueColumn:
    """The numbers of one field of N texts: a series [L D], a picture [C H W], or None for each."""

    field: Values
    arrays: list[Array | None]
    distortion: Distortion | None = None
    """Of the pictures of a batch."""

    def batch(self, indices: Iterable[int]) -> FieldValues:
        """Those of these texts, normalized."""
        numbered = [(index, array) for index in indices if (array := self.arrays[index]) is not None]
        own = [array for _, array in numbered]
        mean, scale = (np.array(numbers, np.float32) for numbers in (self.field.mean, self.field.scale))
        if self.field.kind == "vectors":
            sizes = np.array([len(array) for array in own], np.int64).reshape(-1, 1)
            series = np.zeros((len(own), int(sizes.max(initial=0)), self.field.width), np.float32)
            for place, array in zip(series, own, strict=True):
                place[: len(array)] = (array - mean) / scale
            return FieldValues(series, sizes)
        sizes = np.array([array.shape[1:] for array in own], np.int64).reshape(-1, 2)
        pixels = np.zeros((len(own), self.field.width, *sizes.max(axis=0, initial=1).tolist()), np.float32)
        for picture, (index, array) in zip(pixels, numbered, strict=True):
            _, height, width = array.shape
            if self.distortion is not None:
                array = self.distortion(array, index)
            picture[:, :height, :width] = (array - mean[:, None, None]) / scale[:, None, None]
        return FieldValues(pixels, sizes)

    def part(self, start: int, stop: int | None = None) -> ValueColumn:
        """Those of a range of the texts."""
        return replace(self, arrays=self.arrays[start:stop])


class Encoded(NamedTuple):
    """A text as ids, and the numbers of each of its fields that has any; None for an empty one."""

    ids: list[int]
    values: tuple[Array | None, ...] = ()


def has_values(codec: Codec) -> bool:
    """Whether some field of the codec's texts is numbers."""
    return isinstance(codec.tokenizer, Fields) and codec.tokenizer.has_values


def encode_text(codec: Codec, text: str, place: str = "", *, end: bool = True) -> Encoded:
    """The ids of a text, with one id per vector and per cell of a picture, which are read. DataError if they can't be.

    `place` is the file and line of the text, or any other name for it.
    """
    tokenizer = codec.tokenizer
    if not isinstance(tokenizer, Fields) or not tokenizer.has_values:
        return Encoded(codec.encode(text, end=end))
    ids: list[list[int]] = []
    values: list[Array | None] = []
    for part, cell in tokenizer.fields(text):
        if not isinstance(part, Values):
            ids.append(list(map(codec.vocabulary.id, part.split(cell))))
            continue
        array = read_values(part.kind, cell, place, channels=part.width) if cell.strip() else None
        if array is not None and part.kind == "vectors" and array.shape[1] != part.width:
            what = f"vectors must have {part.width} values, found {array.shape[1]}: {cell!r:.80}"
            raise DataError(what, where=place, fix="give vectors of the same kind as in training")
        values.append(array)
        ids.append([] if array is None else [VALUE] * length_of(array))
    return Encoded(codec.joined(ids, end=end), tuple(values))


def identity_of(codec: Codec, text: str) -> str:
    """What tells a text from others: as the model reads it, with the content of files, whatever their names are."""
    return _with_files(codec, codec.normalize(text), content_hash)


def without_folders(codec: Codec, text: str) -> str:
    """The text with the names of its files alone."""
    return _with_files(codec, text, lambda name: Path(name).name)


def _with_files(codec: Codec, text: str, change: Callable[[str], str]) -> str:
    """The text with each name of a file that the codec reads replaced."""
    tokenizer = codec.tokenizer
    if not isinstance(tokenizer, Fields) or not tokenizer.has_values:
        return text
    is_file = ((isinstance(part, Values) and _NAME.search(cell), cell) for part, cell in tokenizer.fields(text))
    return TAB.join(change(cell.strip()) if found else cell for found, cell in is_file)


def content_hash(name: str) -> str:
    """The hash of the file of this name, as text; the name, if it can't be read."""
    with suppress(OSError, ValueError):
        return blake2b(Path(name).read_bytes(), digest_size=16).hexdigest()
    return name


def length_of(array: Array) -> int:
    """The number of tokens of a series or a picture."""
    return len(array) if array.ndim == 2 else num_cells(*array.shape[1:])


class ValueSpan(NamedTuple):
    """A field of numbers in a source: where its tokens are, and what was read."""

    kind: ValueUnit
    start: int
    """The position of its first token."""
    array: Array
    """The series [L D], or the picture [C H W], as read."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the cells of a picture; of a series the number of vectors, and 1."""
        if self.kind == "vectors":
            return len(self.array), 1
        _, height, width = self.array.shape
        return cells_of(height, width)

    @property
    def tokens(self) -> list[str]:
        """A name for each token: the number of a vector, or row and column of a cell (column by column), from 1."""
        rows, columns = self.shape
        if self.kind == "vectors":
            return [str(number) for number in range(1, rows + 1)]
        return [f"{row}:{column}" for column in range(1, columns + 1) for row in range(1, rows + 1)]


def spans_of(codec: Codec, ids: Sequence[int], values: Iterable[Array | None]) -> tuple[ValueSpan, ...]:
    """The fields of numbers in a source with these ids and numbers."""
    if not isinstance(codec.tokenizer, Fields):
        return ()
    spans = []
    starts = [0, *(place + 1 for place, number in enumerate(ids) if number == FIELD_BREAK)]
    own = iter(values)
    for start, part in zip(starts, codec.tokenizer.parts, strict=True):
        if isinstance(part, Values) and (array := next(own)) is not None:
            spans.append(ValueSpan(part.kind, start, array))
    return tuple(spans)


def token_names(codec: Codec, ids: Sequence[int], spans: Iterable[ValueSpan]) -> list[str]:
    """The tokens of a source, those of its fields of numbers by their place in them."""
    tokens = codec.tokens(ids)
    for span in spans:
        tokens[span.start : span.start + length_of(span.array)] = span.tokens
    return tokens


def columns_of_values(codec: Codec, encoded: Sequence[Encoded]) -> tuple[ValueColumn, ...]:
    """The numbers of these texts by field; none for a codec without such fields."""
    tokenizer = codec.tokenizer
    if not isinstance(tokenizer, Fields) or not tokenizer.has_values:
        return ()
    fields = [part for part in tokenizer.parts if isinstance(part, Values)]
    nothing: tuple[None, ...] = (None,) * len(fields)
    rows = [each.values or nothing for each in encoded]  # a text that isn't read has no values
    return tuple(ValueColumn(field, [row[index] for row in rows]) for index, field in enumerate(fields))


def learn_field(kind: ValueUnit, cells: Sequence[str], places: Sequence[str]) -> Values:
    """The field whose normalization fits these texts: width, mean and standard deviation of their numbers."""
    filled = [(cell, place) for cell, place in zip(cells, places, strict=True) if cell.strip()]
    if not filled:
        raise DataError(f"a field of kind {kind} is empty in all texts", fix="name another column as the source")
    sampled = filled[:: -(-len(filled) // NUM_SAMPLED)]
    arrays = [read_values(kind, cell, place) for cell, place in sampled]
    if kind == "picture":
        if all((array == array[:1]).all() for array in arrays):
            arrays = [array[:1] for array in arrays]
        flat = [array.reshape(len(array), -1).T for array in arrays]
    else:
        flat = arrays
        for array, (cell, place) in zip(arrays, sampled, strict=True):
            if array.shape[1] != arrays[0].shape[1]:
                what = f"vectors must have the same number of values, found {arrays[0].shape[1]} and {array.shape[1]}"
                fix = "give vectors of one kind, or leave those of others out (--skip-bad)"
                raise DataError(f"{what}: {cell!r:.80}", where=place, fix=fix)
    count = sum(map(len, flat))
    mean = sum(each.sum(0, dtype=np.float64) for each in flat) / max(1, count)
    variance = sum(np.square(each - mean).sum(0, dtype=np.float64) for each in flat) / max(1, count)
    spread = np.sqrt(variance)
    scale = np.where(spread > _SPREAD, spread, 1.0)
    return Values("none", kind, len(mean), tuple(mean.tolist()), tuple(scale.tolist()))


# --- files ---


def read_values(kind: ValueUnit, text: str, place: str, *, channels: int = 3) -> Array:
    """The series [L D] (float32) or the picture [C H W] (uint8) that a text names. DataError if it can't be read."""
    name = text.strip()
    if kind == "picture":
        return read_picture(Path(name), place, channels)
    array = read_json(name, place) if name.startswith("[") else read_numpy(Path(name), place)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not 0 < array.shape[1] <= MAX_WIDTH or not 0 < array.size <= MAX_SERIES:
        shape = " × ".join(map(str, array.shape))
        what = f"a series must be vectors × values, at most {MAX_SERIES:,} numbers, found {shape}: {name!r:.80}"
        raise DataError(what, where=place, fix="give a list of vectors of the same length")
    if not np.isfinite(array).all():
        what = f"a series has values that are not finite numbers (NaN, infinite or null): {name!r:.80}"
        raise DataError(what, where=place, fix="replace them, or leave the line out")
    return array.astype(np.float32)


def located(sources: list[str], folder: Path) -> list[str]:
    """Sources read of a file in this folder, in which names of pictures and arrays beside it have their paths."""
    if folder == Path() or not any(map(_NAME.search, sources)):
        return sources
    return [beside(source, folder) for source in sources]


def beside(source: str, folder: Path) -> str:
    """A source of which each field that names a picture or array in this folder has its path."""
    return source if folder == Path() else _renamed(source, folder, str)


def moved(source: str, folder: Path, to: Path) -> str:
    """The same with the path from another folder."""
    return (
        source if folder.resolve() == to.resolve() else _renamed(source, folder, lambda path: os.path.relpath(path, to))
    )


def _renamed(source: str, folder: Path, name_of: Callable[[Path], str]) -> str:
    if not _NAME.search(source):
        return source
    fields = fields_of(source)
    for index, field in enumerate(fields):
        # With os.path, since a text may be longer than a name can be.
        if _NAME.search(field) and os.path.isfile(path := folder / field.strip()):
            fields[index] = name_of(path)
    return TAB.join(fields)


def read_json(text: str, place: str) -> Array:
    """The numbers in a list, or a list of lists, of JSON."""
    fix = "write a list of vectors: [[0.1, 0.2], [0.3, 0.4]]"
    try:
        return np.array(json.loads(text), dtype=np.float64)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        what = f"is not a list of vectors of the same length: {text!r:.80} ({error!s:.80})"
        raise DataError(what, where=place, fix=fix) from None


def content_of(path: Path, place: str) -> bytes:
    """The bytes of a file that a text names."""
    try:
        require_possible(path, DataError, "read")
        with reported(path, "read", DataError):
            return path.read_bytes()
    except DataError as error:
        fix = _fix_for_missing(path, place) or error.fix
        raise DataError(f"{path} {error.what}", where=place, fix=fix) from None


def _fix_for_missing(path: Path, place: str) -> str:
    """What to do where there is no such file, but there is one that may be meant; empty if there is none.

    `place` is the table and its line.
    """
    table = place.rpartition(":")[0]
    if os.path.lexists(path) or path.is_absolute() or not os.path.isfile(table):
        return ""
    folder, name = os.path.split(table)
    bare, mark, number = str(path).rpartition("#")
    if mark and number.isdecimal() and os.path.isfile(os.path.join(folder, bare)):
        what = f"leave out #{number}, which is no part of the file's name"
        return f"{what}; if most names have such a number, seq2see check {quoted_path(table)} has a command for all"
    inside = next((each for each in sorted(Path(folder).glob("*/")) if os.path.isfile(each / path)), None)
    if inside is None:
        return "correct the name, which is relative to the folder of the table, or to the working directory"
    copy = new_file(str(inside / name), "".join(Path(name).suffixes[-1:]))
    what = f"names are relative to the folder of the table, and this file is in {inside}"
    return f"{what}; copy the table there: cp {quoted_path(table)} {quoted_path(copy)}"


def read_numpy(path: Path, place: str) -> Array:
    """The first array of a file of NumPy."""
    fix = "write it with numpy.save (numbers, vectors × values)"
    content = content_of(path, place)
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        array = loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]]
    except (ValueError, EOFError, LookupError, OSError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        what = f"{path} is not a readable array of NumPy ({error!s:.80})"
        raise DataError(what, where=place, fix=fix) from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"{path} must have numbers, found {array.dtype}", where=place, fix=fix)
    return np.asarray(array, np.float64)


def read_picture(path: Path, place: str, channels: int) -> Array:
    """The picture [C H W] with 1 (gray) or 3 channels (red, green, blue), 0 to 255; transparent pixels are white."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise UserError("reading pictures needs Pillow", fix='pip install "seq2see[pictures]"') from None
    content = content_of(path, place)
    too_large = f"{path} must have at most {MAX_PIXELS:,} pixels"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # its limit is higher
            opened: Image.Image = Image.open(io.BytesIO(content))
        if not 0 < opened.height * opened.width <= MAX_PIXELS:
            raise DataError(
                f"{too_large}, found {opened.width:,} × {opened.height:,}", where=place, fix="scale it down"
            )
        pixels = np.asarray(without_transparency(opened).convert("L" if channels == 1 else "RGB"), np.uint8)
    except UnidentifiedImageError:
        raise DataError(f"{path} is not a picture", where=place, fix="give a PNG, JPEG or PGM file") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(too_large, where=place, fix="scale it down") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error) as error:
        if isinstance(error, DataError):
            raise
        what = f"{path} is a damaged picture ({error!s:.80})"
        raise DataError(what, where=place, fix="copy it again, or leave it out") from None
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def without_transparency(picture: Image.Image) -> Image.Image:
    """The picture in 8 bits per channel, on white."""
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 or 16 bits per pixel")
    if picture.mode.startswith("I"):  # 16 bits per pixel
        return Image.fromarray(as_bytes(np.asarray(picture, np.float64)))
    if "A" in picture.getbands() or "transparency" in picture.info:
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    return picture


def as_bytes(pixels: Array) -> Array:
    """Pixels of 16 bits as 0 to 255."""
    return np.clip(pixels / 257, 0, 255).round().astype(np.uint8)
