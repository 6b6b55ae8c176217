"""Texts of several fields, such as a lemma and the tags of a form, each with a unit of its own.

The fields of a text are separated by TAB, and so are their tokens: the token FIELD_BREAK is the first one of the
vocabulary, and a network tells the field of a token from the number of breaks before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeGuard, cast

from seq2see.errors import DataError
from seq2see.text.subwords import MergeDropout
from seq2see.text.tokenizers import Tags, Tokenizer, Units

ValueUnit = Literal["vectors", "picture"]
MAX_FIELDS = 100
MAX_WIDTH = 100_000
"""Values of a vector."""
PICTURES = ("png", "jpg", "jpeg", "pgm", "ppm", "pnm", "bmp", "gif", "tif", "tiff", "webp")
ARRAYS = ("npy", "npz")
"""Extensions of files that are read as a picture, or as vectors."""
VALUE_UNITS: tuple[ValueUnit, ...] = ("vectors", "picture")
"""Fields of numbers: a series of vectors, or a picture."""
FIELD_UNITS = ("characters", "decomposed", "graphemes", "bpe", "words", "symbols", "bytes", "tags", *VALUE_UNITS)
"""The units that a field of several can have. (The pieces of unigram are a vocabulary of their own.)"""
FIELD_BREAK = "\t"
"""Separates the fields of a text, and the tokens of its fields."""
VALUE = "\ufffc"
"""The token of a vector, or of a cell of a picture: U+FFFC, OBJECT REPLACEMENT CHARACTER."""


@dataclass(frozen=True)
class Values(Tokenizer):
    """A field of numbers, which its text names: a file, or JSON of vectors. It has one token, which stands for all.

    What reads the file repeats that token once per vector or cell. The numbers are normalized by mean and scale, which
    are those of the training data: (x - mean) / scale.
    """

    name: ClassVar[str] = "values"
    kind: ValueUnit = "vectors"
    width: int = 0
    """Values per vector, or channels of a picture."""
    mean: tuple[float, ...] = ()
    """Per value of a vector, or per channel."""
    scale: tuple[float, ...] = ()

    @property
    def unit(self) -> Units:
        """Vectors or picture."""
        return self.kind

    def normalize(self, text: str) -> str:
        """The text itself: the name of a file has no other form."""
        return text

    def split(self, text: str) -> list[str]:
        """One token, none for a blank text."""
        return [VALUE] if text.strip() else []

    def stored(self) -> dict[str, object]:
        """What makes it again, ready for JSON."""
        return {"width": self.width, "mean": list(self.mean), "scale": list(self.scale)}

    @classmethod
    def read(cls, kind: ValueUnit, values: Mapping[str, object]) -> Values:
        """The inverse of `stored`. DataError for anything else."""
        width, mean, scale = (values.get(name) for name in ("width", "mean", "scale"))
        if type(width) is not int or not 0 < width <= MAX_WIDTH:
            raise DataError(f"must be 1 to {MAX_WIDTH:,}, not {width!r:.80}", where="width")
        for name, numbers in (("mean", mean), ("scale", scale)):
            if not isinstance(numbers, list) or len(numbers) != width or not all(map(is_finite, numbers)):
                raise DataError(f"must be {width:,} finite numbers", where=name)
        assert isinstance(mean, list)
        assert isinstance(scale, list)
        if min(scale) <= 0:
            raise DataError("must be above 0", where="scale")
        return cls("none", kind, width, tuple(map(float, mean)), tuple(map(float, scale)))


def is_value_unit(unit: str) -> TypeGuard[ValueUnit]:
    """Whether a field of this unit is numbers."""
    return unit in VALUE_UNITS


def is_finite(value: object) -> bool:
    """Whether it is a number, and not infinite."""
    return type(value) in (int, float) and -1e30 < cast(float, value) < 1e30


@dataclass(frozen=True)
class Fields(Tokenizer):
    """Splits each field of a text by a tokenizer of its own."""

    name: ClassVar[str] = "fields"
    parts: tuple[Tokenizer, ...] = ()
    columns: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    """What the columns of the fields are called, by names or numbers, for messages; nothing if that is unknown."""

    @property
    def titles(self) -> tuple[str, ...]:
        """What each field is called in a message."""
        columns = self.columns if len(self.columns) == len(self.parts) else ()
        numbers = map(str, range(1, len(self.parts) + 1))
        return tuple(f"column {each}" if each.isdecimal() else each for each in columns or numbers)

    @property
    def unit(self) -> Units:
        """The unit of each field."""
        return tuple(part.title for part in self.parts)

    @property
    def has_values(self) -> bool:
        """Whether some field is numbers, not text."""
        return any(isinstance(part, Values) for part in self.parts)

    def ordered_by(self, tokens: Sequence[str]) -> Fields:
        """The same with tags in the order of these tokens."""
        parts = (part.ordered_by(tokens) if isinstance(part, Tags) else part for part in self.parts)
        return replace(self, parts=tuple(parts))

    def normalize(self, text: str) -> str:
        """The text with each field in its normal form."""
        return FIELD_BREAK.join(part.normalize(field) for part, field in self.fields(text))

    def split(self, text: str) -> list[str]:
        """The tokens of all fields, with a FIELD_BREAK between them. DataError for another number of fields."""
        return with_breaks([part.split(field) for part, field in self.fields(text)])

    def split_with_dropout(self, text: str, dropout: MergeDropout) -> list[str]:
        """The same with BPE-dropout, in the fields that have it."""
        return with_breaks([part.split_with_dropout(field, dropout) for part, field in self.fields(text)])

    def protected(self, text: str) -> list[str]:
        """The protected units of all fields."""
        return [token for part, field in self.fields(text) for token in part.protected(field)]

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens; of more fields than there are, the last ones are read like the last."""
        last = len(self.parts) - 1
        fields = enumerate(by_field(tokens))
        return FIELD_BREAK.join(self.parts[min(index, last)].join(field) for index, field in fields)

    def fields(self, text: str) -> Iterable[tuple[Tokenizer, str]]:
        """Each field with its tokenizer."""
        found = fields_of(text)
        if len(found) != len(self.parts):
            called = f" ({', '.join(self.titles)})" if self.columns else ""
            what = f"the source must have {len(self.parts)} columns separated by TAB{called}, found {len(found)}"
            raise DataError(what, fix="give all columns of each text, empty ones too")
        return zip(self.parts, found, strict=True)


