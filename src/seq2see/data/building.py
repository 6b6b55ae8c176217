"""Codecs built from the training pairs together with the pairs' ids, so that each text is tokenized once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from seq2see.data.examples import Examples, Sequences
from seq2see.data.pairs import Pair
from seq2see.data.values import learn_field
from seq2see.text import (
    EOS,
    SPECIALS,
    SUBWORD_UNITS,
    VALUE_UNITS,
    Codec,
    Codecs,
    Units,
    Values,
    Vocabulary,
    make_tokenizer,
)
from seq2see.text.alignment import STEP_TOKEN, Aligner
from seq2see.text.building import by_unit, codec_of_counts, codec_of_unit, count_unit, joint_codecs
from seq2see.text.fields import is_value_unit
from seq2see.text.learning import text_step
from seq2see.text.options import TextOptions
from seq2see.text.tokenizers import Case


def build_examples(options: TextOptions, pairs: Sequence[Pair], *, has_source: bool) -> tuple[Codecs, Examples]:
    """The codecs of both sides, built from these pairs alone, and the pairs encoded with them.

    The codecs of a joint vocabulary differ at most in `truncate`. A language model (`has_source` False) has no source
    codec.
    """
    targets = [pair.target for pair in pairs]
    if not has_source:
        target_codec, target_ids = build_and_encode(options, options.target, targets)
        return (None, target_codec), Examples(Sequences.empty(len(pairs)), target_ids)
    sources = [pair.source for pair in pairs]
    if options.joint:
        codec, ids = build_and_encode(options, options.target, [*sources, *targets])
        source_ids, target_ids = ids.split(len(pairs))
        codecs = source_codec, _ = joint_codecs(codec, options.truncate)
        if options.truncate is not None:
            source_ids = Sequences.encode(source_codec, sources)
        return codecs, Examples(source_ids, target_ids)
    places = [pair.origin for pair in pairs]
    source_codec, source_ids = build_and_encode(
        options, options.source, sources, options.case, places, truncate=options.truncate
    )
    target_codec, target_ids = build_and_encode(options, options.target, targets)
    return (source_codec, target_codec), Examples(source_ids, target_ids)


def build_and_encode(
    options: TextOptions,
    unit: Units | None,
    texts: Sequence[str | None],
    case: Case = "keep",
    places: Sequence[str] = (),
    *,
    truncate: int | None = None,
) -> tuple[Codec, Sequences]:
    """A codec of this unit built from the texts, and their ids with EOS at the end; None has no ids.

    Texts are cut to `truncate` tokens, but all of their tokens are counted. `places` are the files and lines of the
    texts, beside which the files that they name are looked up.
    """
    assert unit is not None
    if not isinstance(unit, str) or unit in SUBWORD_UNITS or options.protect is not None or truncate is not None:
        filled = [text or "" for text in texts]
        values = learn_values(unit, filled, places)
        codec = codec_of_counts(options, unit, count_units(options, unit, filled, case), case, values)
        codec = replace(codec, truncate=truncate)
        return codec, Sequences.encode(codec, texts, places)
    tokenizer = make_tokenizer(unit, options.normalization, case)
    # Tokens are numbered as they appear. Once all are counted, a table maps these numbers to the ids of the vocabulary.
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    end = numbers[""]  # no token is empty

    def numbered(text: str | None) -> Iterable[int]:
        return [] if text is None else [*map(numbers.__getitem__, tokenizer.split(text)), end]

    provisional = Sequences.pack(map(numbered, texts))
    _, *tokens = numbers
    _, *counts = np.bincount(provisional.ids, minlength=len(numbers)).tolist()
    codec = codec_of_unit(options, unit, Counter(dict(zip(tokens, counts, strict=True))), case)
    table = np.array([EOS, *map(codec.vocabulary.id, tokens)], dtype=np.int32)
    return codec, Sequences(table[provisional.ids], provisional.offsets)


def pairs_of_ids(examples: Examples) -> list[tuple[list[int], list[int]]]:
    """The ids of source and target of each pair, without EOS."""
    sources, targets = map(examples.source, range(len(examples))), map(examples.target, range(len(examples)))
    return [(source[:-1].tolist(), target[:-1].tolist()) for source, target in zip(sources, targets, strict=True)]


def aligned_examples(codecs: Codecs, examples: Examples) -> tuple[Codecs, Examples]:
    """The codecs and examples of a transducer: targets become actions along their sources, aligned by EM.

    ConfigError if the pairs can't be aligned.
    """
    source_codec, codec = codecs
    ids, offsets = examples.targets.ids, examples.targets.offsets
    shifted = Examples(examples.sources, Sequences(ids + (ids >= len(SPECIALS)).astype(ids.dtype), offsets))
    vocabulary = Vocabulary((STEP_TOKEN, *codec.vocabulary.tokens))
    target_codec = replace(codec, vocabulary=vocabulary, aligner=Aligner.learn(pairs_of_ids(shifted)))
    return (source_codec, target_codec), shifted.as_actions(target_codec)


def learn_values(units: Units, texts: Sequence[str], places: Sequence[str]) -> dict[int, Values]:
    """The fields that are numbers, by their number, with the normalization that fits these texts."""
    if isinstance(units, str) or not set(units) & set(VALUE_UNITS):
        return {}
    own = places or [""] * len(texts)
    fields = enumerate(by_unit(units, texts))
    return {number: learn_field(kind, cells, own) for number, (kind, cells) in fields if is_value_unit(kind)}


def count_units(options: TextOptions, units: Units, texts: Sequence[str], case: Case) -> dict[str, Counter[str]]:
    """The frequency of the tokens of each unit, of subwords those of the words."""
    counts: dict[str, Counter[str]] = {}
    for unit, own in by_unit(units, texts):
        sample = slice(None, None, text_step(len(own)))
        for name, found in count_unit(options, unit, own, case, sample=sample).items():
            counts.setdefault(name, Counter()).update(found)
    return counts
