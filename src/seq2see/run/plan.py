"""Everything that is decided before the first update: pairs, codecs, examples, model and recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from seq2see.config import Config
from seq2see.data import EpochExamples, Examples, Pair
from seq2see.data.examples import Offsets
from seq2see.data.source_record import NO_SOURCES, HashSet, SourceRecord, record_of_pairs, source_texts
from seq2see.model import Blueprint, Sizes
from seq2see.run.embeddings import Embedded
from seq2see.run.fine_tune import filled_fields, used_ids
from seq2see.run.pairs import RunData, Unpaired
from seq2see.storage.saved_model import MAX_LENGTH, sizes_of
from seq2see.text import SPECIALS, UNK, Codec, Codecs

Length = TypeVar("Length", int, np.ndarray)


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


def max_length_for(longest_target: int) -> int:
    """Limit on generated target tokens: well above the longest training target."""
    return min(longest_target * 3 // 2 + 10, MAX_LENGTH)


def unknown_shares(examples: Examples, step: int | None = None) -> dict[str, float]:
    """By side, the share of the tokens that are not in the vocabulary; a transducer's STEP is no token."""
    targets = examples.target_ids if step is None else examples.target_ids[examples.target_ids != step]
    sides = {"source": examples.source_ids, "target": targets}
    return {side: float((ids == UNK).mean()) for side, ids in sides.items() if ids.size}
