"""Another alignment of each training pair in every epoch, for a transducer."""

from __future__ import annotations

from dataclasses import replace

from seq2see.data.examples import EpochExamples, Examples, Sequences
from seq2see.text import Codec
from seq2see.text.alignment import AlignmentSampler, in_steps


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
