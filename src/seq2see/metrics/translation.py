"""BLEU, chrF and TER as sacreBLEU counts them (Post 2018), with its signatures.

sacreBLEU counts the texts of each item; from its counts to the score is a line of arithmetic, which is done here for
thousands of resampled sets at once. The tests hold every value to sacreBLEU's own command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import regex  # type: ignore[import-untyped]

from seq2see.metrics.installed import needed
from seq2see.metrics.measured import Measured, Numbers, Scale, ratio

_ORDER = 4  # of BLEU's n-grams
_BETA = 2.0  # chrF: how much more recall counts than precision
_LETTER = regex.compile(r"\p{L}")
_HAN = regex.compile(r"\p{Han}")
_OTHER_WITHOUT_BLANKS = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


def bleu(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """BLEU (Papineni et al. 2002) over sacreBLEU's words, 13a; in scripts without blanks over characters.

    Statistics: length of the prediction, of the nearest reference, n-grams found for n = 1..4, n-grams there.
    """
    metric = _sacrebleu("BLEU").BLEU(tokenize=bleu_tokenizer(references), force=True)
    return _measured(_BLEU, metric, predictions, references, 2 + 2 * _ORDER)


def chrf(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """chrF2 (Popović 2015) over character n-grams for n = 1..6.

    Statistics: for each n the n-grams of the prediction, of the reference, and those in both.
    """
    return _measured(_CHRF, _sacrebleu("chrF").CHRF(), predictions, references, 18)


def ter(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """TER (Snover et al. 2006): edits and shifts of phrases over the mean length of the references, in words."""
    return _measured(_TER, _sacrebleu("TER").TER(), predictions, references, 2)


def bleu_tokenizer(references: Sequence[Sequence[str]]) -> str:
    """sacreBLEU's tokenizer for these texts: `13a`, `zh` for mostly Chinese, `char` for Japanese, Thai and others.

    The two cut into characters, without which a sentence in a script without blanks would be one word.
    """
    text = "".join(known[0] for known in references)
    others, all_letters = len(_OTHER_WITHOUT_BLANKS.findall(text)), len(_LETTER.findall(text))
    without_blanks = others + len(_HAN.findall(text))
    if not all_letters or without_blanks < 0.5 * all_letters:
        return "13a"
    return "char" if others >= 0.05 * without_blanks else "zh"


def _sacrebleu(what: str) -> Any:
    return needed("sacrebleu.metrics", what)


def _measured(
    scale: Scale, metric: Any, predictions: Sequence[str], references: Sequence[Sequence[str]], width: int
) -> Measured:
    """The statistics as sacreBLEU takes them for its own resampling, and the signature that it then has."""
    most = max(map(len, references), default=1)
    # A stream a reference; None where an item has fewer.
    streams = [[known[n] if n < len(known) else None for known in references] for n in range(most)]
    rows = metric._extract_corpus_statistics(list(predictions), streams)
    return Measured(scale, np.array(rows, dtype=np.float64).reshape(-1, width), str(metric.get_signature()))


def _bleu_of(sums: Numbers) -> Numbers:
    """Papineni et al. 2002, section 2.3, N = 4; nothing found counts as 1/2, 1/4, … n-grams (mteval-v13a, "exp")."""
    length, reference_length = sums[..., 0], sums[..., 1]
    found, there = sums[..., 2 : 2 + _ORDER], sums[..., 2 + _ORDER :]
    is_zero = found == 0
    counted = np.where(is_zero, 0.5 ** np.cumsum(is_zero, -1), found)
    precision = counted / np.maximum(there, 1.0)
    brevity = np.exp(np.minimum(0.0, 1.0 - reference_length / np.maximum(length, 1.0)))
    value = 100.0 * brevity * np.exp(np.log(precision).mean(-1))
    # Too short for any n-gram of some order, or not a single word right: no score rather than a smoothed one.
    return np.where((there > 0).all(-1) & (found > 0).any(-1), value, 0.0)


def _chrf_of(sums: Numbers) -> Numbers:
    """Popović 2015, eq. 1, precision and recall each averaged over the orders that occur on both sides."""
    there, expected, found = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    occurs = (there > 0) & (expected > 0)
    num_orders = np.maximum(occurs.sum(-1), 1)
    precision = (np.where(occurs, found, 0.0) / np.maximum(there, 1.0)).sum(-1) / num_orders
    recall = (np.where(occurs, found, 0.0) / np.maximum(expected, 1.0)).sum(-1) / num_orders
    both = _BETA**2 * precision + recall
    return np.where(both > 0, 100.0 * (1 + _BETA**2) * precision * recall / np.where(both > 0, both, 1.0), 0.0)


def _ter_of(sums: Numbers) -> Numbers:
    return 100.0 * ratio(sums)


_BLEU = Scale("bleu", "BLEU", "points", higher_is_better=True, score=_bleu_of, ranks_items=False)
_CHRF = Scale("chrf", "chrF", "points", higher_is_better=True, score=_chrf_of)
_TER = Scale("ter", "TER", "points", higher_is_better=False, score=_ter_of)
