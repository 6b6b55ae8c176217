"""Text to tokens and back: the first and the last step of everything that goes through a model.

One law holds them together: `join(split(text)) == normalise(text)`, for any text. Normalising is the only thing a
tokenizer may change about a text; whatever else goes in comes out again.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, cast, get_args

import regex  # type: ignore[import-untyped]

from seq2see.errors import ConfigError, DataError, did_you_mean

Normalization = Literal["NFC", "NFD", "NFKC", "none"]


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Splits a text into tokens and joins tokens into a text."""

    name: ClassVar[str]
    alphabet: ClassVar[tuple[str, ...]] = ()
    """All possible tokens; empty if the vocabulary comes from the data."""
    normalization: Normalization = "NFC"

    def normalise(self, text: str) -> str:
        """The text in its Unicode normal form: what `join(split(text))` returns.

        Raises DataError for a lone surrogate, which no file can contain.
        """
        return normal_form(text, self.normalization)

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """The tokens of the text, which is normalised first."""

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens."""
        return "".join(tokens)


@dataclass(frozen=True)
class Characters(Tokenizer):
    """Every Unicode code point is a token."""

    name: ClassVar[str] = "characters"

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        return list(self.normalise(text))


@dataclass(frozen=True)
class Graphemes(Tokenizer):
    """What a reader calls a letter is a token: a base with its combining marks, an emoji with its parts."""

    name: ClassVar[str] = "graphemes"

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        graphemes: list[str] = _GRAPHEME.findall(self.normalise(text))
        return graphemes


@dataclass(frozen=True)
class Words(Tokenizer):
    """Words between white space, with nothing lost.

    One ordinary blank between two words goes without saying; every other run of white space is a token of its own.
    """

    name: ClassVar[str] = "words"

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        runs = _WORD_OR_SPACE.findall(self.normalise(text))
        last = len(runs) - 1
        return [run for place, run in enumerate(runs) if run != " " or place in (0, last)]

    def join(self, tokens: list[str]) -> str:
        """The text that the tokens make."""
        pieces: list[str] = []
        after_word = False
        for token in tokens:
            is_word = not token.isspace()
            if is_word and after_word:
                pieces.append(" ")
            pieces.append(token)
            after_word = is_word
        return "".join(pieces)


@dataclass(frozen=True)
class Symbols(Tokenizer):
    """Symbols separated by blanks, such as phones; how many blanks does not matter."""

    name: ClassVar[str] = "symbols"

    def normalise(self, text: str) -> str:
        """The text in its normal form, with one blank between symbols and none around them."""
        return " ".join(self.split(text))

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        return normal_form(text, self.normalization).split()

    def join(self, tokens: list[str]) -> str:
        """The text that the tokens make."""
        return " ".join(tokens)


# A token of one character is that ASCII character, one of four is a byte in hexadecimal: no two bytes look the same.
_BYTE_TOKENS = tuple(chr(byte) if 0x20 <= byte <= 0x7E else f"<{byte:02X}>" for byte in range(256))


@dataclass(frozen=True)
class Bytes(Tokenizer):
    """The bytes of the text in UTF-8: 256 tokens, and no text they can't spell.

    Printable ASCII is shown as itself, every other byte as `<E4>`. Bytes that are no UTF-8 join to U+FFFD.
    """

    name: ClassVar[str] = "bytes"
    alphabet: ClassVar[tuple[str, ...]] = _BYTE_TOKENS

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        return [_BYTE_TOKENS[byte] for byte in self.normalise(text).encode()]

    def join(self, tokens: list[str]) -> str:
        """The text that the tokens make."""
        # A token that is no byte (the unknown one) stands for itself.
        return b"".join(_BYTE_OF_TOKEN.get(token) or token.encode() for token in tokens).decode(errors="replace")


def make_tokenizer(name: str, normalization: str = "NFC") -> Tokenizer:
    """The tokenizer of that name. Raises ConfigError with the nearest name for one that isn't there."""
    if name not in _TOKENIZERS:
        raise ConfigError(f"there is no tokenizer {name!r}", fix=did_you_mean(name, TOKENIZER_NAMES))
    return _TOKENIZERS[name](as_normalization(normalization))


def as_normalization(name: str) -> Normalization:
    """The normal form of that name. Raises ConfigError with the nearest name for one that isn't there."""
    if name not in NORMALIZATIONS:
        fix = did_you_mean(name, NORMALIZATIONS)
        raise ConfigError(f"there is no Unicode normalization {name!r}", fix=fix)
    return cast(Normalization, name)


def normal_form(text: str, normalization: Normalization) -> str:
    """The text in that form of Unicode; DataError for half a surrogate pair."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"character {error.start + 1} of a text is U+{ord(text[error.start]):04X}, half of a surrogate pair",
            fix="write the whole character; the text was cut or decoded wrongly before it came here",
        ) from None
    return text if normalization == "none" else unicodedata.normalize(normalization, text)


_GRAPHEME = regex.compile(r"\X")
_WORD_OR_SPACE = re.compile(r"\S+|\s+")
_BYTE_OF_TOKEN = {token: bytes([byte]) for byte, token in enumerate(_BYTE_TOKENS)}
_TOKENIZERS: dict[str, type[Characters] | type[Graphemes] | type[Words] | type[Symbols] | type[Bytes]] = {
    "characters": Characters,
    "graphemes": Graphemes,
    "words": Words,
    "symbols": Symbols,
    "bytes": Bytes,
}
TOKENIZER_NAMES: tuple[str, ...] = tuple(_TOKENIZERS)
NORMALIZATIONS: tuple[str, ...] = get_args(Normalization)
