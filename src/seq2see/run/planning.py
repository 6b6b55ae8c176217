"""Choosing every option that is open, from the data: what makes a `RunPlan`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import torch

from seq2see.config import Config
from seq2see.corpus.corpus import Corpus, require_fitting
from seq2see.data import EpochExamples, Examples, Pair
from seq2see.data.balance import balanced
from seq2see.data.building import aligned_examples, build_examples
from seq2see.data.distortion import with_distorted_pictures
from seq2see.data.length_limit import truncated_lines
from seq2see.data.options import known_from
from seq2see.data.sampled_alignments import with_sampled_alignments
from seq2see.data.source_record import NO_SOURCES, SourceRecord
from seq2see.data.split import DEV_PAIRS, sample_evenly
from seq2see.errors import ConfigError
from seq2see.inference.batching import require_room
from seq2see.model import build, find, max_positions, resolve
from seq2see.run.denoising import grown_codecs
from seq2see.run.embedding_files import require_possible_embeddings
from seq2see.run.embeddings import read_embeddings, with_width
from seq2see.run.fine_tune import (
    Pretrained,
    extended_codecs,
    options_line,
    pretrained_lines,
    require_known_symbols,
    require_same_columns,
)
from seq2see.run.model_choice import MOST_ALIGNED, choose_model
from seq2see.run.pairs import (
    RunData,
    Unpaired,
    balance_of,
    limit_of,
    read_data,
    read_unpaired,
    with_units,
    without_long_pairs,
)
from seq2see.run.plan import RunPlan, unknown_shares
from seq2see.run.plan_notes import copying_lines, unknown_lines, unwritable_lines
from seq2see.run.recipe import (
    choose_attention_loss,
    choose_batch,
    choose_sampling,
    choose_training,
    epoch_examples_of,
)
from seq2see.run.traits import Traits, can_align
from seq2see.storage.saved_model import sizes_of
from seq2see.text import Codecs
from seq2see.text.building import vocabulary_lines
from seq2see.text.options import TextOptions
from seq2see.training import ALONE, World


class Encoded(NamedTuple):
    """The training pairs as ids."""

    data: RunData
    """Without the pairs that are too long."""
    text: TextOptions
    codecs: Codecs
    examples: Examples
    unknown: dict[str, float]
    """By side, the share of the tokens that are not in the vocabulary."""
    to_align: Examples | None = None
    """Those of new vocabularies that a transducer could be trained on."""


def plan_run(
    config: Config,
    pairs: Sequence[Pair] | None = None,
    dev_pairs: Sequence[Pair] | None = None,
    *,
    data: RunData | None = None,
    codecs: Codecs | None = None,
    given: Collection[str] = (),
    pretrained: Pretrained | None = None,
    min_max_length: int = 0,
    seen_before: Mapping[str, Any] = MappingProxyType({}),
    record_before: SourceRecord = NO_SOURCES,
    device: torch.device | None = None,
    world: World = ALONE,
) -> RunPlan:
    """Read the configured files (or take `pairs`, or `data` read before), and choose every option that is still open.

    `codecs` are those of a resumed run, `given` the keys that were set explicitly; `pretrained` is the model to
    fine-tune, whose options `config` already has. `device` is where the largest batch that fits is measured.
    DataError for a pair that is longer than the model allows, ConfigError for options that a prepared corpus conflicts
    with.
    """
    has_source = find(resolve(config.model).name).has_source
    require_possible_embeddings(config.training, has_source=has_source)
    also = read_unpaired(config, has_source=has_source) if codecs is None else []
    is_new = codecs is None
    needs_vectors = codecs is None or config.training.freeze_embeddings
    data = with_units(
        data or read_data(config, pairs, dev_pairs, has_source=has_source),
        config.text,
        has_source=has_source,
        is_new=is_new and pretrained is None,
    )
    config = replace(config, data=data.settled(config.data))
    if pretrained:
        codecs, min_max_length, seen_before = pretrained.codecs, pretrained.max_length, pretrained.seen
    if corpus := data.corpus:
        encoded = from_corpus(config, data, corpus, codecs, given, pretrained, has_source=has_source)
    else:
        encoded = from_texts(config, data, codecs, pretrained, also, has_source=has_source)
    data, text, codecs, examples, unknown, to_align = encoded
    pretrained_notes = pretrained_lines(pretrained, codecs, examples, config.training.optimizer) if pretrained else []
    text_notes = [*vocabulary_lines(text, codecs), *unknown_lines(unknown)]
    num_cut = corpus.num_cut if corpus else examples.sources.num_cut
    text_notes += truncated_lines(num_cut, len(data.train), text.truncate)
    traits = Traits.of(text, codecs, examples)
    model, model_notes = choose_model(config.model, traits, to_align)
    if (
        corpus
        and config.model.name is None
        and len(data.train) <= MOST_ALIGNED
        and can_align(text, codecs)
        and not config.training.attention_losses
    ):
        model_notes.append("note: a transducer, which often suits few pairs, can't be trained on a prepared corpus")
    if find(resolve(model).name).is_transducer and codecs[1].aligner is None:
        codecs, examples = aligned_examples(codecs, examples)
    elif model.copy and is_new and not pretrained and not corpus:
        model_notes += copying_lines(text, codecs, examples)
    sampling = choose_sampling(config.training, resolve(model).name, text, len(examples), is_new=is_new)
    config = replace(config, training=sampling)
    embedded = read_embeddings(config.training, codecs) if needs_vectors else []
    if embedded:
        model = with_width(model, config.model, embedded)
        model_notes += [each.line() for each in embedded]
    epoch_examples, balance_notes = examples_by_epoch(
        config, encoded._replace(codecs=codecs, examples=examples), has_pictures=traits.has_pictures
    )
    limit = max_positions(resolve(model))
    require_room_in_training(limit, data, examples)
    training, batch_notes, guide_notes = config.training, list[str](), list[str]()
    if is_new:  # a resumed run that began before this loss existed goes on without it
        fields = sizes_of(codecs).fields
        training, guide_notes = choose_attention_loss(training, resolve(model).name, fields, data.train)
    if training.batch_tokens == "auto":
        network = build(resolve(model), sizes_of(codecs))
        training, batch_notes = choose_batch(training, network, examples, device or torch.device("cpu"), world)
    training, training_notes = choose_training(training, examples, model, traits, epoch_examples)
    config = replace(config, text=text, model=model, training=training)
    dev = sample_evenly(data.dev, DEV_PAIRS)
    text_notes += unwritable_lines(codecs[1], dev, is_from_train=dev_pairs is None and not config.data.dev)
    training_notes += guide_notes
    training_notes += options_line(pretrained, config) if pretrained else []
    plan = RunPlan(
        config,
        data,
        dev,
        codecs,
        examples,
        epoch_examples,
        resolve(model),
        [*data.notes, *pretrained_notes, *text_notes, *model_notes, *batch_notes, *training_notes, *balance_notes],
        min_max_length,
        seen_before,
        record_before,
        also,
        embedded,
    )
    require_room(limit, plan.dev_examples, [pair.origin for pair in plan.dev])
    return plan


def from_corpus(
    config: Config,
    data: RunData,
    corpus: Corpus,
    codecs: Codecs | None,
    given: Collection[str],
    pretrained: Pretrained | None,
    *,
    has_source: bool,
) -> Encoded:
    """The examples of a prepared corpus. ConfigError for options and models that it doesn't fit."""
    if find(resolve(config.model).name).is_transducer:
        what = "a prepared corpus is unsupported by a transducer, whose targets are aligned in memory"
        raise ConfigError(what, where="data.train", fix="train on the file of pairs, or choose another model")
    require_fitting(corpus, config, given, has_source=has_source)
    if codecs and codecs != corpus.codecs:
        whose = "pretrained model" if pretrained else "run"
        fix = "train on the original files, or prepare the corpus with the same vocabularies"
        raise ConfigError(f"the corpus has different vocabularies from the {whose}", where=str(corpus.folder), fix=fix)
    return Encoded(data, corpus.text, corpus.codecs, corpus.examples, corpus.unknown_shares())


