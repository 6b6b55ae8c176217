"""Tokenizers: text to tokens and back.

For any text, `join(split(text)) == normalize(text)`: apart from normalization, tokenizers are lossless.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast, get_args

from seq2see.errors import ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    from seq2see.text.subwords import MergeDropout

Normalization = Literal["NFC", "NFD", "NFKC", "none"]
Case = Literal["keep", "fold"]
Units: TypeAlias = str | tuple[str, ...]
"""The unit of a text, or one per field of a source of several fields."""


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Splits a text into tokens and joins tokens into a text."""

    name: ClassVar[str]
    alphabet: ClassVar[tuple[str, ...]] = ()
    """The tokens of any vocabulary; empty if all come from the data."""
    normalization: Normalization = "NFC"
    case: Case = field(default="keep", kw_only=True)
    """`fold`: all letters are lower-cased."""

    @property
    def unit(self) -> Units:
        """The unit that makes this tokenizer, as in the options; one per field if the text has several."""
        return self.name

    @property
    def title(self) -> str:
        """Its unit, or the units of its fields, for display."""
        return self.unit if isinstance(self.unit, str) else ", ".join(self.unit)

    @property
    def is_closed(self) -> bool:
        """Whether no text has tokens outside the alphabet."""
        return bool(self.alphabet)

    def normalize(self, text: str) -> str:
        """The text in its normal form: what `join(split(text))` returns.

        Raises DataError for a lone surrogate, which no file can contain.
        """
        return normal_form(text, self.normalization, self.case)

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """The tokens of the text, which is normalized first."""

    def split_with_dropout(self, text: str, dropout: MergeDropout) -> list[str]:
        """The tokens of the text with BPE-dropout, if it is split by BPE."""
        return self.split(text)

    def symbols(self, text: str) -> list[str]:
        """What the text is written in: its characters."""
        return list(self.normalize(text))

    def protected(self, text: str) -> list[str]:
        """The tokens of the text that every vocabulary keeps, whatever their frequency: its protected units."""
        return []

    def grown(self, tokens: Sequence[str]) -> Tokenizer:
        """The same for a vocabulary with new tokens."""
        return self

    def beginning(self, text: str) -> str:
        """The text to split where it is the beginning of a longer one.

        A blank at its end is left out if a blank belongs to the word after it, which brings its own.
        """
        return text

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens."""
        return "".join(tokens)


@dataclass(frozen=True)
class Characters(Tokenizer):
    """One token per Unicode code point."""

    name: ClassVar[str] = "characters"

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        return list(self.normalize(text))


@dataclass(frozen=True)
class Decomposed(Characters):
    """One token per code point of the decomposed text (NFD): the letters of a Hangul syllable, a letter and its marks.

    The text itself stays composed, as `normalize` says; without a normal form, in NFC.
    """

    name: ClassVar[str] = "decomposed"

    def normalize(self, text: str) -> str:
        """The text in its normal form."""
        return normal_form(text, "NFC" if self.normalization == "none" else self.normalization, self.case)

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        return list(unicodedata.normalize("NFD", self.normalize(text)))

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens, composed."""
        return normal_form("".join(tokens), "NFC" if self.normalization == "none" else self.normalization)


@dataclass(frozen=True)
class Graphemes(Tokenizer):
    """One token per grapheme cluster: a letter with its combining marks, an emoji with its parts."""

    name: ClassVar[str] = "graphemes"

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        text = self.normalize(text)
        graphemes: list[str] = list(text) if text.isascii() and "\r" not in text else _grapheme().findall(text)
        return graphemes


@dataclass(frozen=True)
class Words(Tokenizer):
    """Words separated by white space, without loss.

    A single blank between two words is implied; any other run of white space is a token of its own.
    """

    name: ClassVar[str] = "words"

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        runs = _WORD_OR_SPACE.findall(self.normalize(text))
        last = len(runs) - 1
        return [run for index, run in enumerate(runs) if run != " " or index in (0, last)]

    def beginning(self, text: str) -> str:
        """The text without blanks at its end."""
        return text.rstrip(" ")

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens."""
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
    """Symbols separated by any amount of white space, such as phones."""

    name: ClassVar[str] = "symbols"

    def normalize(self, text: str) -> str:
        """The text in its normal form, with one blank between symbols and none at the ends."""
        return " ".join(self.split(text))

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        return super().normalize(text).split()

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens."""
        return " ".join(tokens)


