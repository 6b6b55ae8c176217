"""Codecs built from token or word frequencies."""

from __future__ import annotations

from collections import Counter
from typing import Any

from seq2see.text.codec import Codec, Codecs
from seq2see.text.learning import learn_from_words
from seq2see.text.options import TextOptions
from seq2see.text.subwords import SUBWORD_UNITS
from seq2see.text.tokenizers import Case, make_tokenizer
from seq2see.text.vocabulary import Vocabulary


def codec_of_counts(options: TextOptions, unit: str | None, counts: Counter[str], case: Case = "keep") -> Codec:
    """A codec of this unit, built from the frequency of each token, or for subwords of each word."""
    assert unit is not None
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
        if codec is not None and codec.tokenizer.name in SUBWORD_UNITS
    ]
