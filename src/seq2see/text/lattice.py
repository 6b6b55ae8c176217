"""All monotonic alignments of some pairs, to sum over and to draw from.

Letters: N pairs, S source tokens and T target tokens of a pair (neither counts EOS), M target tokens of a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Ids: TypeAlias = Sequence[int]
IdPairs: TypeAlias = Sequence[tuple[Ids, Ids]]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

BLOCK = 2_000_000
"""Chunks of the pairs that are computed together; a pair that alone has more has no lattice."""


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
        pairs: IdPairs,
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
        probs = self._probabilities(table)
        ahead, scales = self._ahead(probs)
        is_real = np.arange(steps)[:, None] < self.sources
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

    def draw(self, table: Floats, numbers: Floats) -> Ints:
        """The target tokens at each source token [N S] of an alignment of each pair, drawn by its probability.

        Source tokens are drawn from the last to the first, by the product of the probabilities of a chunk and of all
        that comes before it (forward filtering, backward sampling). `numbers` [N S] are uniform in 0..1. A pair all of
        whose alignments are too improbable for float64 has -1.
        """
        num, steps, _, most = self.codes.shape
        probs = self._probabilities(table)
        ahead, _ = self._ahead(probs)
        rows, lengths = np.arange(num)[:, None], np.arange(most)
        counts, places = np.zeros((num, steps), np.int64), self.targets.copy()
        is_lost = np.zeros(num, bool)
        for step in reversed(range(steps)):
            before = places[:, None] - lengths
            start = np.maximum(before, 0)
            weights = np.where(before >= 0, ahead[step, rows, start] * probs[rows, step, start, lengths], 0.0)
            sums = weights.cumsum(1)
            drawn = np.minimum((sums <= numbers[:, step, None] * sums[:, -1:]).sum(1), most - 1)
            is_real = step < self.sources
            counts[:, step] = np.where(is_real, drawn, 0)
            places -= counts[:, step]
            is_lost |= is_real & (sums[:, -1] == 0)
        counts[is_lost] = -1
        return counts

    def _probabilities(self, table: Floats) -> Floats:
        """Of each chunk [N S T+1 M+1]."""
        return np.where(self.codes >= 0, table[self.codes], 0.0)

    def _ahead(self, probs: Floats) -> tuple[Floats, Floats]:
        """The probability of T target tokens at the first S source tokens [S+1 N T+1], relative to a scale [S N]."""
        num, steps, places, most = self.codes.shape
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
        return ahead, scales


class Lattices(NamedTuple):
    """The lattices of many pairs, in blocks of similar sizes, and what the entries of their table are."""

    blocks: tuple[tuple[list[int], Lattice], ...]
    """The numbers of the pairs of each block, and their lattice."""
    tokens: Ints
    """The source token of each entry."""
    columns: Ints
    """The number of the chunk of each entry."""
    chunks: list[tuple[int, ...]]
    """The chunks of target tokens."""

    @classmethod
    def of(cls, pairs: IdPairs, longest: int) -> Lattices:
        """Those of these pairs, each of which some alignment explains, with chunks of at most `longest` tokens."""
        tokens = sorted({token for source, _ in pairs for token in source})
        rows = {token: row for row, token in enumerate(tokens)}
        chunks: dict[tuple[int, ...], int] = {}
        for _, target in pairs:
            for chunk in chunks_in(target, longest):
                chunks.setdefault(chunk, len(chunks))
        blocks = [
            (block, Lattice.of([pairs[number] for number in block], rows, chunks, longest))
            for block in blocks_of(pairs, longest)
        ]
        none = np.zeros(0, np.int64)
        entries = np.unique(np.concatenate([none, *(np.unique(lattice.codes) for _, lattice in blocks)]))
        entries = entries[entries >= 0]
        return cls(
            tuple((block, lattice.renumbered(entries)) for block, lattice in blocks),
            np.array(tokens, np.int64)[entries // max(1, len(chunks))],
            entries % max(1, len(chunks)),
            list(chunks),
        )


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


def has_lattice(pair: tuple[Ids, Ids], longest: int) -> bool:
    """Whether chunks of at most `longest` tokens can explain a pair, and it isn't too long."""
    source, target = pair
    return len(source) > 0 and len(target) <= longest * len(source) and cells_of(pair, longest) <= BLOCK


def evenly(pairs: IdPairs, longest: int, most: int) -> list[tuple[Ids, Ids]]:
    """The pairs that have a lattice; an evenly spread sample of them if they have more than `most` cells in all."""
    found = [pair for pair in pairs if has_lattice(pair, longest)]
    return found[:: max(1, -(-sum(cells_of(pair, longest) for pair in found) // most))]


def blocks_of(pairs: IdPairs, longest: int) -> Iterator[list[int]]:
    """The numbers of the pairs in blocks of similar sizes."""
    block: list[int] = []
    widest = 0
    for number in sorted(range(len(pairs)), key=lambda number: tuple(map(len, pairs[number]))):
        source, target = pairs[number]
        widest = max(widest, len(target) + 1)
        if block and (len(block) + 1) * len(source) * widest * (longest + 1) > BLOCK:
            yield block
            block, widest = [], len(target) + 1
        block.append(number)
    if block:
        yield block
