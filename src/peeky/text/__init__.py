"""Text to ids and back, the same way in training and in use."""

from peeky.text.choice import choose_tokenizer
from peeky.text.codec import Codec, UnicodeVersionWarning
from peeky.text.tokenizers import (
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
from peeky.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary

__all__ = [
    "BOS",
    "EOS",
    "NORMALIZATIONS",
    "PAD",
    "SPECIALS",
    "TOKENIZER_NAMES",
    "UNK",
    "Bytes",
    "Characters",
    "Codec",
    "Graphemes",
    "Normalization",
    "Symbols",
    "Tokenizer",
    "UnicodeVersionWarning",
    "Vocabulary",
    "Words",
    "choose_tokenizer",
    "make_tokenizer",
]