@dataclass(frozen=True)
class Tags(Tokenizer):
    """A set of tags, such as `V;PST;3` or `Case=Nom|Number=Sing`: whole units, whose order means nothing.

    `tags_in` says what separates them. Each is one token, `<V>`, so that it differs from a text with the same letters.
    Each occurs once, in the order of a vocabulary: the most frequent first, which an LSTM learns as well as the order
    of the data, and better than that of the alphabet.
    """

    name: ClassVar[str] = "tags"
    order: tuple[str, ...] = ()
    _ranks: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._ranks.update((tag, rank) for rank, tag in enumerate(self.order))

    def ordered_by(self, tokens: Iterable[str]) -> Tags:
        """The same in the order of these tokens, of which others than tags are ignored."""
        return replace(self, order=tuple(token for token in tokens if token.startswith("<")))

    def normalize(self, text: str) -> str:
        """The tags in their order, separated by semicolons."""
        return self.join(self.split(text))

    def split(self, text: str) -> list[str]:
        """The tokens of the text; unknown tags come last, in alphabetical order."""
        tags = {f"<{tag}>" for tag in tags_in(super().normalize(text))}
        return sorted(tags, key=lambda tag: (self._ranks.get(tag, len(self._ranks)), tag))

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens."""
        return ";".join(token[1:-1] if token.startswith("<") and token.endswith(">") else token for token in tokens)


@cache
def _grapheme() -> Any:
    """The pattern of a grapheme cluster."""
    import regex  # type: ignore[import-untyped] # here: ASCII does without it

    return regex.compile(r"\X")


_IN_BRACKETS = r"[(\[{][^()\[\]{};]*[)\]}]"
_PIECE = rf"(?:{_IN_BRACKETS}|(?!{_IN_BRACKETS})[^;,|\s=])"
_TAG = re.compile(rf"{_PIECE}*=(?:{_PIECE}|=)*(?:,{_PIECE}+(?!=|{_PIECE}))*|{_PIECE}+")
_CAPITALS = re.compile(r"[A-Z0-9][A-Z0-9.+/=_-]*")


def tags_in(text: str) -> list[str]:
    """The tags of a text, which are separated by semicolons, commas, vertical bars or white space.

    What is in brackets isn't separated, as the person and number of `NOM(3,SG)` (UniMorph 4), nor are the values of a
    feature, such as `PronType=Int,Rel` (Universal Dependencies).
    """
    return _TAG.findall(text)


def are_spaced_tags(texts: Sequence[str], first: Sequence[str]) -> bool:
    """Whether these are tags in capitals separated by blanks, such as `V PST 3`, each once in a text.

    `first` are the texts of the first column: of some of them there are several combinations, and far fewer of these
    than of the first texts, unlike with the phones of words.
    """
    filled = [(text.split(), beside) for text, beside in zip(texts, first, strict=True) if text.strip()]
    parts = {part for tags, _ in filled for part in tags}
    combinations, texts_beside = {tuple(tags) for tags, _ in filled}, {beside for _, beside in filled}
    return (
        2 * sum(len(tags) > 1 for tags, _ in filled) > len(filled)
        and 2 * len(combinations) <= len(texts_beside)
        and len({(tuple(tags), beside) for tags, beside in filled}) > len(texts_beside)
        and all(map(_CAPITALS.fullmatch, parts))
        and any(part.isalpha() for part in parts)
        and all(len(set(tags)) == len(tags) for tags, _ in filled)
    )


# Unique: a token of one character is that ASCII character, a token of four is a byte in hexadecimal.
_BYTE_TOKENS = tuple(chr(byte) if 0x20 <= byte <= 0x7E else f"<{byte:02X}>" for byte in range(256))


@dataclass(frozen=True)
class Bytes(Tokenizer):
    """The UTF-8 bytes of the text: 256 tokens, and no text has unknown ones.

    The token of a printable ASCII byte is that character, of any other byte its value, such as `<E4>`. Invalid UTF-8 is
    joined as U+FFFD.
    """

    name: ClassVar[str] = "bytes"
    alphabet: ClassVar[tuple[str, ...]] = _BYTE_TOKENS

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        return [_BYTE_TOKENS[byte] for byte in self.normalize(text).encode()]

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens."""
        return self.encoded(tokens).decode(errors="replace")

    def encoded(self, tokens: Iterable[str]) -> bytes:
        """The bytes of these tokens; one that is not a byte, such as `<unk>`, is kept as it is."""
        return b"".join(_BYTE_OF_TOKEN.get(token) or token.encode() for token in tokens)


def make_tokenizer(name: str, normalization: str = "NFC", case: str = "keep") -> Tokenizer:
    """The tokenizer of this name, which learns nothing from texts. Raises ConfigError for an unknown name."""
    if name not in _TOKENIZERS:
        raise ConfigError(f"unknown tokenizer {name!r}", fix=did_you_mean(name, TOKENIZER_NAMES))
    return _TOKENIZERS[name](as_normalization(normalization), case=as_case(case))


def as_normalization(name: str) -> Normalization:
    """The normal form of this name. Raises ConfigError for an unknown name."""
    if name not in NORMALIZATIONS:
        fix = did_you_mean(name, NORMALIZATIONS)
        raise ConfigError(f"unknown Unicode normalization {name!r}", fix=fix)
    return cast(Normalization, name)


def as_case(name: str) -> Case:
    """The treatment of case of this name. Raises ConfigError for an unknown name."""
    if name not in CASES:
        raise ConfigError(f"unknown treatment of case {name!r}", fix=did_you_mean(name, CASES))
    return cast(Case, name)


def normal_form(text: str, normalization: Normalization, case: Case = "keep") -> str:
    """The text in this Unicode normal form, lower-cased for `fold`; DataError for a lone surrogate."""
    if text.isascii():
        return text.lower() if case == "fold" else text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"character {error.start + 1} of a text is U+{ord(text[error.start]):04X}, a lone surrogate",
            fix="write the whole character; the text was probably truncated or decoded incorrectly",
        ) from None
    form = text if normalization == "none" else unicodedata.normalize(normalization, text)
    # NFKC makes capitals (TEL of ℡), and a lower-case letter may have another normal form than its capital.
    return form if case == "keep" else normal_form(form.lower(), normalization)


_WORD_OR_SPACE = re.compile(r"\S+|\s+")
_BYTE_OF_TOKEN = {token: bytes([byte]) for byte, token in enumerate(_BYTE_TOKENS)}
_TOKENIZERS: dict[str, type[Characters] | type[Graphemes] | type[Words] | type[Symbols] | type[Bytes] | type[Tags]] = {
    "characters": Characters,
    "decomposed": Decomposed,
    "graphemes": Graphemes,
    "words": Words,
    "symbols": Symbols,
    "bytes": Bytes,
    "tags": Tags,
}
TOKENIZER_NAMES: tuple[str, ...] = tuple(_TOKENIZERS)
NORMALIZATIONS: tuple[str, ...] = get_args(Normalization)
CASES: tuple[str, ...] = get_args(Case)