def fields_of(text: str) -> list[str]:
    """The fields of a text."""
    return text.split(FIELD_BREAK)


def without_white_space_around(text: str) -> str:
    """The text without white space at the ends of its fields."""
    return FIELD_BREAK.join(map(str.strip, text.split(FIELD_BREAK)))


def num_fields(texts: Iterable[str]) -> int:
    """The number of fields that all of these texts have; 1 if it differs."""
    number = 0
    for text in texts:
        own = text.count(FIELD_BREAK) + 1
        if own == 1 or number not in (0, own):
            return 1
        number = own
    return max(1, number)


def columns_of(texts: Sequence[str], number: int) -> list[list[str]]:
    """The texts by field: one list per field, with one text each. DataError for another number of fields."""
    rows = [fields_of(text) for text in texts]
    for text, row in zip(texts, rows, strict=True):
        if len(row) != number:
            what = f"a source must have {number} fields separated by TAB, found {len(row)}: {text!r:.80}"
            raise DataError(what, fix="give all fields of each source, empty ones too")
    return [[row[index] for row in rows] for index in range(number)]


def by_field(tokens: Iterable[str]) -> list[list[str]]:
    """The tokens of each field: the inverse of `with_breaks`."""
    fields: list[list[str]] = [[]]
    for token in tokens:
        if token == FIELD_BREAK:
            fields.append([])
        else:
            fields[-1].append(token)
    return fields


def with_breaks(fields: Iterable[list[str]]) -> list[str]:
    """The tokens of all fields with a FIELD_BREAK between them."""
    tokens: list[str] = []
    for number, field in enumerate(fields):
        if number:
            tokens.append(FIELD_BREAK)
        tokens += field
    return tokens
