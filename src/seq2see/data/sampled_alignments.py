"""Another alignment of each training pair in every epoch, for a transducer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from seq2see.data.examples import EpochExamples, Examples, Sequences
from seq2see.text import Codec
from seq2see.text.alignment import UNSEEN, Aligner, in_steps
from seq2see.text.lattice import IdPairs, Lattices, has_lattice


def with_sampled_alignments(examples: Examples, target_codec: Codec, seed: int) -> EpochExamples:
    """The same examples, whose targets are actions, with alignments drawn anew in each epoch.

    A pair that EM can't align keeps its actions. The draws depend on the seed and the epoch alone.
    """
    aligner, step = target_codec.aligner, target_codec.step
    assert aligner is not None
    assert step is not None
    actions = [examples.target(index).tolist() for index in range(len(examples))]
    sources = [examples.source(index).tolist() for index in range(len(examples))]
    targets = [[token for token in own if token != step] for own in actions]
    sampler = AlignmentSampler(aligner, [(s[:-1], t[:-1]) for s, t in zip(sources, targets, strict=True)])

    def epoch_examples(epoch: int) -> Examples:
        drawn = list(actions)
        for number, counts in sampler.draw([seed, epoch]):
            drawn[number] = in_steps(targets[number], counts, step)
        return replace(examples, targets=Sequences.pack(drawn))

    return epoch_examples


class AlignmentSampler:
    """Draws alignments of some pairs (source ids, target ids) by their probability."""

    def __init__(self, aligner: Aligner, pairs: IdPairs) -> None:
        known = [number for number, pair in enumerate(pairs) if has_lattice(pair, aligner.longest)]
        blocks, tokens, columns, chunks = Lattices.of([pairs[number] for number in known], aligner.longest)
        self.blocks = [([known[number] for number in block], lattice) for block, lattice in blocks]
        logs = [
            aligner.chunks.get(token, {}).get(chunks[column], UNSEEN)
            for token, column in zip(tokens.tolist(), columns.tolist(), strict=True)
        ]
        self.table = np.exp(np.array(logs))

    def draw(self, seed: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """The number of each pair, and of the target tokens at each of its source tokens.

        Pairs without a lattice are left out, and those all of whose alignments are too improbable for float64. The same
        seed draws the same alignments.
        """
        generator = np.random.default_rng(seed)
        for numbers, lattice in self.blocks:
            drawn = lattice.draw(self.table, generator.random(lattice.codes.shape[:2]))
            for row in (drawn[:, 0] >= 0).nonzero()[0].tolist():
                yield numbers[row], drawn[row, : lattice.sources[row]].tolist()
