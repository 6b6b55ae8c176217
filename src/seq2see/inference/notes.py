"""Notes on texts unlike those that a model was trained on: why an answer may be empty or meaningless."""

from __future__ import annotations

import unicodedata
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

from seq2see.console import shown_counts
from seq2see.text import FIELD_BREAK, UNK, Codec, Fields
from seq2see.text.fields import fields_of, without_white_space_around

MOSTLY = 0.5
"""Share of a text's symbols that are unknown from which its answer means little."""
OTHER_CASE = 0.25
"""A text is in the wrong case if at most this share of its unknown symbols stays unknown in the other one."""
FEW_OF_A_CASE = 0.2
"""Training has few letters of a case if they are less than this share of the letters of a script."""
MUCH_LONGER = 2
"""A text is noted if it is longer than this many times the longest in training: a little longer is usual."""


class UnknownTextWarning(UserWarning):
    """Some input is unlike the training data: its symbols, its case, its length, or its Unicode normalization."""


@dataclass(frozen=True)
class Seen:
    """What a model read in training, where its vocabulary doesn't say it."""

    longest: int | None = None
    """The number of tokens of the longest source (of a language model: text), EOS not counted; None if unknown."""
    tokens: frozenset[str] | None = None
    """The tokens that occurred, for a vocabulary that has more, such as all bytes; None if it has no others."""
    filled: frozenset[int] = frozenset()
    """The numbers of the fields of sources that were never empty, from 1; none where that is unknown."""

    @classmethod
    def of(cls, trained: object, codec: Codec, side: str) -> Seen:
        """From the table "trained" of config.json. What isn't valid there is unknown: files can be forged."""
        tables = [trained.get(key) if isinstance(trained, dict) else None for key in ("longest", "tokens")]
        longest, tokens = (table.get(side) if isinstance(table, dict) else None for table in tables)
        filled = trained.get("filled") if isinstance(trained, dict) and side == "source" else None
        num_fields = len(codec.tokenizer.parts) if isinstance(codec.tokenizer, Fields) else 0
        is_valid = isinstance(tokens, list) and bool(tokens) and all(isinstance(token, str) for token in tokens)
        return cls(
            longest if type(longest) is int and longest > 0 else None,
            frozenset(map(str, tokens or ())) if is_valid and codec.tokenizer.alphabet else None,
            frozenset(range(1, num_fields + 1)).intersection(filled if _are_numbers(filled) else ()),
        )

    def joined(self, other: Seen) -> Seen:
        """What either of two models has seen."""
        longest = None if self.longest is None or other.longest is None else max(self.longest, other.longest)
        tokens = None if self.tokens is None or other.tokens is None else self.tokens | other.tokens
        return Seen(longest, tokens, self.filled & other.filled)

    def unknown(self, text: str, codec: Codec) -> list[str]:
        """The symbols of the text that were not in the training data, in order."""
        if self.tokens is None:
            return codec.unknown(text)
        tokenizer = codec.tokenizer
        return [symbol for symbol in tokenizer.symbols(text) if not self.tokens.issuperset(tokenizer.split(symbol))]


def _are_numbers(values: object) -> TypeGuard[list[int]]:
    """Whether this is a list of whole numbers."""
    return isinstance(values, list) and all(type(value) is int for value in values)


def script_of(letter: str) -> str:
    """The script of a letter, as its name begins: LATIN, GREEK."""
    return unicodedata.name(letter, "").partition(" ")[0]


@dataclass
class Cause:
    """Texts with the same peculiarity."""

    count: int = 0
    first: str = ""
    """The place of the first one."""

    def add(self, place: str) -> None:
        """Count the text at this place."""
        self.count += 1
        self.first = self.first or place

    def of(self, total: int) -> str:
        """ "2 of 3 texts (first: text 2)"."""
        return f"{self.count:,} of {total:,} texts (first: {self.first})"


