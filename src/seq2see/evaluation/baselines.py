"""What is scored without a model: copying the source or its beginning, or looking it up in the training pairs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from seq2see.data import Pair
from seq2see.errors import ConfigError, did_you_mean
from seq2see.evaluation.items import Item
from seq2see.evaluation.report import Estimate, EvaluationReport, estimates
from seq2see.inference.predictor import Predictor
from seq2see.metrics import METRICS
from seq2see.run.folder import CONFIG
from seq2see.run.pairs import read_run_data
from seq2see.text import FIELD_BREAK

BASELINES = ("copy", "lead-1", "lead-2", "lead-3", "lookup")
"""copy: the source (its first field). lead-k: its first k sentences. lookup: the target that the source has most often
in training, or for another source the most frequent target of all."""
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])")


def require_baselines(names: Sequence[str]) -> None:
    """ConfigError for an unknown one."""
    for name in names:
        if name not in BASELINES:
            raise ConfigError(f"unknown baseline {name!r:.80}", where="--baseline", fix=did_you_mean(name, BASELINES))


def score_baselines(
    names: Sequence[str], model: Predictor, run: Path, report: EvaluationReport
) -> dict[str, dict[str, Estimate]]:
    """Each metric of the report but the loss, by baseline. ConfigError if a run's training pairs can't be read."""
    if names and model.source_codec is None:
        raise ConfigError("a language model has no source to copy or look up", where="--baseline", fix="leave it out")
    train: Sequence[Pair] = ()
    if "lookup" in names:
        fix = "name the folder of the run, with its training files as they were, or leave lookup out"
        if not (run / CONFIG).is_file():
            raise ConfigError("lookup needs the pairs that a run was trained on", where=str(run), fix=fix)
        train = read_run_data(run, has_source=True, fix=fix, codecs=(model.source_codec, model.target_codec)).train
    found = {}
    for name in names:
        texts = [model.target_codec.normalize(text) for text in answers_of(name, report.items, train)]
        measured = {
            metric: METRICS[metric](texts, report.outputs.references) for metric in report.measured if metric != "loss"
        }
        found[name] = estimates(measured, report.samples, report.seed)
    return found


def answers_of(name: str, items: Sequence[Item], train: Sequence[Pair] = ()) -> list[str]:
    """What the baseline answers to each item; of `train` only lookup makes use."""
    if name == "lookup":
        return look_up([item.source for item in items], train)
    texts = [item.source.partition(FIELD_BREAK)[0] for item in items]
    return texts if name == "copy" else [lead(text, int(name.removeprefix("lead-"))) for text in texts]


def lead(text: str, number: int) -> str:
    """The first sentences of a text."""
    ends = [match.start() for match in _SENTENCE_END.finditer(text) if match.start()]
    return text[: ends[number - 1]] if len(ends) >= number else text


def look_up(sources: Sequence[str], train: Sequence[Pair]) -> list[str]:
    """The most frequent target of each source, or of all."""
    by_source: dict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for pair in train:
        by_source[pair.source][pair.target or ""] += 1
        overall[pair.target or ""] += 1
    [(usual, _)] = overall.most_common(1) or [("", 0)]
    return [by_source[source].most_common(1)[0][0] if source in by_source else usual for source in sources]
