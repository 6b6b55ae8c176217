"""The record of sources that a model has seen: exact, small, the same in any order, and checked when it is read."""

from __future__ import annotations

import random

import numpy as np
import pytest

from seq2see.data import Pair
from seq2see.data.source_record import (
    HASH_BYTES,
    HEADER,
    HEADER_WITH_FIELDS,
    NO_RECORD,
    NO_SOURCES,
    HashSet,
    SourceRecord,
    hashes_of,
    merged,
    record_of_pairs,
)
from seq2see.errors import CheckpointError
from seq2see.text import Codec, make_tokenizer


def words(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return [f"{seed} {chance.random()}" for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 100_000])
def test_what_was_put_in_is_found_and_nothing_else(count: int) -> None:
    texts = words(count)
    seen = SourceRecord(HashSet.of_texts(texts), HashSet.of_texts(["dev"]))
    content = seen.to_bytes()
    again = SourceRecord.from_bytes(content, where="sources.hashes")
    assert again == seen
    assert all(again.train.contains(texts))
    assert not any(again.train.contains(words(1000, seed=1)))
    assert again.dev.contains(["dev", "train"]) == [True, False]
    if count >= 1000:
        assert len(content) <= (5 if count == 1000 else 4) * count + 100


def test_the_hash_is_the_same_everywhere() -> None:
    """By hand: the first five bytes of BLAKE2b, little-endian."""
    from hashlib import blake2b

    (value,) = hashes_of(["é"])
    assert int(value) == int.from_bytes(blake2b("é".encode(), digest_size=HASH_BYTES).digest(), "little")
    assert hashes_of(["\ud800"]).shape == (1,)
    assert hashes_of([" é "]) == value


def test_the_order_and_repetitions_of_texts_change_nothing() -> None:
    texts = words(500)
    assert HashSet.of_texts(texts) == HashSet.of_texts([*texts[::-1], *texts[:9]])
    assert HashSet.of_texts(texts[:300]) | HashSet.of_texts(texts[200:]) == HashSet.of_texts(texts)
    assert HashSet() | HashSet.of_texts(texts) == HashSet.of_texts(texts) | HashSet() == HashSet.of_texts(texts)


def test_millions_of_hashes_take_three_bytes_each() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**40, 3_000_000, dtype=np.uint64)
    found = HashSet.of(hashes.copy())
    assert len(found.content) < 3.01 * len(hashes)
    assert np.array_equal(found.hashes, np.unique(hashes))


def test_a_union_is_complete_only_if_both_are() -> None:
    one, other = SourceRecord(HashSet.of_texts("a")), SourceRecord(HashSet.of_texts("b"), HashSet.of_texts("c"))
    both = SourceRecord(HashSet.of_texts("ab"), HashSet.of_texts("c"))
    assert one | other == both
    assert one | NO_SOURCES == one
    assert one | NO_RECORD == SourceRecord(one.train, is_complete=False)
    assert merged([one, other, NO_RECORD]) == SourceRecord(both.train, both.dev, is_complete=False)


def test_damaged_records_are_refused() -> None:
    content = SourceRecord(HashSet.of_texts(words(5)), HashSet.of_texts(words(3))).to_bytes()
    sizes = HEADER.unpack_from(content)
    huge = HEADER.pack(sizes[0], 1, 2**63, 5, *sizes[4:]) + content[HEADER.size :]
    no_width = HEADER.pack(sizes[0], 1, 2**63, 0, *sizes[4:]) + content[HEADER.size :]
    wide = HEADER.pack(sizes[0], 1, 1, 25, *sizes[4:]) + content[HEADER.size :]
    flag = HEADER.pack(sizes[0], 7, *sizes[2:]) + content[HEADER.size :]
    for broken in (b"", content[:20], content[:-1], content + b"x", b"x" + content[1:], huge, no_width, wide, flag):
        with pytest.raises(CheckpointError, match="not a record of training sources") as caught:
            SourceRecord.from_bytes(broken, where="m/sources.hashes")
        assert caught.value.where == "m/sources.hashes"


# --- fields -----------------------------------------------------------------------------------------------------------


def characters(texts: list[str]) -> Codec:
    return Codec.build(make_tokenizer("characters"), texts)


def record(sources: list[str], field: int = 1) -> SourceRecord:
    codecs = (characters(sources), characters(["x"]))
    return record_of_pairs([Pair(source, "x") for source in sources], [], codecs, field)


def test_single_fields_are_found() -> None:
    seen = record(["run\tV\tPST", "see\tV\tPRS"])
    assert SourceRecord.from_bytes(seen.to_bytes(), where="here") == seen
    assert seen.fields is not None
    asked = ["run\tV\tPRS", "run\tN\tPL", "go\tV\tPST", "go\tV\tPL"]
    assert seen.fields.contains(asked) == ([True, True, False, False], [True, False, True, False])
    assert seen.train.contains(asked) == [False] * 4
    last = record(["run\tV\tPST", "see\tV\tPRS"], field=3).fields
    assert last is not None
    assert last.contains(["go\tV\tPST", "run\tV\tX"]) == ([True, False], [False, True])


def test_one_field_is_recorded_as_before() -> None:
    """Bit for bit: no field, and format 1."""
    seen = record(["a", "b\tc"])
    assert seen.fields is None
    assert seen.to_bytes().startswith(b"S2SSEEN\x01")
    assert seen.to_bytes() == HEADER.pack(b"S2SSEEN\x01", True, 2, 5, 0, 0) + seen.train.content


def test_records_of_fields_are_joined_where_they_are_of_the_same_field() -> None:
    one, other = record(["a\tx"]), record(["b\ty"])
    assert one | other == record(["a\tx", "b\ty"])
    assert (one | record(["b\ty"], field=2)).fields is None
    assert (one | NO_RECORD).fields is None
    assert NO_SOURCES | one == one | NO_SOURCES == one


@pytest.mark.parametrize("change", ["cut", "longer", "number"])
def test_a_damaged_record_of_fields_is_refused(change: str) -> None:
    content = bytearray(record(["a\tx", "b\ty"]).to_bytes())
    if change == "number":
        content[HEADER_WITH_FIELDS.size - 1] = 0
    content = content[:-1] if change == "cut" else content + b"x" if change == "longer" else content
    with pytest.raises(CheckpointError, match="is not a record of training sources"):
        SourceRecord.from_bytes(bytes(content), where="here")
