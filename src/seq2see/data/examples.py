"""Texts and pairs as ids, each side in two flat arrays."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from seq2see.data.pairs import Pair
from seq2see.data.values import Encoded, ValueColumn, columns_of_values, encode_text, has_values
from seq2see.text import Codec, MergeDropout

Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sequences:
    """The ids of N texts, concatenated; those of text i are `ids[offsets[i] : offsets[i + 1]]`."""

    ids: Ids
    offsets: Offsets
    values: tuple[ValueColumn, ...] = ()
    """The numbers of each field that is not text, of sources that have such fields."""
    num_cut: int = 0
    """How many of the texts were cut when they were encoded: see `Codec.truncate`."""

    @classmethod
    def pack(cls, sequences: Iterable[Iterable[int]]) -> Sequences:
        """Each sequence of ids, in order."""
        ids = array("i")
        offsets = array("q", [0])
        for sequence in sequences:
            ids.extend(sequence)
            offsets.append(len(ids))
        return cls(np.array(ids, dtype=np.int32), np.array(offsets, dtype=np.int64))

    @classmethod
    def encode(cls, codec: Codec, texts: Iterable[str | None], places: Iterable[str] = ()) -> Sequences:
        """The ids of each text, with EOS at the end; None has no ids at all. `places` are files and lines."""
        if codec.truncate is not None:  # numbers are never cut
            cuts: list[bool] = []

            def cut(text: str) -> list[int]:
                ids, is_cut = codec.encode_cut(text)
                cuts.append(is_cut)
                return ids

            packed = cls.pack([] if text is None else cut(text) for text in texts)
            return replace(packed, num_cut=sum(cuts))
        if not has_values(codec):
            return cls.pack([] if text is None else codec.encode(text) for text in texts)
        named = zip_longest(texts, places, fillvalue="")
        return cls.of(
            codec, [Encoded([]) if text is None else encode_text(codec, text, place) for text, place in named]
        )

    @classmethod
    def of(cls, codec: Codec, encoded: Sequence[Encoded]) -> Sequences:
        """Several encoded texts."""
        packed = cls.pack(each.ids for each in encoded)
        return replace(packed, values=columns_of_values(codec, encoded))

    @classmethod
    def empty(cls, count: int) -> Sequences:
        """Sequences of length 0, such as the sources of a language model."""
        return cls(np.zeros(0, np.int32), np.zeros(count + 1, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Sequences]) -> Sequences:
        """Those of all parts, one part after the other; the parts are of one codec."""
        starts = np.cumsum([0, *(len(part.ids) for part in parts)])
        offsets = [part.offsets[1:] + start for part, start in zip(parts, starts.tolist(), strict=False)]
        columns = zip(*(part.values for part in parts), strict=True)
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([np.zeros(1, np.int64), *offsets]),
            tuple(ValueColumn(own[0].field, [each for column in own for each in column.arrays]) for own in columns),
            sum(part.num_cut for part in parts),
        )

    @property
    def lengths(self) -> Offsets:
        """The number of ids of each text [N], EOS included."""
        return np.diff(self.offsets)

    def split(self, count: int) -> tuple[Sequences, Sequences]:
        """The first `count` sequences, and the others."""
        middle = self.offsets[count]
        first, rest = ([column.part(*ends) for column in self.values] for ends in ((0, count), (count,)))
        return (
            Sequences(self.ids[:middle], self.offsets[: count + 1], tuple(first)),
            Sequences(self.ids[middle:], self.offsets[count:] - middle, tuple(rest)),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Ids:
        return self.ids[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True, eq=False)
class Examples:
    """The ids of N pairs. The sources of a language model and unknown targets have length 0."""

    sources: Sequences
    targets: Sequences

    @classmethod
    def encode(cls, pairs: Sequence[Pair], source_codec: Codec | None, target_codec: Codec) -> Examples:
        """The pairs as ids, each side with EOS at the end; `source_codec` is None for a language model."""
        if source_codec is None:
            sources = Sequences.empty(len(pairs))
        else:
            places = (pair.origin for pair in pairs)
            sources = Sequences.encode(source_codec, (pair.source for pair in pairs), places)
        return cls(sources, Sequences.encode(target_codec, (pair.target for pair in pairs))).as_actions(target_codec)

    @classmethod
    def joined(cls, parts: Sequence[Examples]) -> Examples:
        """Those of all parts, one part after the other; the parts are of the same codecs."""
        return cls(
            Sequences.joined([part.sources for part in parts]), Sequences.joined([part.targets for part in parts])
        )

    @classmethod
    def encode_with_dropout(
        cls,
        pairs: Sequence[Pair],
        source_codec: Codec | None,
        target_codec: Codec,
        *,
        dropout: float,
        seed: int,
        epoch: int,
    ) -> Examples:
        """Like `encode`, with BPE-dropout: a pure function of seed, epoch and the index of the pair."""

        def encode(side: str, codec: Codec, texts: Iterable[str | None]) -> Sequences:
            def draws(index: int) -> MergeDropout:
                return MergeDropout(dropout, random.Random(f"{seed} {epoch} {side} {index}"))

            return Sequences.pack(
                [] if text is None else codec.encode_with_dropout(text, draws(index))
                for index, text in enumerate(texts)
            )

        if source_codec is None:
            sources = Sequences.empty(len(pairs))
        else:
            sources = encode("source", source_codec, (pair.source for pair in pairs))
        return cls(sources, encode("target", target_codec, (pair.target for pair in pairs))).as_actions(target_codec)

    def as_actions(self, target_codec: Codec) -> Examples:
        """With targets as actions along their sources, if this is the codec of a transducer's targets."""
        aligner, step = target_codec.aligner, target_codec.step
        if aligner is None or step is None:
            return self
        pairs = ((self.source(index).tolist(), self.target(index).tolist()) for index in range(len(self)))
        targets = (aligner.actions(source, target, step) if target else [] for source, target in pairs)
        return replace(self, targets=Sequences.pack(targets))

    @property
    def source_ids(self) -> Ids:
        """All source ids, concatenated."""
        return self.sources.ids

    @property
    def source_offsets(self) -> Offsets:
        """Where each source begins [N + 1]."""
        return self.sources.offsets

    @property
    def source_lengths(self) -> Offsets:
        """The number of source ids of each pair [N], EOS included."""
        return self.sources.lengths

    @property
    def target_ids(self) -> Ids:
        """All target ids, concatenated."""
        return self.targets.ids

    @property
    def target_offsets(self) -> Offsets:
        """Where each target begins [N + 1]."""
        return self.targets.offsets

    @property
    def target_lengths(self) -> Offsets:
        """The number of target ids of each pair [N], EOS included."""
        return self.targets.lengths

    def num_target_tokens(self, indices: npt.NDArray[np.int64]) -> int:
        """The number of target ids of these pairs together."""
        return int((self.target_offsets[indices + 1] - self.target_offsets[indices]).sum())

    def source(self, index: int) -> Ids:
        """The source ids of one pair."""
        return self.sources[index]

    def target(self, index: int) -> Ids:
        """The target ids of one pair."""
        return self.targets[index]

    def __len__(self) -> int:
        return len(self.sources)


EpochExamples = Callable[[int], Examples]
"""Returns the examples of an epoch, in which words are segmented with new random draws (BPE-dropout), targets are
aligned anew, or pictures are distorted."""
