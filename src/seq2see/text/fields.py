"""Texts of several fields, such as a lemma and the tags of a form, each with a unit of its own.

The fields of a text are separated by TAB, and so are their tokens: the token FIELD_BREAK is the first one of the
vocabulary, and a network tells the field of a token from the number of breaks before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from seq2see.errors import DataError
from seq2see.text.subwords import BytePairEncoding, MergeDropout
from seq2see.text.tokenizers import Tokenizer, Units

MAX_FIELDS = 100
FIELD_UNITS = ("characters", "graphemes", "bpe", "words", "symbols", "bytes", "tags")
"""The units that a field of several can have. (The pieces of unigram are a vocabulary of their own.)"""
FIELD_BREAK = "\t"
"""Separates the fields of a text, and the tokens of its fields."""


@dataclass(frozen=True)
class Fields(Tokenizer):
    """Splits each field of a text by a tokenizer of its own."""

    name: ClassVar[str] = "fields"
    parts: tuple[Tokenizer, ...] = ()

    @property
    def unit(self) -> Units:
        """The unit of each field."""
        return tuple(part.name for part in self.parts)

    def normalise(self, text: str) -> str:
        """The text with each field in its normal form."""
        return FIELD_BREAK.join(part.normalise(field) for part, field in self.fields(text))

    def split(self, text: str) -> list[str]:
        """The tokens of all fields, with a FIELD_BREAK between them. DataError for another number of fields."""
        return with_breaks([part.split(field) for part, field in self.fields(text)])

    def split_with_dropout(self, text: str, dropout: MergeDropout) -> list[str]:
        """The same with BPE-dropout, in the fields that have it."""
        return with_breaks(
            [
                part.split_with_dropout(field, dropout) if isinstance(part, BytePairEncoding) else part.split(field)
                for part, field in self.fields(text)
            ]
        )

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens; of more fields than there are, the last ones are read like the last."""
        fields: list[list[str]] = [[]]
        for token in tokens:
            if token == FIELD_BREAK:
                fields.append([])
            else:
                fields[-1].append(token)
        last = len(self.parts) - 1
        return FIELD_BREAK.join(self.parts[min(index, last)].join(field) for index, field in enumerate(fields))

    def fields(self, text: str) -> Iterable[tuple[Tokenizer, str]]:
        """Each field with its tokenizer."""
        found = fields_of(text)
        if len(found) != len(self.parts):
            raise DataError(
                f"the source must have {len(self.parts)} fields separated by TAB ({self.title}), found {len(found)}",
                fix="give all fields of each text, empty ones too",
            )
        return zip(self.parts, found, strict=True)


def fields_of(text: str) -> list[str]:
    """The fields of a text."""
    return text.split(FIELD_BREAK)


def num_fields(texts: Sequence[str]) -> int:
    """The number of fields that all of these texts have; 1 if it differs."""
    numbers = {text.count(FIELD_BREAK) for text in texts}
    return numbers.pop() + 1 if len(numbers) == 1 else 1


def columns_of(texts: Sequence[str], number: int) -> list[list[str]]:
    """The texts by field: one list per field, with one text each. DataError for another number of fields."""
    rows = [fields_of(text) for text in texts]
    for text, row in zip(texts, rows, strict=True):
        if len(row) != number:
            what = f"a source must have {number} fields separated by TAB, found {len(row)}: {text!r:.80}"
            raise DataError(what, fix="give all fields of each source, empty ones too")
    return [[row[index] for row in rows] for index in range(number)]


def with_breaks(fields: Iterable[list[str]]) -> list[str]:
    """The tokens of all fields with a FIELD_BREAK between them."""
    tokens: list[str] = []
    for number, field in enumerate(fields):
        if number:
            tokens.append(FIELD_BREAK)
        tokens += field
    return tokens
