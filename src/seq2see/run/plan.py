"""Everything that is decided before the first update: pairs, codecs, examples, model and recipe."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch

from seq2see.config import Config
from seq2see.console import shown_tokens
from seq2see.corpus.corpus import require_fitting
from seq2see.data import EpochExamples, Examples, Pair
from seq2see.data.balance import balanced
from seq2see.data.building import aligned_examples, build_examples
from seq2see.data.distortion import with_distorted_pictures
from seq2see.data.examples import Offsets
from seq2see.data.length_limit import truncated_lines
from seq2see.data.source_record import NO_SOURCES, HashSet, SourceRecord, record_of_pairs, source_texts
from seq2see.data.split import DEV_PAIRS, sample_evenly
from seq2see.errors import ConfigError
from seq2see.inference.batching import require_room
from seq2see.model import DEFAULT, Blueprint, Sizes, build, find, max_positions, resolve
from seq2see.run.denoising import grown_codecs
from seq2see.run.embedding_files import require_possible_embeddings
from seq2see.run.embeddings import Embedded, read_embeddings, with_width
from seq2see.run.fine_tune import Pretrained, extended_codecs, filled_fields, options_line, pretrained_lines, used_ids
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
from seq2see.run.recipe import (
    MOST_ALIGNED,
    SPELLED,
    are_many_translations,
    choose_attention_loss,
    choose_batch,
    choose_model,
    choose_training,
    epoch_examples_of,
    is_small_transformer,
)
from seq2see.storage.saved_model import MAX_LENGTH, sizes_of
from seq2see.text import SPECIALS, UNK, Codec, Codecs, Fields
from seq2see.text.building import vocabulary_lines
from seq2see.text.choice import SENTENCE_UNITS
from seq2see.text.options import TextOptions
from seq2see.training import ALONE, World

Length = TypeVar("Length", int, np.ndarray)

FEW_DEV = 5
"""Fewer dev targets may be unknown by chance."""


@dataclass(frozen=True)
class RunPlan:
    """A run that is ready to begin."""

    config: Config
    """Nothing left open but the precision, and what a run of an earlier version left open."""
    data: RunData
    dev: Sequence[Pair]
    """The dev pairs that are used during training."""
    codecs: Codecs
    examples: Examples
    epoch_examples: EpochExamples | None
    blueprint: Blueprint
    notes: list[str]
    min_max_length: int = 0
    """The length limit of the pretrained model, or of the run so far."""
    seen_before: Mapping[str, Any] = field(default_factory=dict)
    """`seen` of the pretrained model, or of the run so far."""
    record_before: SourceRecord = NO_SOURCES
    """The sources that the pretrained model was trained on, or the run so far."""
    also: Sequence[Unpaired] = ()
    """Texts of one side that a new run begins with."""
    embedded: Sequence[Embedded] = ()
    """Pretrained vectors; of a resumed run only those that stay as they are."""

    @property
    def source_codec(self) -> Codec | None:
        """None for a language model."""
        return self.codecs[0]

    @property
    def target_codec(self) -> Codec:
        """The codec of the targets."""
        return self.codecs[1]

    @property
    def sizes(self) -> Sizes:
        """The vocabulary sizes."""
        return sizes_of(self.codecs)

    @cached_property
    def dev_examples(self) -> Examples:
        """`dev` as ids."""
        return Examples.encode(self.dev, *self.codecs)

    @cached_property
    def record(self) -> SourceRecord:
        """The sources of all training and dev pairs, those of before included."""
        return self.record_before | self.own_record

    @cached_property
    def own_record(self) -> SourceRecord:
        """The sources of the pairs of this run."""
        if self.data.corpus:
            dev = HashSet.of_texts(source_texts(self.data.dev, self.codecs))
            return replace(self.data.corpus.record, dev=dev)
        return record_of_pairs(self.data.train, self.data.dev, self.codecs, self.data.group_field)

    @property
    def unknown_on_dev(self) -> dict[str, float]:
        """By side, the share of the tokens of `dev` that are not in the vocabulary."""
        return unknown_shares(self.dev_examples, self.target_codec.step)

    @property
    def max_length(self) -> int:
        """Limit on generated target tokens."""
        return max(self.min_max_length, max_length_for(self.max_ids["target"]))

    @cached_property
    def max_ids(self) -> dict[str, int]:
        """By side, the number of ids of the longest training text, EOS included."""
        corpus, examples = self.data.corpus, self.examples
        if corpus:
            return dict(zip(("source", "target"), corpus.max_lengths, strict=True))
        lengths = (int(examples.source_lengths.max()), int(self.num_written.max()))
        return dict(zip(("source", "target"), lengths, strict=True))

    @property
    def longest(self) -> dict[str, int]:
        """By side, the number of tokens of the longest text that the model was trained on, EOS not counted."""
        sides = ("source", "target") if self.source_codec else ("target",)
        before = self.seen_before.get("longest", {})
        return {side: max(self.max_ids[side] - 1, before.get(side, 0)) for side in sides}

    @property
    def num_written(self) -> Offsets:
        """The number of tokens of each training target, EOS included, without a transducer's STEPs."""
        return self.written(self.examples.source_lengths, self.examples.target_lengths)

    def written(self, sources: Length, targets: Length) -> Length:
        """Lengths of targets in ids, without a transducer's STEPs: one after each source token but the last."""
        return targets if self.target_codec.step is None else targets - (sources - 1)

    @cached_property
    def seen(self) -> dict[str, Any]:
        """What config.json says of the training texts: the longest of each side, of all bytes those that occur, and the
        numbers of the fields that are never empty.
        """
        read = {"source": self.examples.source_ids, "target": self.examples.target_ids}
        tokens: dict[str, list[str]] = {}
        for side, codec in zip(("source", "target"), self.codecs, strict=True):
            if codec is not None and codec.tokenizer.alphabet:
                own = {
                    codec.vocabulary.token(number) for number in used_ids(codec, read[side]) if number >= len(SPECIALS)
                }
                tokens[side] = sorted(own | set(self.seen_before.get("tokens", {}).get(side, ())))
        filled = filled_fields(self.source_codec, read["source"]) if self.source_codec else []
        if self.seen_before:
            filled = [number for number in filled if number in self.seen_before.get("filled", ())]
        return {
            "longest": self.longest,
            **({"tokens": tokens} if tokens else {}),
            **({"filled": filled} if filled else {}),
        }


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
    to_align: Examples | None = None
    data = with_units(
        data or read_data(config, pairs, dev_pairs, has_source=has_source), config.text, has_source=has_source
    )
    config = replace(config, data=data.settled(config.data))
    if pretrained:
        codecs, min_max_length, seen_before = pretrained.codecs, pretrained.max_length, pretrained.seen
    if corpus := data.corpus:
        if find(resolve(config.model).name).is_transducer:
            what = "a prepared corpus is unsupported by a transducer, whose targets are aligned in memory"
            raise ConfigError(what, where="data.train", fix="train on the file of pairs, or choose another model")
        require_fitting(corpus, config, given, has_source=has_source)
        if codecs and codecs != corpus.codecs:
            whose = "pretrained model" if pretrained else "run"
            fix = "train on the original files, or prepare the corpus with the same vocabularies"
            raise ConfigError(
                f"the corpus has different vocabularies from the {whose}", where=str(corpus.folder), fix=fix
            )
        text, codecs, examples = corpus.text, corpus.codecs, corpus.examples
        unknown = corpus.unknown_shares()
    else:
        assert data.text is not None
        text = data.text
        data = without_long_pairs(data, limit_of(config.data.longest, text, codecs))
        if pretrained:
            codecs = extended_codecs(pretrained, text, data.train)
        if codecs:
            examples = Examples.encode(data.train, *codecs)
        else:
            codecs, examples = build_examples(text, data.train, has_source=has_source)
            # Subwords can be counted only now.
            shorter = without_long_pairs(data, limit_of(config.data.longest, text, codecs))
            if len(shorter.train) < len(data.train):
                examples = Examples.encode(shorter.train, *codecs)
            data = shorter
            if also:
                codecs = grown_codecs(codecs, text, also)
                examples = Examples.encode(data.train, *codecs)
            if can_align(text, codecs) and not config.training.attention_losses:
                to_align = examples
        unknown = unknown_shares(examples)
    pretrained_notes = pretrained_lines(pretrained, codecs, examples) if pretrained else []
    text_notes = [*vocabulary_lines(text, codecs), *unknown_lines(unknown)]
    num_cut = corpus.num_cut if corpus else examples.sources.num_cut
    text_notes += truncated_lines(num_cut, len(data.train), text.truncate)
    fields = sizes_of(codecs).fields
    kinds = [field.kind for field in fields]
    has_many = has_source and are_many_translations(text, examples)
    spells_tags = is_new and "tags" in kinds and len(kinds) > 1 and can_align(text, codecs)
    model, model_notes = choose_model(
        config.model,
        len(data.train),
        to_align,
        has_pictures="picture" in kinds,
        spells_tags=spells_tags,
        is_spelled=text.source in SPELLED,
        has_many_translations=has_many,
    )
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
    embedded = read_embeddings(config.training, codecs) if needs_vectors else []
    if embedded:
        model = with_width(model, config.model, embedded)
        model_notes += [each.line() for each in embedded]
    epoch_examples = None
    if not data.corpus:
        epoch_examples = epoch_examples_of(text, data.train, codecs, seed=config.training.seed)
    if config.data.distortion:
        if "picture" not in kinds:
            raise ConfigError("has no effect without pictures", where="data.distortion", fix="leave it out")
        epoch_examples = with_distorted_pictures(examples, config.data.distortion, config.training.seed)
    balance_notes = list[str]()
    if balance := balance_of(config, data, has_source=has_source):
        epoch_examples = balanced(balance.own, examples, epoch_examples)
        balance_notes = [balance.own.line(balance.name)]
    limit = max_positions(resolve(model))
    if not data.corpus:
        require_room(limit, examples, [pair.origin for pair in data.train])
    elif limit is not None and max(data.corpus.max_lengths) > limit:
        require_room(limit, examples, [f"{data.corpus.folder}:{number + 1}" for number in range(len(examples))])
    training, batch_notes, guide_notes = config.training, list[str](), list[str]()
    if is_new:  # a resumed run that began before this loss existed goes on without it
        training, guide_notes = choose_attention_loss(training, resolve(model).name, fields, data.train)
    if training.batch_tokens == "auto":
        network = build(resolve(model), sizes_of(codecs))
        training, batch_notes = choose_batch(training, network, examples, device or torch.device("cpu"), world)
    training, training_notes = choose_training(
        training,
        examples,
        can_match=has_source and text.target not in SENTENCE_UNITS,
        has_blocks=find(resolve(model).name).has_blocks,
        is_small_transformer=has_many and is_small_transformer(model),
        is_spelled=text.source in SPELLED,
        spells_tags=spells_tags and model.name == DEFAULT,
        has_penalty=has_source and codecs[1].step is None,
        epoch_examples=epoch_examples,
    )
    config = replace(config, text=text, model=model, training=training)
    dev = sample_evenly(data.dev, DEV_PAIRS)
    text_notes += unwritable_lines(codecs[1], dev)
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


