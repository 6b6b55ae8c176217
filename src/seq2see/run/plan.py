"""All that is settled before the first update: pairs, codecs, examples, model and recipe."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from seq2see.config import Config
from seq2see.corpus.corpus import require_fitting
from seq2see.data import EpochExamples, Examples, Pair
from seq2see.data.building import build_examples
from seq2see.data.split import DEV_PAIRS, sample_evenly
from seq2see.errors import ConfigError
from seq2see.inference.batching import require_room
from seq2see.model import Blueprint, Sizes, build, find, max_positions, resolve
from seq2see.run.fine_tune import Pretrained, grown_codecs, options_line, pretrained_lines
from seq2see.run.pairs import Data, read_data
from seq2see.run.recipe import (
    choose_batch,
    choose_model,
    choose_training,
    epoch_examples_of,
)
from seq2see.text import UNK, Codec, Codecs
from seq2see.text.building import vocabulary_lines
from seq2see.text.choice import SENTENCE_UNITS, choose_text
from seq2see.training import ALONE, World


@dataclass(frozen=True)
class RunPlan:
    """A run that could begin."""

    config: Config
    """Nothing left open but the precision."""
    data: Data
    dev: Sequence[Pair]
    """Those of the dev pairs that are tried while training."""
    codecs: Codecs
    examples: Examples
    epoch_examples: EpochExamples | None
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
        return sizes_of(self.codecs)

    @cached_property
    def dev_examples(self) -> Examples:
        """What is tried while training, as ids."""
        return Examples.encode(self.dev, *self.codecs)

    @property
    def unknown_on_dev(self) -> dict[str, float]:
        """By side, the share of the tokens tried that its vocabulary lacks."""
        return unknown_shares(self.dev_examples)

    @property
    def max_length(self) -> int:
        """Target tokens after which generation stops in any case."""
        corpus = self.data.corpus
        longest_target = corpus.max_lengths[1] if corpus else int(self.examples.target_lengths.max())
        return max(self.max_length_before, hard_maximum(longest_target))


def plan_run(
    config: Config,
    pairs: Sequence[Pair] | None = None,
    dev_pairs: Sequence[Pair] | None = None,
    *,
    codecs: Codecs | None = None,
    given: Collection[str] = (),
    start: Pretrained | None = None,
    max_length_before: int = 0,
    device: torch.device | None = None,
    world: World = ALONE,
) -> RunPlan:
    """Read the configured files (or take `pairs`), and settle everything that was left open.

    `codecs` are those of a run that is taken up again, `given` the keys that someone set; `start` is a model that is
    trained further, whose options the configuration has. How large a batch may be is measured on the `device`.
    DataError for a pair that the model has no room for, ConfigError for what a prepared corpus can't give.
    """
    has_source = find(resolve(config.model).name).has_source
    data = read_data(config, pairs, dev_pairs, has_source=has_source)
    if start:
        codecs, max_length_before = start.codecs, start.max_length
    if corpus := data.corpus:
        require_fitting(corpus, config, given, has_source=has_source)
        if codecs and codecs != corpus.codecs:
            whose = "model that is started from" if start else "run"
            fix = "train on the files that it was prepared from, or prepare it with the same vocabularies"
            raise ConfigError(f"the corpus has other vocabularies than the {whose}", where=str(corpus.folder), fix=fix)
        text, codecs, examples, epoch_examples = corpus.text, corpus.codecs, corpus.examples, None
        said_text: list[str] = []
        unknown = corpus.unknown_shares()
    else:
        sources = [pair.source for pair in data.train] if has_source else None
        targets = [pair.target or "" for pair in data.train]
        text, said_text = choose_text(config.text, sources, targets)
        if start:
            codecs = grown_codecs(start, text, data.train)
        if codecs:
            examples = Examples.encode(data.train, *codecs)
        else:
            codecs, examples = build_examples(text, data.train, has_source=has_source)
        epoch_examples = epoch_examples_of(text, data.train, codecs, seed=config.training.seed)
        unknown = unknown_shares(examples)
    said_start = pretrained_lines(start, codecs, examples) if start else []
    said_text += [*vocabulary_lines(text, codecs), *unknown_lines(unknown)]
    model, said_model = choose_model(config.model, len(data.train))
    training, said_batch = config.training, list[str]()
    if training.batch_tokens == "auto":
        network = build(resolve(model), sizes_of(codecs))
        training, said_batch = choose_batch(training, network, examples, device or torch.device("cpu"), world)
    training, said_training = choose_training(
        training,
        examples,
        can_match=has_source and text.target not in SENTENCE_UNITS,
        has_blocks=find(resolve(model).name).has_blocks,
        epoch_examples=epoch_examples,
    )
    config = replace(config, text=text, model=model, training=training)
    said_training += options_line(start, config) if start else []
    plan = RunPlan(
        config,
        data,
        sample_evenly(data.dev, DEV_PAIRS),
        codecs,
        examples,
        epoch_examples,
        resolve(model),
        [*data.said, *said_start, *said_text, *said_model, *said_batch, *said_training],
        max_length_before,
    )
    room = max_positions(plan.blueprint)
    if not corpus:
        require_room(room, examples, [pair.origin for pair in data.train])
    elif room is not None and max(corpus.max_lengths) > room:
        require_room(room, examples, [f"{corpus.folder}:{number + 1}" for number in range(len(examples))])
    require_room(room, plan.dev_examples, [pair.origin for pair in plan.dev])
    return plan


def sizes_of(codecs: Codecs) -> Sizes:
    """The sizes of their vocabularies."""
    source, target = codecs
    return Sizes(len(source.vocabulary) if source else 0, len(target.vocabulary))


def hard_maximum(longest_target: int) -> int:
    """Target tokens after which generation stops in any case: well beyond the longest target seen in training."""
    return longest_target * 3 // 2 + 10


def unknown_shares(examples: Examples) -> dict[str, float]:
    """By side, the share of the tokens that its vocabulary lacks."""
    sides = {"source": examples.source_ids, "target": examples.target_ids}
    return {side: float((ids == UNK).mean()) for side, ids in sides.items() if ids.size}


def unknown_lines(shares: Mapping[str, float]) -> list[str]:
    """What to say of tokens that the vocabularies leave out."""
    return [
        f"{side}: {100 * unknown:.1f} % of the tokens are too rare for the vocabulary and read as unknown "
        "(text.max_vocabulary, text.min_count)"
        for side, unknown in shares.items()
        if unknown
    ]