@dataclass
class InputNotes:
    """Collects the peculiarities of the texts of one call, and warns of each kind once."""

    codec: Codec
    seen: Seen
    has_source: bool = True
    """False for the prompts of a language model."""
    results: str = "answers"
    """What the texts are read for: answers, scores or alignments."""
    total: int = 0
    longest: int = 0
    """Tokens of the longest text."""
    causes: dict[str, Cause] = field(default_factory=dict)
    symbols: Counter[str] = field(default_factory=Counter)
    """Unknown symbols, and in how many texts each occurs."""
    said: set[str] = field(default_factory=set)
    """Causes and symbols that have been warned of."""

    def add(self, texts: Sequence[str], ids: Sequence[np.ndarray], places: Sequence[str]) -> None:
        """Examine texts and their ids without EOS; `places` name them, such as "text 3"."""
        self.total += len(texts)
        form = self.codec.tokenizer.normalization
        for text, own, place in zip(texts, ids, places, strict=True):
            if self.seen.longest is not None and len(own) > MUCH_LONGER * self.seen.longest:
                self.longest = max(self.longest, len(own))
                self._note("long", place)
            limit = self.codec.truncate
            if limit is not None and len(own) >= limit and self.codec.cuts(text):  # most texts needn't be split again
                self._note("cut", place)
            if form != "none" and not unicodedata.is_normalized(form, text):
                self._note("form", place)
            for number in self.seen.filled:
                if not fields_of(text)[number - 1].strip():
                    self._note(f"empty {number}", place)
            if UNK in own or self.seen.tokens is not None:
                self._add_unknown(text, place)

    def _note(self, cause: str, place: str) -> None:
        self.causes.setdefault(cause, Cause()).add(place)

    def _add_unknown(self, text: str, place: str) -> None:
        unknown = self.seen.unknown(text, self.codec)
        if (inner := without_white_space_around(text)) != text:
            unknown_inside = self.seen.unknown(inner, self.codec)
            if len(unknown_inside) < len(unknown):
                self._note("around", place)
                text, unknown = inner, unknown_inside
        if not unknown:
            return
        for case in ("upper", "lower"):
            other = self._in_case(case, text)
            # In "σ is small" other letters of that case are known: it is the symbol that is unknown.
            has_known = not set(text) - set(other) <= set("".join(unknown))
            if other == text or has_known or self._has_both_cases(unknown, case):
                continue
            if len(self.seen.unknown(other, self.codec)) <= OTHER_CASE * len(unknown):
                self._note(case, place)
                return
        self._note("unknown", place)
        self.symbols.update(set(unknown))
        tokenizer = self.codec.tokenizer
        all_symbols = tokenizer.split(text) if self.seen.tokens is None else tokenizer.symbols(text)
        if len(unknown) >= MOSTLY * len(all_symbols):
            self._note("mostly", place)

    def _has_both_cases(self, unknown: Sequence[str], case: str) -> bool:
        """Whether these are letters not in this case of scripts of which training had many letters in either case.

        Then they are unknown letters, and not letters of a case that training had none of.
        """
        change = str.upper if case == "upper" else str.lower
        changing = [symbol for symbol in unknown if change(symbol) != symbol]
        if any(len(symbol) > 1 for symbol in changing):
            return False
        known = self.codec.vocabulary.tokens if self.seen.tokens is None else self.seen.tokens
        letters = [token for token in known if len(token) == 1 and token.upper() != token.lower()]
        for script in {script_of(symbol) for symbol in changing}:
            of_script = [letter for letter in letters if script_of(letter) == script]
            num_other = sum(change(letter) != letter for letter in of_script)
            if num_other < FEW_OF_A_CASE * len(of_script) or not num_other:
                return False
        return True

    def _in_case(self, case: str, text: str) -> str:
        """The text in upper or lower case; of several fields only those with unknown symbols: tags may be known."""
        change = str.upper if case == "upper" else str.lower
        tokenizer, vocabulary = self.codec.tokenizer, self.codec.vocabulary
        if not isinstance(tokenizer, Fields):
            return change(text)
        fields = [
            field if all(token in vocabulary for token in part.split(field)) else change(field)
            for part, field in tokenizer.fields(text)
        ]
        return FIELD_BREAK.join(fields)

    def lines(self) -> list[str]:
        """One line per cause that hasn't been said."""
        new = {symbol: count for symbol, count in self.symbols.items() if symbol not in self.said}
        found = {cause: each.of(self.total) for cause, each in self.causes.items() if cause not in self.said}
        self.said |= {*new, *(found.keys() - {"unknown", "mostly"})}
        fold = ", or train with text.case=fold" if self.has_source else ""
        lines = [
            f"trained on {case} case, and {other} case is in {found[case]}: write them in {case} case{fold}"
            for case, other in (("upper", "lower"), ("lower", "upper"))
            if case in found
        ]
        if "around" in found:
            lines.append(
                f"white space at the ends, which training had none of, is in {found['around']}: remove it (in "
                "texts: sed 's/^[[:space:]]*//; s/[[:space:]]*$//' FILE; in pairs: seq2see check FILE --fix -o COPY)"
            )
        if "cut" in found:
            lines.append(f"cut to {self.codec.truncate:,} tokens, as in training (text.truncate): {found['cut']}")
        if "long" in found:
            lines.append(
                f"much longer than anything in training: {found['long']}, with up to {self.longest:,} tokens, while "
                f"training had at most {self.seen.longest:,}; such {self.results} are unreliable"
            )
        titles = self.codec.tokenizer.titles if isinstance(self.codec.tokenizer, Fields) else ()
        lines += [
            f"{title} is empty in {found[cause]}, and never was in training: such {self.results} mean little"
            for number, title in enumerate(titles, start=1)
            if (cause := f"empty {number}") in found
        ]
        if new:
            mostly = ""
            if "mostly" in found:
                mostly = f"; they are most of {found['mostly']}, whose {self.results} mean little"
            lines.append(
                f"symbols that were not in the training data (number of texts with each: {shown_counts(new)}; "
                f"first: {self.causes['unknown'].first}){mostly}"
            )
        if "form" in found:
            count, first = self.causes["form"].count, self.causes["form"].first
            lines.append(
                f"{count:,} of {self.total:,} texts were not in Unicode form {self.codec.tokenizer.normalization}, "
                f"as the training data were (first: {first}); they were normalized"
            )
        return lines

    def warn(self, *, stacklevel: int) -> None:
        """Warn of what hasn't been said, at this level above the caller."""
        for line in self.lines():
            warnings.warn(line, UnknownTextWarning, stacklevel=stacklevel + 1)
