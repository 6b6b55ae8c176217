"""Text to ids and back, in training and inference alike."""

from seq2see.text.choice import choose_tokenizer
from seq2see.text.codec import Codec, Codecs, UnicodeVersionWarning
from seq2see.text.learning import learn_codec
from seq2see.text.subwords import SUBWORD_UNITS, BytePairEncoding, MergeDropout, Unigram
from seq2see.text.tokenizers import (
    NORMALIZATIONS,
    TOKENIZER_NAMES,
    Bytes,
    Characters,
    Graphemes,
    Normalization,
    Symbols,
    Tokenizer,
    Words,
    make_tokenizer,
)
from seq2see.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary

__all__ = [
    "BOS",
    "EOS",
    "NORMALIZATIONS",
    "PAD",
    "SPECIALS",
    "SUBWORD_UNITS",
    "TOKENIZER_NAMES",
    "UNK",
    "BytePairEncoding",
    "Bytes",
    "Characters",
    "Codec",
    "Codecs",
    "Graphemes",
    "MergeDropout",
    "Normalization",
    "Symbols",
    "Tokenizer",
    "UnicodeVersionWarning",
    "Unigram",
    "Vocabulary",
    "Words",
    "choose_tokenizer",
    "learn_codec",
    "make_tokenizer",
]
