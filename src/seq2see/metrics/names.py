"""The metrics by the names that people ask for, and those that suit a kind of target."""

from __future__ import annotations

from collections.abc import Sequence

from seq2see.errors import ConfigError, UserError, did_you_mean
from seq2see.metrics.edits import character_error_rate, exact_match, symbol_error_rate, word_error_rate
from seq2see.metrics.measured import Metric
from seq2see.metrics.rouge import rouge_1, rouge_2, rouge_l
from seq2see.metrics.translation import bleu, chrf, ter

METRICS: dict[str, Metric] = {
    "exact_match": exact_match,
    "cer": character_error_rate,
    "wer": word_error_rate,
    "per": symbol_error_rate,
    "bleu": bleu,
    "chrf": chrf,
    "ter": ter,
    "rouge_1": rouge_1,
    "rouge_2": rouge_2,
    "rouge_l": rouge_l,
}


def find_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """The names as METRICS has them, each once: `ROUGE-1` is `rouge_1`. ConfigError for one that isn't there."""
    found: dict[str, None] = {}
    for name in names:
        plain = name.strip().lower().replace("-", "_").replace(" ", "_")
        if plain not in METRICS:
            raise ConfigError(
                f"there is no metric {name.strip()!r}", where="--metrics", fix=did_you_mean(plain, METRICS)
            )
        found[plain] = None
    if not found:
        raise ConfigError("no metric was named", where="--metrics", fix=f"one or more of: {','.join(METRICS)}")
    return tuple(found)


def metrics_for(unit: str) -> tuple[str, ...]:
    """What suits targets that are made of these tokens: spelling, symbols, or words of sentences."""
    if unit == "symbols":
        return "exact_match", "per"
    if unit in ("characters", "graphemes", "bytes"):
        return "exact_match", "cer"
    return "bleu", "chrf", "ter"


def computable(names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Those of the names that what is installed can work out (exact match always), and what the rest lack."""
    kept, lacking = [], ""
    for name in names:
        try:
            METRICS[name]([], [])
        except UserError as error:
            lacking = str(error)
        else:
            kept.append(name)
    return tuple(kept or ["exact_match"]), lacking
