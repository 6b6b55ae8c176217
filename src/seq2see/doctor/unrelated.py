"""Whether the lines of two parallel files belong together, told from their words and lengths."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from math import log, sqrt
from pathlib import Path

import numpy as np

from seq2see.data import Pair, open_content
from seq2see.data.advice import quoted_path
from seq2see.data.choosing import beginning, extension
from seq2see.data.diagnosis import files_beside
from seq2see.data.split import sample_evenly
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.doctor.raw_findings import RawFinding

MIN_PAIRS = 50
"""Fewer pairs say nothing."""
MAX_PAIRS = 500
"""Pairs that are looked at, evenly spaced."""
_SHARED = 0.5
"""The share of the words of each side that the other side has, too, at least."""
_NUM_SHIFTS = 40
_MOST = 3.0
"""Standard deviations from what is to be expected by chance, at most."""
_MOST_EQUAL = 0.05
_LEAST = 1e-9
_OF_ANY_SIDE = ("", ".txt", ".text")
"""Endings of files that are the same for source and target."""
_WORD = re.compile(r"\w+")


def are_of_one_ending(paths: Sequence[Path]) -> bool:
    """Whether these are two parallel files with the same ending that names a side, such as .en or .src."""
    return len(paths) == 2 and extension(paths[0]) == extension(paths[1]) and extension(paths[0]) not in _OF_ANY_SIDE


def unrelated_sides(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Two parallel files that seem to be the same side of two sets; with the file that belongs to the first, if any."""
    paths = statistics.files.paths
    if not are_of_one_ending(paths):
        return
    if are_unrelated(list(map(Pair, statistics.source.sample, statistics.target.sample))):
        with open_content(paths[0], statistics.files.table.encoding) as file:
            num_lines = len(beginning(file.stream))
        others = [path for path in files_beside(paths[0], num_lines) if extension(path) != extension(paths[0])]
        remedy = "name the source and the target of one set"
        if others:
            remedy += f", such as {quoted_path(str(paths[0]))} {quoted_path(str(others[0]))}"
        yield RawFinding("unrelated-sides", statistics, 1, rows=[(0, ""), (1, "")], remedy=remedy)


def are_unrelated(pairs: Sequence[Pair]) -> bool:
    """Whether both sides have the same words, and yet no text has more in common with its pair than with any other.

    Not so of texts of one language that belong together, such as paraphrases, summaries, questions and answers, or
    spellings: these share words more often than chance has it, or long ones belong to long ones. Nothing is said of
    sides with more numbers than words: the result of a sum need not have anything in common with it.
    """
    if len(pairs) < MIN_PAIRS:
        return False
    texts = [(pair.source.strip(), (pair.target or "").strip()) for pair in sample_evenly(pairs, MAX_PAIRS)]
    if sum(source == target for source, target in texts) > _MOST_EQUAL * len(texts):
        return False
    words = [[_WORD.findall(text.casefold()) for text in side] for side in zip(*texts, strict=True)]
    if any(map(_are_mostly_numbers, words)):
        return False
    return _share_words(*words) and not _have_lengths_in_common(texts) and not _have_words_in_common(*words)


def _are_mostly_numbers(texts: Sequence[Sequence[str]]) -> bool:
    """Whether more than half of the words of these texts are numbers."""
    words = list(chain.from_iterable(texts))
    return 2 * sum(map(str.isdecimal, words)) > len(words)


def _share_words(first: Sequence[Sequence[str]], second: Sequence[Sequence[str]]) -> bool:
    """Whether most words of each side occur on the other side, too."""
    one, other = (Counter(chain.from_iterable(side)) for side in (first, second))
    both = one.keys() & other.keys()
    return all(sum(side[word] for word in both) >= _SHARED * max(1, side.total()) for side in (one, other))


def _have_lengths_in_common(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the logarithms of the lengths are correlated."""
    lengths = np.log1p([[len(source), len(target)] for source, target in pairs])
    spread = lengths.std(axis=0)
    if not spread.all():
        return False
    normal = (lengths - lengths.mean(axis=0)) / spread
    return bool(abs(normal.prod(axis=1).mean()) * sqrt(len(pairs)) > _MOST)


def _have_words_in_common(first: Sequence[Sequence[str]], second: Sequence[Sequence[str]]) -> bool:
    """Whether the two texts of a pair share more words, or fewer, than texts of different pairs.

    The rarer a word, the more it weighs; what is compared is the cosine.
    """
    sides = [list(map(frozenset, side)) for side in (first, second)]
    counts = Counter(chain.from_iterable(chain(*sides)))
    weights = {word: log(2 * len(first) / count) for word, count in counts.items()}
    norms = [[sqrt(sum(weights[word] for word in text)) or 1.0 for text in side] for side in sides]

    def similarity(shift: int) -> float:
        """Summed over all texts, each with the one that is `shift` lines below its pair."""
        targets = sides[1][shift:] + sides[1][:shift]
        target_norms = norms[1][shift:] + norms[1][:shift]
        rows = zip(sides[0], targets, norms[0], target_norms, strict=True)
        return sum(sum(map(weights.__getitem__, one & other)) / (here * there) for one, other, here, there in rows)

    step = max(1, len(first) // (_NUM_SHIFTS + 1))
    by_chance = [similarity(step * number) for number in range(1, _NUM_SHIFTS + 1)]
    spread = float(np.std(by_chance, ddof=1))
    return abs(similarity(0) - float(np.mean(by_chance))) > _MOST * max(spread, _LEAST)
