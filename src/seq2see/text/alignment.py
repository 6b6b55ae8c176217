"""Monotonic alignment of sources and targets, learned by EM: each source token stands for 0 to a few target tokens.

A target that is aligned to its source is a sequence of actions (Makarov & Clematide 2018): at each source token its
target tokens, then STEP, which moves on to the next source token. The last source token is EOS, after which there is
nothing to step to: there the target ends with EOS.

Letters: N pairs, S source tokens and T target tokens of a pair (neither counts EOS), C chunks of target tokens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from seq2see.errors import DataError

Ids: TypeAlias = Sequence[int]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

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
BLOCK = 2_000_000
"""Chunks of the pairs that are computed together; a pair that alone has more is not read by EM."""


@dataclass(frozen=True)
class Aligner:
    """The probability of each chunk of target tokens given the source token that it stands for, all as ids."""

    longest: int
    """Target tokens of a chunk."""
    chunks: Mapping[int, Mapping[tuple[int, ...], float]] = field(repr=False, hash=False)
    """By source token and chunk, the log-probability in nats."""

    @classmethod
    def learn(cls, pairs: Sequence[tuple[Ids, Ids]]) -> Aligner:
        """The aligner of these pairs (source ids, target ids), by EM over all monotonic alignments."""
        longest = longest_chunk(pairs)
        pairs = evenly(pairs, longest, MOST_CELLS)
        sources = {token: row for row, token in enumerate(sorted({token for source, _ in pairs for token in source}))}
        chunks: dict[tuple[int, ...], int] = {}
        for _, target in pairs:
            for chunk in chunks_in(target, longest):
                chunks.setdefault(chunk, len(chunks))
        lattices = [Lattice.of(block, sources, chunks, longest) for block in blocks_of(pairs, longest)]
        entries = np.unique(np.concatenate([np.zeros(0, np.int64), *(np.unique(each.codes) for each in lattices)]))
        entries = entries[entries >= 0]
        lattices = [each.renumbered(entries) for each in lattices]
        rows, columns = entries // max(1, len(chunks)), entries % max(1, len(chunks))
        lengths = np.array([len(chunk) for chunk in chunks], np.int64)[columns]
        table = np.where(lengths <= 1, 1.0, 0.1) * 0.01 ** np.abs(lengths - 1)
        for _ in range(ROUNDS):
            counts = sum((lattice.expected(table) for lattice in lattices), np.zeros(len(table)))
            total = np.bincount(rows, counts, minlength=len(sources))[rows]
            table = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
        listed, tokens = list(chunks), list(sources)
        found: dict[int, dict[tuple[int, ...], float]] = {token: {} for token in tokens}
        for number in (table >= SMALLEST).nonzero()[0].tolist():
            found[tokens[rows[number]]][listed[columns[number]]] = round(math.log(table[number]), 4)
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
        *written, end = target
        found: list[int] = []
        if len(source) == 1:
            return list(target)
        for _, chunk in self.aligned(source[:-1], written):
            found += [*chunk, step]
        return [*found, end]

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


def explained_share(pairs: Sequence[tuple[Ids, Ids]]) -> float:
    """How much of the entropy of the target tokens a monotonic alignment explains, up to 1; below 0 if it misleads.

    1 - H(target | aligned source) / H(target), on every fifth pair, of which the aligner knows nothing. Where targets
    follow their sources from left to right, as in pronunciation, it is usually 0.5 and more; in dates, commands and
    sums at most a third (docs/defaults.md).
    """
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


class Lattice(NamedTuple):
    """All monotonic alignments of some pairs: at source token s and after t target tokens, a chunk of m tokens."""

    codes: Ints
    """The entry of the table for each chunk [N S T+1 M+1]; -1 where there is none."""
    sources: Ints
    """Source tokens of each pair [N]."""
    targets: Ints
    """Target tokens of each pair [N]."""

    @classmethod
    def of(
        cls,
        pairs: Sequence[tuple[Ids, Ids]],
        sources: Mapping[int, int],
        chunks: Mapping[tuple[int, ...], int],
        longest: int,
    ) -> Lattice:
        """The lattice of these pairs, with the entries of a table of all source tokens and chunks, row by row."""
        lengths = np.array([[len(source), len(target)] for source, target in pairs])
        rows = np.full((len(pairs), lengths[:, 0].max()), -1, np.int64)
        columns = np.full((len(pairs), lengths[:, 1].max() + 1, longest + 1), -1, np.int64)
        for number, (source, target) in enumerate(pairs):
            rows[number, : len(source)] = [sources[token] for token in source]
            for start in range(len(target) + 1):
                for length in range(min(longest, len(target) - start) + 1):
                    columns[number, start, length] = chunks[tuple(target[start : start + length])]
        codes = rows[:, :, None, None] * len(chunks) + columns[:, None]
        codes[(rows < 0)[:, :, None, None] | (columns < 0)[:, None]] = -1
        return cls(codes, lengths[:, 0], lengths[:, 1])

    def renumbered(self, entries: Ints) -> Lattice:
        """The lattice with the entries of a table that has only these, which are sorted."""
        return self._replace(codes=np.where(self.codes < 0, -1, np.searchsorted(entries, self.codes)).astype(np.int32))

    def expected(self, table: Floats) -> Floats:
        """How often each entry of the table [entries] is expected to be used, by the forward-backward algorithm.

        Pairs that no alignment explains count nothing.
        """
        num, steps, places, most = self.codes.shape
        probs = np.where(self.codes >= 0, table[self.codes], 0.0)
        ahead = np.zeros((steps + 1, num, places))
        ahead[0, :, 0] = 1.0
        scales = np.ones((steps, num))
        is_real = np.arange(steps)[:, None] < self.sources
        for step in range(steps):
            for length in range(min(most, places)):
                ahead[step + 1, :, length:] += (
                    ahead[step, :, : places - length] * probs[:, step, : places - length, length]
                )
            total = ahead[step + 1].sum(1)
            scales[step] = np.where((total > 0) & is_real[step], total, 1.0)
            ahead[step + 1] = np.where(is_real[step][:, None], ahead[step + 1] / scales[step][:, None], ahead[step])
        rows = np.arange(num)
        whole = ahead[-1][rows, self.targets]
        back = np.zeros((num, places))
        back[rows, self.targets] = np.divide(1.0, whole, out=np.zeros(num), where=whole > 0)
        codes: list[Ints] = []
        counts: list[Floats] = []
        for step in reversed(range(steps)):
            before = np.zeros_like(back)
            for length in range(min(most, places)):
                onward = probs[:, step, : places - length, length] * back[:, length:] / scales[step][:, None]
                before[:, : places - length] += onward
                used = ahead[step, :, : places - length] * onward
                here = used > 1e-12
                codes.append(self.codes[:, step, : places - length, length][here])
                counts.append(used[here])
            back = np.where(is_real[step][:, None], before, back)
        return np.asarray(np.bincount(np.concatenate(codes), np.concatenate(counts), len(table)), np.float64)


def longest_chunk(pairs: Sequence[tuple[Ids, Ids]]) -> int:
    """Three target tokens, or more where targets are more than 1.5 times as long as their sources."""
    source, target = (sum(map(len, side)) for side in zip(*pairs, strict=True)) if pairs else (0, 0)
    return min(LONGEST_CHUNK, max(3, math.ceil(2 * target / max(1, source))))


def chunks_in(target: Ids, longest: int) -> Iterator[tuple[int, ...]]:
    """All chunks of up to `longest` consecutive tokens, the empty one first."""
    yield ()
    for start in range(len(target)):
        for end in range(start + 1, min(len(target), start + longest) + 1):
            yield tuple(target[start:end])


def cells_of(pair: tuple[Ids, Ids], longest: int) -> int:
    """The number of chunks at all places of a pair."""
    source, target = pair
    return len(source) * (len(target) + 1) * (longest + 1)


def evenly(pairs: Sequence[tuple[Ids, Ids]], longest: int, most: int) -> list[tuple[Ids, Ids]]:
    """The pairs that EM can explain; an evenly spread sample of them if they have more than `most` cells in all."""
    found = [
        pair
        for pair in pairs
        if len(pair[0]) > 0 and len(pair[1]) <= longest * len(pair[0]) and cells_of(pair, longest) <= BLOCK
    ]
    return found[:: max(1, -(-sum(cells_of(pair, longest) for pair in found) // most))]


def blocks_of(pairs: Sequence[tuple[Ids, Ids]], longest: int) -> Iterator[list[tuple[Ids, Ids]]]:
    """The pairs in blocks of similar sizes."""
    block: list[tuple[Ids, Ids]] = []
    widest = 0
    for source, target in sorted(pairs, key=lambda pair: (len(pair[0]), len(pair[1]))):
        widest = max(widest, len(target) + 1)
        if block and (len(block) + 1) * len(source) * widest * (longest + 1) > BLOCK:
            yield block
            block, widest = [], len(target) + 1
        block.append((source, target))
    if block:
        yield block
