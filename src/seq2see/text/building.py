"""Codecs built from token or word frequencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from seq2see.text.codec import Codec, Codecs
from seq2see.text.fields import FIELD_BREAK, VALUE, VALUE_UNITS, Fields, Values, columns_of
from seq2see.text.learning import learn_from_words
from seq2see.text.options import TextOptions
from seq2see.text.subwords import SUBWORD_UNITS, has_subwords
from seq2see.text.tokenizers import Case, Units, make_tokenizer
from seq2see.text.vocabulary import Vocabulary


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

    Of subwords, the frequencies are those of words. Fields of the same unit share its tokens. `values` are the fields
    that are numbers, by their number.
    """
    assert units is not None
    if isinstance(units, str):
        return codec_of_unit(options, units, counts[units], case)
    of_texts = dict.fromkeys(unit for unit in units if unit not in VALUE_UNITS)
    codecs = {unit: codec_of_unit(options, unit, counts[unit], case) for unit in of_texts}
    first = [FIELD_BREAK, VALUE] if values else [FIELD_BREAK]
    tokens = dict.fromkeys([*first, *(token for codec in codecs.values() for token in codec.vocabulary.tokens)])
    parts = (values.get(number) or codecs[unit].tokenizer for number, unit in enumerate(units))
    tokenizer = Fields(options.normalization, tuple(parts), case=case).ordered_by(tuple(tokens))
    return Codec(tokenizer, Vocabulary(tuple(tokens)))


def codec_of_unit(options: TextOptions, unit: str, counts: Counter[str], case: Case = "keep") -> Codec:
    """A codec of one unit."""
    if unit in SUBWORD_UNITS:
        limits = subword_limits(options)
        return learn_from_words(unit, counts, normalization=options.normalization, case=case, **limits)
    tokenizer = make_tokenizer(unit, options.normalization, case)
    if tokenizer.alphabet:
        return Codec(tokenizer, Vocabulary(tokenizer.alphabet))
    return Codec(tokenizer, Vocabulary(()).grown_by(counts, **vocabulary_limits(options, unit)))


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
