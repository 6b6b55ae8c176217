"""The length penalty of a model's beam: the best of a few on dev, written with the model when training has ended."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from seq2see.data import Pair
from seq2see.data.split import sample_evenly
from seq2see.inference.loading import engine_maker, model_of
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.predictor import Predictor
from seq2see.metrics import METRICS, SCALES
from seq2see.run.progress import title_of, value_text
from seq2see.storage.saved_model import load_model, save_model
from seq2see.text import Codec

PENALTIES = (0.0, 0.2, 0.4, 0.6, 1.0)
BEAM = 5
FEWEST_PAIRS, MOST_PAIRS = 50, 200
"""Of fewer, the best is a lottery; more cost more than they tell."""
MOST_TOKENS = 8_000
"""Of their targets, roughly."""
CHUNK = 50
"""Pairs answered before `stop` is asked again."""


class Tried(NamedTuple):
    """What a beam scored on dev with each length penalty."""

    metric: str
    """One that a search can be judged by."""
    scores: dict[float, float]
    """By length penalty."""

    @property
    def best(self) -> float:
        """The penalty of the best score, of equal ones the smallest."""
        sign = 1 if SCALES[self.metric].higher_is_better else -1
        return max(self.scores, key=lambda penalty: (sign * self.scores[penalty], -penalty))

    def line(self) -> str:
        """For the terminal."""
        name = title_of(self.metric)
        at_best, at_none = (value_text(self.metric, self.scores[penalty]) for penalty in (self.best, 0.0))
        if not self.best:
            return f"length penalty: none, the best of {len(self.scores)} with a beam of {BEAM} (dev {name} {at_none})"
        return (
            f"length penalty: {self.best:g}, the best of {len(self.scores)} with a beam of {BEAM} "
            f"(dev {name} {at_best}, without one {at_none}); kept with the model"
        )


def keep_length_penalty(
    folder: Path, dev: Sequence[Pair], metric: str, *, device: str, stop: Callable[[], bool]
) -> Tried | None:
    """Try length penalties on dev with the model in this folder, and write the best into its configuration.

    `metric` is that of the run; of the loss a search knows nothing, so that chrF takes its place.
    None if there is nothing to choose: of few dev pairs, and of those that are answered without a mistake; and once
    `stop` says so.
    """
    saved = load_model(folder)
    pairs = sample_evenly(dev, most_pairs(dev, saved.target_codec))
    if len(pairs) < FEWEST_PAIRS:
        return None
    model = model_of(saved, engine_maker("auto", device))
    tried = try_penalties(model, pairs, "chrf" if metric == "loss" else metric, stop)
    if tried is not None and tried.best != saved.config.get("length_penalty", 0.0):
        save_model(
            folder,
            config={**saved.config, "length_penalty": tried.best},
            tensors=saved.tensors,
            source_codec=saved.source_codec,
            target_codec=saved.target_codec,
            card=saved.card,
            record=saved.record,
        )
    return tried


def most_pairs(dev: Sequence[Pair], codec: Codec) -> int:
    """How many of these pairs are answered: fewer if their targets are long."""
    tokens = sum(len(codec.encode(pair.target or "")) for pair in sample_evenly(dev, MOST_PAIRS))
    return min(MOST_PAIRS, MOST_TOKENS * min(MOST_PAIRS, len(dev)) // max(1, tokens))


def try_penalties(model: Predictor, pairs: Sequence[Pair], metric: str, stop: Callable[[], bool]) -> Tried | None:
    """The score of each length penalty on these pairs; None if stopped, and if a beam makes no mistake without one."""
    targets = [(model.target_codec.normalize(pair.target or ""),) for pair in pairs]
    scores = {}
    for penalty in PENALTIES:
        answers: list[str] = []
        for start in range(0, len(pairs), CHUNK):
            if stop():
                return None
            sources = [pair.source for pair in pairs[start : start + CHUNK]]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnknownTextWarning)
                answers += [each.text for each in model.predict(sources, beam=BEAM, length_penalty=penalty)]
        if not penalty and all(answer == target for answer, (target,) in zip(answers, targets, strict=True)):
            return None
        scores[penalty] = METRICS[metric](answers, targets).value
    return Tried(metric, scores)
