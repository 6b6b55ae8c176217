"""The training loop, and what it is held to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal, NamedTuple

import numpy as np

from seq2see.data.batch import collate
from seq2see.data.examples import Examples
from seq2see.data.sampler import LengthBucketSampler
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.scratch.arrays import Array
from seq2see.scratch.optimizers import Adam, clip_by_norm
from seq2see.scratch.seq2seq import Seq2seq


@dataclass(frozen=True)
class Recipe:
    """What training is told; the words are those of `seq2see.training.TrainingOptions`."""

    updates: int
    rate: float = 4e-3
    """Adam's, at its highest: it climbs over the first tenth of the updates, and then falls to zero in a line."""
    batch_size: int = 128
    clip: float = 1.0
    """Largest norm of the gradient."""
    evaluate_every: int | None = None
    """Updates between two looks at dev; a sixteenth of all if not said."""
    seed: int = 1
    metric: Literal["exact_match", "loss"] = "exact_match"
    """What decides which model is best on dev; exact match needs a source."""

    def __post_init__(self) -> None:
        for name in ("updates", "rate", "batch_size", "clip", "evaluate_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{value} is too small", where=f"training.{name}", fix="give a number above 0")

    def rate_at(self, update: int) -> float:
        """The rate of update 1, 2, … `updates`."""
        warmup = max(1, round(self.updates / 10))
        return self.rate * min(update / warmup, (self.updates + 1 - update) / (self.updates + 1 - warmup))


class Evaluation(NamedTuple):
    """How a model does on examples whose targets are known."""

    exact_match: float | None
    """Share answered without a mistake, 0..1; None for a language model."""
    loss: float
    """Nats per target token, under teacher forcing."""


class Report(NamedTuple):
    """What happened since the last one."""

    update: int
    loss: float
    """Training loss in nats per target token, the mean over the updates since the last report."""
    dev: Evaluation
    best: bool
    """Whether no earlier model did better on dev."""
    seconds: float
    """Since training began."""


def train(
    model: Seq2seq,
    examples: Examples,
    dev: Examples,
    recipe: Recipe,
    *,
    listen: Callable[[Report], None] = lambda report: None,
    stop: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Train `model`, and leave it with the values that did best on `dev`; returned is how well that was.

    `stop` is asked after each update whether to end now. Raises UserError where the gradient is no longer finite.
    """
    adam = Adam(model)
    every = recipe.evaluate_every or -(-recipe.updates // 16)
    best: Evaluation | None = None
    tensors: dict[str, Array] = {}
    losses: list[float] = []
    began = time.perf_counter()
    for update, indices in enumerate(batches(examples, recipe), start=1):
        source, target = collate(examples, indices)
        model.forget_gradients()
        loss, cache = model.forward(source, target)
        model.backward(cache)
        norm = clip_by_norm(model, recipe.clip)
        if not math.isfinite(norm):
            fix = f"lower the rate (training.rate={recipe.rate / 4:g})"
            raise UserError(f"the gradient became {norm} at update {update}", where="training", fix=fix)
        adam.update(recipe.rate_at(update))
        losses.append(loss)
        ended = update == recipe.updates or stop()
        if ended or update % every == 0:
            found = evaluate(model, dev)
            is_best = best is None or rank(found, recipe.metric) > rank(best, recipe.metric)
            if is_best:
                best, tensors = found, model.tensors()
            listen(Report(update, sum(losses) / len(losses), found, is_best, time.perf_counter() - began))
            losses.clear()
        if ended:
            break
    assert best is not None
    model.load(tensors)
    return best


def batches(examples: Examples, recipe: Recipe) -> Iterator[np.ndarray]:
    """Batches of examples of about the same length, without end: a new order every epoch."""
    require_some(examples, "data.train")
    sampler = LengthBucketSampler(
        examples.source_offsets,
        examples.target_offsets,
        batch_size=recipe.batch_size,
        batch_tokens=None,
        seed=recipe.seed,
    )
    for epoch in count():
        yield from sampler.batches(epoch)


def evaluate(model: Seq2seq, examples: Examples, *, batch_size: int = 256) -> Evaluation:
    """Exact match of the greedy answers and the loss; for a language model the loss alone."""
    require_some(examples, "data.dev")
    order = np.lexsort((examples.target_lengths, examples.source_lengths))
    max_length = int(examples.target_lengths.max()) * 3 // 2 + 10
    loss, right = 0.0, 0
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        source, target = collate(examples, indices)
        loss += model.forward(source, target)[0] * int(target.lengths.sum())
        if source.lengths.any():
            answers = model.generate(source, max_length=max_length)
            right += sum(
                answer.ids == examples.target(index).tolist() for answer, index in zip(answers, indices, strict=True)
            )
    has_source = bool(examples.source_lengths.any())
    return Evaluation(right / len(examples) if has_source else None, loss / int(examples.target_lengths.sum()))


def require_some(examples: Examples, where: str) -> None:
    """Raise DataError if there are none."""
    if not len(examples):
        raise DataError("there are no pairs", where=where, fix="give a file with at least one pair")


def rank(evaluation: Evaluation, metric: str) -> tuple[float, float]:
    """Larger is better: more exact matches and then a lower loss, or a lower loss alone if `metric` is loss."""
    exact_match = 0.0 if metric == "loss" else evaluation.exact_match or 0.0
    return exact_match, -evaluation.loss
