"""Alignment by EM, against the enumeration of all alignments."""

from __future__ import annotations

import itertools
import json
import math
import random

import numpy as np
import pytest

from seq2see.errors import DataError
from seq2see.text import Characters, Codec
from seq2see.text.alignment import (
    BEYOND,
    STEP_TOKEN,
    UNSEEN,
    Aligner,
    explained_share,
    in_steps,
    longest_chunk,
)
from seq2see.text.lattice import Lattice, blocks_of, cells_of, chunks_in, evenly

LONGEST = 3


def alignments(source, target, longest=LONGEST):
    """Every way to cut the target into one chunk per source token."""
    for counts in itertools.product(range(longest + 1), repeat=len(source)):
        if sum(counts) == len(target):
            starts = itertools.accumulate(counts, initial=0)
            yield [
                (token, tuple(target[start : start + count]))
                for token, start, count in zip(source, starts, counts, strict=False)
            ]


def random_pairs(number, seed=1):
    rng = random.Random(seed)
    pairs = []
    for _ in range(number):
        source = [rng.randint(4, 6) for _ in range(rng.randint(1, 4))]
        pairs.append((source, [rng.randint(5, 7) for _ in range(rng.randint(0, 5))]))
    return pairs


def test_expected_counts_are_those_of_all_alignments() -> None:
    pairs = [(source, target) for source, target in random_pairs(40) if len(target) <= LONGEST * len(source)]
    sources = {token: row for row, token in enumerate((4, 5, 6))}
    chunks: dict[tuple[int, ...], int] = {}
    for _, target in pairs:
        for chunk in chunks_in(target, LONGEST):
            chunks.setdefault(chunk, len(chunks))
    table = np.random.default_rng(1).random((3, len(chunks)))
    wanted = np.zeros_like(table)
    for source, target in pairs:
        ways = list(alignments(source, target))
        weights = [math.prod(table[sources[token], chunks[chunk]] for token, chunk in way) for way in ways]
        for way, weight in zip(ways, weights, strict=True):
            for token, chunk in way:
                wanted[sources[token], chunks[chunk]] += weight / sum(weights)
    found = Lattice.of(pairs, sources, chunks, LONGEST).expected(table.ravel())
    np.testing.assert_allclose(found.reshape(table.shape), wanted, rtol=1e-9)


def test_long_pairs_do_not_underflow() -> None:
    pair = ([4] * 1500, [5] * 1500)
    sources, chunks = {4: 0}, {chunk: number for number, chunk in enumerate(dict.fromkeys(chunks_in(pair[1][:4], 3)))}
    found = Lattice.of([pair], sources, chunks, 3).expected(np.full(4, 1e-3))
    assert found.sum() == pytest.approx(1500)


def test_the_best_alignment_is_the_best_of_all() -> None:
    pairs = random_pairs(60)
    aligner = Aligner.learn(pairs)
    for source, target in random_pairs(60, seed=2):
        if len(target) > aligner.longest * len(source):
            continue
        counts = aligner.align(source, target)
        assert len(counts) == len(source)
        assert sum(counts) == len(target)
        scores = [
            sum(aligner.chunks.get(token, {}).get(chunk, UNSEEN) for token, chunk in way)
            for way in alignments(source, target, aligner.longest)
        ]
        found = [aligner.chunks.get(token, {}).get(chunk, UNSEEN) for token, chunk in aligner.aligned(source, target)]
        assert sum(found) == pytest.approx(max(scores))


def test_letters_find_their_sounds() -> None:
    sounds = {"a": "A", "b": "B", "c": "", "x": "KS"}
    rng = random.Random(1)
    words = ["".join(rng.choice("abcx") for _ in range(rng.randint(2, 6))) for _ in range(200)]
    pairs = [([*map(ord, word)], [ord(sound) for letter in word for sound in sounds[letter]]) for word in words]
    aligner = Aligner.learn(pairs)
    source, target = [*map(ord, "xacb")], [*map(ord, "KSAB")]
    assert aligner.align(source, target) == [2, 1, 0, 1]
    assert aligner.actions([*source, 3], [*target, 3], 4) == [75, 83, 4, 65, 4, 4, 66, 4, 3]


def test_longer_chunks_cost_by_the_token() -> None:
    aligner = Aligner.learn(random_pairs(60))

    def cost(token: int, chunk: tuple[int, ...]) -> float:
        if len(chunk) > aligner.longest:
            return UNSEEN + BEYOND * (len(chunk) - aligner.longest)
        return aligner.chunks.get(token, {}).get(chunk, UNSEEN)

    rng = random.Random(4)
    for _ in range(20):
        source, target = [rng.randint(4, 6) for _ in range(rng.randint(1, 3))], [rng.randint(5, 7) for _ in range(11)]
        best = max(sum(cost(*each) for each in way) for way in alignments(source, target, longest=11))
        assert sum(cost(*each) for each in aligner.aligned(source, target)) == pytest.approx(best)


def test_an_odd_pair_takes_no_longer_than_its_cells() -> None:
    aligner = Aligner.learn([([4, 5], [5, 6])] * 3)
    assert sum(aligner.align([4, 5] * 15, [5, 6] * 500)) == 1000
    short = [([4, 5, 6], [5, 6, 7])] * 50
    with_long = [([4] * 3000, [5] * 3000), *short]
    assert len(evenly(with_long, 3, 10_000)) == 50


