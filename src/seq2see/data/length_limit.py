"""`data.longest`: the most tokens of a side; longer pairs are left out."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass

from seq2see.data.pairs import Pair
from seq2see.data.values import encode_text, length_of, read_values
from seq2see.errors import DataError
from seq2see.text import SUBWORD_UNITS, Codecs, Protected
from seq2see.text.building import by_unit, tokenizer_of
from seq2see.text.fields import is_value_unit
from seq2see.text.options import TextOptions


@dataclass(frozen=True)
class LengthLimit:
    """The most tokens that a side of a pair may have, EOS not counted.

    Subwords can't be counted before they are learned. Until then (without `codecs`) their words are counted: a word has
    at least one, so what is left out now would be left out later too, and doesn't decide what is learned.
    """

    longest: int
    text: TextOptions
    codecs: Codecs | None

    def length(self, side: str, text: str, place: str = "") -> int:
        """The number of tokens of a text of this side, which is at this place."""
        codec = self.codecs[side == "target"] if self.codecs else None
        if codec is not None:
            return len(encode_text(codec, text, place, end=False).ids)
        units = getattr(self.text, side)
        fields = by_unit(units, [text])
        return len(fields) - 1 + sum(self._count(unit, own, side, place) for unit, (own,) in fields)

    def _count(self, unit: str, text: str, side: str, place: str) -> int:
        if is_value_unit(unit):
            return length_of(read_values(unit, text, place)) if text.strip() else 0
        case = self.text.case if side == "source" else "keep"
        if unit in SUBWORD_UNITS:
            if self.text.protect is None:
                return len(text.split())
            parts = Protected(self.text.normalization, pattern=self.text.protect, case=case).parts(text)
            return sum(1 if part.is_unit else len(part.text.split()) for part in parts)
        return len(tokenizer_of(self.text, unit, case).split(text))

    def lengths(self, pair: Pair) -> tuple[int, int]:
        """The number of tokens of source and target; a language model has no source."""
        source = self.length("source", pair.source, pair.origin) if pair.source else 0
        if self.text.truncate is not None and self.codecs is None:
            source = min(source, self.text.truncate)
        return source, self.length("target", pair.target or "", pair.origin)

    def split(self, pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
        """The pairs within the limit, and the longer ones."""
        both: tuple[list[Pair], list[Pair]] = ([], [])
        for pair in pairs:
            both[max(self.lengths(pair)) > self.longest].append(pair)
        return both


def truncated_lines(count: int, total: int, most: int | None) -> list[str]:
    """How many of the sources are cut to `most` tokens, if any."""
    return [f"{count:,} of {total:,} sources are cut to {most:,} tokens (text.truncate)"] if count else []


def left_out_line(name: str, long: Sequence[Pair], total: int, limit: LengthLimit) -> str:
    """How many pairs are left out, and where the first is."""
    return f"{name}: {len(long):,} of {total:,} pairs left out: {reason_of(long[0], limit)}"


def reason_of(pair: Pair, limit: LengthLimit) -> str:
    """Why pairs like this one are left out."""
    source, target = limit.lengths(pair)
    size = f"{source:,} × {target:,}" if source else f"{target:,}"
    place = pair.origin or "a pair given in a program"
    return f"longer than {limit.longest:,} tokens (data.longest); the first is {place} with {size}"


def require_some(name: str, kept: Sized, limit: LengthLimit) -> None:
    """DataError if no pairs are within the limit."""
    if not kept:
        what = f"no {name} pair has at most {limit.longest:,} tokens on both sides"
        raise DataError(what, where="data.longest", fix="choose a larger number, or leave it out")
