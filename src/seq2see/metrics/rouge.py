"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004).

The value of an item is F1, with several references the best one (Lin 2004, section 2.1, without jackknifing); the value
of a set is the mean over its items. Words are runs of letters, marks and digits of the lower-cased NFC text; in scripts
without blanks each character is a word. There is no stemming and no stop-word removal.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import regex  # type: ignore[import-untyped]

from seq2see.metrics.installed import require_package
from seq2see.metrics.measured import Measured, Metric, Scale, ratio

_WITHOUT_BLANKS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_WORD = regex.compile(rf"{_WITHOUT_BLANKS}\p{{M}}*|(?:(?!{_WITHOUT_BLANKS})[\p{{L}}\p{{M}}\p{{N}}])+")


def words_of(text: str) -> list[str]:
    """The words that ROUGE compares."""
    words: list[str] = _WORD.findall(unicodedata.normalize("NFC", text).lower())
    return words


def n_gram_f1(prediction: Sequence[str], reference: Sequence[str], order: int) -> float:
    """F1 of ROUGE-N (Lin 2004, eq. 1) with clipped n-gram counts."""
    sides = [
        Counter(tuple(words[start : start + order]) for start in range(len(words) - order + 1))
        for words in (prediction, reference)
    ]
    return _f1((sides[0] & sides[1]).total(), sides[0].total(), sides[1].total())


def _f1(shared: int, length: int, reference_length: int) -> float:
    return 2.0 * shared / (length + reference_length) if shared else 0.0


def _rouge(scale: Scale, order: int | None) -> Metric:
    """ROUGE-N of this order, or ROUGE-L if it is None; statistics: F1, 1."""

    def measure(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
        f1 = _longest_f1(scale.title) if order is None else lambda text, known: n_gram_f1(text, known, order)
        rows = []
        for text, known in zip(predictions, references, strict=True):
            words = words_of(text)
            rows.append((max(f1(words, words_of(reference)) for reference in known), 1.0))
        return Measured(scale, np.array(rows, dtype=np.float64).reshape(-1, 2))

    measure.__doc__ = f"{scale.title}: mean F1 over the items; statistics: F1, 1."
    measure.__name__ = scale.name
    return measure


def _longest_f1(title: str) -> Callable[[Sequence[str], Sequence[str]], float]:
    """F1 of ROUGE-L (Lin 2004, eq. 2-4, beta 1): longest common subsequence of the whole texts."""
    similarity = require_package("rapidfuzz.distance.LCSseq", title).similarity

    def f1(prediction: Sequence[str], reference: Sequence[str]) -> float:
        return _f1(similarity(prediction, reference), len(prediction), len(reference))

    return f1


ROUGE_1 = Scale("rouge_1", "ROUGE-1", "share", higher_is_better=True, score=ratio)
ROUGE_2 = Scale("rouge_2", "ROUGE-2", "share", higher_is_better=True, score=ratio)
ROUGE_L = Scale("rouge_l", "ROUGE-L", "share", higher_is_better=True, score=ratio)

rouge_1 = _rouge(ROUGE_1, 1)
rouge_2 = _rouge(ROUGE_2, 2)
rouge_l = _rouge(ROUGE_L, None)
