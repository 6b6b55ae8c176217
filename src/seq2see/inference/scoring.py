"""Given targets scored with teacher forcing, by one network or by an ensemble."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seq2see.console import shown_tokens
from seq2see.data import Examples, Pair, collate
from seq2see.inference.batching import MOST_POSITIONS, batches_within, source_costs
from seq2see.inference.engine import Engine
from seq2see.inference.results import PairScore
from seq2see.search import log_mean
from seq2see.text import UNK, Codec

MOST_TARGET_LOG_PROBS = 2**27
"""Of all positions of the targets scored side by side; 512 MB in float32."""


def score_examples(
    members: Sequence[Engine], examples: Examples, pairs: Sequence[Pair], codec: Codec, batch_size: int
) -> list[PairScore]:
    """The score of each target, in order; `examples` are the pairs as ids, `codec` is that of the targets.

    A network has a probability for the token `<unk>`, but no text has that token: a target with tokens that are not in
    the vocabulary is never generated, and its probability is 0.
    """
    order = np.lexsort((examples.target_lengths, examples.source_lengths))
    totals = np.zeros(len(pairs))
    bounds = [
        (source_costs(examples.source_lengths), MOST_POSITIONS),
        (source_costs(examples.target_lengths), MOST_POSITIONS),
        (examples.target_lengths * len(codec.vocabulary), MOST_TARGET_LOG_PROBS),
    ]
    for indices in batches_within(order, batch_size, bounds):
        batch = collate(examples, indices)
        each = [member.target_log_probs(batch).astype(np.float64) for member in members]
        mean = each[0] if len(each) == 1 else log_mean(each)
        known = np.where(batch.target.ids[batch.target.mask] == UNK, 0.0, mean)
        ends = batch.target.lengths.cumsum()
        totals[indices] = [own.sum() for own in np.split(known, ends[:-1])]
    scores = []
    for row, (pair, total) in enumerate(zip(pairs, totals.tolist(), strict=True)):
        ids = examples.target(row)
        num_tokens = len(ids) if codec.step is None else int((ids != codec.step).sum())
        if UNK in ids:
            unknown = tuple(codec.unknown(pair.target or ""))
            scores.append(PairScore(-math.inf, -math.inf, num_tokens, unknown, total))
        else:
            scores.append(PairScore(total, total / num_tokens, num_tokens))
    return scores


def unknown_note(unknown: Sequence[Sequence[str]], so: str) -> str:
    """How many targets have tokens that the model can't write, what follows, and which they are; empty if none has."""
    found = [tokens for tokens in unknown if tokens]
    if not found:
        return ""
    return (
        f"{len(found):,} of {len(unknown):,} targets have tokens that the model can't write, {so} "
        f"(number of targets with each: {shown_tokens(found)})"
    )
