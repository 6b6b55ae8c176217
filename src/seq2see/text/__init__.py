"""Text to ids and back, in training and inference alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.text.choice import choose_tokenizer
    from seq2see.text.codec import Codec, Codecs, UnicodeVersionWarning
    from seq2see.text.fields import FIELD_BREAK, VALUE, VALUE_UNITS, Fields, Values
    from seq2see.text.learning import learn_codec
    from seq2see.text.protected import Protected
    from seq2see.text.subwords import SUBWORD_UNITS, BytePairEncoding, MergeDropout, Unigram, has_subwords
    from seq2see.text.tokenizers import (
        NORMALIZATIONS,
        TOKENIZER_NAMES,
        Bytes,
        Characters,
        Decomposed,
        Graphemes,
        Normalization,
        Symbols,
        Tags,
        Tokenizer,
        Units,
        Words,
        make_tokenizer,
    )
    from seq2see.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary

__all__ = [
    "BOS",
    "EOS",
    "FIELD_BREAK",
    "NORMALIZATIONS",
    "PAD",
    "SPECIALS",
    "SUBWORD_UNITS",
    "TOKENIZER_NAMES",
    "UNK",
    "VALUE",
    "VALUE_UNITS",
    "BytePairEncoding",
    "Bytes",
    "Characters",
    "Codec",
    "Codecs",
    "Decomposed",
    "Fields",
    "Graphemes",
    "MergeDropout",
    "Normalization",
    "Protected",
    "Symbols",
    "Tags",
    "Tokenizer",
    "UnicodeVersionWarning",
    "Unigram",
    "Units",
    "Values",
    "Vocabulary",
    "Words",
    "choose_tokenizer",
    "has_subwords",
    "learn_codec",
    "make_tokenizer",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "choice": "choose_tokenizer",
        "codec": "Codec Codecs UnicodeVersionWarning",
        "fields": "FIELD_BREAK VALUE VALUE_UNITS Fields Values",
        "learning": "learn_codec",
        "protected": "Protected",
        "subwords": "SUBWORD_UNITS BytePairEncoding MergeDropout Unigram has_subwords",
        "tokenizers": "NORMALIZATIONS TOKENIZER_NAMES Bytes Characters Decomposed Graphemes Normalization Symbols Tags "
        "Tokenizer Units Words make_tokenizer",
        "vocabulary": "BOS EOS PAD SPECIALS UNK Vocabulary",
    },
)