def can_align(text: TextOptions, codecs: Codecs) -> bool:
    """Whether a transducer may be chosen: of sources that are text, and targets of characters or symbols."""
    source, _ = codecs
    if source is None or text.joint or text.target in SENTENCE_UNITS:
        return False
    return not (isinstance(source.tokenizer, Fields) and source.tokenizer.has_values)


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


def max_length_for(longest_target: int) -> int:
    """Limit on generated target tokens: well above the longest training target."""
    return min(longest_target * 3 // 2 + 10, MAX_LENGTH)


def unknown_shares(examples: Examples, step: int | None = None) -> dict[str, float]:
    """By side, the share of the tokens that are not in the vocabulary; a transducer's STEP is no token."""
    targets = examples.target_ids if step is None else examples.target_ids[examples.target_ids != step]
    sides = {"source": examples.source_ids, "target": targets}
    return {side: float((ids == UNK).mean()) for side, ids in sides.items() if ids.size}


def unknown_lines(shares: Mapping[str, float]) -> list[str]:
    """One line per side with unknown tokens."""
    return [
        f"{side}: {100 * unknown:.1f} % of the tokens are too rare for the vocabulary and read as unknown "
        "(text.max_vocabulary, text.min_count)"
        for side, unknown in shares.items()
        if unknown
    ]


def unwritable_lines(codec: Codec, dev: Sequence[Pair]) -> list[str]:
    """A line on the dev targets that no answer can equal, if there are any."""
    unknown = [tokens for pair in dev if (tokens := codec.unknown(pair.target or ""))]
    if not unknown:
        return []
    lines = [
        f"note: {len(unknown):,} of the {len(dev):,} dev targets can't be written with the target vocabulary "
        f"(number of targets with each unknown token: {shown_tokens(unknown)})"
    ]
    num_tokens = sum(len(codec.encode(pair.target or "", end=False)) for pair in dev)
    if len(dev) >= FEW_DEV and 2 * sum(map(len, unknown)) > num_tokens:
        lines.append(
            "warning: most tokens of the dev targets are unknown: are the columns of dev in the order of train?"
        )
    return lines
