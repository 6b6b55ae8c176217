"""BLEU, chrF and TER as in sacreBLEU (Post 2018), with its signatures.

sacreBLEU computes the statistics of each item; the scores are calculated from them here, for thousands of bootstrap
samples at once. The tests compare all values with sacreBLEU's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seq2see.metrics.installed import require_package
from seq2see.metrics.measured import Measured, Numbers, Scale, ratio
from seq2see.metrics.scripts import letters_of

_ORDER = 4  # of BLEU's n-grams
_BETA = 2.0  # chrF: weight of recall relative to precision
_TOKENIZED_PERIOD = " ."
_MANY_TOKENIZED = 100  # from here on sacreBLEU warns
_FEW = 10  # fewer texts say nothing about all


def bleu(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """BLEU (Papineni et al. 2002) with sacreBLEU's tokenizer 13a; over characters in scripts without blanks.

    Statistics: length of the prediction, of the closest reference, matched and all n-grams for n = 1..4.
    """
    # force: sacreBLEU would log its warning about tokenized text at every call; it is a note of the result instead.
    metric = _sacrebleu("BLEU").BLEU(tokenize=bleu_tokenizer(references), force=True)
    measured = _measured(BLEU, metric, predictions, references, 2 + 2 * _ORDER)
    return replace(measured, note=tokenized_note(predictions))


def chrf(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """chrF2 (Popović 2015) over character n-grams for n = 1..6.

    Statistics: for each n, the n-grams of the prediction, of the reference, and in both.
    """
    return _measured(CHRF, _sacrebleu("chrF").CHRF(), predictions, references, 18)


def ter(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """TER (Snover et al. 2006): word edits and phrase shifts over the mean length of the references.

    In Chinese and Japanese each Han character is a word (Tercom's options for Asian languages, in the signature).
    """
    letters = letters_of(references)
    is_asian = letters.are_without_blanks and letters.han + letters.kana >= letters.southeast_asian
    metric = _sacrebleu("TER").TER(normalized=is_asian, asian_support=is_asian)
    measured = _measured(TER, metric, predictions, references, 2)
    return measured if is_asian or not letters.are_without_blanks else replace(measured, note=_ONE_WORD)


_ONE_WORD = "a text without blanks is one word to TER, which splits only Chinese and Japanese; rely on chrF"


def bleu_tokenizer(references: Sequence[Sequence[str]]) -> str:
    """sacreBLEU's tokenizer for these texts: `13a`, `zh` for mostly Chinese, `char` for Japanese, Thai and others.

    The latter two split into characters; otherwise a sentence in a script without blanks would be one word.
    """
    letters = letters_of(references)
    if not letters.are_without_blanks:
        return "13a"
    return "char" if letters.kana + letters.southeast_asian >= 0.05 * letters.without_blanks else "zh"


def tokenized_note(predictions: Sequence[str]) -> str:
    """What is said of texts that look tokenized; empty for others.

    sacreBLEU warns of 100 texts that end in a tokenized period; here half of a smaller file is enough.
    """
    count = sum(text.endswith(_TOKENIZED_PERIOD) for text in predictions)
    if count < _MANY_TOKENIZED and (count < _FEW or count < 0.5 * len(predictions)):
        return ""
    return (
        f"{count:,} of {len(predictions):,} predictions end in a tokenized period ({_TOKENIZED_PERIOD!r}): detokenize "
        "predictions and references first, since published BLEU scores are of detokenized text"
    )


def _sacrebleu(what: str) -> Any:
    return require_package("sacrebleu.metrics", what)


def _measured(
    scale: Scale, metric: Any, predictions: Sequence[str], references: Sequence[Sequence[str]], width: int
) -> Measured:
    """The statistics that sacreBLEU computes for its own resampling, and its signature."""
    num_streams = max(map(len, references), default=1)
    # One stream per reference; None if an item has fewer.
    streams = [[known[n] if n < len(known) else None for known in references] for n in range(num_streams)]
    rows = metric._extract_corpus_statistics(list(predictions), streams)
    return Measured(scale, np.array(rows, dtype=np.float64).reshape(-1, width), str(metric.get_signature()))


def _bleu_of(sums: Numbers) -> Numbers:
    """Papineni et al. 2002, section 2.3, N = 4; 0 for texts too short for n-grams of some order."""
    return np.where((sums[..., -_ORDER:] > 0).all(-1), _effective_bleu(sums), 0.0)


def _bleu_of_samples(sums: Numbers, whole: Numbers) -> Numbers:
    """Each sample by the orders that occur in it, if all of them occur in the whole: it may draw short texts alone."""
    return _effective_bleu(sums) if (whole[-_ORDER:] > 0).all() else _bleu_of(sums)


def _effective_bleu(sums: Numbers) -> Numbers:
    """BLEU by the orders that occur; zero matches count as 1/2, 1/4, … n-grams (mteval-v13a, "exp")."""
    length, reference_length = sums[..., 0], sums[..., 1]
    matched, total = sums[..., 2 : 2 + _ORDER], sums[..., 2 + _ORDER :]
    is_zero = matched == 0
    counted = np.where(is_zero, 0.5 ** np.cumsum(is_zero, -1), matched)
    precision = counted / np.maximum(total, 1.0)
    brevity = np.exp(np.minimum(0.0, 1.0 - reference_length / np.maximum(length, 1.0)))
    occurs = total > 0
    value = 100.0 * brevity * np.exp((np.log(precision) * occurs).sum(-1) / np.maximum(occurs.sum(-1), 1))
    return np.where((matched > 0).any(-1), value, 0.0)  # not a smoothed score without any match


def _chrf_of(sums: Numbers) -> Numbers:
    """Popović 2015, eq. 1; precision and recall are averaged over the orders that occur on both sides."""
    predicted, expected, matched = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    occurs = (predicted > 0) & (expected > 0)
    num_orders = np.maximum(occurs.sum(-1), 1)
    precision = (np.where(occurs, matched, 0.0) / np.maximum(predicted, 1.0)).sum(-1) / num_orders
    recall = (np.where(occurs, matched, 0.0) / np.maximum(expected, 1.0)).sum(-1) / num_orders
    both = _BETA**2 * precision + recall
    return np.where(both > 0, 100.0 * (1 + _BETA**2) * precision * recall / np.where(both > 0, both, 1.0), 0.0)


def _ter_of(sums: Numbers) -> Numbers:
    return 100.0 * ratio(sums)


BLEU = Scale(
    "bleu", "BLEU", "points", higher_is_better=True, score=_bleu_of, of_samples=_bleu_of_samples, ranks_items=False
)
CHRF = Scale("chrf", "chrF", "points", higher_is_better=True, score=_chrf_of)
TER = Scale("ter", "TER", "points", higher_is_better=False, score=_ter_of)
