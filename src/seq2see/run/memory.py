"""Whether the longest pairs fit into memory: said before the first update, with their place and what helps.

What is learned never depends on the memory: a run that can't fit is refused, with an option that lets it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seq2see.console import counted
from seq2see.errors import DataError
from seq2see.inference.options import BatchOptions
from seq2see.model import Seq2Seq, build
from seq2see.run.plan import RunPlan
from seq2see.run.resume import RunContext
from seq2see.training.footprint import (
    WEIGHT_COPIES,
    BatchLimits,
    Footprint,
    footprint_of,
    largest_batch_of,
    length_blocks,
)
from seq2see.training.memory import MEMORY_SHARE, longest_example, total_memory

MUCH_LONGER, LONG = 20, 500
"""The longest pair is mentioned if it has at least LONG tokens, and this many times the mean of the others."""
VALUES_PER_POSITION, VALUES_PER_CELL = 100, 20
"""Upper bounds on the values kept, per layer and unit of width, and per layer and head."""
VALUES_PER_PROBABILITY = 8
"""The same where a mixture keeps a probability of every token: per target position, or per cell."""
SMALL = 0.25
"""Share of the memory into which a run fits without doubt if it does by these bounds."""
MAX_SPLIT = 64
"""The most passes per update that are recommended."""


def require_memory(context: RunContext, plan: RunPlan, network: Any) -> None:
    """DataError if the largest batch of training or dev needs more memory than there is; notes on pairs near that."""
    world = context.world
    for line in long_pair_notes(plan):
        context.say(line)
    memory = min(world.gather(total_memory(context.device) / (1 if context.device.type == "cuda" else world.size)))
    limits = limits_of(plan, world.size)
    weights = 4 * sum(math.prod(tensor.shape) for tensor in network.tensors().values())
    if upper_bound(plan, limits, WEIGHT_COPIES * weights) < SMALL * memory:
        return
    footprint = measured(plan, network)
    require_room_to_train(context, plan, footprint, limits, memory)
    require_room_to_evaluate(plan, footprint, memory, processes=world.size)


def limits_of(plan: RunPlan, processes: int) -> BatchLimits:
    """What limits the part of an update that a process computes in one pass."""
    training = plan.config.training
    assert training.batch_tokens != "auto"
    return BatchLimits(training.batch_size, training.batch_tokens, processes * training.accumulate)


def upper_bound(plan: RunPlan, limits: BatchLimits, weights: int) -> float:
    """More bytes than any batch of this plan needs: a bound that takes no measuring."""
    o = plan.blueprint
    source, target = plan.max_ids["source"], plan.max_ids["target"]
    rows = limits.batch_size or len(plan.examples)
    positions = rows * (source + target)
    if limits.batch_tokens is not None:
        positions = min(positions, max(limits.batch_tokens, source + target))
    dev = [
        int(lengths.max(initial=0)) for lengths in (plan.dev_examples.source_lengths, plan.dev_examples.target_lengths)
    ]
    cells = max(positions * min(source, target), BatchOptions.batch_size * dev[0] * dev[1])
    width = max(o.width, o.embedding, o.feed_forward)
    layers = max(o.encoder_layers, o.decoder_layers)
    kept = VALUES_PER_POSITION * layers * width * positions + VALUES_PER_CELL * layers * o.heads * cells
    if o.copy:
        kept += VALUES_PER_PROBABILITY * plan.sizes.target * positions
    if o.name == "monotonic":
        kept += VALUES_PER_PROBABILITY * (plan.sizes.target + width) * cells
    return weights + 4.0 * kept


def measured(plan: RunPlan, network: Any) -> Footprint:
    """The footprint of the model; for other engines, of the same model in PyTorch, which needs no more."""
    model = network if isinstance(network, Seq2Seq) else build(plan.blueprint, plan.sizes)
    return footprint_of(
        model,
        longest=max(plan.max_ids.values()),
        has_source=plan.source_codec is not None,
        is_bfloat16=plan.config.training.precision == "bfloat16",
        attention_losses=plan.config.training.attention_losses,
    )


def require_room_to_train(
    context: RunContext, plan: RunPlan, footprint: Footprint, limits: BatchLimits, memory: float
) -> None:
    """DataError if the largest batch doesn't fit into the memory; a note if it may not."""
    largest = largest_batch_of(plan.examples, footprint, limits)
    needs = f"needs at least {in_bytes(largest.bytes)} of memory, and there are {in_bytes(memory)}"
    pairs = counted(largest.rows, "pair") + (" of up to" if largest.rows > 1 else " of")
    batch = f"the largest batch, {pairs} {size_of(plan, largest.source, largest.target)},"
    if largest.bytes > memory:
        raise DataError(
            f"{batch} {needs}",
            where=place_of(plan, largest.example),
            fix=remedy(plan, footprint, limits, memory),
        )
    if largest.bytes / MEMORY_SHARE > memory:
        context.say(f"note: {batch} {needs}: it may not fit ({place_of(plan, largest.example)})")


