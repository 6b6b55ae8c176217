"""Texts on their way to a network: which of them it can read, and why not the others."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seq2see.data import Examples, Sequences
from seq2see.data.values import Encoded, encode_text
from seq2see.errors import DataError
from seq2see.text import FIELD_BREAK, Codec, Fields

USUAL_INPUT_LENGTH = 10_000
"""Tokens of the longest text that any model reads by default."""
LARGEST_INPUT_LENGTH = 100_000
"""Tokens of the longest text that a model may ask for by itself."""
CHARACTERS_PER_TOKEN = 100
"""A text with more characters than this for each token that may be read is not even tokenized."""
BYTES_PER_CHARACTER = 4
"""At most, in UTF-8."""


class UnansweredTextWarning(UserWarning):
    """Some text has no answer, or some pair no score: it is longer than the model may read."""


class InputLimits(NamedTuple):
    """The longest text that is read."""

    tokens: int
    """EOS not counted: the option max_input_length."""
    positions: int | None = None
    """EOS counted: those of a model with learned positions."""

    @property
    def line_bytes(self) -> int:
        """The longest line that can hold such a text."""
        return BYTES_PER_CHARACTER * CHARACTERS_PER_TOKEN * self.tokens

    def require_characters(self, text: str) -> None:
        """DataError for a text that is longer than any text of `tokens` tokens, before time is spent on it."""
        if len(text) > CHARACTERS_PER_TOKEN * self.tokens:
            raise DataError(
                f"{len(text):,} characters, and max_input_length is {self.tokens:,} tokens", fix=RAISE_INPUT_LENGTH
            )

    def require_tokens(self, num_tokens: int) -> None:
        """DataError for more tokens than may be read, EOS not counted."""
        if self.positions is not None and num_tokens + 1 > self.positions:
            raise DataError(
                f"{num_tokens + 1:,} tokens with EOS, and the model has positions for {self.positions:,}",
                fix="shorten the text, or train with a larger model.max_positions or other model.positions",
            )
        if num_tokens > self.tokens:
            raise DataError(f"{num_tokens:,} tokens, and max_input_length is {self.tokens:,}", fix=RAISE_INPUT_LENGTH)


RAISE_INPUT_LENGTH = "shorten the text, or raise --max-input-length (max_input_length)"


@dataclass(frozen=True)
class Readable:
    """What a network reads of several texts or pairs: the examples of some rows, and why not those of the others."""

    examples: Examples
    rows: list[int]
    refused: Mapping[int, DataError]
    """By row; each says where the text is."""


@dataclass
class Refusals:
    """Counts the texts of one call that can't be read, and warns of them; with `strict`, the first is an error."""

    what: str
    """Such as "texts without an answer"."""
    strict: bool = False
    total: int = 0
    count: int = 0
    first: DataError | None = None
    said: int = 0

    def add(self, read: Readable, total: int) -> None:
        """Count those of `total` more texts. DataError for the first one if they may not occur."""
        self.total += total
        self.count += len(read.refused)
        self.first = self.first or next(iter(read.refused.values()), None)
        if self.strict and self.first is not None:
            raise self.first

    def warn(self, *, stacklevel: int) -> None:
        """Warn of those that haven't been warned of, at this level above the caller."""
        if self.first is None or self.count == self.said:
            return
        self.said = self.count
        first = f"{self.first.where}: {self.first.what}; {self.first.fix}"
        line = f"{self.what}: {self.count:,} of {self.total:,} (first: {first})"
        warnings.warn(line, UnansweredTextWarning, stacklevel=stacklevel + 1)


def read_texts(
    texts: Sequence[str | None],
    codec: Codec,
    limits: InputLimits,
    places: Sequence[str],
    *,
    end: bool = True,
    is_source: bool = False,
) -> tuple[list[Encoded], dict[int, DataError]]:
    """The ids of each text, and the errors of those that can't be read, whose ids are empty; None has no ids.

    `places` name the texts in errors. With `end`, EOS is added.
    """
    found: list[Encoded] = []
    refused: dict[int, DataError] = {}
    for row, (text, place) in enumerate(zip(texts, places, strict=True)):
        encoded = Encoded([])
        try:
            if text is not None:
                limits.require_characters(text)
                if is_source:
                    require_one_column(text, codec)
                encoded = encode_text(codec, text, place, end=end)
                limits.require_tokens(len(encoded.ids) - end)
        except DataError as error:
            refused[row] = DataError(error.what, where=place, fix=error.fix)
            encoded = Encoded([])
        found.append(encoded)
    return found, refused


def require_one_column(text: str, codec: Codec) -> None:
    """DataError for several columns, where the model reads one text; TAB may also be white space, or a known symbol."""
    if FIELD_BREAK in text and not isinstance(codec.tokenizer, Fields) and FIELD_BREAK in codec.unknown(text):
        what = f"the model reads one column, found {text.count(FIELD_BREAK) + 1} separated by TAB"
        raise DataError(what, fix="give one column (of a table: --source), or a blank in place of the TAB")


def read_sources(
    texts: Sequence[str],
    codec: Codec,
    limits: InputLimits,
    places: Sequence[str],
    *,
    is_prompt: bool,
    refused: Mapping[int, DataError],
) -> Readable:
    """What the network reads: sources, or the prompts of a language model, with which its targets begin.

    A blank source is in no example: its answer is empty, but of several fields one has to be filled. A blank prompt is
    an example. Those `refused` before, by row, are not read.
    """
    if isinstance(codec.tokenizer, Fields):
        what, fix = f"all columns are empty ({', '.join(codec.tokenizer.titles)})", "fill one, or leave the text out"
        blank = (row for row, text in enumerate(texts) if not text.strip() and row not in refused)
        refused = {**refused, **{row: DataError(what, where=places[row], fix=fix) for row in blank}}
    asked = [text if (is_prompt or text.strip()) and row not in refused else None for row, text in enumerate(texts)]
    read, too_long = read_texts(asked, codec, limits, places, end=not is_prompt, is_source=not is_prompt)
    refused = dict(sorted({**too_long, **refused}.items()))
    rows = [row for row, text in enumerate(asked) if text is not None and row not in too_long]
    own = Sequences.of(codec, [read[row] for row in rows])
    none = Sequences.empty(len(rows))
    return Readable(Examples(none, own) if is_prompt else Examples(own, none), rows, refused)


def read_pairs(
    sources: Sequence[str] | None,
    targets: Sequence[str],
    codecs: tuple[Codec | None, Codec],
    limits: InputLimits,
    places: Sequence[str],
) -> Readable:
    """The pairs of which both sides can be read; a language model has no sources."""
    source_codec, target_codec = codecs
    read, refused = read_texts(targets, target_codec, limits, places)
    read_of_source: list[Encoded] = []
    if source_codec is not None and sources is not None:
        read_of_source, more = read_texts(sources, source_codec, limits, places, is_source=True)
        refused = {row: more.get(row) or refused[row] for row in sorted({*refused, *more})}
    rows = [row for row in range(len(targets)) if row not in refused]
    own = Sequences.empty(len(rows))
    if source_codec is not None and read_of_source:
        own = Sequences.of(source_codec, [read_of_source[row] for row in rows])
    examples = Examples(own, Sequences.of(target_codec, [read[row] for row in rows]))
    return Readable(examples.as_actions(target_codec), rows, refused)
