"""A model tried on dev while it is trained: its scores, its first answers, and all of them to be watched."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from seq2see.data import Pair
from seq2see.inference.predictor import Predictor, UnknownTextWarning
from seq2see.inference.results import PairScore, Prediction, loss_of
from seq2see.training import ALONE, DevAnswer, Evaluation, Sample, World

SAMPLES = 3
"""Predictions shown at each evaluation."""
NOT_DEALT = object()


def evaluate_on_dev(model: Predictor, dev: Sequence[Pair], world: World = ALONE) -> Evaluation:
    """Exact match (where there is a source) and loss on dev, and the first few predictions.

    Each process of the world answers its share of dev; all of them come to the same evaluation.
    """
    share = dev[world.rank :: world.size]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        scores = in_turns(world.gather(model.score(share)))
        loss = loss_of([PairScore(*score) for score in scores])
        if model.source_codec is None:
            drawn = model.predict([""] * SAMPLES, sample=True)
            return Evaluation({"loss": loss}, tuple(Sample("", prediction.text, "") for prediction in drawn))
        answers = model.predict([pair.source for pair in share])
    own = [dev_answer_of(model, pair, answer) for pair, answer in zip(share, answers, strict=True)]
    tried = tuple(DevAnswer(*each)._replace(tokens=tuple(each[3])) for each in in_turns(world.gather(own)))
    samples = tuple(
        Sample(pair.source, each.prediction, each.target) for pair, each in zip(dev[:SAMPLES], tried, strict=False)
    )
    right = sum(each.prediction == each.target for each in tried)
    return Evaluation({"exact_match": right / len(tried), "loss": loss}, samples, tried)


def in_turns(shares: Sequence[Sequence[Any]]) -> list[Any]:
    """What was dealt out one by one, in its order again."""
    dealt = zip_longest(*shares, fillvalue=NOT_DEALT)
    return [each for turn in dealt for each in turn if each is not NOT_DEALT]


def dev_answer_of(model: Predictor, pair: Pair, prediction: Prediction) -> DevAnswer:
    """A pair of dev with its answer, in the same normal form."""
    codec, target = model.target_codec, pair.target or ""
    return DevAnswer(
        codec.normalise(pair.source),
        prediction.text,
        codec.normalise(target),
        tuple(prediction.target_tokens[: len(prediction.target_tokens) - prediction.finished]),
        len(codec.encode(target)) - 1,
        prediction.finished,
    )
