"""Subwords: pieces of words that were learnt from text (`learning`) and are cut out of any text here.

A text gets one blank in front, so that its first word is cut like any other, and falls into words that each keep the
white-space character before them: " the", " house", ".". Each word is cut by itself, and no piece is in two words. The
pieces hold all of the text, so joining them is putting one behind the other and taking that first blank off.

What a piece is made of are characters, and escapes such as `&apos;` or `@-@` that some tokenised texts hold: these are
as one character and never cut. A character that was not seen in learning is a piece of its own, which the vocabulary
won't know.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import log, log1p
from typing import ClassVar

import regex  # type: ignore[import-untyped]

from seq2see.errors import DataError
from seq2see.text.tokenizers import Normalization, Tokenizer

SUBWORD_UNITS = ("bpe", "unigram")
UNKNOWN_PENALTY = 10.0
"""How far an unknown character's score lies below that of the least likely piece (as in SentencePiece)."""

_MOST_REMEMBERED = 100_000
_LONGEST_REMEMBERED = 40
_ESCAPE = r"&(?:[A-Za-z]{2,8}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});|@[-,./]@"
_APOSTROPHE = r"(?:['’]|&apos;|&#39;)"
# Marks belong to what they stand on, the two zero-width joiners to the words of Persian and Indic scripts.
_LETTERS = r"\p{L}[\p{L}\p{M}\u200c\u200d]*"
_WORD = regex.compile(
    rf"\s?(?:{_APOSTROPHE}?{_LETTERS}(?:{_APOSTROPHE}{_LETTERS})*"  # an apostrophe joins: "don't", "l'eau", and "'s"
    rf"|\p{{N}}[\p{{N}}\p{{M}}]*|{_ESCAPE}|(?:(?!{_ESCAPE})[^\s\p{{L}}\p{{N}}])+)|\s"
)
_ATOM = regex.compile(rf"{_ESCAPE}|.", regex.DOTALL)


def stretches_of(text: str) -> list[str]:
    """A normalised text, a blank in front, cut before every blank: most stretches are met again and again."""
    return [f" {stretch}" for stretch in text.split(" ")] if text else []


def words_of(stretch: str) -> list[str]:
    """The words of a stretch, each with the white space before it. No word is in two stretches."""
    words: list[str] = _WORD.findall(stretch)
    return words


def atoms_of(word: str) -> list[str]:
    """What a word is never cut below: its characters, an escape being one."""
    if "&" not in word and "@" not in word:
        return list(word)
    atoms: list[str] = _ATOM.findall(word)
    return atoms


@dataclass(frozen=True)
class Subwords(Tokenizer):
    """What both kinds share: from text over stretches and words to pieces, those of a stretch being remembered."""

    _remembered: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @abstractmethod
    def cut(self, word: str) -> list[str]:
        """The pieces of one word."""

    @abstractmethod
    def learnt(self) -> dict[str, object]:
        """What was learnt beside the pieces themselves, ready for JSON."""

    def split(self, text: str) -> list[str]:
        """The pieces of the text."""
        tokens: list[str] = []
        for stretch in stretches_of(self.normalise(text)):
            tokens += self.pieces(stretch)
        return tokens

    def pieces(self, stretch: str) -> list[str]:
        """The pieces of a stretch, remembered; not to be changed."""
        pieces = self._remembered.get(stretch)
        if pieces is None:
            pieces = [piece for word in words_of(stretch) for piece in self.cut(word)]
            if len(stretch) <= _LONGEST_REMEMBERED:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[stretch] = pieces
        return pieces

    def join(self, tokens: list[str]) -> str:
        """The text that the pieces make."""
        return super().join(tokens).removeprefix(" ")


