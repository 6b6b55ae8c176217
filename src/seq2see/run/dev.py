"""Evaluation on dev during training: metrics, sample answers, and all answers for the diagnostics."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from seq2see.data import Batch, Padded, Pair
from seq2see.inference.engine import Array, Ids
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import PairScore, Prediction, loss_of
from seq2see.inference.torch_engine import TorchEngine, TorchState
from seq2see.metrics import METRICS
from seq2see.model import Seq2Seq
from seq2see.training import ALONE, DevAnswer, DevEvaluation, EvaluationStopped, Sample, World
from seq2see.training.samples import NUM_SAMPLES

MISSING = object()


class StoppableEngine(TorchEngine):
    """A network whose evaluation ends with EvaluationStopped, between two steps, once `stop` says so.

    A model that has learned little writes answers without end, and its evaluation takes longer than many updates.
    """

    def __init__(self, network: Seq2Seq, stop: Callable[[], bool], *, max_positions: int | None = None) -> None:
        super().__init__(network, max_positions=max_positions)
        self.stop = stop

    def start(self, source: Padded, read: Ids) -> TorchState:
        """The state of a decoder that has the sources and has read these ids."""
        self._continue()
        return super().start(source, read)

    def step(self, ids: Ids, state: TorchState) -> tuple[Array, TorchState, Array | None]:
        """One more token of each row."""
        self._continue()
        return super().step(ids, state)

    def target_log_probs(self, batch: Batch) -> Array:
        """log p of each real target token, all positions in parallel."""
        self._continue()
        return super().target_log_probs(batch)

    def _continue(self) -> None:
        if self.stop():
            raise EvaluationStopped


def evaluate_on_dev(
    model: Predictor, dev: Sequence[Pair], world: World = ALONE, metric: str = "exact_match"
) -> DevEvaluation:
    """Exact match (not for language models) and loss on dev, with all answers, or a few texts of a language model.

    As `seq2see evaluate` computes it, pairs with the same source are one item, which any of their targets answers.
    Another `metric` comes first. Each process of the world answers a part of dev; all return the same evaluation.
    EvaluationStopped if one was stopped.
    """
    own_pairs, own_items = dev[world.rank :: world.size], items_of(dev)[world.rank :: world.size]
    drawn: Sequence[Prediction] = ()
    found: tuple[list[PairScore], list[DevAnswer]] | None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        try:
            found = model.score(own_pairs), answers_of(model, own_items)
            if model.source_codec is None:
                drawn = model.predict([""] * NUM_SAMPLES, sample=True)
        except EvaluationStopped:
            found = None
    parts = world.gather(found)
    if any(part is None for part in parts):
        raise EvaluationStopped
    scores, answers = (interleaved([part[side] for part in parts if part]) for side in (0, 1))
    loss = loss_of([PairScore(*score) for score in scores])
    if model.source_codec is None:
        return DevEvaluation({"loss": loss}, tuple(Sample("", prediction.text, "") for prediction in drawn))
    answered = tuple(DevAnswer(*each) for each in answers)
    answered = tuple(each._replace(tokens=tuple(each.tokens), targets=tuple(each.targets)) for each in answered)
    metrics = {"exact_match": sum(each.is_right for each in answered) / len(answered), "loss": loss}
    if metric not in metrics:
        metrics = {metric: value_of(metric, answered)} | metrics
    return DevEvaluation(metrics, (), answered)


def items_of(pairs: Sequence[Pair]) -> list[tuple[str, tuple[str, ...]]]:
    """Each source once, with its targets, in the order of the pairs; each empty source is an item of its own."""
    targets: dict[tuple[str, int], dict[str, None]] = {}
    for row, pair in enumerate(pairs, start=1):
        targets.setdefault((pair.source, 0 if pair.source else row), {})[pair.target or ""] = None
    return [(source, tuple(known)) for (source, _), known in targets.items()]


def value_of(metric: str, answers: Sequence[DevAnswer]) -> float:
    """The metric of these answers, beside all targets of each source."""
    return METRICS[metric]([each.prediction for each in answers], [each.targets for each in answers]).value


def answers_of(model: Predictor, items: Sequence[tuple[str, tuple[str, ...]]]) -> list[DevAnswer]:
    """The answers to sources with these targets; none of a language model."""
    if model.source_codec is None:
        return []
    found = model.predict([source for source, _ in items])
    return [dev_answer_of(model, *item, answer) for item, answer in zip(items, found, strict=True)]


def interleaved(parts: Sequence[Sequence[Any]]) -> list[Any]:
    """The items of all processes in their original order: item i came from process i modulo their number."""
    turns = zip_longest(*parts, fillvalue=MISSING)
    return [each for turn in turns for each in turn if each is not MISSING]


def dev_answer_of(model: Predictor, source: str, targets: Sequence[str], prediction: Prediction) -> DevAnswer:
    """The answer to a source of dev; all texts normalized alike."""
    codec = model.target_codec
    known = tuple(dict.fromkeys(map(codec.normalize, targets)))
    target = prediction.text if prediction.text in known else known[0]
    return DevAnswer(
        codec.normalize(source),
        prediction.text,
        target,
        tuple(prediction.target_tokens[: len(prediction.target_tokens) - prediction.finished]),
        len(codec.encode(target)) - 1,
        prediction.finished,
        known,
    )
