"""Alignments drawn by their probability, against the enumeration of all."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter

from seq2see.data.sampled_alignments import AlignmentSampler
from seq2see.text.alignment import UNSEEN, Aligner


def random_pairs(number: int) -> list[tuple[list[int], list[int]]]:
    rng = random.Random(1)
    return [
        ([rng.randint(4, 6) for _ in range(rng.randint(1, 4))], [rng.randint(5, 7) for _ in range(rng.randint(0, 5))])
        for _ in range(number)
    ]


def probabilities(aligner: Aligner, source: list[int], target: list[int]) -> dict[tuple[int, ...], float]:
    """Of each alignment of a pair, as the number of target tokens at each source token."""
    found = {}
    for counts in itertools.product(range(aligner.longest + 1), repeat=len(source)):
        if sum(counts) == len(target):
            starts = itertools.accumulate(counts, initial=0)
            logs = [
                aligner.chunks.get(token, {}).get(tuple(target[start : start + count]), UNSEEN)
                for token, start, count in zip(source, starts, counts, strict=False)
            ]
            found[counts] = math.exp(sum(logs))
    total = sum(found.values())
    return {counts: weight / total for counts, weight in found.items()}


def test_alignments_are_drawn_by_their_probability() -> None:
    """A pair many times in one lattice, among longer and shorter ones; 4,000 draws lie within 4 standard deviations."""
    aligner = Aligner.learn(random_pairs(60))
    source, target = [4, 5, 6], [5, 6, 7, 5]
    others = [([4], [5]), ([6, 5, 4, 4, 5], [7, 5])]
    sampler = AlignmentSampler(aligner, [*others, *[(source, target)] * 4000, *others])
    drawn = [counts for _, counts in sorted(sampler.draw([1]))]
    assert [sum(counts) for counts in (*drawn[:2], *drawn[-2:])] == [1, 2, 1, 2]
    assert [len(counts) for counts in drawn[:2]] == [1, 5]
    found = Counter(map(tuple, drawn[2:-2]))
    shares = probabilities(aligner, source, target)
    assert set(found) <= set(shares)
    assert len(found) > 2
    for counts, share in shares.items():
        assert abs(found[counts] - 4000 * share) <= 4 * math.sqrt(4000 * share * (1 - share)) + 1e-9


def test_draws_depend_on_the_seed_alone() -> None:
    pairs = random_pairs(60)
    aligner = Aligner.learn(pairs)
    sampler, again = AlignmentSampler(aligner, pairs), AlignmentSampler(aligner, pairs)
    drawn = list(sampler.draw([1, 0]))
    assert drawn == list(again.draw([1, 0])) == list(sampler.draw([1, 0]))
    assert drawn != list(sampler.draw([1, 1]))
    assert drawn != list(sampler.draw([2, 0]))


def test_pairs_without_a_lattice_are_not_drawn() -> None:
    aligner = Aligner.learn([([4, 5], [5, 6])] * 3)
    pairs = [([4], [5, 6] * 3), ([], []), ([9, 4], []), ([4, 5], [5, 6])]
    assert sorted(AlignmentSampler(aligner, pairs).draw([1])) == [(2, [0, 0]), (3, [1, 1])]
    assert list(AlignmentSampler(aligner, []).draw([1])) == []


def test_pairs_that_hardly_align_are_not_drawn() -> None:
    """Forty chunks of probability 1e-9 beside source tokens that surely stand for nothing: 1e-360."""
    aligner = Aligner.learn([([4, 6], [5])] * 3)
    pairs = [([4] * 60, [7] * 130), ([4] * 60, [7] * 30)]
    ((number, counts),) = AlignmentSampler(aligner, pairs).draw([1])
    assert (number, sum(counts)) == (1, 30)
