"""All that is settled before the first update: pairs, codecs, examples, model and recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from peeky.batching import require_room
from peeky.config import Config
from peeky.data import Examples, Pair, Recut
from peeky.model import Blueprint, Sizes, find, longest, resolve
from peeky.recipe import (
    SENTENCE_UNITS,
    build_codecs,
    choose_model,
    choose_text,
    choose_training,
    recut_of,
    vocabulary_lines,
)
from peeky.sets import DEV_PAIRS, Data, read_data, spread
from peeky.starting import Start, grown_codecs, options_line, start_lines
from peeky.text import UNK, Codec, Codecs


@dataclass(frozen=True)
class Plan:
    """A run that could begin."""

    config: Config
    """Nothing left open but the precision."""
    data: Data
    dev: list[Pair]
    """Those of the dev pairs that are tried while training."""
    codecs: Codecs
    examples: Examples
    recut: Recut | None
    blueprint: Blueprint
    said: list[str]
    max_length_before: int = 0
    """That of the model which the run started from, or of the run so far."""

    @property
    def source_codec(self) -> Codec | None:
        """None where there is no source."""
        return self.codecs[0]

    @property
    def target_codec(self) -> Codec:
        """That of the targets."""
        return self.codecs[1]

    @property
    def sizes(self) -> Sizes:
        """Those of the vocabularies."""
        source, target = self.codecs
        return Sizes(len(source.vocabulary) if source else 0, len(target.vocabulary))

    @cached_property
    def dev_examples(self) -> Examples:
        """What is tried while training, as ids."""
        return Examples.encode(self.dev, *self.codecs)

    @property
    def unknown_on_dev(self) -> dict[str, float]:
        """By side, the share of the tokens tried that its vocabulary lacks."""
        dev = self.dev_examples
        sides = {"source": dev.source_ids, "target": dev.target_ids}
        return {side: float((ids == UNK).mean()) for side, ids in sides.items() if ids.size}

    @property
    def max_length(self) -> int:
        """Target tokens after which generation stops in any case."""
        return max(self.max_length_before, hard_maximum(self.examples.target_lengths))


def plan_run(
    config: Config,
    pairs: Sequence[Pair] | None = None,
    dev_pairs: Sequence[Pair] | None = None,
    *,
    codecs: Codecs | None = None,
    start: Start | None = None,
    max_length_before: int = 0,
) -> Plan:
    """Read the configured files (or take `pairs`), and settle everything that was left open.

    `codecs` are those of a run that is taken up again; `start` is a model that is trained further, whose options the
    configuration has. DataError for a pair that the model has no room for.
    """
    has_source = find(resolve(config.model).name).has_source
    data = read_data(config, pairs, dev_pairs, has_source=has_source)
    text, said_text = choose_text(config.text, data.train, has_source=has_source)
    if start:
        codecs, max_length_before = grown_codecs(start, text, data.train), start.max_length
    codecs = codecs or build_codecs(text, data.train, has_source=has_source)
    examples = Examples.encode(data.train, *codecs)
    said_start = start_lines(start, codecs, examples) if start else []
    recut = recut_of(text, data.train, codecs, seed=config.training.seed)
    said_text += [*vocabulary_lines(text, codecs), *unknown_lines(examples)]
    model, said_model = choose_model(config.model, len(data.train))
    training, said_training = choose_training(
        config.training,
        examples,
        can_match=has_source and text.target not in SENTENCE_UNITS,
        has_blocks=find(resolve(model).name).has_blocks,
        recut=recut,
    )
    config = replace(config, text=text, model=model, training=training)
    said_training += options_line(start, config) if start else []
    plan = Plan(
        config,
        data,
        spread(data.dev, DEV_PAIRS),
        codecs,
        examples,
        recut,
        resolve(model),
        [*data.said, *said_start, *said_text, *said_model, *said_training],
        max_length_before,
    )
    for some, encoded in ((data.train, examples), (plan.dev, plan.dev_examples)):
        require_room(longest(plan.blueprint), encoded, [pair.origin for pair in some])
    return plan


def hard_maximum(target_lengths: np.ndarray) -> int:
    """Target tokens after which generation stops in any case: well beyond the longest target seen in training."""
    return int(target_lengths.max() * 3 // 2 + 10)


def unknown_lines(examples: Examples) -> list[str]:
    """What to say of tokens that the vocabularies leave out."""
    shares = {"source": examples.source_ids == UNK, "target": examples.target_ids == UNK}
    return [
        f"{side}: {100 * unknown.mean():.1f} % of the tokens are too rare for the vocabulary and read as unknown "
        "(text.max_vocabulary, text.min_count)"
        for side, unknown in shares.items()
        if unknown.any()
    ]