def test_the_explained_share_tells_order_from_disorder() -> None:
    rng = random.Random(1)
    words = [[rng.randint(4, 20) for _ in range(rng.randint(3, 8))] for _ in range(400)]
    assert explained_share([(word, [token + 20 for token in word]) for word in words]) > 0.9
    assert explained_share([(word, [token + 20 for token in reversed(word)]) for word in words]) < 0.3
    assert explained_share([(word, [5]) for word in words]) == 0
    assert explained_share([]) == 0


def test_every_pair_can_be_aligned() -> None:
    aligner = Aligner.learn([([4, 5], [5, 6])] * 3)
    assert aligner.align([4], [5, 6, 5, 6, 5, 6]) == [6]
    assert aligner.align([9, 4], [8]) in ([1, 0], [0, 1])
    assert aligner.align([4, 5], []) == [0, 0]
    assert aligner.align([], []) == []
    assert aligner.actions([3], [5, 6, 3], 4) == [5, 6, 3]


def test_longer_targets_have_longer_chunks() -> None:
    assert longest_chunk([([4, 5], [5, 6])]) == 3
    assert longest_chunk([([4], [5, 6, 7])]) == 6
    assert longest_chunk([([4], [5] * 50)]) == 8
    assert longest_chunk([]) == 3
    assert evenly([([], [5]), ([4], [5] * 9), ([4], [5])], 3, 100) == [([4], [5])]


def test_some_of_many_pairs_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(source, source) for source, _ in random_pairs(500)]
    monkeypatch.setattr("seq2see.text.alignment.MOST_CELLS", 2000)
    assert sum(cells_of(pair, 3) for pair in evenly(pairs, 3, 2000)) <= 2100
    assert Aligner.learn(pairs).align([4, 5, 6], [4, 5, 6]) == [1, 1, 1]


def test_blocks_have_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = random_pairs(100)
    whole = Aligner.learn(pairs)
    monkeypatch.setattr("seq2see.text.lattice.BLOCK", 100)
    blocks = list(blocks_of(pairs, 3))
    assert len(blocks) > 10
    assert sorted(number for block in blocks for number in block) == list(range(100))
    for token, chunks in Aligner.learn(pairs).chunks.items():
        assert chunks == pytest.approx(whole.chunks[token], abs=1e-3)


def test_actions_of_an_alignment() -> None:
    assert in_steps([7, 8, 9, 3], [2, 0, 1], 4) == [7, 8, 4, 4, 9, 4, 3]
    assert in_steps([7, 3], [], 4) == [7, 3]


def test_an_aligner_survives_json() -> None:
    aligner = Aligner.learn(random_pairs(60))
    again = Aligner.from_dict(json.loads(json.dumps(aligner.to_dict())), 8)
    assert again == aligner
    for source, target in random_pairs(30, seed=3):
        assert again.align(source, target) == aligner.align(source, target)


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        {"longest": 3},
        {"longest": 99, "chunks": []},
        {"longest": True, "chunks": []},
        {"longest": 3, "chunks": [[4]]},
        {"longest": 3, "chunks": ["a -1.0:5"]},
        {"longest": 3, "chunks": ["4 x:5"]},
        {"longest": 3, "chunks": ["4 -1.0:-5"]},
        {"longest": 3, "chunks": ["4 -1.0:8"]},
        {"longest": 3, "chunks": ["4 -1.0:5,"]},
        {"longest": 3, "chunks": ["4 -1.0:5,5,5,5"]},
        {"longest": 3, "chunks": ["4 1.0:5"]},
        {"longest": 3, "chunks": ["4 nan:5"]},
        {"longest": 3, "chunks": ["4 -inf:5"]},
        {"longest": 3, "chunks": ["4 -1e999:5"]},
        {"longest": 3, "chunks": ["4 "]},
    ],
)
def test_damaged_aligners_are_refused(values: object) -> None:
    with pytest.raises(DataError, match="alignment of a transducer"):
        Aligner.from_dict(values, 8)


def test_a_codec_keeps_its_aligner() -> None:
    codec = Codec.build(Characters("NFC"), [STEP_TOKEN, "ab"])
    plain = codec.to_json()
    assert b"alignment" not in plain
    assert codec.step is None
    tokens = codec.vocabulary.tokens
    ordered = Codec(codec.tokenizer, type(codec.vocabulary)((STEP_TOKEN, *(t for t in tokens if t != STEP_TOKEN))))
    own = Codec(ordered.tokenizer, ordered.vocabulary, Aligner.learn([([4], [5])]))
    again = Codec.from_json(own.to_json())
    assert again == own
    assert again.step == 4
    assert again.decode([5, 4, 6, 4, 3]) == own.decode([5, 6])
    assert again.grown(["abz"]).aligner == own.aligner
    damaged = own.to_json().replace(STEP_TOKEN.encode(), b"x", 1)
    with pytest.raises(Exception, match="begin with the token"):
        Codec.from_json(damaged)
