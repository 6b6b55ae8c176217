"""Evaluation on dev during training: metrics, sample answers, and all answers for the diagnostics."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from seq2see.data import Pair
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import PairScore, Prediction, loss_of
from seq2see.training import ALONE, DevAnswer, DevEvaluation, Sample, World
from seq2see.training.samples import NUM_SAMPLES

MISSING = object()


def evaluate_on_dev(model: Predictor, dev: Sequence[Pair], world: World = ALONE) -> DevEvaluation:
    """Exact match (not for language models) and loss on dev, with all answers, or a few texts of a language model.

    Each process of the world answers a part of dev; all return the same evaluation.
    """
    own_pairs = dev[world.rank :: world.size]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        scores = interleaved(world.gather(model.score(own_pairs)))
        loss = loss_of([PairScore(*score) for score in scores])
        if model.source_codec is None:
            drawn = model.predict([""] * NUM_SAMPLES, sample=True)
            return DevEvaluation({"loss": loss}, tuple(Sample("", prediction.text, "") for prediction in drawn))
        answers = model.predict([pair.source for pair in own_pairs])
    own = [dev_answer_of(model, pair, answer) for pair, answer in zip(own_pairs, answers, strict=True)]
    answered = tuple(DevAnswer(*each)._replace(tokens=tuple(each[3])) for each in interleaved(world.gather(own)))
    right = sum(each.prediction == each.target for each in answered)
    return DevEvaluation({"exact_match": right / len(answered), "loss": loss}, (), answered)


def interleaved(parts: Sequence[Sequence[Any]]) -> list[Any]:
    """The items of all processes in their original order: item i came from process i modulo their number."""
    turns = zip_longest(*parts, fillvalue=MISSING)
    return [each for turn in turns for each in turn if each is not MISSING]


def dev_answer_of(model: Predictor, pair: Pair, prediction: Prediction) -> DevAnswer:
    """A dev pair with its answer; all texts normalized alike."""
    codec, target = model.target_codec, pair.target or ""
    return DevAnswer(
        codec.normalise(pair.source),
        prediction.text,
        codec.normalise(target),
        tuple(prediction.target_tokens[: len(prediction.target_tokens) - prediction.finished]),
        len(codec.encode(target)) - 1,
        prediction.finished,
    )