@dataclass(frozen=True)
class BytePairEncoding(Subwords):
    """Of all neighbours in a word, the pair whose merge was learnt first becomes one, until none is left to merge.

    Sennrich et al. 2016, "Neural machine translation of rare words with subword units", on characters.
    """

    name: ClassVar[str] = "bpe"
    merges: tuple[tuple[str, str], ...] = ()
    _ranks: dict[tuple[str, str], int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._ranks.update((pair, rank) for rank, pair in enumerate(self.merges))

    def learnt(self) -> dict[str, object]:
        """Each merge as its two parts with a blank between; of blanks, only a left part can hold one, as its first."""
        return {"merges": [f"{left} {right}" for left, right in self.merges]}

    def cut(self, word: str) -> list[str]:
        """The pieces of one word."""
        return self._merged(atoms_of(word), None)

    def split_with_dropout(self, text: str, skips: Skips) -> list[str]:
        """The pieces of the text where merges are skipped at random, so that words are cut in many ways.

        Provilkov et al. 2020, "BPE-dropout", algorithm 1: at every step each merge that is possible is skipped with
        the same probability, and of the others the first learnt is done; where all are skipped, the word is done.
        """
        tokens: list[str] = []
        for stretch in stretches_of(self.normalise(text)):
            pieces = self.pieces(stretch)
            # As long as no merge on the way is skipped, the pieces are those without dropout.
            if skips.none_of(len(stretch) - len(pieces)):
                tokens += pieces
            else:
                for word in words_of(stretch):
                    tokens += self._merged(atoms_of(word), skips)
        return tokens

    def _merged(self, symbols: list[str], skips: Skips | None) -> list[str]:
        # A heap of what can be merged, and links between the symbols that are left: words of some scripts are long.
        ranks = self._ranks
        end = len(symbols)
        queue = [(ranks[pair], place) for place, pair in enumerate(pairwise(symbols)) if pair in ranks]
        heapify(queue)
        symbols.append("")
        following, preceding = list(range(1, end + 2)), list(range(-1, end))
        skipped: list[tuple[int, int]] = []
        while queue:
            rank, place = heappop(queue)
            after = following[place]
            if ranks.get((symbols[place], symbols[after])) != rank:
                continue  # one of the two has become part of something else
            if skips is not None and skips():
                skipped.append((rank, place))
                continue
            symbols[place] += symbols[after]
            symbols[after] = ""
            following[place] = after = following[after]
            preceding[after] = place
            for left, right in ((preceding[place], place), (place, after)):
                if left >= 0 and (new := ranks.get((symbols[left], symbols[right]))) is not None:
                    heappush(queue, (new, left))
            if skipped:  # the next step draws for all of them again
                for entry in skipped:
                    heappush(queue, entry)
                skipped = []
        return [symbol for symbol in symbols if symbol]


class Skips:
    """Which merges are skipped: each with the same probability, and independently of the others.

    What is drawn is how many are done before the next is skipped, so most words need no number at all.
    """

    def __init__(self, probability: float, chance: random.Random) -> None:
        self._scale = 0.0 if probability == 1 else 1 / log1p(-probability)
        self._random = chance.random
        self._done_before = self._draw()

    def _draw(self) -> int:
        return int(log(1 - self._random()) * self._scale)

    def none_of(self, number: int) -> bool:
        """Whether the next so many merges are all done; if they are, they are behind us."""
        if self._done_before < number:
            return False
        self._done_before -= number
        return True

    def __call__(self) -> bool:
        """Whether the next merge is skipped."""
        if self._done_before:
            self._done_before -= 1
            return False
        self._done_before = self._draw()
        return True


@dataclass(frozen=True)
class Unigram(Subwords):
    """Of all ways to cut a word, the one whose pieces' scores (log-probabilities) have the highest sum.

    Kudo 2018, "Subword regularization". Of equal sums, the one found first from the left.
    """

    name: ClassVar[str] = "unigram"
    known_pieces: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    _scores: dict[str, float] = field(default_factory=dict, init=False, repr=False, compare=False)
    _longest: int = field(default=1, init=False, repr=False, compare=False)
    _unknown: float = field(default=0.0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._scores.update(zip(self.known_pieces, self.scores, strict=True))
        object.__setattr__(self, "_longest", max((len(atoms_of(piece)) for piece in self.known_pieces), default=1))
        object.__setattr__(self, "_unknown", min(self.scores, default=0.0) - UNKNOWN_PENALTY)

    def learnt(self) -> dict[str, object]:
        """The score of each piece, in the order of the pieces."""
        return {"scores": list(self.scores)}

    def grown(self, characters: Sequence[str]) -> Unigram:
        """The same with characters that no piece holds.

        A word is cut before and behind such a character in any case, so its score decides nothing; the lowest there is
        leaves that of unknown characters as it was.
        """
        lowest = min(self.scores, default=0.0)
        pieces = (*self.known_pieces, *characters)
        return Unigram(self.normalization, pieces, (*self.scores, *(lowest for _ in characters)))

    def cut(self, word: str) -> list[str]:
        """The pieces of one word."""
        places = [0]
        for atom in atoms_of(word):
            places.append(places[-1] + len(atom))
        scores, longest, last = self._scores, self._longest, len(places) - 1
        best = [0.0] + [float("-inf")] * last
        begins = [0] * (last + 1)
        for begin in range(last):
            for end in range(begin + 1, min(begin + longest, last) + 1):
                score = scores.get(word[places[begin] : places[end]])
                if score is None:
                    if end > begin + 1:
                        continue
                    score = self._unknown
                if best[begin] + score > best[end]:
                    best[end] = best[begin] + score
                    begins[end] = begin
        pieces = []
        end = last
        while end:
            pieces.append(word[places[begins[end]] : places[end]])
            end = begins[end]
        return pieces[::-1]


def read_subwords(
    name: str, normalization: Normalization, tokens: Sequence[str], values: Mapping[str, object]
) -> Subwords:
    """The tokenizer of these pieces whose `learnt()` is among the values. Raises DataError for anything else."""
    fix = "learn the subwords anew"
    if name == "unigram":
        scores = values.get("scores")
        if not isinstance(scores, list) or not all(type(score) in (float, int) for score in scores):
            raise DataError("'scores' is not a list of numbers", fix=fix)
        if len(scores) != len(tokens) or not all(-1e9 < score < 1e9 for score in scores):
            raise DataError(f"'scores' are not {len(tokens):,} numbers, one for each of the 'tokens'", fix=fix)
        return Unigram(normalization, tuple(tokens), tuple(map(float, scores)))
    merges = values.get("merges")
    if not isinstance(merges, list) or not all(isinstance(merge, str) for merge in merges):
        raise DataError("'merges' is not a list of texts", fix=fix)
    known = set(tokens)
    pairs: dict[tuple[str, str], None] = {}
    for merge in merges:
        left, _, right = merge.rpartition(" ")
        if not {left, right, left + right} <= known or (left, right) in pairs:
            raise DataError(f"the merge {merge!r} is there twice, or not of two of the 'tokens' to a third", fix=fix)
        pairs[left, right] = None
    return BytePairEncoding(normalization, tuple(pairs))