def require_room_to_evaluate(plan: RunPlan, footprint: Footprint, memory: float, *, processes: int) -> None:
    """DataError if the longest dev pairs can't be scored in this memory."""
    sources, targets = plan.dev_examples.source_lengths, plan.dev_examples.target_lengths
    rows = min(BatchOptions.batch_size, -(-len(plan.dev) // processes))
    longest = int(np.argmax(sources * targets))
    needed = footprint.evaluation(rows, int(sources[longest]), int(targets[longest]))
    if needed > memory:
        fits = [footprint.evaluation(rows, *each) <= memory for each in zip(sources, targets, strict=True)]
        lengths = longer_sides(plan, sources, targets)
        trained = np.concatenate([longer_sides(plan, *each) for _, *each in length_blocks(plan.examples)])
        both = np.append(trained, lengths), np.append(np.ones(len(trained), bool), fits)
        raise DataError(
            f"evaluating dev needs at least {in_bytes(needed)} of memory for this pair of "
            f"{size_of(plan, int(sources[longest]), int(targets[longest]))}, and there are {in_bytes(memory)}",
            where=plan.dev[longest].origin or f"dev pair {longest + 1}",
            fix=leaving_out(plan, *both) or "leave this pair out of dev",
        )


def remedy(plan: RunPlan, footprint: Footprint, limits: BatchLimits, memory: float) -> str:
    """An option with which the largest batch fits."""
    lengths, fits, fits_alone = np.zeros(0, np.int64), np.zeros(0, bool), True
    for _, sources, targets in length_blocks(plan.examples):
        rows = limits.rows(sources + targets, len(plan.examples))
        fits = np.append(fits, footprint.peak(rows, sources, targets) <= memory)
        fits_alone &= bool((footprint.peak(np.ones_like(rows), sources, targets) <= memory).all())
        lengths = np.append(lengths, longer_sides(plan, sources, targets))
    if fits_alone:
        for split in range(2, MAX_SPLIT + 1):
            smaller = replace(limits, passes=limits.passes * split)
            if largest_batch_of(plan.examples, footprint, smaller).bytes <= memory:
                accumulate = plan.config.training.accumulate * split
                return f"compute the same updates in smaller passes: --set training.accumulate={accumulate}"
    smaller_model = "choose a smaller model (model.width, model.layers), or a machine with more memory"
    return leaving_out(plan, lengths, fits) or smaller_model


def leaving_out(plan: RunPlan, lengths: np.ndarray, fits: np.ndarray) -> str:
    """The option that leaves out what doesn't fit, by the length of the longer side; "" if that is more than half."""
    kept = lengths[lengths < lengths[~fits].min(initial=np.iinfo(np.int64).max)]
    if len(kept) < len(lengths) / 2:
        return ""
    option = f"--set data.longest={int(kept.max())}"
    if plan.data.corpus:
        return f"leave longer pairs out when preparing: seq2see prepare … --out NEW {option}"
    return f"leave longer pairs out: {option} (keeps {len(kept):,} of {len(lengths):,})"


def long_pair_notes(plan: RunPlan) -> Iterator[str]:
    """A note if one pair is much longer than the others."""
    examples = plan.examples
    index = longest_example(examples)
    source, target = len(examples.source(index)), len(examples.target(index))
    others = int(examples.source_offsets[-1] + examples.target_offsets[-1]) - source - target
    mean = others / max(1, len(examples) - 1)
    if source + target >= max(LONG, MUCH_LONGER * mean) and len(examples) > 1:
        yield (
            f"note: the longest pair has {size_of(plan, source, target)} ({place_of(plan, index)}), "
            f"{(source + target) / mean:,.0f} times the mean of the others; data.longest leaves out longer ones"
        )


def longer_sides(plan: RunPlan, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The tokens of the longer side of each pair, EOS not counted: what `data.longest` limits."""
    return np.asarray(np.maximum(sources, plan.written(sources, targets)) - 1)


def size_of(plan: RunPlan, source: int, target: int) -> str:
    """Lengths in ids as numbers of tokens, EOS not counted: "12 × 7 tokens"."""
    target = plan.written(source, target)
    return f"{source - 1:,} × {target - 1:,} tokens" if source else counted(target - 1, "token")


def place_of(plan: RunPlan, index: int) -> str:
    """File and line of a training pair."""
    return plan.data.train[index].origin or f"pair {index + 1}"


def in_bytes(size: float) -> str:
    """Such as "1.5 GB" or "80 MB"."""
    if size < 1e9:
        return f"{size / 1e6:,.0f} MB"
    return f"{size / 1e9:,.1f} GB" if size < 1e10 else f"{size / 1e9:,.0f} GB"
