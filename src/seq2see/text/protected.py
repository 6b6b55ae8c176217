"""Protected units: what a pattern matches in a text, such as `{name}` or `<V;PST>`, is one token in any unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2see.errors import ConfigError, DataError
from seq2see.text.subwords import MAX_PIECE_LENGTH, Subwords, chunks_of
from seq2see.text.tokenizers import Bytes, Characters, Decomposed, Symbols, Tokenizer, Units, Words, normal_form

if TYPE_CHECKING:
    from seq2see.text.subwords import MergeDropout

MAX_PATTERN = 1_000
"""Characters of a pattern."""
MAX_REPEATS = 10_000
"""Product of the counts `{n}` of a pattern: `regex` writes repeated letters out, which takes memory."""
MAX_SECONDS = 5
"""Of matching one text: some patterns take exponential time, and a model's pattern comes from a file."""
LONGEST_UNIT = MAX_PIECE_LENGTH
"""Characters of a protected unit: a longer match is text like any other."""
GLUE = "\uffed "
"""In a text of words: no blank here, between a protected unit and its neighbor. No word has a blank in it."""


class Part(NamedTuple):
    """A part of a text."""

    text: str
    is_unit: bool


@lru_cache(maxsize=8)
def compile_pattern(pattern: str, *, where: str = "text.protect", may_be_empty: bool = False) -> Any:
    """The pattern of protected units, or of another option. ConfigError if it is invalid or too large.

    Unless it `may_be_empty`, it must not match the empty text.
    """
    import regex  # type: ignore[import-untyped]

    fix = r"give a pattern such as \{\w+\} or <[^<>]*>"
    try:
        if len(pattern) > MAX_PATTERN:
            raise ValueError(f"it has {len(pattern):,} characters, and at most {MAX_PATTERN:,} are possible")
        for shown in (pattern, _IGNORED.sub("", pattern)):  # as it is, and as the flag x reads it
            if prod(max(1, *(int(count or 1) for count in counts)) for counts in _REPEATS.findall(shown)) > MAX_REPEATS:
                raise ValueError(f"it repeats something more than {MAX_REPEATS:,} times")
            if _CALL.search(shown):
                raise ValueError("it calls itself or one of its groups, which is unsupported")
        found = regex.compile(pattern)
        if not may_be_empty and found.search("", timeout=MAX_SECONDS):
            raise ValueError("it matches the empty text")
    except (ValueError, regex.error, RecursionError, OverflowError, MemoryError, TimeoutError) as error:
        found = f"{pattern!r:.80}: {error}" if pattern else "an empty text"
        raise ConfigError(f"must be a regular expression, not {found}", where=where, fix=fix) from None
    return found


def parts_of(text: str, pattern: str) -> list[Part]:
    """The protected units of a text, which is in its normal form, and what is between them; none of them is empty."""
    parts: list[Part] = []
    end = 0
    try:
        for match in compile_pattern(pattern).finditer(text, timeout=MAX_SECONDS):
            if 0 < len(unit := match[0]) <= LONGEST_UNIT and unit != GLUE:
                if match.start() > end:
                    parts.append(Part(text[end : match.start()], False))
                parts.append(Part(unit, True))
                end = match.end()
    except (TimeoutError, MemoryError):
        size = f"a text of {len(text):,} characters: {text!r:.80}"
        what = f"took more than {MAX_SECONDS} seconds, or all memory, to match {size}"
        raise DataError(what, where="text.protect", fix="use a pattern without repetitions of repetitions") from None
    if end < len(text):
        parts.append(Part(text[end:], False))
    return parts


