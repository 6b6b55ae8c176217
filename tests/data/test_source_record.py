"""The record of sources that a model has seen: exact, small, the same in any order, and checked when it is read."""

from __future__ import annotations

import random

import numpy as np
import pytest

from seq2see.data.source_record import (
    HASH_BYTES,
    HEADER,
    NO_RECORD,
    NO_SOURCES,
    HashSet,
    SourceRecord,
    hashes_of,
    merged,
)
from seq2see.errors import CheckpointError


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
