"""What a model has record: hashes of the sources that it was trained on, and of those that selected its checkpoint.

A run hands them on to whatever is trained from it, so they cover all its ancestors. A hash has 40 bits: with ten
million sources, one in a hundred thousand new texts is taken for one of them. Sorted hashes are stored as differences,
in three to five bytes per source: the more, the fewer.

Of sources with several fields there are also the hashes of one field, and those of the other fields together: a lemma
and its tags.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate, pairwise
from operator import mul

import numpy as np
import numpy.typing as npt

from seq2see.data.pairs import Pair
from seq2see.errors import CheckpointError
from seq2see.text import FIELD_BREAK, Codecs
from seq2see.text.fields import fields_of, num_fields

Hashes = npt.NDArray[np.uint64]

HASH_BYTES = 5
MAGIC = b"S2SSEEN\x01"
"""The last byte is the format number."""
HEADER = struct.Struct("<8sBQBQB")
"""MAGIC, whether the record is complete, then count and width of each set."""
MAGIC_WITH_FIELDS = b"S2SSEEN\x02"
HEADER_WITH_FIELDS = struct.Struct("<8sBQBQBQBQBB")
"""The same with four sets, then the number of the field."""


@dataclass(frozen=True)
class HashSet:
    """Distinct hashes in ascending order, each stored as the difference from the one before."""

    count: int = 0
    width: int = 0
    """Bytes per difference."""
    content: bytes = field(default=b"", repr=False)
    """The differences, little-endian."""

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> HashSet:
        """The set of the texts' hashes."""
        return cls.of(hashes_of(texts))

    @classmethod
    def of(cls, hashes: Hashes) -> HashSet:
        """The set of these hashes, in any order."""
        values = distinct(hashes)
        if not len(values):
            return cls()
        differences = np.diff(values, prepend=np.uint64(0))
        width = max(1, -(-int(differences.max()).bit_length() // 8))
        return cls(len(values), width, differences.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes())

    @cached_property
    def hashes(self) -> Hashes:
        """All of them, ascending."""
        differences = np.zeros((self.count, 8), np.uint8)
        differences[:, : self.width] = np.frombuffer(self.content, np.uint8).reshape(self.count, self.width)
        return np.cumsum(differences.view("<u8")[:, 0], dtype=np.uint64)

    def contains(self, texts: Iterable[str]) -> list[bool]:
        """Whether the set holds the hash of each text."""
        asked = hashes_of(texts)
        if not self.count:
            return [False] * len(asked)
        places = np.minimum(np.searchsorted(self.hashes, asked), self.count - 1)
        found: list[bool] = (self.hashes[places] == asked).tolist()
        return found

    def __or__(self, other: HashSet) -> HashSet:
        if not (self.count and other.count):
            return self if self.count else other
        return self if self == other else HashSet.of(np.concatenate([self.hashes, other.hashes]))


@dataclass(frozen=True)
class FieldRecord:
    """Of training sources with several fields: the values of one field, and of all the others together."""

    number: int = 1
    """Of the field, from 1."""
    own: HashSet = HashSet()
    others: HashSet = HashSet()

    def __or__(self, other: FieldRecord) -> FieldRecord:
        return FieldRecord(self.number, self.own | other.own, self.others | other.others)

    def contains(self, texts: Sequence[str]) -> tuple[list[bool], list[bool]]:
        """For each source whether its field was seen, and whether its other fields were."""
        own, others = split_fields(texts, self.number)
        return self.own.contains(own), self.others.contains(others)


@dataclass(frozen=True)
class SourceRecord:
    """The record of a model: the sources of its training and dev pairs, and of those of the models it started from."""

    train: HashSet = HashSet()
    dev: HashSet = HashSet()
    is_complete: bool = True
    """False if a model in its past has no record: then a source that isn't in `train` may still have been."""
    fields: FieldRecord | None = None
    """Of the training sources; None if they have one field, or if that is unknown."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been seen."""
        return self.is_complete and not self.train.count and not self.dev.count

    def __or__(self, other: SourceRecord) -> SourceRecord:
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        fields = None
        if self.fields and other.fields and self.fields.number == other.fields.number:
            fields = self.fields | other.fields
        train, dev = self.train | other.train, self.dev | other.dev
        return SourceRecord(train, dev, self.is_complete and other.is_complete, fields)

    def to_bytes(self) -> bytes:
        """The content of its file."""
        sets = [self.train, self.dev, *([self.fields.own, self.fields.others] if self.fields else ())]
        sizes = [size for each in sets for size in (each.count, each.width)]
        if self.fields:
            header = HEADER_WITH_FIELDS.pack(MAGIC_WITH_FIELDS, self.is_complete, *sizes, self.fields.number)
        else:
            header = HEADER.pack(MAGIC, self.is_complete, *sizes)
        return header + b"".join(each.content for each in sets)

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> SourceRecord:
        """The record that `to_bytes` wrote. CheckpointError, naming `where`, for anything else."""
        with_fields = content.startswith(MAGIC_WITH_FIELDS)
        header = HEADER_WITH_FIELDS if with_fields else HEADER
        if len(content) >= header.size:
            magic, flag, *sizes = header.unpack_from(content)
            number = sizes.pop() if with_fields else 1
            counts, widths = sizes[::2], sizes[1::2]
            ends = list(accumulate(map(mul, counts, widths), initial=header.size))
            is_valid = flag in (0, 1) and all(
                0 < w <= HASH_BYTES or w == n == 0 for n, w in zip(counts, widths, strict=True)
            )
            if magic in (MAGIC, MAGIC_WITH_FIELDS) and is_valid and number and len(content) == ends[-1]:
                pieces = (content[start:end] for start, end in pairwise(ends))
                train, dev, *fields = map(HashSet, counts, widths, pieces)
                return cls(train, dev, bool(flag), FieldRecord(number, *fields) if fields else None)
        raise CheckpointError(
            "is not a record of training sources", where=where, fix="copy it again from where the model was trained"
        )


NO_SOURCES = SourceRecord()
"""The record of a model that has been trained on nothing yet."""
NO_RECORD = SourceRecord(is_complete=False)
"""What is known of a model without a record."""


def source_texts(pairs: Iterable[Pair], codecs: Codecs) -> Iterator[str]:
    """What identifies each pair: its source as the model reads it, or for a language model its text."""
    from seq2see.data.values import identity_of  # only here: an answer asks nothing of the record

    source_codec, target_codec = codecs
    if source_codec is None:
        return (target_codec.normalize(pair.target or "") for pair in pairs)
    return (identity_of(source_codec, pair.source) for pair in pairs)


def field_texts(pairs: Sequence[Pair], codecs: Codecs, number: int) -> tuple[list[str], list[str]]:
    """Of each source field `number`, and its other fields, as the model reads them."""
    return split_fields(source_texts(pairs, codecs), number)


def split_fields(texts: Iterable[str], number: int) -> tuple[list[str], list[str]]:
    """Of each text its field `number`, and its other fields, joined."""
    own, others = [], []
    for text in texts:
        fields = fields_of(text)
        own.append(fields.pop(number - 1) if number <= len(fields) else "")
        others.append(FIELD_BREAK.join(map(str.strip, fields)))
    return own, others


def hashes_of(texts: Iterable[str]) -> Hashes:
    """The hash of each text [N]; space around a text doesn't count."""
    digests = b"".join(
        blake2b(text.strip().encode(errors="surrogatepass"), digest_size=HASH_BYTES).digest() for text in texts
    )
    values = np.zeros((len(digests) // HASH_BYTES, 8), np.uint8)
    values[:, :HASH_BYTES] = np.frombuffer(digests, np.uint8).reshape(-1, HASH_BYTES)
    return values.view("<u8")[:, 0].astype(np.uint64)


def distinct(hashes: Hashes) -> Hashes:
    """The distinct ones, ascending; sorts the given array, so that millions need no second copy."""
    hashes.sort()
    is_first = np.ones(len(hashes), bool)
    np.not_equal(hashes[1:], hashes[:-1], out=is_first[1:])
    return hashes[is_first]


def record_of_pairs(train: Sequence[Pair], dev: Sequence[Pair], codecs: Codecs, field: int = 1) -> SourceRecord:
    """The record of these pairs; of sources with several fields also of `field` and the others."""
    fields = None
    if codecs[0] is not None and num_fields(pair.source for pair in train) > 1:
        fields = FieldRecord(field, *map(HashSet.of_texts, field_texts(train, codecs, field)))
    sources, dev_sources = (HashSet.of_texts(source_texts(pairs, codecs)) for pairs in (train, dev))
    return SourceRecord(sources, dev_sources, fields=fields)


def merged(records: Sequence[SourceRecord]) -> SourceRecord:
    """The record of an ensemble: what any of its members has seen."""
    first, *others = records
    for other in others:
        first = first | other
    return first