@dataclass(frozen=True)
class Protected(Tokenizer):
    """Splits a text by another tokenizer, except for protected units, each of which is one token.

    A unit has to match the pattern in the normal form of the text, where it keeps its case. In a text of words, a blank
    between two words is implied as ever, and its absence beside a unit is the token GLUE. In a text of symbols, a unit
    is a symbol, whatever it is next to. In a text of bytes, a unit that reads like the token of a byte, such as `<DE>`,
    has a backslash before it.
    """

    inner: Tokenizer = field(default_factory=Characters)
    pattern: str = ""

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the other tokenizer."""
        return self.inner.name

    @property
    def alphabet(self) -> tuple[str, ...]:  # type: ignore[override]
        """That of the other tokenizer, to which the units are added."""
        return self.inner.alphabet

    @property
    def is_closed(self) -> bool:
        """No: texts have new units."""
        return False

    @property
    def unit(self) -> Units:
        """That of the other tokenizer."""
        return self.inner.unit

    def parts(self, text: str) -> list[Part]:
        """The units of a text and what is between them, in normal form."""
        found = parts_of(normal_form(text, self.normalization), self.pattern)
        if self.case == "keep":
            return found
        return [part if part.is_unit else Part(self._folded(part.text), False) for part in found]

    def _folded(self, text: str) -> str:
        return normal_form(text, self.normalization, self.case)

    def normalize(self, text: str) -> str:
        """The text in its normal form; units keep their case."""
        if isinstance(self.inner, Symbols | Decomposed):
            return self.join(self.split(text))
        return "".join(part.text for part in self.parts(text))

    def symbols(self, text: str) -> list[str]:
        """The units and the characters of the text."""
        return [symbol for part in self.parts(text) for symbol in ([part.text] if part.is_unit else part.text)]

    def protected(self, text: str) -> list[str]:
        """The tokens of the text that are units, or join a unit to a word."""
        parts = self.parts(text)
        units = [self._token(part.text) for part in parts if part.is_unit]
        if units and isinstance(self.inner, Words):
            units += [token for token in split_words(parts) if token == GLUE]
        return [unit for unit in units if unit]

    def _token(self, unit: str) -> str:
        if isinstance(self.inner, Symbols):
            return unit.strip()
        return f"\\{unit}" if isinstance(self.inner, Bytes) and _LIKE_BYTE.fullmatch(unit) else unit

    def grown(self, tokens: Sequence[str]) -> Protected:
        """The same with new tokens."""
        return Protected(self.normalization, self.inner.grown(tokens), self.pattern, case=self.case)

    def split(self, text: str) -> list[str]:
        """The tokens of the text."""
        return self._split(self.parts(text), None)

    def split_with_dropout(self, text: str, dropout: MergeDropout) -> list[str]:
        """The same with BPE-dropout between the units."""
        return self._split(self.parts(text), dropout)

    def beginning(self, text: str) -> str:
        """That of the other tokenizer."""
        return self.inner.beginning(text)

    def _split(self, parts: Sequence[Part], dropout: MergeDropout | None) -> list[str]:
        if isinstance(self.inner, Words):
            return split_words(parts)
        tokens: list[str] = []
        if isinstance(self.inner, Subwords):
            for found in chunked(parts):
                tokens += [found] if isinstance(found, str) else self.inner.split_chunks(found, dropout)
            return tokens
        for text, is_unit in parts:
            tokens += [self._token(text)] if is_unit else self.inner.split(text)
        return [token for token in tokens if token]

    def join(self, tokens: list[str]) -> str:
        """The text of these tokens."""
        if isinstance(self.inner, Words):
            return "".join(map(self.inner.join, groups(tokens)))
        if isinstance(self.inner, Bytes):
            return self.encoded(tokens).decode(errors="replace")
        return self.inner.join(tokens)

    @property
    def is_spelled(self) -> bool:
        """Whether a text is the concatenation of its tokens."""
        return not isinstance(self.inner, Words | Symbols)

    def encoded(self, tokens: Iterable[str]) -> bytes:
        """The UTF-8 bytes of these tokens."""
        if not isinstance(self.inner, Bytes):
            return self.join(list(tokens)).encode()
        inner = self.inner
        return b"".join(token[1:].encode() if is_escaped(token) else inner.encoded([token]) for token in tokens)


def protect(tokenizer: Tokenizer, pattern: str | None) -> Tokenizer:
    """The tokenizer with protected units, or itself without a pattern."""
    if pattern is None:
        return tokenizer
    compile_pattern(pattern)
    return Protected(tokenizer.normalization, tokenizer, pattern, case=tokenizer.case)


def chunked(parts: Iterable[Part]) -> Iterator[list[str] | str]:
    """The chunks of a text with units: a list of chunks, or a unit.

    A blank stands before the first chunk of the text alone: what follows a unit is not the beginning of a text. It also
    stands before a unit that begins with a blank, so that joining, which removes the first blank, loses none.
    """
    for number, (text, is_unit) in enumerate(parts):
        if is_unit:
            if not number and text.startswith(" "):
                yield [" "]
            yield text
        elif number:
            first, *others = chunks_of(text)
            yield others if first == " " else [first[1:], *others]
        else:
            yield chunks_of(text)


def split_words(parts: Sequence[Part]) -> list[str]:
    """Words, units, white space other than a blank between two of them, and GLUE where two have nothing between."""
    tokens: list[str] = []
    after_word = False
    for number, (text, is_unit) in enumerate(parts):
        runs = [text] if is_unit else _RUN.findall(text)
        if after_word and not runs[0].isspace():
            tokens.append(GLUE)
        if is_unit:
            tokens.append(text)
        else:
            before_word = number + 1 < len(parts) and not parts[number + 1].text.isspace()
            begin = runs[0] == " " and after_word and (len(runs) > 1 or before_word)
            end = runs[-1] == " " and before_word and len(runs) > 1
            inner = runs[begin : len(runs) - end]
            last = len(inner) - 1
            tokens += [run for index, run in enumerate(inner) if run != " " or index in (0, last)]
        after_word = not runs[-1].isspace()
    return tokens


def groups(tokens: Iterable[str]) -> list[list[str]]:
    """The tokens between GLUE."""
    found: list[list[str]] = [[]]
    for token in tokens:
        if token == GLUE:
            found.append([])
        else:
            found[-1].append(token)
    return found


def is_escaped(token: str) -> bool:
    """Whether it is a unit that reads like the token of a byte."""
    return token[:1] == "\\" and _LIKE_BYTE.fullmatch(token) is not None


_LIKE_BYTE = re.compile(r"\\*<[0-9A-F]{2}>")
_IGNORED = re.compile(r"#.*|\s")
_REPEATS = re.compile(r"\{(\d*),?(\d*)\}")
_CALL = re.compile(r"\(\?(?:R|\d|&|P>)")  # without end, one takes all memory
_RUN = re.compile(r"\S+|\s+")
