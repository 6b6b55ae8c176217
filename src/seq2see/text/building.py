"""Codecs built from token or word frequencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from seq2see.text.codec import Codec, Codecs
from seq2see.text.fields import FIELD_BREAK, Fields, columns_of
from seq2see.text.learning import learn_from_words
from seq2see.text.options import TextOptions
from seq2see.text.subwords import SUBWORD_UNITS, has_subwords
from seq2see.text.tokenizers import Units, make_tokenizer
from seq2see.text.vocabulary import Vocabulary


def by_unit(units: Units, texts: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """Each unit with its texts: all of them, or the texts of one field."""
    if isinstance(units, str):
        return [(units, texts)]
    return list(zip(units, columns_of(texts, len(units)), strict=True))


def codec_of_counts(options: TextOptions, units: Units | None, counts: Mapping[str, Counter[str]]) -> Codec:
    """A codec of this unit, or of one unit per field, built from the frequency of each token of each unit.

    Of subwords, the frequencies are those of words. Fields of the same unit share its tokens.
    """
    assert units is not None
    if isinstance(units, str):
        return codec_of_unit(options, units, counts[units])
    codecs = {unit: codec_of_unit(options, unit, counts[unit]) for unit in dict.fromkeys(units)}
    tokens = dict.fromkeys([FIELD_BREAK, *(token for codec in codecs.values() for token in codec.vocabulary.tokens)])
    tokenizer = Fields(options.normalization, tuple(codecs[unit].tokenizer for unit in units))
    return Codec(tokenizer, Vocabulary(tuple(tokens)))


def codec_of_unit(options: TextOptions, unit: str, counts: Counter[str]) -> Codec:
    """A codec of one unit."""
    if unit in SUBWORD_UNITS:
        return learn_from_words(unit, counts, normalization=options.normalization, **subword_limits(options))
    tokenizer = make_tokenizer(unit, options.normalization)
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
