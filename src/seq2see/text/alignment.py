"""Monotonic alignment of sources and targets, learned by EM: each source token stands for 0 to a few target tokens.

A target that is aligned to its source is a sequence of actions (Makarov & Clematide 2018): at each source token its
target tokens, then STEP, which moves on to the next source token. The last source token is EOS, after which there is
nothing to step to: there the target ends with EOS.

Letters: N pairs, S source tokens and T target tokens of a pair (neither counts EOS), C chunks of target tokens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2see.errors import DataError

if TYPE_CHECKING:
    from seq2see.text.lattice import IdPairs, Ids

STEP_TOKEN = "\ufdd0 step"
"""Moves on to the next source token. It begins with a noncharacter, which no text has."""
ROUNDS = 12
"""Of EM; the alignments of pronunciations change no more after about 8."""
MOST_CELLS = 20_000_000
"""Chunks at all places of all pairs that EM reads; of more pairs, it reads some, evenly spread."""
LONGEST_CHUNK = 8
MEASURED_PAIRS, MEASURED_CELLS = 4_000, 4_000_000
"""Of which the explained share is measured, evenly spread: a second or two."""
SMALLEST = 1e-4
"""A less probable chunk is not kept."""
UNSEEN = math.log(1e-9)
"""The log-probability of a chunk that the source token never stood for in training."""
BEYOND = -30.0
"""Log-probability of each target token beyond the longest chunk, so that every pair can be aligned."""


@dataclass(frozen=True)
class Aligner:
    """The probability of each chunk of target tokens given the source token that it stands for, all as ids."""

    longest: int
    """Target tokens of a chunk."""
    chunks: Mapping[int, Mapping[tuple[int, ...], float]] = field(repr=False, hash=False)
    """By source token and chunk, the log-probability in nats."""

    @classmethod
    def learn(cls, pairs: IdPairs) -> Aligner:
        """The aligner of these pairs (source ids, target ids), by EM over all monotonic alignments."""
        from seq2see.text.lattice import Lattices, evenly  # only here: answers learn nothing

        longest = longest_chunk(pairs)
        pairs = evenly(pairs, longest, MOST_CELLS)
        blocks, tokens, columns, chunks = Lattices.of(pairs, longest)
        lengths = np.array([len(chunk) for chunk in chunks], np.int64)[columns]
        table = np.where(lengths <= 1, 1.0, 0.1) * 0.01 ** np.abs(lengths - 1)
        for _ in range(ROUNDS):
            counts = sum((lattice.expected(table) for _, lattice in blocks), np.zeros(len(table)))
            total = np.bincount(tokens, counts)[tokens] if len(tokens) else counts
            table = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
        found: dict[int, dict[tuple[int, ...], float]] = {token: {} for token in np.unique(tokens).tolist()}
        for number in (table >= SMALLEST).nonzero()[0].tolist():
            found[int(tokens[number])][chunks[columns[number]]] = round(math.log(table[number]), 4)
        return cls(longest, found)

    def align(self, source: Ids, target: Ids) -> list[int]:
        """The number of target tokens at each source token, by the most probable alignment; they sum to T.

        Of several equally probable ones, the one whose source tokens stand for the fewest target tokens from the end.
        """
        num_targets = len(target)
        if not source:
            return []
        # A longer chunk is only needed where the source is too short for these.
        is_short = num_targets > self.longest * len(source)
        best = [0.0] + [-math.inf] * num_targets
        taken: list[list[int]] = []
        for token in source:
            own = self.chunks.get(token, {})
            after, used = [-math.inf] * (num_targets + 1), [0] * (num_targets + 1)
            for start, score in enumerate(best):
                if score == -math.inf:
                    continue
                for length in range(min(self.longest, num_targets - start) + 1):
                    chance = score + own.get(tuple(target[start : start + length]), UNSEEN)
                    if chance > after[start + length]:
                        after[start + length], used[start + length] = chance, length
            if is_short:
                # Each further token costs the same, so the best beginning is the same for all ends after it.
                ahead, begin = -math.inf, 0
                for end in range(self.longest + 1, num_targets + 1):
                    start = end - self.longest - 1
                    ahead += BEYOND
                    if best[start] + UNSEEN + BEYOND > ahead:
                        ahead, begin = best[start] + UNSEEN + BEYOND, start
                    if ahead > after[end]:
                        after[end], used[end] = ahead, end - begin
            best = after
            taken.append(used)
        counts, place = [], num_targets
        for used in reversed(taken):
            counts.append(used[place])
            place -= used[place]
        return counts[::-1]

    def aligned(self, source: Ids, target: Ids) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Each source token with its chunk of the target, by the most probable alignment."""
        start = 0
        for token, length in zip(source, self.align(source, target), strict=True):
            yield token, tuple(target[start : start + length])
            start += length

    def actions(self, source: Ids, target: Ids, step: int) -> list[int]:
        """A target that ends with EOS as actions along its source, which ends with EOS, too."""
        return in_steps(target, self.align(source[:-1], target[:-1]), step)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: a line per source token, with its chunks, the most probable first."""
        lines = []
        for token, own in self.chunks.items():
            ordered = sorted(own.items(), key=lambda each: (-each[1], each[0]))
            lines.append(" ".join([f"{token}", *(f"{value}:{','.join(map(str, chunk))}" for chunk, value in ordered)]))
        return {"longest": self.longest, "chunks": lines}

    @classmethod
    def from_dict(cls, values: object, num_targets: int) -> Aligner:
        """From the values of `to_dict`, for a vocabulary of `num_targets` tokens. DataError for anything else."""
        wrong = DataError("must be the alignment of a transducer", where="alignment")
        if not isinstance(values, dict) or not isinstance(values.get("chunks"), list):
            raise wrong
        longest, lines = values.get("longest"), values["chunks"]
        if type(longest) is not int or not 1 <= longest <= LONGEST_CHUNK or not all(isinstance(x, str) for x in lines):
            raise wrong
        found: dict[int, dict[tuple[int, ...], float]] = {}
        try:
            for line in lines:
                token, *entries = line.split(" ")
                own = found.setdefault(int(token), {})
                for entry in entries:
                    value, _, ids = entry.partition(":")
                    own[tuple(map(int, ids.split(",") if ids else ()))] = float(value)
        except ValueError:
            raise wrong from None
        for own in found.values():
            for chunk, value in own.items():
                is_chunk = len(chunk) <= longest and all(0 <= each < num_targets for each in chunk)
                if not (is_chunk and -1000 < value <= 0):
                    raise wrong
        return cls(longest, found)


def in_steps(target: Ids, counts: Iterable[int], step: int) -> list[int]:
    """A target that ends with EOS as actions: as many of its tokens as stand at each source token, then STEP."""
    found: list[int] = []
    start = 0
    for count in counts:
        found += [*target[start : start + count], step]
        start += count
    return [*found, *target[start:]]


def explained_share(pairs: IdPairs) -> float:
    """How much of the entropy of the target tokens a monotonic alignment explains, up to 1; below 0 if it misleads.

    1 - H(target | aligned source) / H(target), on every fifth pair, of which the aligner knows nothing. Where targets
    follow their sources from left to right, as in pronunciation, it is usually 0.5 and more; in dates, commands and
    sums at most a third (docs/defaults.md).
    """
    from seq2see.text.lattice import evenly

    pairs = [pair for pair in pairs if pair[1]]
    pairs = evenly(pairs, longest_chunk(pairs), MEASURED_CELLS)
    pairs = pairs[:: max(1, -(-len(pairs) // MEASURED_PAIRS))]
    held_out = pairs[::5]
    counts = Counter(token for _, target in held_out for token in target)
    total = sum(counts.values())
    entropy = -sum(count * math.log(count / total) for count in counts.values())
    if not entropy:
        return 0.0
    aligner = Aligner.learn([pair for number, pair in enumerate(pairs) if number % 5])
    unseen = math.log(0.01)
    each = math.log(len(counts))
    found = 0.0
    for source, target in held_out:
        for token, chunk in aligner.aligned(source, target):
            found += aligner.chunks.get(token, {}).get(chunk, unseen - each * len(chunk))
    return 1 + found / entropy


def longest_chunk(pairs: IdPairs) -> int:
    """Three target tokens, or more where targets are more than 1.5 times as long as their sources."""
    source, target = (sum(map(len, side)) for side in zip(*pairs, strict=True)) if pairs else (0, 0)
    return min(LONGEST_CHUNK, max(3, math.ceil(2 * target / max(1, source))))
