"""Codecs built from token or word frequencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from seq2see.text.codec import Codec, Codecs
from seq2see.text.fields import FIELD_BREAK, VALUE, VALUE_UNITS, Fields, Values, columns_of, is_value_unit
from seq2see.text.learning import count_words, learn_from_words
from seq2see.text.options import TextOptions
from seq2see.text.protected import protect
from seq2see.text.subwords import SUBWORD_UNITS, has_subwords
from seq2see.text.tokenizers import Case, Tags, Tokenizer, Units, make_tokenizer
from seq2see.text.vocabulary import Vocabulary

PROTECTED = "protected"
"""The frequencies of protected units, among those of the tokens of each unit."""


def by_unit(units: Units, texts: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """Each unit with its texts: all of them, or the texts of one field."""
    if isinstance(units, str):
        return [(units, texts)]
    return list(zip(units, columns_of(texts, len(units)), strict=True))


def codec_of_counts(
    options: TextOptions,
    units: Units | None,
    counts: Mapping[str, Counter[str]],
    case: Case = "keep",
    values: Mapping[int, Values] = MappingProxyType({}),
) -> Codec:
    """A codec of this unit, or of one unit per field, built from the frequency of each token of each unit.

    Of subwords, the frequencies are those of words. Fields of the same unit share its tokens, and all fields the
    protected units, whose frequencies are those of PROTECTED. `values` are the fields that are numbers, by their
    number.
    """
    assert units is not None
    protected = counts.get(PROTECTED, Counter())
    if isinstance(units, str):
        return codec_of_unit(options, units, counts[units], case, protected)
    of_texts = dict.fromkeys(unit for unit in units if unit not in VALUE_UNITS)
    codecs = {unit: codec_of_unit(options, unit, counts[unit], case, protected) for unit in of_texts}
    first = [FIELD_BREAK, VALUE] if values else [FIELD_BREAK]
    tokens = dict.fromkeys([*first, *(token for codec in codecs.values() for token in codec.vocabulary.tokens)])
    parts = (values.get(number) or codecs[unit].tokenizer for number, unit in enumerate(units))
    tokenizer = Fields(options.normalization, tuple(parts), case=case).ordered_by(tuple(tokens))
    return Codec(tokenizer, Vocabulary(tuple(tokens)))


def joint_codecs(codec: Codec, truncate: int | None) -> tuple[Codec, Codec]:
    """The codecs of source and target that share the vocabulary of this one; only sources are cut, to `truncate`."""
    return (codec if truncate is None else replace(codec, truncate=truncate)), codec


def codec_of_unit(
    options: TextOptions,
    unit: str,
    counts: Counter[str],
    case: Case = "keep",
    protected: Mapping[str, int] = MappingProxyType({}),
) -> Codec:
    """A codec of one unit; `protected` are the frequencies of its protected units, of which none is too rare."""
    if unit == Tags.name:
        protected = {}
    if unit in SUBWORD_UNITS:
        kept = Vocabulary(()).grown_by(protected, max_size=options.subword_size or options.max_vocabulary).tokens
        limits = subword_limits(options) | {"num_protected": len(kept)}
        codec = learn_from_words(unit, counts, normalization=options.normalization, case=case, **limits)
        added = tuple(token for token in kept if token not in codec.vocabulary)
        tokenizer = protect(codec.tokenizer.grown(added), options.protect)
        return Codec(tokenizer, Vocabulary((*codec.vocabulary.tokens, *added)))
    tokenizer = tokenizer_of(options, unit, case)
    vocabulary = Vocabulary(tokenizer.alphabet).grown_by(protected, max_size=options.max_vocabulary)
    return Codec(tokenizer, vocabulary.grown_by(counts, **vocabulary_limits(options, unit)))


def tokenizer_of(options: TextOptions, unit: str, case: Case) -> Tokenizer:
    """The tokenizer of a unit other than subwords."""
    tokenizer = make_tokenizer(unit, options.normalization, case)
    return tokenizer if unit == Tags.name else protect(tokenizer, options.protect)


def count_unit(
    options: TextOptions, unit: str, texts: Sequence[str], case: Case, *, sample: slice
) -> dict[str, Counter[str]]:
    """What `codec_of_counts` needs of texts of this unit; of subwords, the words are those of a sample."""
    if is_value_unit(unit):
        return {}
    is_subwords = unit in SUBWORD_UNITS
    tokenizer = tokenizer_of(options, "characters" if is_subwords else unit, case)
    counts: Counter[str] = Counter()
    if is_subwords:
        counts = count_words(texts[sample], options.normalization, case, options.protect)
    elif not tokenizer.alphabet:
        for text in texts:
            counts.update(tokenizer.split(text))
    if options.protect is None:
        return {unit: counts}
    return {unit: counts, PROTECTED: Counter(token for text in texts for token in tokenizer.protected(text))}


def subword_limits(options: TextOptions) -> dict[str, Any]:
    """The limits for learning subwords, as arguments of `learn_codec`."""
    return {"size": options.subword_size, "max_size": options.max_vocabulary, "min_count": options.min_count}


def vocabulary_limits(options: TextOptions, unit: str) -> dict[str, Any]:
    """The limits of other vocabularies, as arguments of `Codec.build`."""
    return {"max_size": options.max_vocabulary, "min_count": options.min_count or (2 if unit == "words" else 1)}


def vocabulary_lines(options: TextOptions, codecs: Codecs) -> list[str]:
    """One line per subword vocabulary with its size, which may be smaller than requested."""
    sides = [("source", codecs[0]), ("target", codecs[1])] if not options.joint else [("both sides", codecs[1])]
    return [
        f"{side}: a vocabulary of {len(codec.vocabulary):,} subwords and characters"
        for side, codec in sides
        if codec is not None and has_subwords(codec.tokenizer.unit)
    ]
