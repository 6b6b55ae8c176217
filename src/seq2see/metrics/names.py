"""The metrics by name, and the default metrics of each target unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from seq2see.errors import ConfigError, UserError, did_you_mean
from seq2see.metrics.edits import (
    CER,
    EXACT_MATCH,
    PER,
    SER,
    WER,
    character_error_rate,
    exact_match,
    phone_error_rate,
    symbol_error_rate,
    word_error_rate,
)
from seq2see.metrics.measured import Metric
from seq2see.metrics.phones import are_phones
from seq2see.metrics.rouge import ROUGE_1, ROUGE_2, ROUGE_L, rouge_1, rouge_2, rouge_l, words_of
from seq2see.metrics.translation import BLEU, CHRF, TER, bleu, chrf, ter

METRICS: dict[str, Metric] = {
    "exact_match": exact_match,
    "cer": character_error_rate,
    "wer": word_error_rate,
    "per": phone_error_rate,
    "ser": symbol_error_rate,
    "bleu": bleu,
    "chrf": chrf,
    "ter": ter,
    "rouge_1": rouge_1,
    "rouge_2": rouge_2,
    "rouge_l": rouge_l,
}

SCALES = {scale.name: scale for scale in (EXACT_MATCH, CER, WER, PER, SER, BLEU, CHRF, TER, ROUGE_1, ROUGE_2, ROUGE_L)}
"""The scale of each metric, for those that need a direction or a title before anything is measured."""

USUAL_NAMES = {
    "exact_match": "accuracy acc em exact exactmatch sequence_accuracy sentence_accuracy word_accuracy string_accuracy",
    "cer": "character_error_rate char_error_rate",
    "wer": "word_error_rate",
    "per": "phoneme_error_rate phone_error_rate",
    "ser": "symbol_error_rate token_error_rate",
    "bleu": "sacrebleu bleu4 bleu_4",
    "chrf": "chrf2 chr_f",
    "ter": "translation_edit_rate",
    "rouge_1": "rouge1",
    "rouge_2": "rouge2",
    "rouge_l": "rougel",
}
"""By name: what other tools and papers call the same metric."""


def find_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """The names as in METRICS, without repetitions: `ROUGE-1` is `rouge_1`, `accuracy` is `exact_match`.

    ConfigError for an unknown name.
    """
    found: dict[str, None] = {}
    for name in names:
        plain = metric_called(name)
        if plain not in METRICS:
            raise ConfigError(f"unknown metric {name.strip()!r}", where="metrics", fix=did_you_mean(plain, METRICS))
        found[plain] = None
    if not found:
        raise ConfigError("needs at least one metric", where="metrics", fix=f"choose from: {','.join(METRICS)}")
    return tuple(found)


def metric_called(name: str) -> str:
    """The metric that goes by this name, as in METRICS; an unknown name in that spelling."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    return next((metric for metric, names in USUAL_NAMES.items() if plain in names.split()), plain)


SPELLING = ("characters", "decomposed", "graphemes", "bytes")
"""Units of targets whose letters are tokens."""
SHORTEST_TEXT, SHORTENED = 20, 3
"""Mean words of the sources, and how many times those of the targets, from which on targets are summaries."""
MOST_COUNTED = 1_000
"""Texts whose words are counted for this."""
FEWEST_SINGLE = 0.95
"""Share of the targets that are one word from which on they are answers: right or wrong, with nothing in between."""


def metrics_for(unit: str, targets: Iterable[str] = (), sources: Sequence[str] = ()) -> tuple[str, ...]:
    """The default metrics for targets of this unit: symbols, characters, or words and subwords.

    Symbols have a phone error rate if these targets are of phones, one-word answers only an exact match, and summaries
    of these `sources` ROUGE first.
    """
    if unit in SPELLING:
        return "exact_match", "cer"
    targets = tuple(targets)
    if are_single_words(unit, targets):
        return ("exact_match",)
    if unit == "symbols":
        return "exact_match", "per" if are_phones({token for text in targets for token in text.split()}) else "ser"
    usual = ("bleu", "chrf", "ter")
    return ("rouge_1", "rouge_2", "rouge_l", *usual) if are_summaries(sources, targets) else usual


def are_summaries(sources: Sequence[str], targets: Sequence[str]) -> bool:
    """Whether targets are much shorter than sources that are texts, as summaries and titles are."""
    means = [
        fmean([len(words_of(text)) for text in texts[:: 1 + len(texts) // MOST_COUNTED]] or [0])
        for texts in (sources, targets)
    ]
    return means[0] >= max(SHORTEST_TEXT, SHORTENED * means[1])


def are_single_words(unit: str, targets: Sequence[str]) -> bool:
    """Whether targets of this unit are one-word answers, whose exact match is called accuracy."""
    num_single = sum(len(text.split()) == 1 for text in targets)
    return unit not in SPELLING and bool(targets) and num_single >= FEWEST_SINGLE * len(targets)


def computable(names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The metrics whose packages are installed (at least exact match), and the error of the others."""
    kept, missing = [], ""
    for name in names:
        try:
            METRICS[name]([], [])
        except UserError as error:
            missing = str(error)
        else:
            kept.append(name)
    return tuple(kept or ["exact_match"]), missing
