"""What is noteworthy about the data of a run, as lines that are printed before its first update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seq2see.console import shown_tokens
from seq2see.data import Examples, Pair
from seq2see.data.source_record import source_texts
from seq2see.run.plan import RunPlan
from seq2see.storage.saved_model import copies_of
from seq2see.text import SPECIALS, SUBWORD_UNITS, Codec, Codecs
from seq2see.text.options import TextOptions

FEW_DEV = 5
"""Fewer dev targets may be unknown by chance."""
NUM_COUNTED = 1_000_000
"""Source tokens among which those that can't be copied are counted, at most."""
MANY_NOT_COPIED = 0.1
"""From this share on it is worth a line."""


def leak_lines(plan: RunPlan) -> list[str]:
    """A line on dev pairs whose sources earlier training has seen, if there are any; those in train have another."""
    if not plan.record_before.train.count:
        return []
    texts = list(source_texts(plan.dev, plan.codecs))
    before = plan.record_before.train.contains(texts)
    now = plan.own_record.train.contains(texts)
    count = sum(old and not new for old, new in zip(before, now, strict=True))
    if not count:
        return []
    return [
        f"note: the model has been trained before on the sources of {count:,} of the {len(texts):,} dev pairs: the dev "
        "scores are too good, and which checkpoint is best depends on them; give other dev pairs with --dev"
    ]


def unknown_lines(shares: Mapping[str, float]) -> list[str]:
    """One line per side with unknown tokens."""
    return [
        f"{side}: {percentage(unknown)} of the tokens are too rare for the vocabulary and read as unknown "
        "(text.max_vocabulary, text.min_count)"
        for side, unknown in shares.items()
        if unknown
    ]


def percentage(share: float) -> str:
    """Such as `3.2 %`; of less than a thousandth `less than 0.1 %`."""
    return f"{100 * share:.1f} %" if share >= 0.001 else "less than 0.1 %"


def copying_lines(text: TextOptions, codecs: Codecs, examples: Examples) -> list[str]:
    """A line on the subwords of the sources that can't be copied, since targets are split into others, if many are."""
    source, target = codecs
    if source is None or text.joint or text.source != text.target or text.target not in SUBWORD_UNITS:
        return []
    if text.case == "fold":  # of sources alone, which can't share a vocabulary with targets
        return []
    ids = examples.source_ids[:: 1 + len(examples.source_ids) // NUM_COUNTED]
    ids = ids[ids >= len(SPECIALS)]
    share = float(np.mean(np.array(copies_of(source, target))[ids] == 0)) if len(ids) else 0.0
    if share < MANY_NOT_COPIED:
        return []
    return [
        f"note: {100 * share:.0f} % of the source tokens can't be copied, since the target vocabulary lacks them; "
        "text.joint=true makes one vocabulary for both sides"
    ]


def unwritable_lines(codec: Codec, dev: Sequence[Pair], *, is_from_train: bool) -> list[str]:
    """A line on the dev targets that no answer can equal, if there are any; dev may be a part of the training file."""
    unknown = [tokens for pair in dev if (tokens := codec.unknown(pair.target or ""))]
    if not unknown:
        return []
    lines = [
        f"note: {len(unknown):,} of the {len(dev):,} dev targets can't be written with the target vocabulary "
        f"(number of targets with each unknown token: {shown_tokens(unknown)})"
    ]
    num_tokens = sum(len(codec.encode(pair.target or "", end=False)) for pair in dev)
    if len(dev) >= FEW_DEV and 2 * sum(map(len, unknown)) > num_tokens:
        what = "warning: most tokens of the dev targets are unknown"
        if not is_from_train:
            lines.append(f"{what}: are the columns of dev in the order of train?")
        elif (unit := codec.tokenizer.name) in ("words", "symbols"):
            lines.append(f"{what}, since most {unit} occur only once; smaller units recur: text.target=characters")
        else:
            lines.append(f"{what}: add training pairs")
    return lines