def from_texts(
    config: Config,
    data: RunData,
    codecs: Codecs | None,
    pretrained: Pretrained | None,
    also: Sequence[Unpaired],
    *,
    has_source: bool,
) -> Encoded:
    """The examples of the pairs themselves, with these codecs, those of the pretrained model, or new ones."""
    assert data.text is not None
    text = data.text
    data = without_long_pairs(data, limit_of(config.data.longest, text, codecs))
    if pretrained:
        require_same_columns(pretrained, known_from(data.columns))
        require_known_symbols(pretrained, data.train)
        codecs = extended_codecs(pretrained, text, data.train)
    if codecs:
        examples = Examples.encode(data.train, *codecs)
        return Encoded(data, text, codecs, examples, unknown_shares(examples))
    codecs, examples = build_examples(text, data.train, has_source=has_source)
    # Subwords can be counted only now.
    shorter = without_long_pairs(data, limit_of(config.data.longest, text, codecs))
    if len(shorter.train) < len(data.train):
        examples = Examples.encode(shorter.train, *codecs)
    data = shorter
    if also:
        codecs = grown_codecs(codecs, text, also)
        examples = Examples.encode(data.train, *codecs)
    may_align = can_align(text, codecs) and not config.training.attention_losses
    return Encoded(data, text, codecs, examples, unknown_shares(examples), examples if may_align else None)


def examples_by_epoch(
    config: Config, encoded: Encoded, *, has_pictures: bool
) -> tuple[EpochExamples | None, list[str]]:
    """A function that gives the examples of each epoch, None if they are always the same, and what to print.

    ConfigError for an option that these data rule out.
    """
    data, text, codecs, examples, *_ = encoded
    epoch_examples = None
    if not data.corpus:
        epoch_examples = epoch_examples_of(text, data.train, codecs, seed=config.training.seed)
    if config.data.distortion:
        if not has_pictures:
            raise ConfigError("has no effect without pictures", where="data.distortion", fix="leave it out")
        epoch_examples = with_distorted_pictures(examples, config.data.distortion, config.training.seed)
    if config.training.sample_alignments:
        epoch_examples = with_sampled_alignments(examples, codecs[1], config.training.seed)
    if balance := balance_of(config, data, has_source=codecs[0] is not None):
        return balanced(balance.own, examples, epoch_examples), [balance.own.line(balance.name)]
    return epoch_examples, []


def require_room_in_training(limit: int | None, data: RunData, examples: Examples) -> None:
    """DataError for a training pair with more tokens than `limit` on a side; the lengths of a corpus are known."""
    corpus = data.corpus
    if not corpus:
        require_room(limit, examples, [pair.origin for pair in data.train])
    elif limit is not None and max(corpus.max_lengths) > limit:
        require_room(limit, examples, [f"{corpus.folder}:{number + 1}" for number in range(len(examples))])
