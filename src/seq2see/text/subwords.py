"""Subword tokenizers: BPE and unigram. The pieces are learned in `learning`.

A blank is prepended to the text, so that its first word is treated like any other. The text is then split into words,
each with the white-space character before it: " the", " house", ".". Each word is segmented on its own. Nothing is
lost: the text is the concatenation of the pieces without that first blank.

The atoms of a piece are characters, and escapes such as `&apos;` or `@-@` in tokenized texts, which are never split.
A character that did not occur in the training texts is a piece of its own, and unknown to the vocabulary.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import log, log1p
from typing import Any, ClassVar

from seq2see.errors import DataError
from seq2see.text.tokenizers import Case, Normalization, Tokenizer, Units

SUBWORD_UNITS = ("bpe", "unigram")
UNKNOWN_PENALTY = 10.0
"""The score of an unknown character is this much lower than that of the least likely piece (as in SentencePiece)."""

MAX_PIECE_LENGTH = 500
"""Characters of a piece of unigram that is read: far more than any that is learned, and each length takes time."""

_MAX_CACHED = 100_000
_MAX_CACHED_LENGTH = 40
_ESCAPE = r"&(?:[A-Za-z]{2,8}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});|@[-,./]@"
_APOSTROPHE = r"(?:['’]|&apos;|&#39;)"
# Combining marks belong to their letter; the two zero-width joiners occur within words of Persian and Indic scripts.
_LETTERS = r"\p{L}[\p{L}\p{M}\u200c\u200d]*"
_WORD = (
    rf"\s?(?:{_APOSTROPHE}?{_LETTERS}(?:{_APOSTROPHE}{_LETTERS})*"  # an apostrophe joins: "don't", "l'eau", and "'s"
    rf"|\p{{N}}[\p{{N}}\p{{M}}]*|{_ESCAPE}|(?:(?!{_ESCAPE})[^\s\p{{L}}\p{{N}}])+)|\s"
)
_ATOM = rf"{_ESCAPE}|(?s:.)"


@cache
def _compiled(pattern: str) -> Any:
    """A pattern of this module; others than subwords do without `regex`."""
    import regex  # type: ignore[import-untyped]

    return regex.compile(pattern)


def has_subwords(units: Units) -> bool:
    """Whether this unit, or the unit of one of the fields, is made of subwords."""
    return any(unit in SUBWORD_UNITS for unit in ([units] if isinstance(units, str) else units))


def chunks_of(text: str) -> list[str]:
    """A normalized text, a blank in front, cut before every blank: most chunks are met again and again."""
    return [f" {chunk}" for chunk in text.split(" ")] if text else []


def words_of(chunk: str) -> list[str]:
    """The words of a chunk, each with the white space before it."""
    words: list[str] = _compiled(_WORD).findall(chunk)
    return words


def atoms_of(word: str) -> list[str]:
    """The units of a word that are never split: its characters and escapes."""
    if "&" not in word and "@" not in word:
        return list(word)
    atoms: list[str] = _compiled(_ATOM).findall(word)
    return atoms


@dataclass(frozen=True)
class Subwords(Tokenizer):
    """Base class: splits text into chunks, words and pieces, and caches the pieces of each chunk."""

    _cache: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @abstractmethod
    def cut(self, word: str) -> list[str]:
        """The pieces of a word."""

    @abstractmethod
    def learned(self) -> dict[str, object]:
        """The learned parameters other than the pieces themselves, ready for JSON."""

    def split(self, text: str) -> list[str]:
        """The pieces of the text."""
        return self.split_chunks(chunks_of(self.normalize(text)), None)

    def split_with_dropout(self, text: str, dropout: MergeDropout) -> list[str]:
        """The pieces of the text with BPE-dropout, if it is split by BPE."""
        return self.split_chunks(chunks_of(self.normalize(text)), dropout)

    def split_chunks(self, chunks: Iterable[str], dropout: MergeDropout | None) -> list[str]:
        """The pieces of these chunks; only BPE has dropout."""
        tokens: list[str] = []
        for chunk in chunks:
            tokens += self.pieces(chunk)
        return tokens

    def pieces(self, chunk: str) -> list[str]:
        """The pieces of a chunk, from the cache; not to be modified."""
        pieces = self._cache.get(chunk)
        if pieces is None:
            pieces = [piece for word in words_of(chunk) for piece in self.cut(word)]
            if len(chunk) <= _MAX_CACHED_LENGTH:
                if len(self._cache) >= _MAX_CACHED:
                    self._cache.clear()
                self._cache[chunk] = pieces
        return pieces

    def beginning(self, text: str) -> str:
        """The text without blanks at its end."""
        return text.rstrip(" ")

    def join(self, tokens: list[str]) -> str:
        """The text that the pieces make."""
        return super().join(tokens).removeprefix(" ")


@dataclass(frozen=True)
class BytePairEncoding(Subwords):
    """Byte-pair encoding: in each word, the adjacent pair whose merge was learned first is merged, until none is left.

    Sennrich et al. 2016, "Neural machine translation of rare words with subword units", on characters.
    """

    name: ClassVar[str] = "bpe"
    merges: tuple[tuple[str, str], ...] = ()
    _ranks: dict[tuple[str, str], int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._ranks.update((pair, rank) for rank, pair in enumerate(self.merges))

    def learned(self) -> dict[str, object]:
        """Each merge as its two parts separated by a blank; another blank can only be at the start of the left part."""
        return {"merges": [f"{left} {right}" for left, right in self.merges]}

    def cut(self, word: str) -> list[str]:
        """The pieces of a word."""
        return self._merged(atoms_of(word), None)

    def split_chunks(self, chunks: Iterable[str], dropout: MergeDropout | None) -> list[str]:
        """The pieces of these chunks, with `dropout` with merges skipped at random (BPE-dropout).

        Provilkov et al. 2020, "BPE-dropout", algorithm 1: at every step each merge that is possible is skipped with
        the same probability, and of the others the first learned one is applied; if all are skipped, the word is done.
        """
        if dropout is None:
            return super().split_chunks(chunks, None)
        tokens: list[str] = []
        for chunk in chunks:
            pieces = self.pieces(chunk)
            # As long as no merge on the way is skipped, the pieces are those without dropout.
            if dropout.skips_none_of(len(chunk) - len(pieces)):
                tokens += pieces
            else:
                for word in words_of(chunk):
                    tokens += self._merged(atoms_of(word), dropout)
        return tokens

    def _merged(self, symbols: list[str], dropout: MergeDropout | None) -> list[str]:
        # A heap of possible merges and a linked list of symbols: words of some scripts are long.
        ranks = self._ranks
        end = len(symbols)
        queue = [(ranks[pair], position) for position, pair in enumerate(pairwise(symbols)) if pair in ranks]
        heapify(queue)
        symbols.append("")
        following, preceding = list(range(1, end + 2)), list(range(-1, end))
        skipped: list[tuple[int, int]] = []
        while queue:
            rank, position = heappop(queue)
            after = following[position]
            if ranks.get((symbols[position], symbols[after])) != rank:
                continue  # one of the two was merged with another symbol
            if dropout is not None and dropout.skips_next():
                skipped.append((rank, position))
                continue
            symbols[position] += symbols[after]
            symbols[after] = ""
            following[position] = after = following[after]
            preceding[after] = position
            for left, right in ((preceding[position], position), (position, after)):
                if left >= 0 and (new := ranks.get((symbols[left], symbols[right]))) is not None:
                    heappush(queue, (new, left))
            if skipped:  # the next step draws again for each of them
                for entry in skipped:
                    heappush(queue, entry)
                skipped = []
        return [symbol for symbol in symbols if symbol]


class MergeDropout:
    """The random draws of BPE-dropout: each merge is skipped with the same probability, independently.

    Drawn is the number of merges before the next skipped one, so most words need no random number.
    """

    def __init__(self, probability: float, chance: random.Random) -> None:
        self._scale = 0.0 if probability == 1 else 1 / log1p(-probability)
        self._random = chance.random
        self._done_before = self._draw()

    def _draw(self) -> int:
        return int(log(1 - self._random()) * self._scale)

    def skips_none_of(self, number: int) -> bool:
        """Whether none of the next `number` merges is skipped; if so, they are consumed."""
        if self._done_before < number:
            return False
        self._done_before -= number
        return True

    def skips_next(self) -> bool:
        """Whether the next merge is skipped."""
        if self._done_before:
            self._done_before -= 1
            return False
        self._done_before = self._draw()
        return True


@dataclass(frozen=True)
class Unigram(Subwords):
    """Unigram: the segmentation of a word with the highest sum of scores (log-probabilities).

    Kudo 2018, "Subword regularization". Of equal sums, the one found first from the left.
    """

    name: ClassVar[str] = "unigram"
    known_pieces: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    _scores: dict[str, float] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lengths: tuple[int, ...] = field(default=(1,), init=False, repr=False, compare=False)
    _unknown: float = field(default=0.0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._scores.update(zip(self.known_pieces, self.scores, strict=True))
        object.__setattr__(self, "_lengths", tuple(sorted({1, *(len(atoms_of(piece)) for piece in self.known_pieces)})))
        object.__setattr__(self, "_unknown", min(self.scores, default=0.0) - UNKNOWN_PENALTY)

    def learned(self) -> dict[str, object]:
        """The score of each piece, in the order of the pieces."""
        return {"scores": list(self.scores)}

    def grown(self, tokens: Sequence[str]) -> Unigram:
        """The same with new characters, which occur in no piece, and protected units.

        Such a character is a piece of its own whatever its score is; the lowest score keeps that of unknown characters
        unchanged.
        """
        lowest = min(self.scores, default=0.0)
        pieces = (*self.known_pieces, *tokens)
        return Unigram(self.normalization, pieces, (*self.scores, *(lowest for _ in tokens)), case=self.case)

    def cut(self, word: str) -> list[str]:
        """The pieces of a word."""
        positions = [0]
        for atom in atoms_of(word):
            positions.append(positions[-1] + len(atom))
        scores, lengths, last = self._scores, self._lengths, len(positions) - 1
        best = [0.0] + [float("-inf")] * last
        begins = [0] * (last + 1)
        for begin in range(last):
            for length in lengths:
                end = begin + length
                if end > last:
                    break
                score = scores.get(word[positions[begin] : positions[end]])
                if score is None:
                    if length > 1:
                        continue
                    score = self._unknown
                if best[begin] + score > best[end]:
                    best[end] = best[begin] + score
                    begins[end] = begin
        pieces = []
        end = last
        while end:
            pieces.append(word[positions[begins[end]] : positions[end]])
            end = begins[end]
        return pieces[::-1]


def read_subwords(
    name: str, normalization: Normalization, tokens: Sequence[str], values: Mapping[str, object], *, case: Case = "keep"
) -> Subwords:
    """The tokenizer of these pieces and the values of `learned()`. Raises DataError for invalid values."""
    fix = "learn the subwords again"
    if name == "unigram":
        scores = values.get("scores")
        if not isinstance(scores, list) or not all(type(score) in (float, int) for score in scores):
            raise DataError("'scores' is not a list of numbers", fix=fix)
        if len(scores) != len(tokens) or not all(-1e9 < score < 1e9 for score in scores):
            raise DataError(f"expected {len(tokens):,} finite 'scores', one per token", fix=fix)
        if any(len(token) > MAX_PIECE_LENGTH for token in tokens):
            raise DataError(f"a piece has more than {MAX_PIECE_LENGTH:,} characters", fix=fix)
        return Unigram(normalization, tuple(tokens), tuple(map(float, scores)), case=case)
    merges = values.get("merges")
    if not isinstance(merges, list) or not all(isinstance(merge, str) for merge in merges):
        raise DataError("'merges' is not a list of strings", fix=fix)
    known = set(tokens)
    pairs: dict[tuple[str, str], None] = {}
    for merge in merges:
        left, _, right = merge.rpartition(" ")
        if not {left, right, left + right} <= known or (left, right) in pairs:
            raise DataError(f"the merge {merge!r} is repeated, or its parts or result are not in 'tokens'", fix=fix)
        pairs[left, right] = None
    return BytePairEncoding(normalization, tuple(pairs), case=case)
